"""What must hold of the address ranges of a cluster now. Pure: numbers and ranges in."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_aksnet.expectations.ipam_arithmetic import Cost, Network
from pytest_aksnet.model.verdict import Outcome, Verdict

PLANNING = "AKS docs: concepts-network-ip-address-planning"
_KUBENET = "AKS docs: configure-kubenet"
_OVERLAY = "AKS docs: concepts-network-azure-cni-overlay"
_SERVICE_CIDRS = "Kubernetes docs: Extend Service IP Ranges"
_MAX_PODS = "Kubernetes docs: Considerations for large clusters; AKS docs: quotas-skus-regions"
_NEARLY = 0.9
_SHOWN = 5
RESERVED = ("169.254.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.0.2.0/24")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Something that is given out in pieces: `what` it is ("addresses of subnet x").

    `used` is what Azure counts where `is_measured`, else the least that the cluster shows.
    """

    what: str
    size: int
    used: int
    is_measured: bool = False

    @property
    def free(self) -> int:
        """What is left, at most."""
        return self.size - self.used

    def __str__(self) -> str:
        """As a sentence has it."""
        how = "" if self.is_measured else "at least "
        return f"{self.what}: {how}{self.used} of {self.size} used"


def judge_room_for_a_node(rooms: Sequence[tuple[Room, Cost]], *, source: str) -> Verdict:
    """One more node of each pool finds what it needs."""
    if not rooms:
        return _unknown("no range or subnet is known that a node takes something of")
    too_small = [(room, cost) for room, cost in rooms if room.free < cost.sure]
    if too_small:
        found = "; ".join(
            f"{room}, {room.free} left, and one more node takes {cost.sure}"
            for room, cost in too_small
        )
        return _fail(f"there must be room for one more node: {found}", source)
    tight = [f"{room}, {room.free} left" for room, cost in rooms if room.free < cost.planned]
    return _hold(
        f"one more node finds room ({'; '.join(str(room) for room, _ in rooms)})",
        source,
        warning="; ".join(f"{text}, less than the documentation plans for" for text in tight),
    )


def judge_pod_blocks(room: Room, routes: Room | None) -> Verdict:
    """The pods' range has a block for one more node, and the route table a route."""
    both = [one for one in (room, routes) if one is not None]
    return judge_room_for_a_node(
        [(one, Cost(sure=1, planned=1)) for one in both],
        source=_OVERLAY if routes is None else _KUBENET,
    )


def judge_pods_per_node(running: Mapping[str, tuple[int, int]]) -> Verdict:
    """No node is full: `running` has its pods and the most that its kubelet takes, by node."""
    if not running:
        return _unknown("no node is known")
    full = [
        f"{node} has {pods} of {most}" for node, (pods, most) in running.items() if pods >= most
    ]
    if full:
        return _fail(f"every node must have room for one more pod: {_some(full)}", _MAX_PODS)
    near = [
        f"{node} has {pods} of {most}"
        for node, (pods, most) in running.items()
        if pods >= most * _NEARLY
    ]
    fullest = min(running.values(), key=lambda one: one[1] - one[0])
    return _hold(
        f"every node takes more pods (the fullest has {fullest[0]} of {fullest[1]})",
        _MAX_PODS,
        warning=f"nearly full: {_some(near)}" if near else "",
    )


def judge_service_range(room: Room) -> Verdict:
    """A new Service gets a cluster IP."""
    if room.free < 1:
        return _fail(f"a new Service must get a cluster IP: {room}", _SERVICE_CIDRS)
    near = room.used >= room.size * _NEARLY
    return _hold(
        f"a new Service gets a cluster IP ({room})",
        _SERVICE_CIDRS,
        warning=f"nearly full: {room}" if near else "",
    )


def judge_pressure(open_ones: Sequence[str], over: Sequence[str]) -> Verdict:
    """No pod waits for an address or a place; `over` were such events that are no more true."""
    source = "AKS docs: error-code-subnetisfull-upgrade, insufficientsubnetsize"
    if open_ones:
        return _fail(f"no pod may wait for an address or for room: {_some(open_ones)}", source)
    return _hold(
        "no event tells of a lack of addresses",
        source,
        warning=f"it happened within the last hour: {_some(over)}" if over else "",
    )


def judge_disjoint(
    ranges: Mapping[str, Sequence[Network]],
    hosts: Mapping[str, str],
    *,
    nested: frozenset[frozenset[str]],
    reserved: bool,
) -> Verdict:
    """Ranges of pods, Services and network do not overlap, nor do hosts stand in those of pods.

    `ranges` are by whose they are; pairs in `nested` may overlap. `hosts` are addresses that must
    not be in any range of "pods" or "Services". `reserved` is whether AKS's own ranges count.
    """
    source = "AKS docs: configure-kubenet, concepts-network-azure-cni-overlay (CIDR requirements)"
    wrong = []
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        if frozenset((one, other)) not in nested:
            wrong += [
                f"{a} of {one} and {b} of {other} overlap"
                for a in first
                for b in second
                if _overlap(a, b)
            ]
    if reserved:
        wrong += [
            f"{network} of {whose} is in {taken}, which AKS reserves"
            for whose, networks in ranges.items()
            for network in networks
            for taken in RESERVED
            if _overlap(network, ipaddress.ip_network(taken))
        ]
    for whose in ("pods", "Services"):
        wrong += [
            f"{what} ({address}) is in {network} of {whose}, so pods cannot reach it"
            for what, address in hosts.items()
            for network in ranges.get(whose, ())
            if ipaddress.ip_address(address) in network
        ]
    if wrong:
        return _fail(f"address ranges must not overlap: {_some(wrong)}", source)
    return _hold(f"the ranges of {', '.join(ranges)} do not overlap", source)


def judge_blocks_distinct(blocks: Mapping[str, Sequence[Network]]) -> Verdict:
    """No two nodes have the same range for pods; `blocks` are by node."""
    source = f"{_KUBENET}; Kubernetes docs: kube-controller-manager --allocate-node-cidrs"
    shared = [
        f"{a} of {one} and {b} of {other}"
        for (one, first), (other, second) in combinations(blocks.items(), 2)
        for a in first
        for b in second
        if _overlap(a, b)
    ]
    if shared:
        return _fail(f"each node must have a pod range of its own: {_some(shared)}", source)
    return _hold(f"{len(blocks)} nodes have pod ranges of their own", source)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _some(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "; ".join(listed[:_SHOWN]) + more


def _fail(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)


def _unknown(sentence: str) -> Verdict:
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)


def _hold(sentence: str, source: str, *, warning: str = "") -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source, warning=warning)
