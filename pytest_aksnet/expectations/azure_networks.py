"""Whether virtual networks, their subnets, peerings and DNS servers fit the cluster. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_places import CONNECTED
from pytest_aksnet.expectations.azure_security_rules import PROBE_SOURCE, networks
from pytest_aksnet.expectations.dns_resolver import LOCAL_DNS_OF_NODES
from pytest_aksnet.model.azure_vnet import Peering, Subnet, VirtualNetwork

PEERINGS = "Azure docs: virtual-network-troubleshoot-peering-issues, update-virtual-network-peering"
OVERLAP = (
    "AKS docs: concepts-network-ip-address-planning; azure-cni-overlay (pod and Service ranges "
    "must not overlap with connected networks)"
)
DNS_SERVERS = (
    "Azure docs: virtual-networks-name-resolution-for-vms-and-role-instances (machines take "
    "changed DNS servers when they start anew)"
)
SUBNETS = "Azure docs: troubleshoot failed provisioning state of Microsoft.Network resources"
ISOLATED = "AKS docs: concepts-network-isolated; Azure docs: default-outbound-access"
_IN_SYNC = "fullyinsync"
_SUCCEEDED = "succeeded"
_BLOCKED = "block"
_ISOLATED_TYPES = ("none", _BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeeringSeen:
    """One peering of the cluster's network, and the far side of it.

    `back` is the far network's peering with the cluster's, None where it was not told. `answers`
    is whether a host that the site file names in its ranges answers pods, None where none is named.
    """

    near: Peering
    back: Peering | None
    host: str = ""
    answers: bool | None = None


def judge_peerings(peerings: Sequence[PeeringSeen]) -> Finding:
    """Whether peerings are connected on both sides and know each other's present ranges."""
    if not peerings:
        return passed("the virtual network has no peering", source=PEERINGS)
    return together(map(_judge_peering, peerings))


def judge_overlap(peerings: Iterable[Peering], own: Mapping[str, Sequence[str]]) -> Finding:
    """Whether ranges of peered networks are apart from the cluster's; `own` are those by name."""
    findings = []
    for peering in peerings:
        if not peering.remote_ranges:
            findings.append(open_(f"ARM told no range of peering {_name(peering)}", source=OVERLAP))
        for remote in networks(peering.remote_ranges):
            for what, ranges in own.items():
                findings += [
                    failed(
                        f"the range {remote} of peering {_name(peering)} overlaps with {what} "
                        f"{cidr}: pods do not reach the machines there",
                        resource=peering.id,
                        change="give the cluster or the peered network other ranges",
                        source=OVERLAP,
                    )
                    for cidr in networks(ranges)
                    if cidr.version == remote.version and cidr.overlaps(remote)
                ]
    if not findings:
        return passed("ranges of peered networks are apart from the cluster's", source=OVERLAP)
    return together(findings)


def judge_dns_servers(vnet: VirtualNetwork, resolvers: Mapping[str, Sequence[str]]) -> Finding:
    """Whether nodes ask the DNS servers that the network has; `resolvers` are theirs by node."""
    wanted = vnet.dns_servers or (PROBE_SOURCE,)
    findings = []
    for node, servers in resolvers.items():
        hidden = [one for one in servers if one == LOCAL_DNS_OF_NODES or one.startswith("127.")]
        if not servers or hidden:
            findings.append(
                open_(
                    f"node {node} asks {', '.join(servers) or 'nobody that is known'}, which asks "
                    "others that are not seen from a pod",
                    source=DNS_SERVERS,
                )
            )
        elif set(servers) <= set(wanted):
            missing = [one for one in wanted if one not in servers]
            findings.append(
                passed(
                    f"node {node} asks {', '.join(servers)}",
                    source=DNS_SERVERS,
                    warning=f"node {node} does not know of {', '.join(missing)}" if missing else "",
                )
            )
        else:
            findings.append(
                failed(
                    f"virtual network {vnet.name} has the DNS servers {', '.join(wanted)}, but "
                    f"node {node} asks {', '.join(servers)}: it has not been restarted since they "
                    "were changed",
                    resource=vnet.id,
                    change="restart or reimage the nodes, or name the servers that they ask",
                    source=DNS_SERVERS,
                )
            )
    return together(findings)


