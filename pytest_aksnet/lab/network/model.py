"""The lab's network as one object: the intended state, bent by knobs, brought to the kernel.

Implements `contracts.FaultableNetwork`. All of it is synchronous and belongs to one thread; what
has to run beside it (health servers, health probes) does so on an event loop between `start` and
`close`. Without `start` the load balancer takes every node for as healthy as it should be.
"""

from collections.abc import Callable, Iterator, Sequence

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.kernel.conntrack import Conntrack, flows_of
from pytest_aksnet.lab.kernel.syscalls import new_netns
from pytest_aksnet.lab.network import host_firewall
from pytest_aksnet.lab.network.cloud import Cloud
from pytest_aksnet.lab.network.health import NodeHealth, service_health
from pytest_aksnet.lab.network.impairments import Impairments
from pytest_aksnet.lab.network.masquerade import masquerade, masquerade_rules
from pytest_aksnet.lab.network.node import NodeDefects, NodeNetwork
from pytest_aksnet.lab.network.platform_rules import platform_rules
from pytest_aksnet.lab.network.policy_agents import PolicyAgents
from pytest_aksnet.lab.network.proxy_agents import ProxyAgents
from pytest_aksnet.lab.network_knobs import NetworkKnobs, ProxyDefect
from pytest_aksnet.lab.network_views import NamespaceView, PodView, PolicyView, ServicePortView
from pytest_aksnet.lab.spec import LabSpec, NodeSpec


