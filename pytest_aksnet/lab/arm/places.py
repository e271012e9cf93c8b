"""In which subnet an address lies."""

import ipaddress
from functools import cache

from pytest_aksnet.lab.arm.world import World


def locate(world: World, ip: str) -> tuple[str, str] | None:
    """The virtual network and the subnet that an address is of; None for none."""
    address = ipaddress.ip_address(ip)
    for network in world.azure.networks.values():
        for subnet in network.subnets:
            prefixes = filter(None, (subnet.prefix, subnet.prefix6))
            if any(address in _parsed(prefix) for prefix in prefixes):
                return network.name, subnet.name
    return None


@cache
def _parsed(prefix: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Parsing takes longer than everything else that an answer needs."""
    return ipaddress.ip_network(prefix)
