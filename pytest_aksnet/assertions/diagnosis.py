"""Looks that are made after a failure to say what is to blame; they never change a verdict."""

from pytest_aksnet.assertions.target import Target, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.accelerated_networking import judge_present
from pytest_aksnet.model.observation import (
    Connection,
    ConnectOutcome,
    Throughput,
)
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.nc import Nc
from pytest_aksnet.probes.nic import Nics

_QUICK_S = 1.0
_MOST_ENDPOINTS = 3
# The kubelet listens on every node; a refusal comes from the node as well.
_KUBELET_PORT = 10250
_ANSWERED = (ConnectOutcome.CONNECTED, ConnectOutcome.REFUSED)


def why_unreached(engine: Engine, pod: PodRef, target: Target, seen: Connection) -> str:
    """Ask the endpoints behind a Service, or the target pod itself, and say who drops."""
    if seen.outcome is ConnectOutcome.DNS:
        return f"the name {target.host} does not resolve, so no packet was sent to it"
    if target.service is not None:
        endpoints = engine.view.endpoints(target.service)[:_MOST_ENDPOINTS]
        return why_not_served(
            engine,
            pod,
            [(endpoint.ip, endpoint.port) for endpoint in endpoints],
            f"the Service address {target.host}:{target.port}",
            pod.node,
        )
    if target.pod is None:
        return _compared_with_others(engine, pod, target)
    itself = engine.diagnose_look(target.pod, target.probe(_QUICK_S))
    if itself.outcome is not ConnectOutcome.CONNECTED:
        return f"{target.what} does not answer itself either: it is not the network"
    return f"{target.what} answers itself, so {_lost(engine, pod, target.pod, target.port)}"


def _compared_with_others(engine: Engine, pod: PodRef, target: Target) -> str:
    """Ask the other hosts outside the cluster that the site file names; blank without any."""
    others = [
        other
        for other in (engine.site.vnet_vm, engine.site.internet)
        if other is not None and other != target.endpoint
    ]
    here = f"node {pod.node}" if pod.host_network else f"the pods of node {pod.node}"
    for other in others:
        seen = engine.diagnose_look(pod, resolve(other).probe(_QUICK_S))
        if seen.outcome is ConnectOutcome.CONNECTED:
            return (
                f"the same pod reaches {other.what}, so {target.what} is down, or the way between "
                f"it and {here} is broken: a route or a filter"
            )
    if not others:
        return ""
    return (
        f"the same pod does not reach {' or '.join(other.what for other in others)} either: the "
        f"way out of {here} is broken"
    )


def _lost(engine: Engine, pod: PodRef, target: PodRef, port: int) -> str:
    """Where packets between two living pods get lost."""
    here, there = f"node {pod.node}", f"node {target.node}"
    if target.host_network and pod.node == target.node:
        return (
            f"{here} drops what its pods send to its own address: its firewall, or the policy "
            "engine's rule for traffic to the host (Calico: DefaultEndpointToHostAction)"
        )
    if pod.node == target.node:
        return f"the packets are lost inside {here}: a policy or a filter there"
    if target.host_network:
        look = Nc(host=target.ip, port=_KUBELET_PORT, connect_timeout_s=_QUICK_S)
        if engine.diagnose_look(pod, look).outcome in _ANSWERED:
            return (
                f"a filter by port stands between {here} and {there}, such as a rule of the "
                f"network security group of the nodes' subnet: {there} answers on port "
                f"{_KUBELET_PORT} and not on port {port}"
            )
        return f"the way from {here} to {there} is broken: a route or a filter"
    way = "from" if pod.host_network else "between the pods of"
    return (
        f"the way {way} {here} {'to' if pod.host_network else 'and'} the pods of {there} is "
        "broken: a route of the pod network, a policy or a filter"
    )


def why_not_served(
    engine: Engine, pod: PodRef, endpoints: list[tuple[str, int]], frontend: str, node: str
) -> str:
    """Ask the endpoints directly: if they answer, the service proxy of `node` is to blame."""
    if not endpoints:
        return f"{frontend} has no ready endpoint"
    reached = [
        f"{ip}:{port}"
        for ip, port in endpoints
        if engine.diagnose_look(
            pod,
            Curl(host=ip, port=port, connect_timeout_s=_QUICK_S, max_time_s=_QUICK_S + 2),
        ).outcome
        is ConnectOutcome.CONNECTED
    ]
    if len(reached) == len(endpoints):
        return (
            f"the endpoints ({', '.join(reached)}) answer directly, but {frontend} does not from "
            f"node {pod.node}: service proxy rules on node {node}"
        )
    asked = ", ".join(f"{ip}:{port}" for ip, port in endpoints)
    return (
        f"of the endpoints {asked} only {', '.join(reached) or 'none'} answer directly: "
        "it is the endpoints, or the way to them"
    )


def why_slower_than_host(engine: Engine, pods: list[PodRef], host: Throughput) -> str:
    """Say what lies between the nodes, which were fast a moment before, and these pods."""
    nodes = " and ".join(dict.fromkeys(pod.node for pod in pods))
    slow = why_slow(engine, pods)
    return slow or (
        f"the nodes themselves carried {host.gbps:.2f} Gbit/s, so it is the pods' interfaces on "
        f"{nodes}: a limit (kubernetes.io/ingress-bandwidth, egress-bandwidth) or the CNI"
    )


def why_slow(engine: Engine, pods: list[PodRef]) -> str:
    """Look at the interfaces of the nodes that a host-network pod stands on."""
    causes = []
    for node, pod in {pod.node: pod for pod in pods if pod.host_network}.items():
        verdict = judge_present(engine.diagnose_look(pod, Nics()), node=node)
        if verdict.outcome is Outcome.FAIL:
            causes.append(verdict.sentence)
    return "; ".join(causes)
