"""What Node objects and the Leases of their kubelets must say. Pure, over JSON of the API."""

import datetime
import ipaddress
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Outcome, Verdict, merge

CONDITIONS_SOURCE = "Kubernetes docs: reference/node/node-status, conditions"
LEASE_SOURCE = "Kubernetes docs: concepts/architecture/nodes, heartbeats; KEP-589"
ADDRESS_SOURCE = "Kubernetes docs: concepts/services-networking, the network model"
SKEW_SOURCE = "Kubernetes docs: releases/version-skew-policy, kubelet"
# What each condition of a node that can be used says. NodePressure types are of the kubelet,
# NetworkUnavailable of whoever makes the routes; one that nobody sets promises nothing.
_WELL = {
    "Ready": "True",
    "NetworkUnavailable": "False",
    "MemoryPressure": "False",
    "DiskPressure": "False",
    "PIDPressure": "False",
}
_MOST_MINORS_OLDER = 3


def judge_conditions(node: Json) -> Verdict:
    """Whether a node is Ready, has its network, and is short of nothing."""
    name = node["metadata"]["name"]
    said = {item["type"]: item for item in node.get("status", {}).get("conditions") or ()}
    if "Ready" not in said:
        return _inconclusive(f"node {name} does not say whether it is ready", CONDITIONS_SOURCE)
    wrong = [
        f"{kind}={said[kind].get('status')} ({said[kind].get('reason', '')}: "
        f"{said[kind].get('message', '')})"
        for kind, well in _WELL.items()
        if kind in said and said[kind].get("status") != well
    ]
    if wrong:
        return _failed(
            f"node {name} should be Ready, with its network and short of nothing, but says "
            f"{', '.join(wrong)}",
            CONDITIONS_SOURCE,
        )
    return _passed(f"node {name} is well by all its conditions", CONDITIONS_SOURCE)


def renewed(lease: Json) -> datetime.datetime | None:
    """When a kubelet last renewed its Lease, by its own clock; None where it never did."""
    text = lease.get("spec", {}).get("renewTime")
    return datetime.datetime.fromisoformat(text) if text else None


def duration_s(lease: Json) -> float:
    """How long a Lease holds without being renewed (seconds); kubelets ask for 40."""
    return float(lease.get("spec", {}).get("leaseDurationSeconds") or 40)


def doubtful_leases(leases: Mapping[str, Json], fresh: Collection[str]) -> set[str]:
    """Of the Leases by node, those that may be old; the `fresh` ones were seen being renewed.

    A Lease is no doubt held where its time is that of a fresh one, within how long it holds. No
    clock of ours is asked: it may be wrong, and so may be that of one node. Without a fresh one
    all may be old: what is alike may have ended together.
    """
    seen = [time for name in fresh if (time := renewed(leases[name])) is not None]
    return {
        name
        for name, lease in leases.items()
        if name not in fresh
        and not any(_apart_s(renewed(lease), time) <= duration_s(lease) for time in seen)
    }


def _apart_s(one: datetime.datetime | None, other: datetime.datetime) -> float:
    return math.inf if one is None else abs((one - other).total_seconds())


def judge_leases(
    nodes: Sequence[str], leases: Mapping[str, Json], silent: Mapping[str, float]
) -> Verdict:
    """Whether each node's kubelet renews its Lease. `silent` has the seconds without a renewal."""
    return merge(_judge_lease(node, leases, silent) for node in nodes)


def _judge_lease(node: str, leases: Mapping[str, Json], silent: Mapping[str, float]) -> Verdict:
    if node not in leases:
        return _failed(
            f"the kubelet of node {node} should renew a Lease, but there is none in "
            "kube-node-lease: it has not been heard since the node came",
            LEASE_SOURCE,
        )
    if node in silent:
        return _failed(
            f"the kubelet of node {node} should renew its Lease within "
            f"{duration_s(leases[node]):.0f} s, but did not in {silent[node]:.0f} s of looking "
            f"(renewTime {leases[node]['spec'].get('renewTime')})",
            LEASE_SOURCE,
        )
    return _passed(f"node {node} renews its Lease", LEASE_SOURCE)


