"""Looks that are made after a failure to say what is to blame; they never change a verdict."""

from pytest_aksnet.assertions.target import Target
from pytest_aksnet.check import Engine, Judge
from pytest_aksnet.expectations.accelerated_networking import judge_present
from pytest_aksnet.model.observation import Connection, ConnectOutcome, DnsAnswer, DnsStatus
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.nic import Nics

AZURE_DNS = "168.63.129.16"
_QUICK_S = 1.0
_MOST_ENDPOINTS = 3


def why_unresolved(engine: Engine, pod: PodRef, seen: DnsAnswer, judge: Judge[DnsAnswer]) -> str:
    """Ask every CoreDNS replica directly, then Azure DNS, and say where the answer goes wrong."""
    replicas = engine.view.coredns_ips()
    answers = {
        ip: engine.diagnose_look(
            pod, Dig(name=seen.name, qtype=seen.qtype, server=ip, wait_s=_QUICK_S)
        )
        for ip in replicas
    }
    good = [ip for ip, answer in answers.items() if judge(answer).outcome is Outcome.PASS]
    silent = [ip for ip, answer in answers.items() if answer.status is DnsStatus.TIMEOUT]
    service = engine.profile.get("dns-service-ip") or seen.server or "of the cluster's DNS"
    if replicas and len(good) == len(replicas) and seen.status is DnsStatus.TIMEOUT:
        return (
            f"the CoreDNS replicas ({', '.join(good)}) answer directly, but the Service address "
            f"{service} does not from node {pod.node}: service proxy rules on that node"
        )
    if replicas and len(good) == len(replicas):
        return (
            f"the CoreDNS replicas ({', '.join(good)}) give the expected answer directly: what "
            f"answered on node {pod.node} is another resolver or an old answer from a cache"
        )
    if silent:
        others = f"; {', '.join(good)} answers as expected" if good else ""
        return (
            f"the CoreDNS replicas {', '.join(silent)} do not answer pods on node {pod.node} "
            f"when asked directly{others}"
        )
    if good:
        bad = sorted(set(replicas) - set(good))
        return f"the CoreDNS replicas disagree: {', '.join(bad)} give the unexpected answer"
    return _upstream(engine, pod, seen, judge)


def _upstream(engine: Engine, pod: PodRef, seen: DnsAnswer, judge: Judge[DnsAnswer]) -> str:
    domain = engine.profile.get("cluster-domain") or "cluster.local"
    if engine.profile.get("cloud") != "azure" or seen.name.rstrip(".").endswith(domain):
        return "every CoreDNS replica gives the same unexpected answer"
    absolute = f"{seen.name.rstrip('.')}."
    answer = engine.diagnose_look(
        pod, Dig(name=absolute, qtype=seen.qtype, server=AZURE_DNS, wait_s=_QUICK_S)
    )
    if judge(answer).outcome is Outcome.PASS:
        return (
            f"Azure DNS ({AZURE_DNS}) gives the expected answer to this node, so CoreDNS forwards "
            "the name to another server"
        )
    if answer.status is DnsStatus.TIMEOUT:
        return f"Azure DNS ({AZURE_DNS}) does not answer pods on node {pod.node}"
    return (
        f"Azure DNS ({AZURE_DNS}) itself gives this answer to the cluster's virtual network, so "
        "the cause is in its zones, not in the cluster"
    )


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
        return ""
    itself = engine.diagnose_look(target.pod, target.probe(_QUICK_S))
    if itself.outcome is not ConnectOutcome.CONNECTED:
        return f"{target.what} does not answer itself either: it is not the network"
    return (
        f"{target.what} answers itself, so the packets are lost between node {pod.node} and node "
        f"{target.pod.node}: a policy, a route or a filter of one of them"
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


def why_slow(engine: Engine, pods: list[PodRef]) -> str:
    """Look at the interfaces of the nodes that a host-network pod stands on."""
    causes = []
    for node, pod in {pod.node: pod for pod in pods if pod.host_network}.items():
        verdict = judge_present(engine.diagnose_look(pod, Nics()), node=node)
        if verdict.outcome is Outcome.FAIL:
            causes.append(verdict.sentence)
    return "; ".join(causes)
