"""Which ranges azure-ip-masq-agent must leave alone, by network mode. Pure.

AKS docs: update-azure-cni, concepts-network-azure-cni-overlay; ip-masq-agent-v2: README, issue 3;
Azure/AKS issues 1207 and 2653.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping

from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Outcome, Verdict

MODES = ("overlay", "node-subnet", "kubenet")
"""The modes in which the agent runs."""

_DOCUMENTS = {
    "overlay": "AKS docs: concepts-network-azure-cni-overlay, update-azure-cni",
    "node-subnet": "Azure/ip-masq-agent-v2 issue 3, Azure/AKS issue 1207: AKS lists the ranges of "
    "the virtual network",
    "kubenet": "Azure/AKS issue 2653; ip-masq-agent-v2: README",
}


def judge_ranges(
    mode: str,
    ranges: Collection[Network],
    *,
    pods: Mapping[str, str],
    nodes: Mapping[str, str],
    inside: Mapping[str, str],
    leftover: bool,
) -> Verdict:
    """Whether nonMasqueradeCIDRs are what a mode (one of MODES) needs.

    `pods` and `nodes` are addresses by what has them, `inside` those of other hosts that must be
    treated like nodes. Pods must be in the ranges always. In node-subnet mode so must the virtual
    network, and not the whole world; in the others nothing but pods may be, as nothing outside can
    answer pods. `leftover`: the user's own ConfigMap is there, which AKS merges.
    """
    document = _DOCUMENTS[mode]
    if not pods:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence="no pod with an address of its own is known that the ranges could be "
            "compared with",
            source=document,
        )
    listed = ", ".join(sorted(map(str, ranges))) or "empty"
    wrong = [f"{pods[ip]} ({ip}) is not in it" for ip in _outside(pods, ranges)][:1]
    if wrong:
        cause = "pods that it talks to see its node's address"
    elif mode == "node-subnet":
        known = {**nodes, **inside}
        wrong = [f"{known[ip]} ({ip}) is not in it" for ip in _outside(known, ranges)][:1]
        cause = "machines of the virtual network see the node's address instead of the pod's"
        world = [str(network) for network in ranges if network.prefixlen == 0]
        if world:
            wrong = [f"it contains {world[0]}"]
            cause = "pods go to the internet with addresses that Azure does not translate"
    else:
        known = {**nodes, **inside}
        wrong = [f"{known[ip]} ({ip}) is in it" for ip in _within(known, ranges)][:1]
        cause = "pods go there with addresses that nothing outside the cluster can answer"
    if wrong:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"nonMasqueradeCIDRs ({listed}) are not what mode {mode} needs: {wrong[0]}, "
            f"so {cause}",
            source=document,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"nonMasqueradeCIDRs ({listed}) are what mode {mode} needs",
        source=document,
        warning=(
            "the ConfigMap azure-ip-masq-agent-config of your own is merged into the list; AKS "
            "wants it removed before a migration to overlay"
            if leftover
            else ""
        ),
    )


def _outside(addresses: Iterable[str], ranges: Collection[Network]) -> list[str]:
    return [ip for ip in addresses if not _is_in(ip, ranges)]


def _within(addresses: Iterable[str], ranges: Collection[Network]) -> list[str]:
    return [ip for ip in addresses if _is_in(ip, ranges)]


def _is_in(ip: str, ranges: Collection[Network]) -> bool:
    return any(ipaddress.ip_address(ip) in network for network in ranges)
