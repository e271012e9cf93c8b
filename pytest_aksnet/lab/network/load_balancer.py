"""The Azure load balancer: which node gets a flow, and how its health is asked for.

As the cloud provider sets it up for AKS: floating IP, so nodes see the frontend address and
answer with it (direct server return); the flow's five-tuple decides, or the client's address with
sessionAffinity ClientIP; a TCP probe to the node port
for externalTrafficPolicy Cluster, an HTTP probe to the healthCheckNodePort for Local, none for
UDP ("cloud-provider-azure: pkg/provider/azure_loadbalancer.go").
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.network.fabric_program import Frontends
from pytest_aksnet.lab.network.ports import node_mark
from pytest_aksnet.lab.network.security import IP
from pytest_aksnet.lab.network.tables import Chains
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.spec import LabSpec, NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """What a health probe asks a node: GET /healthz, or just a TCP connection, at a port.

    `version` is the IP version by which it asks.
    """

    node: str
    port: int
    http: bool
    version: int = 4


Healthy = Callable[[ProbeTarget], bool]


def probe_target(service: ServicePortView, node: str) -> ProbeTarget | None:
    """How the balancer probes a node for that Service port; None where it does not."""
    if not service.load_balancer_ips:
        return None
    version = _version(service.load_balancer_ips[0])
    port = service.health_check_node_port
    if service.external_local and port:
        return ProbeTarget(node=node, port=port, http=True, version=version)
    if service.protocol.lower() == "tcp" and service.node_port:
        return ProbeTarget(node=node, port=service.node_port, http=False, version=version)
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


def frontends(
    spec: LabSpec, services: Iterable[ServicePortView], nodes: Sequence[NodeSpec], healthy: Healthy
) -> Frontends:
    """The frontends of the Services, spread over those of `nodes` that are healthy.

    A frontend whose nodes are all unhealthy drops new flows, as Azure does.
    """
    chains = {4: Chains(), 6: Chains()}
    found: dict[bool, dict[int, dict[str, str]]] = {
        internal: {4: {}, 6: {}} for internal in (False, True)
    }
    for service in services:
        if not service.load_balancer_ips:
            continue
        version = _version(service.load_balancer_ips[0])
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
            flow = f"{IP[version]} saddr . {IP[version]} daddr{ports}"
            choice = f"ct mark set jhash {flow} mod {len(marks)} map {{ {spread} }}"
            verdict = f"jump {chains[version].add('pool', choice)}"
        for ip in service.load_balancer_ips:
            key = f"{ip} . {protocol} . {service.port}"
            found[is_internal(spec, ip)][version][key] = verdict
    return Frontends(
        chains={version: one.chains for version, one in chains.items()},
        public=found[False],
        internal=found[True],
    )


def is_internal(spec: LabSpec, ip: str) -> bool:
    """Whether a frontend's address is one of the virtual network."""
    ranges = (spec.internal_lb_range, spec.internal_lb_range6)
    return any(ipaddress.ip_address(ip) in ipaddress.ip_network(one) for one in ranges)


def _version(ip: str) -> int:
    return 6 if ":" in ip else 4