def judge_subnets(
    vnets: Sequence[VirtualNetwork], subnets: Sequence[Subnet], outbound_type: str
) -> Finding:
    """Whether the last change of each network and subnet succeeded, and isolation is not undone."""
    findings = [
        _judge_state(f"virtual network {one.name}", one.id, one.provisioning_state) for one in vnets
    ]
    for subnet in subnets:
        findings.append(_judge_state(f"subnet {subnet.name}", subnet.id, subnet.provisioning_state))
        if outbound_type.lower() in _ISOLATED_TYPES:
            findings.append(_judge_isolation(subnet, outbound_type))
    return together(findings)


def _judge_peering(one: PeeringSeen) -> Finding:
    near, name = one.near, _name(one.near)
    if not near.state:
        return open_(f"ARM told no state of peering {name}", source=PEERINGS)
    problems = []
    if near.state.lower() != CONNECTED:
        problems.append(f"is {near.state}")
    if one.back is not None and one.back.state and one.back.state.lower() != CONNECTED:
        problems.append(f"is {one.back.state} on the far side")
    for side, peering in (("here", near), ("on the far side", one.back)):
        if peering is not None and peering.allows_access is False:
            problems.append(f"lets no traffic of the other network in {side}")
    late = near.in_sync and near.in_sync.lower() != _IN_SYNC
    if late:
        problems.append(f"is {near.in_sync}, so ranges that were added later have no route")
    seen = f"{one.host} answers" if one.answers else f"{one.host} is silent"
    said = f"peering {name} with {near.remote_vnet.rpartition('/')[2]} {' and '.join(problems)}"
    if not problems:
        warning = f"peering {name} is connected, and yet {seen}" if one.answers is False else ""
        return passed(f"peering {name} is connected", source=PEERINGS, warning=warning)
    if one.answers or (late and len(problems) == 1 and one.answers is None):
        return passed(said, source=PEERINGS, warning=f"{said}; {seen}" if one.answers else said)
    return failed(
        f"{said}, so no packet passes{f': {seen}' if one.host else ''}",
        resource=near.id,
        change="delete both sides and create them again, or sync it",
        source=PEERINGS,
    )


def _judge_state(what: str, resource: str, state: str) -> Finding:
    if not state:
        return open_(f"ARM told no provisioningState of {what}", source=SUBNETS)
    if state.lower() == _SUCCEEDED:
        return passed(f"{what} is {state}", source=SUBNETS)
    if state.lower() != "failed":
        return passed(
            f"{what} is {state}", source=SUBNETS, warning=f"{what} is being changed ({state})"
        )
    return failed(
        f"the last change of {what} must have succeeded, but its provisioningState is {state}: "
        "what an upgrade or a scale-out makes in it may be refused",
        resource=resource,
        change="repeat the update that failed",
        source=SUBNETS,
    )


def _judge_isolation(subnet: Subnet, outbound_type: str) -> Finding:
    if subnet.default_outbound is False:
        return passed(f"subnet {subnet.name} has no default way out", source=ISOLATED)
    if subnet.default_outbound is None:
        return open_(
            f"outboundType is {outbound_type}, and ARM does not tell defaultOutboundAccess of "
            f"subnet {subnet.name}",
            source=ISOLATED,
        )
    closed = subnet.route_table or outbound_type.lower() == _BLOCKED
    if closed:
        # A route may lead the internet to nowhere, and with `block` AKS has rules against it.
        return passed(
            f"outboundType is {outbound_type}",
            source=ISOLATED,
            warning=f"subnet {subnet.name} has default outbound access, which only its routes or "
            "security groups keep it from",
        )
    return failed(
        f"outboundType is {outbound_type}, but subnet {subnet.name} has default outbound access: "
        "machines without a way out of their own get Azure's",
        resource=subnet.id,
        change="set defaultOutboundAccess to false",
        source=ISOLATED,
    )


def _name(peering: Peering) -> str:
    return peering.id.rpartition("/")[2]
