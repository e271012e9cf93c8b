"""One node's side of the network: its pods' interfaces and its nftables.

Pods are wired as azure-vnet does in transparent mode: the pod has its address alone and a default
route by 169.254.1.1 with a static neighbour; on the node there is a veth `azv*` with the MAC
aa:aa:aa:aa:aa:aa and a /32 route (Azure/azure-container-networking, transparent mode).
"""

import errno
import hashlib
from collections.abc import Sequence

from pytest_aksnet.lab.kernel import netlink
from pytest_aksnet.lab.kernel.conntrack import Conntrack, FlowFilter
from pytest_aksnet.lab.kernel.netlink import LOOPBACK, RouteSocket
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network import (
    host_firewall,
    masquerade,
    policy_program,
    service_program,
    sysctl,
)
from pytest_aksnet.lab.network.fabric import EXTERNAL_INDEX, MTU
from pytest_aksnet.lab.network.tables import TableProgram, TableWriter
from pytest_aksnet.lab.spec import NodeSpec

_HOST_MAC = "aa:aa:aa:aa:aa:aa"
_POD_GATEWAY = "169.254.1.1"
_POD_INDEX = 2
_FIRST_POD_LINK = 100  # indexes below belong to the node's own links


class NodeNetwork:
    """A node's network namespace `netns_fd`, already wired into the fabric."""

    def __init__(self, node: NodeSpec, netns_fd: int) -> None:
        self.node = node
        self.netns_fd = netns_fd
        self._routes = RouteSocket(netns_fd)
        self._conntrack = Conntrack(netns_fd)
        nft = Nftables(netns_fd)
        self._services = TableWriter(nft, service_program.TABLE)
        self._policies = TableWriter(nft, policy_program.TABLE)
        self._masquerade = TableWriter(nft, masquerade.TABLE)
        self._firewall = TableWriter(nft, host_firewall.TABLE)
        self._pod_gbps: float | None = None
        self._links: dict[str, int] = {}
        self._next_link = _FIRST_POD_LINK
        sysctl.make_router(netns_fd)
        self._routes.apply([netlink.forward_on(EXTERNAL_INDEX)])

    def add_pod(self, ip: str, netns_fd: int) -> None:
        """Wire a pod. Raises OSError."""
        index = self._next_link
        self._next_link += 1
        digest = hashlib.sha256(f"{self.node.name}/{ip}/{index}".encode()).hexdigest()
        pod_mac = f"{digest[0]}2:{':'.join(digest[n : n + 2] for n in range(2, 12, 2))}"
        self._routes.apply(
            [
                netlink.veth(
                    index=index,
                    name=f"azv{digest[:11]}",
                    mac=_HOST_MAC,
                    peer_index=_POD_INDEX,
                    peer_name="eth0",
                    peer_mac=pod_mac,
                    peer_netns_fd=netns_fd,
                    mtu=MTU,
                ),
                netlink.forward_on(index),
                netlink.link_up(index),
                netlink.neighbour(index, ip, pod_mac),
                netlink.route(f"{ip}/32", index),
            ]
        )
        self._links[ip] = index
        if self._pod_gbps is not None:
            self._routes.apply([netlink.shape(index, self._pod_gbps)])
        pod = RouteSocket(netns_fd)
        try:
            pod.apply(
                [
                    netlink.link_up(LOOPBACK),
                    netlink.link_up(_POD_INDEX),
                    netlink.address(_POD_INDEX, f"{ip}/32"),
                    netlink.neighbour(_POD_INDEX, _POD_GATEWAY, _HOST_MAC),
                    netlink.route(f"{_POD_GATEWAY}/32", _POD_INDEX),
                    netlink.route("0.0.0.0/0", _POD_INDEX, gateway=_POD_GATEWAY),
                ]
            )
        finally:
            pod.close()

    def remove_pod(self, ip: str) -> None:
        """Stop routing to a pod. Its wire goes with the pod's namespace.

        To delete the link here would block for some 20 ms, while the kernel waits for readers.
        """
        index = self._links.pop(ip, None)
        if index is not None:
            # Both are what is left of a link that has already gone with its namespace.
            gone = (errno.ESRCH, errno.ENODEV)
            self._routes.apply([netlink.delete_route(f"{ip}/32", index)], ignore=gone)

    def forget_flows(self, filters: Sequence[FlowFilter]) -> None:
        """Delete tracked connections."""
        self._conntrack.forget(*filters)

    def write_services(self, program: TableProgram | None) -> bool:
        """Set the service proxy's table; whether it changed."""
        return self._services.write(program)

    def write_policies(self, program: TableProgram | None) -> bool:
        """Set the policy engine's table; whether it changed."""
        return self._policies.write(program)

    def write_masquerade(self, program: TableProgram) -> bool:
        """Set the masquerade agent's table; whether it changed."""
        return self._masquerade.write(program)

    def write_firewall(self, program: TableProgram | None) -> bool:
        """Set the node's own firewall; whether it changed."""
        return self._firewall.write(program)

    def shape_pods(self, gbit_per_second: float | None) -> None:
        """Limit what each pod receives, those that come later included; None takes it back."""
        if gbit_per_second == self._pod_gbps:
            return
        self._pod_gbps = gbit_per_second
        requests = [
            netlink.unshape(index)
            if gbit_per_second is None
            else netlink.shape(index, gbit_per_second)
            for index in self._links.values()
        ]
        # A link may have gone with its pod's namespace.
        self._routes.apply(requests, ignore=(errno.ENODEV,))

    def shape(self, gbit_per_second: float) -> None:
        """Limit what the node sends."""
        self._routes.apply([netlink.shape(EXTERNAL_INDEX, gbit_per_second)])
