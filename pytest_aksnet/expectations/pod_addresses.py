"""What is promised about the addresses of pods, judged by what the API server lists. Pure."""

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Outcome, Verdict

UNIQUE = "Kubernetes docs: concepts/services-networking, every Pod has its own cluster-wide address"
HOST_NETWORK = "Kubernetes API: hostNetwork pods use the addresses of their node"
RANGES = (
    "AKS docs: concepts-network-cni-overview, where pods get their addresses from; Kubernetes "
    "docs: network-plugins"
)
GIVEN_AGAIN = (
    "CNI specification: DEL releases what ADD allocated; Azure docs: troubleshoot-network-aks"
)
_MOST_NAMED = 5
# How plugins say that they have no address: host-local, azure-vnet-ipam, azure-cns, Calico, Cilium.
_NO_ADDRESS = (
    "no ip addresses available",
    "no available addresses",
    "not enough ips available",
    "no more free ip",
    "no configured calico pools",
    "range is full",
    "no more ips",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAddress:
    """One address of a running pod; `pod` is NAMESPACE/NAME."""

    pod: str
    node: str
    ip: str
    host_network: bool


def judge_in_range(
    pods: Sequence[PodAddress],
    ranges: Sequence[Network],
    of_nodes: Mapping[str, Sequence[Network]],
    *,
    where_from: str,
    certain: bool,
) -> Verdict:
    """Whether each pod that is not of its node's network has an address inside the ranges.

    `of_nodes` has a node's own part of them where the mode gives it one. The ranges are `certain`
    where the network mode promises them; else the plugin may have others of its own, and what is
    outside counts only where most pods are inside.
    """
    own = [pod for pod in pods if not pod.host_network]
    outside = [pod for pod in own if not _inside(pod, of_nodes.get(pod.node, ranges))]
    text = ", ".join(map(str, ranges))
    if not own:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence="no running pod has an address of its own"
        )
    if not outside:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"the addresses of {len(own)} pods are inside {text} ({where_from})",
            source=RANGES,
        )
    named = _listed(
        [
            f"{pod.ip} of pod {pod.pod} on node {pod.node} (should be in "
            f"{', '.join(map(str, of_nodes.get(pod.node, ranges)))})"
            for pod in outside
        ]
    )
    if not certain and 2 * len(outside) >= len(own):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{len(outside)} of {len(own)} pods have addresses outside of {text} "
            f"({where_from}), so the network plugin has ranges of its own; name them with "
            f"--aksnet-profile pod-cidrs=VALUE: {named}",
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{len(outside)} of {len(own)} pods have addresses outside of the ranges of pods "
        f"({where_from}), which nothing routes: {named}",
        source=RANGES,
    )


def judge_unique(pods: Sequence[PodAddress], node_ips: Mapping[str, str]) -> Verdict:
    """Whether no address is of two running pods, or of a pod and a node (`node_ips`: its name)."""
    holders: dict[str, list[str]] = defaultdict(list)
    for pod in pods:
        if not pod.host_network:
            holders[_canonical(pod.ip)].append(f"pod {pod.pod} on node {pod.node}")
    for ip, node in node_ips.items():
        if (address := _canonical(ip)) in holders:
            holders[address].append(f"node {node}")
    twice = {ip: names for ip, names in holders.items() if len(names) > 1}
    if not holders:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence="no running pod has an address of its own"
        )
    if not twice:
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{len(holders)} addresses, each once", source=UNIQUE
        )
    named = _listed([f"{ip} is of {' and of '.join(names)}" for ip, names in sorted(twice.items())])
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{len(twice)} of {len(holders)} addresses are in use twice, so who answers "
        f"depends on where one asks: {named}",
        source=UNIQUE,
    )


def judge_host_network(
    pods: Sequence[PodAddress], node_ips: Mapping[str, Collection[str]]
) -> Verdict:
    """Whether each pod of its node's network has an address of that node."""
    own = [pod for pod in pods if pod.host_network and pod.node in node_ips]
    if not own:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence="no running pod uses its node's network"
        )
    other = [pod for pod in own if pod.ip not in node_ips[pod.node]]
    if not other:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{len(own)} addresses of host-network pods are those of their nodes",
            source=HOST_NETWORK,
        )
    named = _listed([f"{pod.ip} of pod {pod.pod} on node {pod.node}" for pod in other])
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{len(other)} of {len(own)} addresses of host-network pods are not their node's, "
        f"as where a node's address changed under them: {named}",
        source=HOST_NETWORK,
    )


def judge_given_again(
    *, node: str, wanted: int, succeeded: int, refusals: Sequence[str], waited_s: float
) -> Verdict:
    """Whether more pods than the node has addresses could run there one after the other.

    `refusals` are the messages of events about their sandboxes.
    """
    if succeeded >= wanted:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{succeeded} pods came and went on node {node}",
            source=GIVEN_AGAIN,
        )
    without = [one for one in refusals if any(words in one.lower() for words in _NO_ADDRESS)]
    if not without:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"only {succeeded} of {wanted} pods have run on node {node}, none more in "
            f"{waited_s:.0f} s, and no event says that an address is missing"
            + (f": {refusals[-1]}" if refusals else ""),
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"after {succeeded} of {wanted} short-lived pods node {node} has no address left, "
        f"so addresses of deleted pods are not given again: {without[-1]}",
        source=GIVEN_AGAIN,
    )


def _inside(pod: PodAddress, ranges: Sequence[Network]) -> bool:
    address = ipaddress.ip_address(pod.ip)
    same = [network for network in ranges if network.version == address.version]
    return any(address in network for network in same)


def _canonical(ip: str) -> str:
    return str(ipaddress.ip_address(ip))


def _listed(sentences: Sequence[str]) -> str:
    more = len(sentences) - _MOST_NAMED
    text = "; ".join(sentences[:_MOST_NAMED])
    return f"{text}; and {more} more" if more > 0 else text
