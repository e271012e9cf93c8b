"""Verbs about traffic policies: who serves, which source they see, who must not serve."""

from collections.abc import Sequence

from pytest_aksnet.assertions.diagnosis import why_not_served
from pytest_aksnet.assertions.nodes import addresses_of
from pytest_aksnet.assertions.target import AnyPod, Target, pod_of, resolve
from pytest_aksnet.check import Control, Engine, Probe
from pytest_aksnet.expectations.addresses import node_addresses
from pytest_aksnet.expectations.traffic_policy import (
    Policy,
    judge_health,
    judge_not_served,
    judge_served,
)
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.probes.curl import Curl

_LOOKS = 3


def assert_external_cluster(
    engine: Engine, pod: PodRef, via: NodeRef | str, port: int, serving: Sequence[AnyPod]
) -> Connection:
    """See ProbePod.assert_external_cluster."""
    entries = [via] if isinstance(via, NodeRef) else list(engine.view.nodes())
    sources = frozenset[str]().union(*(node_addresses(entry) for entry in entries))
    if engine.profile.get("kube-proxy-mode") == "none":
        # eBPF may choose the endpoint at connect(), before any packet and so before any SNAT.
        sources |= _own(engine, pod)
    return _served(engine, pod, Policy.EXTERNAL_CLUSTER, via, port, serving, sources)


def assert_external_local(
    engine: Engine, pod: PodRef, via: NodeRef | str, port: int, serving: Sequence[AnyPod]
) -> Connection:
    """See ProbePod.assert_external_local."""
    pods = [pod_of(server) for server in serving]
    if isinstance(via, NodeRef):
        pods = [server for server in pods if server.node == via.name]
    return _served(engine, pod, Policy.EXTERNAL_LOCAL, via, port, pods, _own(engine, pod))


def assert_external_local_drops(
    engine: Engine, pod: PodRef, via: NodeRef, port: int, control: NodeRef
) -> Connection:
    """See ProbePod.assert_external_local_drops."""
    if pod.node == via.name:
        raise SettingsError(
            f"a node serves its own clients with any endpoint: look at node {via.name} from "
            "another node"
        )
    wait = engine.pacing.connect_timeout_s
    reached = resolve(control, port)
    return _not_served(
        engine,
        pod,
        Policy.EXTERNAL_LOCAL,
        resolve(via, port),
        [
            Control(
                what=f"the source is served through {reached.what}",
                pod=pod,
                probe=reached.probe(wait),
            )
        ],
    )


def assert_internal_local(
    engine: Engine, pod: PodRef, service: ServiceRef, serving: Sequence[AnyPod]
) -> Connection:
    """See ProbePod.assert_internal_local."""
    local = [server for server in map(pod_of, serving) if server.node == pod.node]
    if pod.name in {server.name for server in local}:
        raise SettingsError("a pod that serves the Service cannot judge it: look from another pod")
    return _served(
        engine,
        pod,
        Policy.INTERNAL_LOCAL,
        service.cluster_ip,
        service.port,
        local,
        _own(engine, pod) if pod.host_network else frozenset({pod.ip}),
    )


def assert_internal_local_drops(
    engine: Engine, pod: PodRef, service: ServiceRef, serving: Sequence[AnyPod], witness: AnyPod
) -> Connection:
    """See ProbePod.assert_internal_local_drops."""
    wait = engine.pacing.connect_timeout_s
    target, other = resolve(service), pod_of(witness)
    direct = [resolve(server) for server in serving]
    return _not_served(
        engine,
        pod,
        Policy.INTERNAL_LOCAL,
        target,
        [
            *(
                Control(
                    what=f"the source reaches the endpoint {server.what} directly",
                    pod=pod,
                    probe=server.probe(wait),
                )
                for server in direct
            ),
            Control(
                what=f"{target.what} is served on node {other.node}",
                pod=other,
                probe=target.probe(wait),
            ),
        ],
    )


def assert_health_check(
    engine: Engine, pod: PodRef, node: NodeRef, port: int, status: int
) -> Connection:
    """See ProbePod.assert_health_check."""
    wait = engine.pacing.connect_timeout_s
    probe = Curl(
        host=node.ip, port=port, path="/healthz", connect_timeout_s=wait, max_time_s=wait + 2
    )
    return engine.converge(
        pod,
        probe,
        lambda seen: judge_health(seen, status=status),
        patience_s=engine.pacing.patience_with(service=True),
    )


def _served(
    engine: Engine,
    pod: PodRef,
    policy: Policy,
    via: NodeRef | str,
    port: int,
    serving: Sequence[AnyPod],
    sources: frozenset[str],
) -> Connection:
    servers = [pod_of(server) for server in serving]
    if not servers:
        raise SettingsError(f"no pod is named that should serve {policy.value} here")
    host = via if isinstance(via, str) else via.ip
    wait = engine.pacing.connect_timeout_s
    # Traffic to a node's port meets the rules of that node, any other frontend those of its own.
    proxy = via.name if isinstance(via, NodeRef) else pod.node

    def judge(seen: Connection) -> Verdict:
        return judge_served(
            policy, seen, servers={server.name for server in servers}, sources=sources
        )

    def diagnose(seen: Connection) -> str:
        if seen.outcome is ConnectOutcome.CONNECTED:
            return ""
        endpoints = [(server.ip, server.port) for server in servers]
        return why_not_served(engine, pod, endpoints, f"{host}:{port}", proxy)

    return engine.converge(
        pod,
        Curl(host=host, port=port, connect_timeout_s=wait, max_time_s=wait + 2),
        judge,
        patience_s=engine.pacing.patience_with(service=True),
        times=_LOOKS,
        diagnose=diagnose,
    )


def _not_served(
    engine: Engine, pod: PodRef, policy: Policy, target: Target, controls: Sequence[Control]
) -> Connection:
    def probe(connect_timeout_s: float) -> Probe[Connection]:
        return target.probe(connect_timeout_s)

    by_ebpf = engine.profile.get("kube-proxy-mode") == "none"
    at_connect = by_ebpf and policy is Policy.EXTERNAL_LOCAL

    def judge(seen: Connection) -> Verdict:
        return judge_not_served(policy, seen, at_connect=at_connect)

    patience_s = engine.pacing.patience_with(service=True)
    return engine.deny(pod, probe, judge, controls=controls, patience_s=patience_s)


def _own(engine: Engine, pod: PodRef) -> frozenset[str]:
    """What is the client's own address to somebody outside its node: a pod may be masqueraded."""
    return addresses_of(engine, pod) | {pod.ip}
