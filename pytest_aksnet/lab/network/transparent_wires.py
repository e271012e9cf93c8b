"""Pods on their nodes as azure-vnet in transparent mode has them: Azure CNI in all its modes.

The pod has its address alone and a default route by 169.254.1.1 (IPv6: fe80::1234:5678:9abc) with a
static neighbour; on the node there is a veth `azv*` with the MAC aa:aa:aa:aa:aa:aa and a route to
that one address (Azure/azure-container-networking: network/transparent_endpointclient).
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

POD_GATEWAY = "169.254.1.1"
POD_GATEWAY6 = "fe80::1234:5678:9abc"
GATEWAY_MAC = "aa:aa:aa:aa:aa:aa"


class TransparentWires:
    """azure-vnet in transparent mode.

    Pods show the length `prefix` of the range that their addresses are of, without a route to it.
    """

    def __init__(self, node: NodeSpec, routes: RouteSocket, prefix: int) -> None:
        self._node = node
        self._routes = routes
        self._prefix = prefix

    def prepare(self) -> None:
        """Nothing is shared."""

    def link_name(self, pod: PodPlace) -> str:
        """`azv` and 11 digits of the SHA-1 of "NAMESPACE.NAME", as azure-vnet names it."""
        return f"azv{hashlib.sha1(pod.name.encode(), usedforsecurity=False).hexdigest()[:11]}"

    def pod_mac(self, pod: PodPlace) -> str:
        """As good as random, and the same for the same pod."""
        digest = hashlib.sha256(f"{self._node.name}/{pod.ip}/{pod.index}".encode()).hexdigest()
        return f"{digest[0]}2:{':'.join(digest[n : n + 2] for n in range(2, 12, 2))}"

    def add(self, pod: PodPlace) -> None:
        """Wire a pod. Raises OSError."""
        wire = link_requests.veth(
            index=pod.index,
            name=self.link_name(pod),
            mac=GATEWAY_MAC,
            peer_index=POD_INDEX,
            peer_name="eth0",
            peer_mac=self.pod_mac(pod),
            peer_netns_fd=pod.netns_fd,
            mtu=MTU,
        )
        self._routes.apply([wire, link_requests.forward_on(pod.index), *self._way(pod)])
        inside = [link_requests.link_up(LOOPBACK), link_requests.link_up(POD_INDEX)]
        for ip, gateway in _families(pod):
            bits = ipaddress.ip_address(ip).max_prefixlen
            inside += [
                route_requests.address(POD_INDEX, f"{ip}/{self._prefix if bits == 32 else bits}"),
                route_requests.neighbour(POD_INDEX, gateway, GATEWAY_MAC),
                route_requests.route(f"{gateway}/{bits}", POD_INDEX),
                route_requests.route(
                    "0.0.0.0/0" if bits == 32 else "::/0", POD_INDEX, gateway=gateway
                ),
            ]
        apply_inside(pod, inside)

    def links(self, pods: Iterable[PodPlace]) -> list[int]:
        """Every pod's own."""
        return [pod.index for pod in pods]

    def set_up(self, pod: PodPlace, *, up: bool) -> None:
        """Down, the link loses its routes and neighbours; up, it gets them again."""
        requests = self._way(pod) if up else [link_requests.link_down(pod.index)]
        self._routes.apply(requests, ignore=GONE)

    def set_gateway_mac(self, pod: PodPlace, mac: str | None) -> None:
        """Change the static neighbours. Raises OSError."""
        gateways = [gateway for _, gateway in _families(pod)]
        apply_inside(
            pod, [route_requests.neighbour(POD_INDEX, one, mac or GATEWAY_MAC) for one in gateways]
        )

    def set_hairpin(self, *, on: bool) -> None:
        """There is no bridge."""

    def _way(self, pod: PodPlace) -> list[bytes]:
        """The link up, and what leads to the pod."""
        mac = self.pod_mac(pod)
        requests = [link_requests.link_up(pod.index)]
        for ip, _ in _families(pod):
            bits = ipaddress.ip_address(ip).max_prefixlen
            requests += [
                route_requests.neighbour(pod.index, ip, mac),
                route_requests.route(f"{ip}/{bits}", pod.index),
            ]
        return requests

    def remove(self, pod: PodPlace) -> None:
        """Take the routes back."""
        requests = [route_requests.delete_route(f"{pod.ip}/32", pod.index)]
        if pod.ip6 is not None:
            requests.append(route_requests.delete_route(f"{pod.ip6}/128", pod.index))
        self._routes.apply(requests, ignore=GONE)


def _families(pod: PodPlace) -> list[tuple[str, str]]:
    """Address and gateway, by family."""
    found = [(pod.ip, POD_GATEWAY)]
    if pod.ip6 is not None:
        found.append((pod.ip6, POD_GATEWAY6))
    return found