class LabNetwork:
    """The network of a lab. `fabric_fd` is the namespace with Azure's own addresses."""

    def __init__(
        self, spec: LabSpec, fabric_fd: int | None = None, azure: AzureState | None = None
    ) -> None:
        """Make the fabric, in a namespace of its own or in the one given, from Azure's resources.

        It follows them; without `azure` they are those that a lab of that spec starts with.

        Raises OSError where namespaces, veth or nftables are refused.
        """
        self.spec = spec
        self.knobs = NetworkKnobs()
        self.fabric_fd = new_netns() if fabric_fd is None else fabric_fd
        self._cloud = Cloud(azure or AzureState(spec), self.knobs, self.fabric_fd)
        self._fabric_flows = Conntrack(self.fabric_fd)
        self._impairments = Impairments(spec, self.fabric_fd)
        self._nodes: dict[str, NodeNetwork] = {}
        self._health: dict[str, NodeHealth] = {}
        # Which nodes may know flows of an address that no pod has any more.
        self._known: dict[str, Sequence[NodeNetwork]] = {}
        self._rates: dict[str, float | None] = {}
        self._services: tuple[ServicePortView, ...] = ()
        self._proxies = ProxyAgents(spec, self.knobs, self._nodes)
        self._policies = PolicyAgents(spec, self.knobs, self._nodes)

    def add_machine(self, name: str, netns_fd: int) -> None:
        """Wire an outside host of the spec, or a node of the spec, into the fabric by its name.

        Raises KeyError for a name that the spec does not have, OSError where the kernel refuses.
        """
        for host in self.spec.hosts:
            if host.name == name:
                self._cloud.attach_host(host, netns_fd)
                return
        spec = self.spec.node(name)
        self._cloud.fabric.attach_node(spec, netns_fd)
        self._nodes[name] = NodeNetwork(self.spec, spec, netns_fd)
        self._health[name] = NodeHealth(netns_fd, dual_stack=self.spec.dual_stack)

    def add_pod(
        self,
        node: str,
        ip: str,
        netns_fd: int,
        ip6: str | None = None,
        *,
        name: str = "",
        host_ports: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        """Give a pod its interface and addresses on a node, and route them.

        `name` is "NAMESPACE.NAME", which the network plugin names the pod's link after.
        `host_ports` are protocol (tcp, udp), port of the node and port of the pod.
        """
        for address in (ip,) if ip6 is None else (ip, ip6):
            for knowing in self._known.pop(address, ()):
                knowing.forget_flows(flows_of(address))
        self._nodes[node].add_pod(ip, netns_fd, ip6=ip6, name=name, ports=host_ports)
        self._policies.pod_added(node, ip)

    def pod_link(self, node: str, ip: str) -> tuple[str, str]:
        """A wired pod's link on the node by name, and the MAC address of its eth0."""
        found = self._nodes[node]
        pod = found.pods[ip]
        return found.wires.link_name(pod), found.wires.pod_mac(pod)

    def remove_pod(self, node: str, ip: str) -> Callable[[], None]:
        """Take back what add_pod did; what it gives then makes the fabric forget the pod's flows.

        That takes the kernel its time, and may be called in another thread. Nodes know theirs until
        the address is given again: kubelets and network plugins forget none. Where the service
        proxy leaves flows alone that it should delete, nodes know them even then.
        """
        pod = self._nodes[node].pods.get(ip)
        self._nodes[node].remove_pod(ip)
        self._policies.pod_removed(node, ip)
        addresses = [ip] if pod is None or pod.ip6 is None else [ip, pod.ip6]
        keeping = set[str]().union(
            *(
                self.knobs.proxy_defects.get(defect, set())
                for defect in (ProxyDefect.KEEPS_UDP_FLOWS, ProxyDefect.KEEPS_ENDPOINTS)
            )
        )
        others = [other for name, other in self._nodes.items() if name not in keeping]
        self._known.update(dict.fromkeys(addresses, others))

        def forget() -> None:
            for address in addresses:
                self._fabric_flows.forget(*flows_of(address))

        return forget

    def sync_services(self, services: Sequence[ServicePortView]) -> None:
        """Make every node's service proxy and the load balancer serve exactly these."""
        self._services = tuple(one for one in services if one.cluster_ip not in ("", "None"))
        self._proxies.sync(self._services)
        self._write_services()

    def sync_policies(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
    ) -> None:
        """Make every node's policy engine enforce exactly these."""
        self._policies.sync(policies, pods, namespaces)

    def resync(self) -> None:
        """Bring the kernel in line with the intended state as bent by the knobs."""
        self._write_masquerade()
        self._proxies.resync()
        self._write_services()
        self._policies.resync()
        self._write_rates()
        self._cloud.follow()
        self._write_firewalls()
        self._write_wires()
        self._impairments.write(self.knobs)

    async def start(self) -> None:
        """Bring the kernel in line, and start health servers and probes on the running event loop.

        Machines are added before. `close` ends them; the kernel's state stays as it is.
        """
        self.resync()
        for health in self._health.values():
            await health.start()
        await self._cloud.start()

    async def close(self) -> None:
        """Stop what `start` started."""
        self._impairments.close()
        self._policies.close()
        await self._cloud.close()
        for health in self._health.values():
            await health.close()

    def backends(self) -> list[NodeSpec]:
        """The nodes in the load balancer's backend pool."""
        return self._cloud.backends()

    def balanced(self) -> Iterator[tuple[ServicePortView, dict[str, bool | None]]]:
        """Each Service port that has a frontend, and what each backend's probe last answered.

        None for a node that is not probed.
        """
        return self._cloud.balanced()

    def _write_masquerade(self) -> None:
        cidrs = self.knobs.non_masquerade_cidrs
        for node in self._nodes.values():
            wanted = masquerade(self.spec, node.node, cidrs)
            for version, rules in node.rules.items():
                rules.write_masquerade(masquerade_rules(wanted, version=version))

    def _write_services(self) -> None:
        for name in self._nodes:
            silent = name in self.knobs.health_check_absent
            health = {} if silent else service_health(self._services, name)
            if name in self.knobs.health_check_stuck:
                health = {port: one.as_with_endpoint() for port, one in health.items()}
            stopped = name in self.knobs.service_proxy_stopped
            self._health[name].set({} if stopped else health, alive=not stopped)
        self._cloud.sync_services(self._services)

    def _write_rates(self) -> None:
        for name, node in self._nodes.items():
            node.shape_pods(self.knobs.pod_rate_gbps.get(name))
            limit = self.knobs.rate_gbps.get(name)
            if name in self._rates and limit == self._rates[name]:
                continue
            node.shape(node.node.egress_gbps if limit is None else limit)
            if limit is not None:
                self._cloud.fabric.shape(node.node, limit)
            elif self._rates.get(name) is not None:
                self._cloud.fabric.unshape(node.node)
            self._rates[name] = limit

    def _write_wires(self) -> None:
        knobs = self.knobs
        not_hairpin = knobs.proxy_defects.get(ProxyDefect.NOT_HAIRPIN, set())
        for name, node in self._nodes.items():
            node.bend(
                NodeDefects(
                    forwarding_off=name in knobs.forwarding_off,
                    pod_links_down=name in knobs.pod_links_down,
                    gateway_neighbours_wrong=name in knobs.gateway_neighbours_wrong,
                    pod_links_narrow=name in knobs.pod_links_narrow,
                    pod_loopbacks_down=name in knobs.pod_loopbacks_down,
                    hairpin_broken=name in not_hairpin,
                )
            )

    def _write_firewalls(self) -> None:
        for name, node in self._nodes.items():
            program = host_firewall.firewall(
                self.spec.pod_interface,
                drops_own_pods=name in self.knobs.drops_own_pods,
                loses_long_packets=name in self.knobs.long_packets_lost,
                clamps_segments=name in self.knobs.segments_clamped,
            )
            node.write_firewall(program)
            node.map_host_ports(on=name not in self.knobs.host_ports_unmapped)
            node.write_connection_limit(self.knobs.most_connections.get(name))
            node.write_platform_rules(
                platform_rules(
                    self.spec,
                    imds_exposed=name in self.knobs.imds_exposed,
                    wire_server_exposed=name in self.knobs.wire_server_exposed,
                    wire_server_blocked=name in self.knobs.wire_server_blocked,
                    probes_blocked=name in self.knobs.probes_blocked,
                )
            )
