"""Looks after a failure of a load balancer that say what is to blame; they change no verdict."""

from collections.abc import Collection, Sequence

from pytest_aksnet.assertions.nodes import node_named
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.probing import Answer, Finding, Kind, Probe

_QUICK_S = 1.0
_GRACE_S = 4.0
_MOST_NODES = 50


def addresses_now(engine: Engine, service: ServiceRef) -> tuple[str, ...]:
    """The addresses of the Service's load balancer, as its status has them now."""
    path = f"/api/v1/namespaces/{service.namespace}/services/{service.name}"
    found = engine.api.get(path) or {}
    ingress = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return tuple(str(entry["ip"]) for entry in ingress if entry.get("ip"))


def why_left_out(
    engine: Engine, service: ServiceRef, servers: Sequence[PodRef], nodes: Collection[str]
) -> str:
    """Ask the port that the load balancer probes, from a pod, on nodes that get nothing.

    With externalTrafficPolicy Local also on the others that have none of the pods `servers`: who
    answers there gets what it cannot serve.
    """
    now = addresses_now(engine, service)
    if set(now) != set(service.load_balancer_ips):
        return (
            f"the load balancer of Service {service.namespace}/{service.name} has another address "
            f"now, {', '.join(now) or 'none'} instead of {', '.join(service.load_balancer_ips)}"
        )
    local, port = bool(service.health_check_node_port), _probed_port(service)
    if not port:
        return ""
    serving = {server.node for server in servers}
    others = [node.name for node in engine.view.nodes() if node.name not in serving]
    asked = sorted({*nodes, *(others[:_MOST_NODES] if local else ())})
    answers = _health(engine, servers[0], asked, port, http=local)
    healthy = [name for name in asked if _is_healthy(answers[name])]
    liars = [name for name in healthy if local and name not in serving]
    if liars:
        return (
            f"node {', '.join(liars)} has none of the pods and answers 200 at the health check "
            f"port {port}, so the load balancer sends there what cannot be served: the service "
            "proxy there"
        )
    unserved = _unserved(engine, service, servers[0], healthy) if local else []
    silent = [name for name in nodes if name not in healthy]
    well = [name for name in nodes if name in healthy and name not in unserved]
    said = []
    if silent:
        first = answers[silent[0]]
        how = "no answer" if first is None else first.facts.get("status", first.detail)
        said.append(
            f"node {', '.join(silent)} does not answer the port {port} that the load balancer "
            f"probes ({how}), so it is taken out: the service proxy there"
        )
    if unserved:
        said.append(
            f"node {', '.join(unserved)} answers the port {port} that the load balancer probes and "
            "does not serve the Service, at its node port either: the service proxy there"
        )
    if well:
        said.append(
            f"node {', '.join(well)} answers the port {port} that the load balancer probes, so the "
            "load balancer has no rule for the frontend or the node not in its backend pool, or "
            "its probes from 168.63.129.16 are dropped: by a network security group that denies "
            "AzureLoadBalancer, or by the node's own firewall"
        )
    return "; ".join(said)


def _unserved(
    engine: Engine, service: ServiceRef, witness: PodRef, nodes: Sequence[str]
) -> list[str]:
    """The nodes on which the Service is not served at its node port, as a pod sees it."""
    probes = [
        Probe(
            kind=Kind.TCP,
            host=node_named(engine, name).ip,
            port=service.node_port,
            timeout_s=_QUICK_S,
        )
        for name in nodes
    ]
    batch = engine.prober.probe(witness, probes, budget_s=_QUICK_S + _GRACE_S)
    return [
        name
        for name, answer in zip(nodes, batch.answers, strict=True)
        if answer is None or answer.finding is not Finding.OK
    ]


def _probed_port(service: ServiceRef) -> int:
    return service.health_check_node_port or service.node_port


def _health(
    engine: Engine, witness: PodRef, nodes: Sequence[str], port: int, *, http: bool
) -> dict[str, Answer | None]:
    """What the nodes answer to a pod at the port that the load balancer probes."""
    probes = [
        Probe(
            kind=Kind.HTTP if http else Kind.CONNECT,
            host=node_named(engine, name).ip,
            port=port,
            timeout_s=_QUICK_S,
            options={"path": "/healthz"} if http else {},
        )
        for name in nodes
    ]
    batch = engine.prober.probe(witness, probes, budget_s=_QUICK_S + _GRACE_S)
    return dict(zip(nodes, batch.answers, strict=True))


def why_not_by_proxy(engine: Engine, pod: PodRef, serving: Sequence[AnyPod]) -> str:
    """Ask the pods behind a frontend directly: if they answer, it is the pod's own node."""
    servers = [pod_of(server) for server in serving]
    probes = [
        Probe(kind=Kind.TCP, host=one.ip, port=one.port, timeout_s=_QUICK_S) for one in servers
    ]
    batch = engine.prober.probe(pod, probes, budget_s=_QUICK_S + _GRACE_S)
    lost = [
        server.name
        for server, answer in zip(servers, batch.answers, strict=True)
        if answer is None or answer.finding is not Finding.OK
    ]
    if lost:
        return f"{', '.join(lost)} do not answer {pod.name} directly either"
    return (
        f"the pods answer {pod.name} directly, so it is the service proxy of node {pod.node}, "
        "which answers for frontends inside the cluster"
    )


def _is_healthy(answer: Answer | None) -> bool:
    return (
        answer is not None
        and answer.finding is Finding.OK
        and answer.facts.get("status", 200) == 200
    )