def judge_addresses(nodes: Sequence[Json], subnets: Sequence[Network]) -> Verdict:
    """Whether each node has an InternalIP, no two have the same, and all lie in known `subnets`."""
    by_address: defaultdict[str, list[str]] = defaultdict(list)
    verdicts = []
    for node in nodes:
        name = node["metadata"]["name"]
        own = internal_addresses(node)
        if not own:
            verdicts.append(_failed(f"node {name} has no InternalIP", ADDRESS_SOURCE))
        for address in own:
            by_address[address].append(name)
            parsed = ipaddress.ip_address(address)
            same = [subnet for subnet in subnets if subnet.version == parsed.version]
            if same and not any(parsed in subnet for subnet in same):
                verdicts.append(
                    _failed(
                        f"node {name} has the address {address}, which is in none of the nodes' "
                        f"subnets {', '.join(map(str, same))}",
                        ADDRESS_SOURCE,
                    )
                )
    for address, names in by_address.items():
        if len(names) > 1:
            verdicts.append(
                _failed(
                    f"nodes {' and '.join(sorted(names))} have the same address {address}: what is "
                    "for one reaches the other",
                    ADDRESS_SOURCE,
                )
            )
    if not nodes:
        return _inconclusive("the cluster lists no node", ADDRESS_SOURCE)
    return merge(verdicts or [_passed(f"{len(by_address)} addresses, each once", ADDRESS_SOURCE)])


def internal_addresses(node: Json) -> tuple[str, ...]:
    """The InternalIPs of a node."""
    listed = node.get("status", {}).get("addresses") or ()
    return tuple(item["address"] for item in listed if item.get("type") == "InternalIP")


def judge_versions(nodes: Sequence[Json], server: str, pool_of: Mapping[str, str]) -> Verdict:
    """Whether kubelets are of one version in each pool, and of none that `server` rules out.

    A kubelet may be up to three minor versions older than the API server, never newer.
    """
    versions: dict[str, str] = {}
    pools: defaultdict[str, Counter[str]] = defaultdict(Counter)
    verdicts = []
    for node in nodes:
        name = node["metadata"]["name"]
        version = node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")
        versions[name] = version
        pools[pool_of.get(name, "")][version] += 1
        verdicts.append(_judge_skew(name, version, server))
    for pool, counted in sorted(pools.items()):
        if len(counted) > 1:
            most = counted.most_common(1)[0][0]
            others = ", ".join(
                f"{name} {version}"
                for name, version in sorted(versions.items())
                if pool_of.get(name, "") == pool and version != most
            )
            where = f"pool {pool}" if pool else "the cluster"
            verdicts.append(
                _failed(
                    f"the kubelets of {where} should have one version, but {counted[most]} have "
                    f"{most} and others not: {others}; an upgrade of the pool did not finish",
                    SKEW_SOURCE,
                )
            )
    return merge(verdicts)


def _judge_skew(name: str, kubelet: str, server: str) -> Verdict:
    try:
        (major, minor), (server_major, server_minor) = _minor(kubelet), _minor(server)
    except ValueError:
        return _inconclusive(
            f"the versions {kubelet!r} of node {name} and {server!r} of the API server do not read "
            "as versions",
            SKEW_SOURCE,
        )
    older = server_minor - minor
    if major == server_major and 0 <= older <= _MOST_MINORS_OLDER:
        return _passed(f"node {name} runs {kubelet}", SKEW_SOURCE)
    return _failed(
        f"the kubelet of node {name} should be at most {_MOST_MINORS_OLDER} minor versions older "
        f"than the API server ({server}) and not newer, but is {kubelet}",
        SKEW_SOURCE,
    )


def _minor(version: str) -> tuple[int, int]:
    major, _, rest = version.removeprefix("v").partition(".")
    return int(major), int(rest.partition(".")[0].rstrip("+"))


def _passed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source)


def _failed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)


def _inconclusive(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=source)
