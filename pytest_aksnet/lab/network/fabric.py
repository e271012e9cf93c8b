"""The Azure side: one network namespace that stands for the VNet, the internet and their edges.

Every machine (node, VM, private endpoint, host on the internet) is a veth into it. It forwards
between them as the Azure network does, and like it is never seen itself: no hop answers, what has
no owner is dropped silently, and a node may send only with addresses that are its own. Outbound
translation covers a node's primary address and takes a fixed range of source ports per node
("Azure docs: load-balancer-outbound-connections").

The overlay's pod network is a routing domain of its own: pod addresses are routes in a table that
only packets from nodes look at ("AKS docs: concepts-network-azure-cni-overlay").
"""

import ipaddress
from collections.abc import Collection

from pytest_aksnet.lab.kernel import netlink
from pytest_aksnet.lab.kernel.netlink import LOOPBACK, RouteSocket
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network import sysctl
from pytest_aksnet.lab.network.tables import Elements, TableProgram, TableWriter
from pytest_aksnet.lab.spec import LabSpec, NodeSpec, OutsideHost

TABLE = "azure"
MTU = 1500
EXTERNAL_INDEX = 2
"""The interface index of eth0 in every machine."""

_MAC = "12:34:56:78:9a:bc"  # what Azure answers for every address of a VNet
_POD_ROUTES = 500
_POD_RULE_PRIORITY = 100
_BALANCED_RULE_PRIORITY = 50
_BALANCED_TABLE = 1000
_FIRST_PORT = 1024
# What pods serve on a node's own address; kubelet, kube-proxy and node ports lie outside.
_HOST_PORTS_OF_PODS = "8080-10247, 10260-29999"


def node_mark(node: NodeSpec) -> int:
    """The mark of flows that the load balancer sends to a node."""
    return 0x100 + node.index


class Fabric:
    """The namespace `netns_fd`, wired and programmed."""

    def __init__(self, spec: LabSpec, netns_fd: int) -> None:
        self._spec = spec
        self.netns_fd = netns_fd
        self._routes = RouteSocket(netns_fd)
        self._table = TableWriter(Nftables(netns_fd), TABLE)
        self._ports: dict[str, int] = {}
        self._chains: dict[str, str] = {}
        self._frontends: Elements = {}
        self._denied: tuple[str, ...] = ()
        self._egress_ip = spec.egress_ip
        sysctl.make_router(netns_fd)
        self._routes.apply(
            [
                netlink.link_up(LOOPBACK),
                netlink.address(LOOPBACK, f"{spec.azure_dns_ip}/32"),
                netlink.address(LOOPBACK, f"{spec.imds_ip}/32"),
                netlink.blackhole("0.0.0.0/0"),
            ]
        )
        self.write_balancer({}, {})

    def attach_node(self, node: NodeSpec, netns_fd: int) -> None:
        """Wire a node: its own address, and the addresses of its pods behind it."""
        spec = self._spec
        subnet = ipaddress.ip_network(spec.node_subnet)
        name = _node_port(node)
        index = self._attach(
            name,
            netns_fd,
            interface=f"{node.ip}/{subnet.prefixlen}",
            mac=node.mac,
            gateway=spec.gateway_ip,
            subnet=spec.node_subnet,
        )
        mark = node_mark(node)
        table = _BALANCED_TABLE + node.index
        requests = [
            netlink.route("0.0.0.0/0", index, gateway=node.ip, onlink=True, table=table),
            netlink.rule(priority=_BALANCED_RULE_PRIORITY, mark=mark, table=table),
        ]
        if node.pod_cidr is not None:
            requests.append(
                netlink.rule(priority=_POD_RULE_PRIORITY, from_link=name, table=_POD_ROUTES)
            )
        self._routes.apply(requests)
        self.route_pods(node)

    def attach_host(self, host: OutsideHost, netns_fd: int) -> None:
        """Wire a machine of the VNet or of the internet."""
        spec = self._spec
        address = ipaddress.ip_address(host.ip)
        number = spec.hosts.index(host)
        if host.domain != "internet":
            subnets = (
                *(spec.vm_subnet, spec.endpoint_subnet, spec.node_subnet),
                *(spec.firewall_subnet, spec.peered_vnet_cidr, spec.on_prem_cidr),
            )
            subnet = next(
                network for network in map(ipaddress.ip_network, subnets) if address in network
            )
        else:
            subnet = ipaddress.ip_network(f"{host.ip}/24", strict=False)
        self._attach(
            f"{_HOST_PORTS[host.domain]}{number}",
            netns_fd,
            interface=f"{host.ip}/{subnet.prefixlen}",
            mac=f"00:0d:3a:5e:20:{number:02x}",
            gateway=str(subnet.network_address + 1),
            subnet=str(subnet),
        )

    def route_pods(self, node: NodeSpec) -> None:
        """Send what is for the pods of a node to it."""
        index = self._ports[_node_port(node)]
        self._routes.apply(
            [
                netlink.route(network, index, gateway=node.ip, onlink=True, table=table)
                for network, table in _pod_networks(node)
            ]
        )

    def forget_pods(self, node: NodeSpec) -> None:
        """Have no route to the pods of a node. Raises OSError where there was none."""
        index = self._ports[_node_port(node)]
        self._routes.apply(
            [
                netlink.delete_route(network, index, gateway=node.ip, table=table)
                for network, table in _pod_networks(node)
            ]
        )

    def write_balancer(self, chains: dict[str, str], elements: Elements) -> bool:
        """Set the load balancer's frontends; whether anything changed."""
        self._chains, self._frontends = chains, elements
        return self._write()

    def write_edge(self, *, egress_ip: str | None, denied: Collection[str]) -> bool:
        """Set the address of outbound traffic, and the nodes whose ports the NSG denies.

        `denied` are addresses of nodes. Whether anything changed.
        """
        self._egress_ip, self._denied = egress_ip, tuple(sorted(denied))
        return self._write()

    def _write(self) -> bool:
        denied = {"denied": dict.fromkeys(self._denied, "")}
        return self._table.write(
            TableProgram(
                base=_base(self._spec, self._egress_ip),
                chains=self._chains,
                elements={**self._frontends, **denied},
            )
        )

    def shape(self, node: NodeSpec, gbit_per_second: float) -> None:
        """Limit what goes to a node."""
        self._routes.apply([netlink.shape(self._ports[_node_port(node)], gbit_per_second)])

    def unshape(self, node: NodeSpec) -> None:
        """Take the limit back."""
        self._routes.apply([netlink.unshape(self._ports[_node_port(node)])])

    def _attach(
        self, name: str, netns_fd: int, *, interface: str, mac: str, gateway: str, subnet: str
    ) -> int:
        index = self._ports[name] = 10 + len(self._ports)
        ip = interface.partition("/")[0]
        self._routes.apply(
            [
                netlink.veth(
                    index=index,
                    name=name,
                    mac=_MAC,
                    peer_index=EXTERNAL_INDEX,
                    peer_name="eth0",
                    peer_mac=mac,
                    peer_netns_fd=netns_fd,
                    mtu=MTU,
                ),
                netlink.forward_on(index),
                netlink.link_up(index),
            ]
        )
        machine = RouteSocket(netns_fd)
        try:
            # The subnet goes by the gateway too: the SDN answers for every address in it, also
            # for those that nobody has, so one neighbour is all that a machine needs.
            machine.apply(
                [
                    netlink.link_up(LOOPBACK),
                    netlink.link_up(EXTERNAL_INDEX),
                    netlink.address(EXTERNAL_INDEX, interface),
                    netlink.neighbour(EXTERNAL_INDEX, gateway, _MAC),
                    netlink.route(subnet, EXTERNAL_INDEX, gateway=gateway, source=ip, onlink=True),
                    netlink.route(
                        "0.0.0.0/0", EXTERNAL_INDEX, gateway=gateway, source=ip, onlink=True
                    ),
                ]
            )
        finally:
            machine.close()
        self._routes.apply([netlink.neighbour(index, ip, mac), netlink.route(f"{ip}/32", index)])
        return index


