"""The fabric's ports: which machine is behind each, and where that stands in Azure. Pure.

A port is the fabric's end of a machine's cable. Everything that compiles Azure's resources to
packet rules speaks of ports.
"""

import functools
import ipaddress
from dataclasses import dataclass

from pytest_aksnet.lab.azure.resources import Subnet, VirtualNetwork
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, NODE_SUBNET, PEERED_NETWORK, AzureState
from pytest_aksnet.lab.spec import LabSpec, NodeSpec, OutsideHost

INTERNET_PORTS = "inet*"
NODE_PORTS = "node*"

_PREFIXES = {"vnet": "vnet", "internet": "inet", "peered": "peer", "on-prem": "prem"}
_FIRST_MARK = 0x100


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One port. `network` and `subnet` are names, "" outside of Azure; `node` is None for hosts.

    `mac` is that of the machine. With `forwards` its NIC has IP forwarding enabled.
    """

    name: str
    mac: str
    ip: str
    ip6: str | None
    domain: str
    network: str
    subnet: str
    node: NodeSpec | None = None
    forwards: bool = False

    def address(self, version: int) -> str | None:
        """Its own address of that IP version."""
        return self.ip if version == 4 else self.ip6


def node_port_name(node: NodeSpec) -> str:
    """The name of a node's port."""
    return f"node{node.index}"


def node_mark(node: NodeSpec) -> int:
    """The mark of flows that the load balancer sends to a node."""
    return _FIRST_MARK + node.index


def host_port_name(spec: LabSpec, host: OutsideHost) -> str:
    """The name of a host's port."""
    return f"{_PREFIXES[host.domain]}{spec.hosts.index(host)}"


def fabric_ports(azure: AzureState) -> list[Port]:
    """All ports of a lab, nodes first."""
    spec = azure.spec
    ports = [
        Port(
            name=node_port_name(node),
            mac=node.mac,
            ip=node.ip,
            ip6=node.ip6,
            domain="vnet",
            network=CLUSTER_NETWORK,
            subnet=NODE_SUBNET,
            node=node,
            forwards=spec.pods_have_cidr,
        )
        for node in spec.nodes
    ]
    for number, host in enumerate(spec.hosts):
        name = {"vnet": CLUSTER_NETWORK, "peered": PEERED_NETWORK}.get(host.domain, "")
        ports.append(
            Port(
                name=host_port_name(spec, host),
                mac=f"00:0d:3a:5e:20:{number:02x}",
                ip=host.ip,
                ip6=host.ip6,
                domain=host.domain,
                network=name,
                subnet=_subnet_of(azure.networks[name], host.ip) if name else "",
                forwards=host.role == "firewall",
            )
        )
    return ports


def is_forwarding(azure: AzureState, port: Port) -> bool:
    """Whether the virtual network lets a port's machine send for others, and gives it theirs."""
    off = azure.machines.without_forwarding
    return port.forwards and (port.node is None or port.node.name not in off)


def subnet_of(azure: AzureState, port: Port) -> tuple[VirtualNetwork, Subnet] | None:
    """The network and subnet of a port; None outside of Azure."""
    if not port.network:
        return None
    network = azure.networks[port.network]
    return network, network.subnet(port.subnet)


@functools.cache
def pod_networks(node: NodeSpec, version: int) -> tuple[str, ...]:
    """The networks of the addresses that a node's pods may have, as few as cover them exactly."""
    if version == 6:
        return () if node.pod_cidr6 is None else (node.pod_cidr6,)
    if node.pod_cidr is not None:
        return (node.pod_cidr,)
    addresses = [ipaddress.IPv4Network(ip) for ip in node.reserved_pod_ips]
    return tuple(str(network) for network in ipaddress.collapse_addresses(addresses))


def of_version(cidrs: list[str] | tuple[str, ...], version: int) -> list[str]:
    """Those of an IP version; what covers another is merged, as nftables refuses overlaps."""
    if version == 4:
        four = [ipaddress.IPv4Network(cidr, strict=False) for cidr in cidrs if ":" not in cidr]
        return [str(network) for network in ipaddress.collapse_addresses(four)]
    six = [ipaddress.IPv6Network(cidr, strict=False) for cidr in cidrs if ":" in cidr]
    return [str(network) for network in ipaddress.collapse_addresses(six)]


def _subnet_of(network: VirtualNetwork, ip: str) -> str:
    address = ipaddress.ip_address(ip)
    return next(
        subnet.name for subnet in network.subnets if address in ipaddress.ip_network(subnet.prefix)
    )
