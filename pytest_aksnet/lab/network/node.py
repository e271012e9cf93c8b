"""One node's side of the network: its pods' interfaces (`pod_wires`) and its nftables."""

import errno
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.kernel import link_requests
from pytest_aksnet.lab.kernel.conntrack import Conntrack, FlowFilter
from pytest_aksnet.lab.kernel.netlink import RouteSocket
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network import (
    connection_limit,
    host_firewall,
    host_ports,
    platform_rules,
    policy_program,
    sysctl,
)
from pytest_aksnet.lab.network.bridge_wires import BridgeWires
from pytest_aksnet.lab.network.fabric import EXTERNAL_INDEX, MTU
from pytest_aksnet.lab.network.host_ports import HostPort, host_ports_program
from pytest_aksnet.lab.network.node_rules import NodeRules
from pytest_aksnet.lab.network.pod_wires import (
    GONE,
    POD_INDEX,
    PodPlace,
    PodWires,
    apply_inside,
)
from pytest_aksnet.lab.network.tables import TableProgram, TableWriter
from pytest_aksnet.lab.network.transparent_wires import TransparentWires
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

_FIRST_POD_LINK = 100  # indexes below belong to the node's own links
_NOBODYS_MAC = "aa:aa:aa:00:00:01"
NARROW_MTU = 1400
"""The MTU of pods' links that are narrower than AKS makes them (bytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDefects:
    """What is wrong with a node's side of its pods' wires; pods that come later have it too."""

    forwarding_off: bool = False
    pod_links_down: bool = False
    gateway_neighbours_wrong: bool = False
    pod_links_narrow: bool = False
    pod_loopbacks_down: bool = False
    hairpin_broken: bool = False


class NodeNetwork:
    """A node's network namespace `netns_fd`, already wired into the fabric.

    `pods` are its pods by IPv4 address, `wires` its network plugin, `rules` what agents have in its
    packet filter, by IP version.
    """

    def __init__(self, spec: LabSpec, node: NodeSpec, netns_fd: int) -> None:
        self.node = node
        self.netns_fd = netns_fd
        self._routes = RouteSocket(netns_fd)
        self._conntrack = Conntrack(netns_fd)
        nft = Nftables(netns_fd)
        versions = (4,) if node.ip6 is None else (4, 6)
        self.rules = {
            version: NodeRules(spec, netns_fd, nft, version=version) for version in versions
        }
        self._policies = {
            version: TableWriter(nft, policy_program.TABLE, family)
            for version, family in ((4, "ip"), (6, "ip6"))
        }
        self._firewall = TableWriter(nft, host_firewall.TABLE)
        self._limit = TableWriter(nft, connection_limit.TABLE, "inet")
        self._platform = TableWriter(nft, platform_rules.TABLE, "inet")
        self._ports = TableWriter(nft, host_ports.TABLE)
        self._host_ports: dict[str, list[HostPort]] = {}
        self._maps_host_ports = True
        self._prefix = _pod_prefix(spec, node)
        self._pod_gbps: float | None = None
        self._defects = NodeDefects()
        self.pods: dict[str, PodPlace] = {}
        self._next_link = _FIRST_POD_LINK
        sysctl.make_router(netns_fd, ipv6=spec.dual_stack)
        if spec.kube_proxy == "iptables":
            sysctl.serve_node_ports_on_loopback(netns_fd)
        self._routes.apply([link_requests.forward_on(EXTERNAL_INDEX)])
        self.wires = _network_plugin(spec, node, self._routes)
        self.wires.prepare()

    def add_pod(
        self,
        ip: str,
        netns_fd: int,
        *,
        ip6: str | None = None,
        name: str = "",
        ports: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        """Wire a pod; `name` is "NAMESPACE.NAME", which its link on the node is named after.

        Raises OSError.
        """
        pod = PodPlace(ip=ip, ip6=ip6, index=self._next_link, name=name or ip, netns_fd=netns_fd)
        self._next_link += 1
        try:
            self.wires.add(pod)
        except FileExistsError:
            # The link of an earlier pod of that name, whose namespace the kernel still takes down.
            self._routes.apply([link_requests.delete_link(self.wires.link_name(pod))], ignore=GONE)
            self.wires.add(pod)
        self.pods[ip] = pod
        if ports:
            self._host_ports[ip] = [
                HostPort(protocol=protocol, number=number, pod_port=pod_port)
                for protocol, number, pod_port in ports
            ]
            self._write_host_ports()
        self._bend_pod(pod, NodeDefects(), self._defects)
        if self._pod_gbps is not None:
            self._routes.apply([link_requests.shape(pod.index, self._pod_gbps)])

    def remove_pod(self, ip: str) -> None:
        """Stop routing to a pod. Its wire goes with the pod's namespace."""
        pod = self.pods.pop(ip, None)
        if pod is not None:
            self.wires.remove(pod)
        if self._host_ports.pop(ip, None):
            self._write_host_ports()

    def map_host_ports(self, *, on: bool) -> None:
        """Whether ports of the node lead to the pods that ask for them."""
        if on != self._maps_host_ports:
            self._maps_host_ports = on
            self._write_host_ports()

    def _write_host_ports(self) -> None:
        mapped = self._host_ports if self._maps_host_ports else {}
        ports = [(ip, port) for ip, of_pod in mapped.items() for port in of_pod]
        self._ports.write(host_ports_program(ports, self._prefix))

    def bend(self, defects: NodeDefects) -> None:
        """Have these defects, and no others."""
        before, self._defects = self._defects, defects
        if before == defects:
            return
        self.wires.set_hairpin(on=not defects.hairpin_broken)
        if before.forwarding_off != defects.forwarding_off:
            on = not defects.forwarding_off
            sysctl.set_forwarding(self.netns_fd, on=on)
            links = (EXTERNAL_INDEX, *self.wires.links(self.pods.values()))
            self._routes.apply([link_requests.forwarding(one, on=on) for one in links], ignore=GONE)
        for pod in self.pods.values():
            self._bend_pod(pod, before, defects)

    def _bend_pod(self, pod: PodPlace, before: NodeDefects, after: NodeDefects) -> None:
        if before.pod_links_down != after.pod_links_down:
            self.wires.set_up(pod, up=not after.pod_links_down)
        if before.gateway_neighbours_wrong != after.gateway_neighbours_wrong:
            wrong = after.gateway_neighbours_wrong
            self.wires.set_gateway_mac(pod, _NOBODYS_MAC if wrong else None)
        if before.pod_links_narrow != after.pod_links_narrow:
            mtu = NARROW_MTU if after.pod_links_narrow else MTU
            self._routes.apply([link_requests.set_mtu(pod.index, mtu)], ignore=GONE)
            apply_inside(pod, [link_requests.set_mtu(POD_INDEX, mtu)])
        if before.pod_loopbacks_down != after.pod_loopbacks_down:
            down = after.pod_loopbacks_down
            change = link_requests.link_down if down else link_requests.link_up
            apply_inside(pod, [change(link_requests.LOOPBACK)])
        if after.forwarding_off:
            links = self.wires.links([pod])
            self._routes.apply([link_requests.forwarding(one, on=False) for one in links])

    def forget_flows(self, filters: Sequence[FlowFilter]) -> None:
        """Delete tracked connections."""
        self._conntrack.forget(*filters)

    def write_policies(self, program: TableProgram | None, *, version: int = 4) -> bool:
        """Set the policy engine's table of an address family; whether it changed."""
        return self._policies[version].write(program)

    def write_connection_limit(self, most: int | None) -> bool:
        """Set how many connections the node tracks, None: no limit; whether it changed."""
        return self._limit.write(connection_limit.connection_limit(most))

    def write_firewall(self, program: TableProgram | None) -> bool:
        """Set the node's own firewall; whether it changed."""
        return self._firewall.write(program)

    def write_platform_rules(self, program: TableProgram) -> bool:
        """Set the node's rules about Azure's platform addresses; whether they changed."""
        return self._platform.write(program)

    def shape_pods(self, gbit_per_second: float | None) -> None:
        """Limit what each pod receives, those that come later included; None takes it back."""
        if gbit_per_second == self._pod_gbps:
            return
        self._pod_gbps = gbit_per_second
        requests = [
            link_requests.unshape(pod.index)
            if gbit_per_second is None
            else link_requests.shape(pod.index, gbit_per_second)
            for pod in self.pods.values()
        ]
        # A link may have gone with its pod's namespace.
        self._routes.apply(requests, ignore=(errno.ENODEV,))

    def shape(self, gbit_per_second: float) -> None:
        """Limit what the node sends."""
        self._routes.apply([link_requests.shape(EXTERNAL_INDEX, gbit_per_second)])


def _network_plugin(spec: LabSpec, node: NodeSpec, routes: RouteSocket) -> PodWires:
    if spec.mode == "kubenet":
        return BridgeWires(node, routes)
    return TransparentWires(node, routes, _pod_prefix(spec, node))


def _pod_prefix(spec: LabSpec, node: NodeSpec) -> int:
    """The length of the range that pods show as theirs."""
    if spec.mode == "kubenet" and node.pod_cidr is not None:
        return ipaddress.ip_network(node.pod_cidr).prefixlen
    subnet = {"node-subnet": spec.node_subnet, "pod-subnet": spec.pod_subnet}
    return ipaddress.ip_network(subnet.get(spec.mode, spec.pod_cidr)).prefixlen
