"""Azure's side of the lab's network as one object: fabric, load balancer, health probes, firewall.

Follows the resources, the Services and the knobs, and writes the security rules that the cloud
provider adds for Services.
"""

from collections.abc import Iterator, Sequence

from pytest_aksnet.lab.azure.security_rules import PROBE_SOURCE6
from pytest_aksnet.lab.azure.service_rules import write_service_rules
from pytest_aksnet.lab.azure.state import SECURITY_GROUP, AzureState
from pytest_aksnet.lab.network.fabric import Fabric
from pytest_aksnet.lab.network.fabric_program import Bent, Frontends
from pytest_aksnet.lab.network.firewall_host import start_firewall
from pytest_aksnet.lab.network.load_balancer import (
    ProbeTarget,
    frontends,
    is_internal,
    probe_target,
    probe_targets,
)
from pytest_aksnet.lab.network.ports import node_port_name
from pytest_aksnet.lab.network.prober import ProbeAddress, Prober
from pytest_aksnet.lab.network_knobs import NetworkKnobs
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.spec import NodeSpec, OutsideHost


class Cloud:
    """Azure in the network namespace `netns_fd`. `knobs` are read whenever something is written."""

    def __init__(self, azure: AzureState, knobs: NetworkKnobs, netns_fd: int) -> None:
        self._azure = azure
        self._spec = azure.spec
        self._knobs = knobs
        self._services: Sequence[ServicePortView] = ()
        self.fabric = Fabric(azure, netns_fd)
        self._prober = Prober(
            netns_fd=netns_fd, address_of=self._probe_address, changed=self._write_frontends
        )
        azure.subscribe(self.follow)

    def attach_host(self, host: OutsideHost, netns_fd: int) -> None:
        """Wire a host, and start what it does for the network. Raises OSError."""
        self.fabric.attach_host(host, netns_fd)
        if host.role == "firewall":
            start_firewall(netns_fd)

    def sync_services(self, services: Sequence[ServicePortView]) -> None:
        """Have frontends, probes and security rules for exactly these."""
        self._services = services
        self._prober.set_targets(probe_targets(services, self._spec.nodes))
        internal = [
            ip
            for service in services
            for ip in service.load_balancer_ips
            if is_internal(self._spec, ip)
        ]
        group = self._azure.security_groups.get(SECURITY_GROUP)
        if group is not None and write_service_rules(group, services, internal):
            self._azure.changed()
        self._write_frontends()

    def follow(self) -> None:
        """Bring fabric and load balancer in line with resources and knobs."""
        knobs = self._knobs
        self.fabric.follow(
            unrouted=knobs.pod_routes_absent,
            bent=Bent(
                narrow=tuple(
                    node_port_name(self._spec.node(name)) for name in sorted(knobs.narrow_nodes)
                ),
                idle_seconds=knobs.idle_seconds,
            ),
        )
        self._write_frontends()

    async def start(self) -> None:
        """Start the health probes on the running event loop."""
        await self._prober.start()

    async def close(self) -> None:
        """Stop them."""
        await self._prober.close()

    def backends(self) -> list[NodeSpec]:
        """The nodes in the load balancer's backend pool."""
        return [node for node in self._spec.nodes if node.name not in self._knobs.backends_absent]

    def balanced(self) -> Iterator[tuple[ServicePortView, dict[str, bool | None]]]:
        """Each Service port that has a frontend, and what each backend's probe last answered.

        None for a node that is not probed.
        """
        for service in () if self._knobs.frontends_absent else self._services:
            if service.load_balancer_ips:
                targets = {node.name: probe_target(service, node.name) for node in self.backends()}
                yield (
                    service,
                    {
                        name: None if target is None else self._prober.healthy(target)
                        for name, target in targets.items()
                    },
                )

    def _write_frontends(self) -> None:
        if self._knobs.frontends_absent:
            self.fabric.write_frontends(Frontends())
            return
        self.fabric.write_frontends(
            frontends(self._spec, self._services, self.backends(), self._prober.healthy)
        )

    def _probe_address(self, target: ProbeTarget) -> ProbeAddress:
        node = self._spec.node(target.node)
        if target.version == 4:
            return ProbeAddress(source=self._spec.azure_dns_ip, node=node.ip)
        assert node.ip6 is not None
        scope = (0, self.fabric.link(node.name))
        return ProbeAddress(source=PROBE_SOURCE6, node=node.ip6, scope=scope)