_HOST_PORTS = {"vnet": "vnet", "internet": "inet", "peered": "peer", "on-prem": "prem"}


def _node_port(node: NodeSpec) -> str:
    return f"node{node.index}"


def _pod_networks(node: NodeSpec) -> list[tuple[str, int]]:
    """The networks of a node's pods, each with the table that routes to it."""
    if node.pod_cidr is not None:
        return [(node.pod_cidr, _POD_ROUTES)]
    return [(f"{ip}/32", netlink.MAIN_TABLE) for ip in node.reserved_pod_ips]


def _base(spec: LabSpec, egress_ip: str | None) -> str:
    overlay = spec.mode == "overlay"
    private = ", ".join([spec.vnet_cidr, spec.pod_cidr] if overlay else [spec.vnet_cidr])
    frontends = f"{spec.load_balancer_range}, {spec.internal_lb_range}"
    guard, outbound = [], []
    for node in spec.nodes:
        port = _node_port(node)
        pods = [node.pod_cidr] if node.pod_cidr else list(node.reserved_pod_ips)
        own = ", ".join([node.ip, *pods])
        first = _FIRST_PORT + node.index * spec.snat_ports_per_node
        last = first + spec.snat_ports_per_node - 1
        public = f"ip saddr {node.ip} ip daddr != {{ {private} }}"
        guard += [
            f'iifname "{port}" ip saddr != {{ {own}, {frontends} }} drop',
            # Outbound translation covers the primary address of the interface only.
            f'iifname "{port}" ip saddr != {node.ip} ip daddr != {{ {private} }} drop',
        ]
        if egress_ip is None:
            continue
        outbound += [
            f"{public} meta l4proto {{ tcp, udp }} snat to {egress_ip}:{first}-{last}",
            f"{public} snat to {egress_ip}",
        ]
    between = (
        f'iifname "node*" ip saddr {spec.pod_cidr} ip daddr != {spec.pod_cidr} drop'
        if overlay
        else ""
    )
    own = f"{spec.azure_dns_ip}, {spec.imds_ip}"
    newline = "\n"
    return f"""
        map frontends {{
            type ipv4_addr . inet_proto . inet_service : verdict
        }}
        set denied {{
            type ipv4_addr
        }}
        chain balance {{
            type filter hook prerouting priority -150
            ct state new ip daddr . meta l4proto . th dport vmap @frontends
            ct direction original meta mark set ct mark
        }}
        chain guard {{
            type filter hook forward priority 0
            ct state established,related accept
            ip daddr @denied tcp dport {{ {_HOST_PORTS_OF_PODS} }} drop
            {newline.join(guard)}
            {between}
            iifname "vnet*" ip daddr != {{ {private} }} drop
            iifname "inet*" oifname != "inet*" ct mark 0 drop
        }}
        chain azure-addresses {{
            type filter hook input priority 0
            iifname "lo" accept
            ct state established,related accept
            iifname "inet*" drop
            {f'iifname "node*" ip saddr {spec.pod_cidr} drop' if overlay else ""}
            ip daddr != {{ {own} }} drop
        }}
        chain unseen {{
            type filter hook output priority 0
            oifname != "lo" ip saddr != {{ {own} }} drop
        }}
        chain outbound {{
            type nat hook postrouting priority 100
            {newline.join(outbound)}
        }}"""
