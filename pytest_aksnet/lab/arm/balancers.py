"""What the cluster's two load balancers have: frontends, rules and pools, from the Services.

As cloud-provider-azure makes them (pkg/provider/azure_loadbalancer.go): `kubernetes` for public
frontends and for outbound traffic, `kubernetes-internal` for internal ones, each only where it has
something to do; rules named FRONTEND-PROTOCOL-PORT, with floating IP.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.network.load_balancer import probe_target
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP

BALANCERS = "Microsoft.Network/loadBalancers"
PUBLIC, INTERNAL = "kubernetes", "kubernetes-internal"
OUTBOUND_POOL = "aksOutboundBackendPool"
_POOL, _POOL6 = "kubernetes", "kubernetes-IPv6"
_IDLE_MINUTES = 4
_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """The frontend of a Service in one address family on a load balancer."""

    balancer: str
    name: str
    ip: str
    namespace: str
    service: str

    @property
    def id(self) -> str:
        """Its id."""
        return f"{balancer_id(self.balancer)}/frontendIPConfigurations/{self.name}"

    @property
    def public_address_name(self) -> str:
        """The name of the public IP address that the cloud provider makes for it."""
        return f"kubernetes-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A load balancing rule, and what each node's probe last answered: None without a probe.

    `probe_port` 0 is no probe; `probe_http` asks for /healthz. `tcp_reset` is what a flow ends
    with that was silent for `idle_minutes`.
    """

    frontend: Frontend
    name: str
    port: ServicePortView
    answers: Mapping[str, bool | None]
    probe_port: int
    probe_http: bool
    idle_minutes: int = _IDLE_MINUTES
    tcp_reset: bool = True

    @property
    def pool(self) -> str:
        """The backend pool that it spreads over."""
        return _POOL6 if ":" in self.frontend.ip else _POOL


def balancer_id(balancer: str) -> str:
    """The id of a load balancer of the cluster."""
    return resource_id(NODE_RESOURCE_GROUP, BALANCERS, balancer)


def pool_id(balancer: str, pool: str) -> str:
    """The id of a backend pool."""
    return f"{balancer_id(balancer)}/backendAddressPools/{pool}"


def rules(world: World) -> list[Rule]:
    """All rules of both load balancers."""
    return list(_rules(world))


def _rules(world: World) -> Iterator[Rule]:
    yield from _left_over(world)
    for port, answers in world.network.balanced():
        found = world.store.find(SERVICES, port.service, port.namespace)
        if found is None:
            continue
        uid = str(found["metadata"]["uid"]).replace("-", "")
        for ip in port.load_balancer_ips:
            suffix = "-IPv6" if ":" in ip else ""
            frontend = Frontend(
                balancer=INTERNAL if locate(world, ip) else PUBLIC,
                name=f"a{uid}"[:32] + suffix,
                ip=ip,
                namespace=port.namespace,
                service=port.service,
            )
            probe = next(
                filter(None, (probe_target(port, node.name) for node in world.spec.nodes)), None
            )
            yield Rule(
                frontend=frontend,
                name=f"a{uid}"[:32] + f"-{port.protocol.upper()}-{port.port}{suffix}",
                port=port,
                answers=answers,
                probe_port=probe.port if probe else 0,
                probe_http=bool(probe and probe.http),
                **_timeouts(world, found["metadata"].get("annotations") or {}, port.protocol),
            )


def _timeouts(world: World, annotations: Mapping[str, str], protocol: str) -> dict[str, Any]:
    """What the Service's annotations make of a rule; only TCP can be reset."""
    if world.azure.default_timeouts:
        annotations = {}
    return {
        "idle_minutes": int(annotations.get(f"{_ANNOTATION}tcp-idle-timeout", _IDLE_MINUTES)),
        "tcp_reset": protocol.upper() == "TCP"
        and annotations.get(f"{_ANNOTATION}disable-tcp-reset", "").lower() != "true",
    }


def _left_over(world: World) -> Iterator[Rule]:
    """Rules of Services that are gone: nobody answers their probes."""
    for one in world.azure.left_over_rules:
        name = f"a{one.uid.replace('-', '')}"[:32]
        yield Rule(
            frontend=Frontend(
                balancer=INTERNAL if locate(world, one.ip) else PUBLIC,
                name=name,
                ip=one.ip,
                namespace=one.namespace,
                service=one.service,
            ),
            name=f"{name}-TCP-{one.port}",
            port=ServicePortView(
                namespace=one.namespace,
                service=one.service,
                port_name="",
                protocol="TCP",
                cluster_ip="",
                port=one.port,
                node_port=one.node_port,
                load_balancer_ips=(one.ip,),
                external_local=False,
                internal_local=False,
                affinity_seconds=0,
                health_check_node_port=0,
                source_ranges=(),
                endpoints=(),
            ),
            answers={node.name: False for node in world.network.backends()},
            probe_port=one.node_port,
            probe_http=False,
        )


def frontends(world: World) -> list[Frontend]:
    """The frontends of Services, each once."""
    return list(dict.fromkeys(rule.frontend for rule in _rules(world)))


def pools(world: World) -> list[tuple[str, str]]:
    """The load balancers that there are, with each of their pools."""
    found = [(rule.frontend.balancer, rule.pool) for rule in _rules(world)]
    if world.azure.outbound_rule is not None:
        found += [(PUBLIC, _POOL), (PUBLIC, OUTBOUND_POOL)]
    return sorted(set(found))
