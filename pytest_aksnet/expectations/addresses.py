"""Owns two questions about an address: is it private, and which addresses are a node's own."""

import ipaddress

from pytest_aksnet.model.peers import NodeRef

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
