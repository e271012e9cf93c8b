"""The Azure side: one network namespace that stands for the VNets, the internet and their edges.

Every machine (node, VM, private endpoint, host on the internet or at a site) is a veth into it. It
forwards between them as the Azure network does, and like it is never seen itself: no hop answers,
what has no owner is dropped silently, and a machine may send only with addresses that are its own.
What it does is compiled from Azure's resources (`routing`, `fabric_program`).
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from pytest_aksnet.lab.azure.security_rules import PROBE_SOURCE6
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.kernel import link_requests, route_requests
from pytest_aksnet.lab.kernel.link_requests import LOOPBACK
from pytest_aksnet.lab.kernel.netlink import RouteSocket
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network import sysctl
from pytest_aksnet.lab.network.fabric_program import (
    TABLE,
    Bent,
    Frontends,
    compiled,
    fabric_program,
)
from pytest_aksnet.lab.network.ports import (
    Port,
    fabric_ports,
    host_port_name,
    node_port_name,
    subnet_of,
)
from pytest_aksnet.lab.network.routing import (
    BLACKHOLE,
    THROW,
    TUNNEL_MTU,
    Place,
    Way,
    machine_routes,
    pod_routes,
    requests,
    rules,
    subnet_routes,
)
from pytest_aksnet.lab.network.tables import TableWriter
from pytest_aksnet.lab.spec import NodeSpec, OutsideHost

MTU = 1500
EXTERNAL_INDEX = 2
"""The interface index of eth0 in every machine."""

_MAC = "12:34:56:78:9a:bc"  # what Azure answers for every address of a VNet
_FIRST_PORT_INDEX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A machine's address of one IP version, its subnet and the gateway in it."""

    interface: str
    subnet: str
    gateway: str

    @property
    def ip(self) -> str:
        return self.interface.partition("/")[0]


