"""The Azure load balancer: which node gets a flow, and how its health is asked for.

As the cloud provider sets it up for AKS: floating IP, so nodes see the frontend address and
answer with it (direct server return); the flow's five-tuple decides, or the client's address with
sessionAffinity ClientIP; a TCP probe to the node port
for externalTrafficPolicy Cluster, an HTTP probe to the healthCheckNodePort for Local, none for
UDP ("cloud-provider-azure: pkg/provider/azure_loadbalancer.go").
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.contracts import ServicePortView
from pytest_aksnet.lab.network.fabric import node_mark
from pytest_aksnet.lab.network.tables import Chains
from pytest_aksnet.lab.spec import NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """What a health probe asks a node: GET /healthz, or just a TCP connection, at a port."""

    node: str
    port: int
    http: bool


Healthy = Callable[[ProbeTarget], bool]


def probe_target(service: ServicePortView, node: str) -> ProbeTarget | None:
    """How the balancer probes a node for that Service port; None where it does not."""
    if not service.load_balancer_ips:
        return None
    if service.external_local and service.health_check_node_port:
        return ProbeTarget(node=node, port=service.health_check_node_port, http=True)
    if service.protocol.lower() == "tcp" and service.node_port:
        return ProbeTarget(node=node, port=service.node_port, http=False)
    return None


def probe_targets(
    services: Iterable[ServicePortView], nodes: Sequence[NodeSpec]
) -> dict[ProbeTarget, bool]:
    """All probes of the Services, each with the answer that a node should give."""
    targets: dict[ProbeTarget, bool] = {}
    for service in services:
        for node in nodes:
            target = probe_target(service, node.name)
            if target is not None:
                served = any(one.node == node.name for one in service.endpoints)
                expected = served if target.http else bool(service.endpoints)
                targets[target] = targets.get(target, False) or expected
    return targets


def balancer_program(
    services: Iterable[ServicePortView], nodes: Sequence[NodeSpec], healthy: Healthy
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Chains and elements of the fabric's table for the Services' frontends.

    A frontend whose nodes are all unhealthy drops new flows, as Azure does.
    """
    chains = Chains()
    frontends: dict[str, str] = {}
    for service in services:
        protocol = service.protocol.lower()
        marks = [
            node_mark(node)
            for node in nodes
            if (target := probe_target(service, node.name)) is None or healthy(target)
        ]
        if not marks:
            verdict = "drop"
        else:
            spread = ", ".join(f"{number} : {mark:#x}" for number, mark in enumerate(marks))
            # Session affinity sets the rule's distribution to the source address.
            ports = "" if service.affinity_seconds else f" . {protocol} sport . {protocol} dport"
            flow = f"ip saddr . ip daddr{ports}"
            choice = f"ct mark set jhash {flow} mod {len(marks)} map {{ {spread} }}"
            verdict = f"jump {chains.add('pool', choice)}"
        for ip in service.load_balancer_ips:
            frontends[f"{ip} . {protocol} . {service.port}"] = verdict
    return chains.chains, {"frontends": frontends}
