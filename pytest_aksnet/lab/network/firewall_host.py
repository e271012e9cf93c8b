"""What runs on the firewall: a router that keeps state, as Azure Firewall and other appliances do.

It forwards what belongs to a flow whose beginning it saw, and begins none in the middle: an answer
whose question went another way is dropped ("Azure docs: firewall, integrate-lb: asymmetric
routing"). What goes to public addresses leaves with its own address, private destinations see who
asks (Azure Firewall's default SNAT, RFC 1918 and RFC 6598).
"""

from pytest_aksnet.lab.kernel import link_requests
from pytest_aksnet.lab.kernel.netlink import RouteSocket
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network import sysctl
from pytest_aksnet.lab.network.fabric import EXTERNAL_INDEX

_PRIVATE = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10"
_PROGRAM = f"""table ip appliance {{
    chain stateful {{
        type filter hook forward priority 0
        ct state established,related accept
        ct state invalid drop
        tcp flags & (syn | ack) != syn drop
        icmp type echo-reply drop
    }}
    chain translation {{
        type nat hook postrouting priority 100
        ip daddr != {{ {_PRIVATE} }} masquerade
    }}
}}"""


def start_firewall(netns_fd: int) -> None:
    """Make the machine in that network namespace, wired already, a firewall. Raises OSError."""
    sysctl.make_router(netns_fd)
    routes = RouteSocket(netns_fd)
    try:
        routes.apply([link_requests.forward_on(EXTERNAL_INDEX)])
    finally:
        routes.close()
    nft = Nftables(netns_fd)
    try:
        nft.run(_PROGRAM)
    finally:
        nft.close()
