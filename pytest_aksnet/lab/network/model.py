"""The lab's network as one object: the intended state, bent by knobs, brought to the kernel.

Implements `contracts.FaultableNetwork`. All of it is synchronous and belongs to one thread; what
has to run beside it (health servers, health probes) does so on an event loop between `start` and
`close`. Without `start` the load balancer takes every node for as healthy as it should be.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from pytest_aksnet.lab.contracts import (
    NamespaceView,
    NetworkKnobs,
    PodView,
    PolicyView,
    ServicePortView,
)
from pytest_aksnet.lab.kernel.conntrack import UDP, Conntrack, FlowFilter, flows_of
from pytest_aksnet.lab.kernel.syscalls import new_netns
from pytest_aksnet.lab.network import host_firewall
from pytest_aksnet.lab.network.fabric import Fabric
from pytest_aksnet.lab.network.health import NodeHealth, service_health
from pytest_aksnet.lab.network.load_balancer import balancer_program, probe_targets
from pytest_aksnet.lab.network.masquerade import masquerade_program
from pytest_aksnet.lab.network.node import NodeNetwork
from pytest_aksnet.lab.network.policy_program import PolicyCompiler
from pytest_aksnet.lab.network.prober import Prober
from pytest_aksnet.lab.network.service_program import service_program
from pytest_aksnet.lab.spec import LabSpec


class LabNetwork:
    """The network of a lab. `fabric_fd` is the namespace with Azure's own addresses."""

    def __init__(self, spec: LabSpec, fabric_fd: int | None = None) -> None:
        """Make the fabric, in a namespace of its own or in the one given.

        Raises OSError where namespaces, veth or nftables are refused.
        """
        self.spec = spec
        self.knobs = NetworkKnobs()
        self.fabric_fd = new_netns() if fabric_fd is None else fabric_fd
        self._fabric = Fabric(spec, self.fabric_fd)
        self._fabric_flows = Conntrack(self.fabric_fd)
        self._nodes: dict[str, NodeNetwork] = {}
        self._health: dict[str, NodeHealth] = {}
        self._rates: dict[str, float | None] = {}
        self._unrouted: set[str] = set()
        self._services: tuple[ServicePortView, ...] = ()
        self._policies = PolicyCompiler(spec, (), (), ())
        self._prober = Prober(
            netns_fd=self.fabric_fd,
            source_ip=spec.azure_dns_ip,
            node_ips={node.name: node.ip for node in spec.nodes},
            changed=self._write_balancer,
        )

    def add_machine(self, name: str, netns_fd: int) -> None:
        """Wire an outside host of the spec, or a node of the spec, into the fabric by its name.

        Raises KeyError for a name that the spec does not have, OSError where the kernel refuses.
        """
        for host in self.spec.hosts:
            if host.name == name:
                self._fabric.attach_host(host, netns_fd)
                return
        spec = self.spec.node(name)
        self._fabric.attach_node(spec, netns_fd)
        self._nodes[name] = NodeNetwork(spec, netns_fd)
        self._health[name] = NodeHealth(netns_fd)
        self.resync()

    def add_pod(self, node: str, ip: str, netns_fd: int) -> None:
        """Give a pod its interface and address on a node, and route it."""
        self._nodes[node].add_pod(ip, netns_fd)

    def remove_pod(self, node: str, ip: str) -> None:
        """Take back what add_pod did, conntrack entries of the address included."""
        self._nodes[node].remove_pod(ip)
        filters = flows_of(ip)
        self._fabric_flows.forget(*filters)
        for other in self._nodes.values():
            other.forget_flows(filters)

    def sync_services(self, services: Sequence[ServicePortView]) -> None:
        """Make every node's service proxy and the load balancer serve exactly these."""
        before = self._services
        self._services = tuple(one for one in services if one.cluster_ip not in ("", "None"))
        self._write_services()
        stale = _stale_udp_flows(before, self._services)
        if stale:
            for node in self._nodes.values():
                node.forget_flows(stale)

    def sync_policies(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
    ) -> None:
        """Make every node's policy engine enforce exactly these."""
        self._policies = PolicyCompiler(self.spec, policies, pods, namespaces)
        self._write_policies()

    def resync(self) -> None:
        """Bring the kernel in line with the intended state as bent by the knobs."""
        self._write_masquerade()
        self._write_services()
        self._write_policies()
        self._write_rates()
        self._write_edge()
        self._write_pod_routes()
        self._write_firewalls()

    async def start(self) -> None:
        """Start health servers and health probes on the running event loop.

        Nodes are added before. `close` ends them; the kernel's state stays as it is.
        """
        for health in self._health.values():
            await health.start()
        await self._prober.start()

    async def close(self) -> None:
        """Stop what `start` started."""
        await self._prober.close()
        for health in self._health.values():
            await health.close()

    def _write_masquerade(self) -> None:
        cidrs = self.knobs.non_masquerade_cidrs
        program = masquerade_program(self.spec.non_masquerade_cidrs if cidrs is None else cidrs)
        for node in self._nodes.values():
            node.write_masquerade(program)

    def _write_services(self) -> None:
        for name, node in self._nodes.items():
            absent = name in self.knobs.service_proxy_absent
            node.write_services(
                None
                if absent
                else service_program(
                    self.spec,
                    node.node,
                    self._services,
                    external_local_masqueraded=self.knobs.external_local_masqueraded,
                )
            )
            silent = name in self.knobs.health_check_absent
            self._health[name].set({} if silent else service_health(self._services, name))
        self._prober.set_targets(probe_targets(self._services, self.spec.nodes))
        self._write_balancer()

    def _write_balancer(self) -> None:
        chains, elements = balancer_program(self._services, self.spec.nodes, self._prober.healthy)
        self._fabric.write_balancer(chains, elements)

    def _write_policies(self) -> None:
        for name, node in self._nodes.items():
            enforced = self.spec.engine != "none" and name not in self.knobs.policy_absent
            node.write_policies(self._policies.program(node.node) if enforced else None)

    def _write_rates(self) -> None:
        for name, node in self._nodes.items():
            node.shape_pods(self.knobs.pod_rate_gbps.get(name))
            limit = self.knobs.rate_gbps.get(name)
            if name in self._rates and limit == self._rates[name]:
                continue
            node.shape(node.node.egress_gbps if limit is None else limit)
            if limit is not None:
                self._fabric.shape(node.node, limit)
            elif self._rates.get(name) is not None:
                self._fabric.unshape(node.node)
            self._rates[name] = limit

    def _write_edge(self) -> None:
        self._fabric.write_edge(
            egress_ip=self.knobs.egress_ip or self.spec.egress_ip,
            denied=[self.spec.node(name).ip for name in self.knobs.ports_denied_by_nsg],
        )

    def _write_pod_routes(self) -> None:
        for name, node in self._nodes.items():
            absent = name in self.knobs.pod_routes_absent
            if absent and name not in self._unrouted:
                self._fabric.forget_pods(node.node)
                self._unrouted.add(name)
            elif not absent and name in self._unrouted:
                self._fabric.route_pods(node.node)
                self._unrouted.discard(name)

    def _write_firewalls(self) -> None:
        for name, node in self._nodes.items():
            program = host_firewall.firewall(
                drops_own_pods=name in self.knobs.drops_own_pods,
                loses_long_packets=name in self.knobs.long_packets_lost,
            )
            node.write_firewall(program)


def _stale_udp_flows(
    before: Iterable[ServicePortView], after: Iterable[ServicePortView]
) -> list[FlowFilter]:
    """What kube-proxy deletes: UDP flows to endpoints that went, or that nobody served before."""
    served = {_identity(service): service for service in after}
    filters = []
    for old in before:
        if old.protocol.lower() != "udp":
            continue
        new = served.get(_identity(old))
        kept = {one.ip for one in new.endpoints} if new else set()
        gone = {one.ip for one in old.endpoints} - kept
        for flow in _frontend_flows(old):
            filters += [flow(reply_source=ip) for ip in gone]
            if not old.endpoints and kept:
                filters.append(flow())
    return filters


def _identity(service: ServicePortView) -> tuple[str, str, str]:
    return service.namespace, service.service, service.port_name


def _frontend_flows(service: ServicePortView) -> list["partial[FlowFilter]"]:
    ips = (service.cluster_ip, *service.load_balancer_ips)
    flows = [partial(FlowFilter, protocol=UDP, destination=ip) for ip in ips]
    if service.node_port:
        flows.append(partial(FlowFilter, protocol=UDP, destination_port=service.node_port))
    return flows