class Fabric:
    """The namespace `netns_fd`, wired and programmed."""

    def __init__(self, azure: AzureState, netns_fd: int) -> None:
        self._azure = azure
        self._spec = spec = azure.spec
        self.netns_fd = netns_fd
        self._routes = RouteSocket(netns_fd)
        self._versions = (4, 6) if spec.dual_stack else (4,)
        nft = Nftables(netns_fd)
        self._tables = {
            version: TableWriter(nft, TABLE, "ip" if version == 4 else "ip6")
            for version in self._versions
        }
        self._ports = {port.name: port for port in fabric_ports(azure)}
        self._links: dict[str, int] = {}
        self._current: dict[Place, Way] = {}
        self._frontends = Frontends()
        self._bent = Bent()
        self._unrouted: frozenset[str] = frozenset()
        self._compile()
        sysctl.make_router(netns_fd, ipv6=spec.dual_stack)
        self._routes.apply(
            [
                link_requests.link_up(LOOPBACK),
                # The first address is the source of ICMP errors, and the gateway is who sends them.
                route_requests.address(LOOPBACK, f"{azure.gateway_ip}/32"),
                route_requests.address(LOOPBACK, f"{spec.azure_dns_ip}/32"),
                route_requests.address(LOOPBACK, f"{spec.imds_ip}/32"),
                *rules(azure, list(self._ports.values())),
            ]
        )
        self._write()

    def attach_node(self, node: NodeSpec, netns_fd: int) -> None:
        """Wire a node: its own addresses, and the addresses of its pods behind it."""
        self._attach(self._ports[node_port_name(node)], netns_fd)

    def attach_host(self, host: OutsideHost, netns_fd: int) -> None:
        """Wire a machine of a VNet, of a site or of the internet."""
        self._attach(self._ports[host_port_name(self._spec, host)], netns_fd)

    def follow(self, *, unrouted: Collection[str], bent: Bent) -> None:
        """Bring the kernel in line with Azure's resources and with what is wrong besides.

        `unrouted` are nodes whose pods Azure has lost; of kubenet's pods it knows nothing anyhow.
        """
        lost = frozenset(unrouted)
        if (self._azure.revision, bent, lost) == (self._revision, self._bent, self._unrouted):
            return
        self._unrouted, self._bent = lost, bent
        self._compile()
        self._follow_routes()
        self._write()

    def write_frontends(self, frontends: Frontends) -> None:
        """Set the load balancer's frontends."""
        self._frontends = frontends
        self._write()

    def shape(self, node: NodeSpec, gbit_per_second: float) -> None:
        """Limit what goes to a node."""
        self._routes.apply(
            [link_requests.shape(self._links[node_port_name(node)], gbit_per_second)]
        )

    def unshape(self, node: NodeSpec) -> None:
        """Take the limit back."""
        self._routes.apply([link_requests.unshape(self._links[node_port_name(node)])])

    def link(self, node: str) -> int:
        """The interface index of a node's port. Raises KeyError before it is attached."""
        return self._links[node_port_name(self._spec.node(node))]

    def _compile(self) -> None:
        ports = list(self._ports.values())
        self._revision = self._azure.revision
        self._compiled = {
            version: compiled(self._azure, ports, self._bent, version) for version in self._versions
        }
        self._wanted = {**machine_routes(self._azure, ports), **subnet_routes(self._azure, ports)}
        for port in ports:
            if port.node is not None and port.node.name not in self._unrouted:
                self._wanted |= pod_routes(self._spec, port.node, port)

    def _write(self) -> None:
        for version, table in self._tables.items():
            table.write(fabric_program(self._compiled[version], self._frontends, version))

    def _follow_routes(self) -> None:
        known = {*self._links, THROW, BLACKHOLE}
        wanted = {place: way for place, way in self._wanted.items() if way.port in known}
        self._routes.apply(requests(self._current, wanted, self._links))
        self._current = wanted

    def _attach(self, port: Port, netns_fd: int) -> None:
        index = self._links[port.name] = _FIRST_PORT_INDEX + len(self._links)
        sides = list(self._sides(port))
        self._routes.apply(
            [
                link_requests.veth(
                    index=index,
                    name=port.name,
                    mac=_MAC,
                    peer_index=EXTERNAL_INDEX,
                    peer_name="eth0",
                    peer_mac=port.mac,
                    peer_netns_fd=netns_fd,
                    mtu=MTU,
                ),
                link_requests.forward_on(index),
                link_requests.link_up(index),
                *(route_requests.neighbour(index, side.ip, port.mac) for side in sides),
                *(
                    [route_requests.address(index, f"{PROBE_SOURCE6}/64")]
                    if port.ip6 is not None
                    else []
                ),
            ]
        )
        machine = RouteSocket(netns_fd)
        try:
            machine.apply(
                [
                    link_requests.link_up(LOOPBACK),
                    link_requests.link_up(EXTERNAL_INDEX),
                    *(request for side in sides for request in _machine_side(port, side)),
                ]
            )
        finally:
            machine.close()
        self._follow_routes()

    def _sides(self, port: Port) -> "list[_Side]":
        place = subnet_of(self._azure, port)
        subnet = place[1].prefix if place else str(ipaddress.ip_network(f"{port.ip}/24", False))
        length = subnet.partition("/")[2]
        sides = [
            _Side(
                interface=f"{port.ip}/{length}",
                subnet=subnet,
                gateway=str(ipaddress.ip_network(subnet).network_address + 1),
            )
        ]
        if port.ip6 is not None:
            prefix6 = place[1].prefix6 if place else None
            # Azure gives IPv6 addresses alone, and a link-local gateway by router advertisement.
            sides.append(
                _Side(
                    interface=f"{port.ip6}/128",
                    subnet=prefix6 or str(ipaddress.ip_network(f"{port.ip6}/64", False)),
                    gateway=PROBE_SOURCE6,
                )
            )
        return sides


def _machine_side(port: Port, side: _Side) -> list[bytes]:
    """Address and routes of a machine.

    The subnet goes by the gateway too: the SDN answers for every address in it, also for those
    that nobody has, so one neighbour is all that a machine needs. At a site the default route knows
    the tunnel's MTU, which its VPN device would enforce.
    """
    default = "::/0" if ":" in side.ip else "0.0.0.0/0"
    mtu = TUNNEL_MTU if port.domain == "on-prem" else None
    return [
        route_requests.address(EXTERNAL_INDEX, side.interface),
        route_requests.neighbour(EXTERNAL_INDEX, side.gateway, _MAC),
        *(
            route_requests.route(
                destination,
                EXTERNAL_INDEX,
                gateway=side.gateway,
                source=side.ip,
                onlink=True,
                mtu=mtu,
            )
            for destination in (side.subnet, default)
        ),
    ]
