"""Owns questions about addresses: which are private, which a node's own, of which families."""

import ipaddress

from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.model.profile import NetworkProfile

# RFC 1918, RFC 6598 (shared address space), RFC 4193 (ULA). `is_private` of the standard library
# also counts documentation and benchmark ranges, which are public addresses to a router.
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


def is_private(address: str) -> bool:
    """Whether `address` is of a private range. Raises ValueError for what is no address."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in _PRIVATE if network.version == parsed.version)


def node_addresses(node: NodeRef) -> frozenset[str]:
    """Every address that a node may put on a packet it masquerades: a set, never one address.

    Its InternalIPs, and the first address of its pod range: kubenet's bridge has it, and a
    packet that leaves through the bridge is masqueraded to it.
    """
    gateways = (
        str(ipaddress.ip_network(cidr, strict=False).network_address + 1) for cidr in node.pod_cidrs
    )
    return frozenset((*node.addresses, *gateways))


def is_dual_stack(profile: NetworkProfile) -> bool:
    """Whether pods and Services are known to have both families."""
    return {"ipv4", "ipv6"} <= set((profile.get("ip-families") or "").split(","))


def need_dual_stack(profile: NetworkProfile) -> None:
    """Raise NotApplicable where the cluster is known to have one IP family only.

    Raises FactUnknown where that is not known.
    """
    families = profile.need("ip-families")
    if not is_dual_stack(profile):
        source = profile.facts["ip-families"].source
        raise NotApplicable(f"the cluster is not dual stack: it has {families} ({source})")
