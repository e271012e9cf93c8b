"""Pods on their nodes as kubenet has them: on the bridge cbr0.

The pod's veth is a port of the bridge, which has the first address of the node's range; pods of a
node are neighbours of each other ("AKS docs: configure-kubenet"; CNI plugin bridge). Real nodes of
AKS have cbr0 in promiscuous mode with ebtables rules against duplicates; here the ports are in
hairpin mode, kubelet's other way to the same end (--hairpin-mode=hairpin-veth).
"""

import hashlib
import ipaddress
from collections.abc import Iterable

from pytest_aksnet.lab.kernel import link_requests, route_requests
from pytest_aksnet.lab.kernel.link_requests import LOOPBACK
from pytest_aksnet.lab.kernel.netlink import RouteSocket
from pytest_aksnet.lab.network.fabric import MTU
from pytest_aksnet.lab.network.pod_wires import GONE, POD_INDEX, PodPlace, apply_inside
from pytest_aksnet.lab.spec import NodeSpec

BRIDGE = "cbr0"
_BRIDGE_INDEX = 50


class BridgeWires:
    """kubenet: the CNI plugin bridge on cbr0, with addresses of host-local."""

    def __init__(self, node: NodeSpec, routes: RouteSocket) -> None:
        self._node = node
        self._routes = routes
        self._cidrs = [cidr for cidr in (node.pod_cidr, node.pod_cidr6) if cidr is not None]
        self._mac = _private_mac(_first_address(self._cidrs[0]))
        self._hairpin = True
        self._ports: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the bridge with its addresses. Raises OSError."""
        gateways = [_first_address(cidr) for cidr in self._cidrs]
        requests = [
            link_requests.bridge(
                index=_BRIDGE_INDEX, name=BRIDGE, mac=_private_mac(gateways[0]), mtu=MTU
            ),
            link_requests.forward_on(_BRIDGE_INDEX),
            link_requests.link_up(_BRIDGE_INDEX),
        ]
        for cidr, gateway in zip(self._cidrs, gateways, strict=True):
            prefix = ipaddress.ip_network(cidr).prefixlen
            requests += [
                route_requests.address(_BRIDGE_INDEX, f"{gateway}/{prefix}"),
                route_requests.route(cidr, _BRIDGE_INDEX, source=gateway),
            ]
        self._routes.apply(requests)

    def link_name(self, pod: PodPlace) -> str:
        """`veth` and 8 hexadecimal digits; the plugin's are random."""
        return f"veth{hashlib.sha1(pod.name.encode(), usedforsecurity=False).hexdigest()[:8]}"

    def pod_mac(self, pod: PodPlace) -> str:
        """The address behind 0a:58, as kubenet makes it."""
        return _private_mac(pod.ip)

    def add(self, pod: PodPlace) -> None:
        """Wire a pod. Raises OSError."""
        mac = self.pod_mac(pod)
        host_mac = hashlib.sha256(f"{self._node.name}/{pod.index}".encode()).hexdigest()
        requests = [
            link_requests.veth(
                index=pod.index,
                name=self.link_name(pod),
                mac=f"{host_mac[0]}2:{':'.join(host_mac[n : n + 2] for n in range(2, 12, 2))}",
                peer_index=POD_INDEX,
                peer_name="eth0",
                peer_mac=mac,
                peer_netns_fd=pod.netns_fd,
                mtu=MTU,
            ),
            link_requests.join_bridge(pod.index, _BRIDGE_INDEX),
            link_requests.hairpin(pod.index, on=self._hairpin),
            link_requests.link_up(pod.index),
        ]
        inside = [link_requests.link_up(LOOPBACK), link_requests.link_up(POD_INDEX)]
        for ip, cidr in self._families(pod):
            network, gateway = ipaddress.ip_network(cidr), _first_address(cidr)
            requests.append(route_requests.neighbour(_BRIDGE_INDEX, ip, mac))
            inside += [
                route_requests.address(POD_INDEX, f"{ip}/{network.prefixlen}"),
                route_requests.route(cidr, POD_INDEX, source=ip),
                route_requests.neighbour(POD_INDEX, gateway, self._mac),
                route_requests.route(
                    "0.0.0.0/0" if network.version == 4 else "::/0", POD_INDEX, gateway=gateway
                ),
            ]
        self._routes.apply(requests)
        apply_inside(pod, inside)
        self._ports[pod.ip] = pod.index

    def links(self, pods: Iterable[PodPlace]) -> list[int]:
        """The bridge."""
        return [_BRIDGE_INDEX]

    def set_up(self, pod: PodPlace, *, up: bool) -> None:
        """The bridge's port; neighbours are the bridge's."""
        change = link_requests.link_up if up else link_requests.link_down
        self._routes.apply([change(pod.index)], ignore=GONE)

    def set_gateway_mac(self, pod: PodPlace, mac: str | None) -> None:
        """Change the neighbours. Raises OSError."""
        gateways = [_first_address(cidr) for _, cidr in self._families(pod)]
        apply_inside(
            pod, [route_requests.neighbour(POD_INDEX, one, mac or self._mac) for one in gateways]
        )

    def remove(self, pod: PodPlace) -> None:
        """Forget the neighbour, and cut the wire; the port goes with the pod's namespace."""
        self._ports.pop(pod.ip, None)
        # The kernel ends namespaces when it has time; till then the pod would be there.
        requests = [
            link_requests.link_down(pod.index),
            route_requests.delete_neighbour(_BRIDGE_INDEX, pod.ip),
        ]
        if pod.ip6 is not None:
            requests.append(route_requests.delete_neighbour(_BRIDGE_INDEX, pod.ip6))
        self._routes.apply(requests, ignore=GONE)

    def set_hairpin(self, *, on: bool) -> None:
        """Whether a pod's frames may come back to it, for the ports that are and those to come."""
        if on == self._hairpin:
            return
        self._hairpin = on
        self._routes.apply(
            [link_requests.hairpin(index, on=on) for index in self._ports.values()], ignore=GONE
        )

    def _families(self, pod: PodPlace) -> list[tuple[str, str]]:
        """Address and the node's range, by family."""
        ips = [pod.ip] if pod.ip6 is None else [pod.ip, pod.ip6]
        return list(zip(ips, self._cidrs, strict=False))


def _first_address(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr).network_address + 1)


def _private_mac(ip: str) -> str:
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(ip).packed[:4])
