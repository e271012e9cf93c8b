"""Compares the oracle's truth tables with the packets of a policy bench."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.lab.network_views import NamespaceView, PodView, PolicyView
from pytest_aksnet.model.policy import (
    Cell,
    Decision,
    End,
    EngineRules,
    Node,
    Outside,
    Pod,
    PortSpec,
    World,
)
from tests import random_policies
from tests.lab.policy_bench import Look, PolicyBench

NODE_PORTS = (PortSpec(number=8000), PortSpec(number=80, protocol="UDP"))
_HOST_PORTS = (PortSpec(number=80),)

Judge = Callable[[Cell], Decision]
Test = Callable[[Any, Any], None]
Policies = Sequence[Mapping[str, Any]]


def bench_ends(bench: PolicyBench) -> tuple[list[Pod], list[Node], list[Outside]]:
    """Pods (with nothing but a place yet), nodes and outside hosts of a bench."""

    def ips(name: str) -> tuple[str, ...]:
        return tuple(one[name] for one in (bench.ips, bench.ips6) if name in one)

    pods = [
        Pod(namespace="", name=name, node=node, ips=ips(name))
        for name, node in bench.node_of.items()
    ]
    nodes = [Node(name=name, ips=ips(name)) for name in bench.nodes]
    return pods, nodes, [Outside(name="vm", ips=ips("vm"))]


def addresses(bench: PolicyBench) -> list[str]:
    """All addresses of these ends."""
    return [ip for ends in bench_ends(bench) for end in ends for ip in end.ips]


def on_random_policies(bench: PolicyBench, test: Test, examples: int, *, random: bool) -> None:
    """Run a test of worlds and policies on so many examples, the same ones unless `random`."""
    pods, nodes, _ = bench_ends(bench)
    made = given(
        world=random_policies.worlds(pods, nodes),
        policies=random_policies.policies(addresses(bench)),
    )
    settings(
        max_examples=examples,
        derandomize=not random,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(made(test))()


def enforce(bench: PolicyBench, policies: Policies, world: World) -> None:
    """Tell the bench's network of them."""
    bench.policies(
        [
            PolicyView(
                namespace=policy["metadata"]["namespace"],
                name=policy["metadata"]["name"],
                spec=policy["spec"],
            )
            for policy in policies
        ],
        [
            PodView(
                namespace=pod.namespace,
                name=pod.name,
                node=pod.node,
                ip=pod.ips[0],
                ip6=pod.ips[1] if len(pod.ips) > 1 else None,
                labels=pod.labels,
                named_ports=pod.named_ports,
            )
            for pod in world.pods
        ],
        [NamespaceView(name=name, labels=labels) for name, labels in world.namespaces.items()],
    )


def cells(bench: PolicyBench, world: World, ports: Sequence[PortSpec]) -> list[Cell]:
    """Pods with pods, nodes and the VM in both directions, as far as packets find a way."""
    outside = bench_ends(bench)[2]
    routable = bench.spec.mode in ("node-subnet", "pod-subnet")
    groups: list[tuple[Sequence[End], Sequence[End], Sequence[PortSpec]]] = [
        (world.pods, world.pods, ports),
        (world.pods, world.nodes, NODE_PORTS),
        (world.nodes, world.pods, [ports[0]]),
        (world.pods, outside, _HOST_PORTS),
        (outside, world.pods if routable else (), [ports[0]]),
    ]
    versions = (4, 6) if bench.spec.dual_stack else (4,)
    return [
        Cell(source=source, destination=destination, port=port, version=version)
        for sources, destinations, some in groups
        for source in sources
        for destination in destinations
        for port in some
        for version in versions
        if all(len(end.ips) > (version == 6) for end in (source, destination))
    ]


def disagreements(bench: PolicyBench, wanted: Sequence[Cell], judge: Judge) -> list[str]:
    """One line for each cell in which packets and a judge differ."""
    decisions = [judge(cell) for cell in wanted]
    places = {ip: name for name, ip in bench.ips.items()}
    looks = [
        Look(
            start=places[cell.source.ips[0]],
            ip=cell.destination.ips[cell.version == 6],
            port=cell.port.number,
            protocol=cell.port.protocol,
        )
        for cell in wanted
    ]
    wrong = bench.wrong(looks, [one.allowed for one in decisions])
    return [
        f"{looks[index]}: {'open' if not decisions[index].allowed else 'blocked'}, but "
        f"{decisions[index].why}"
        for index in wrong
    ]


def check(
    bench: PolicyBench,
    policies: Policies,
    world: World,
    rules: EngineRules,
    ports: Sequence[PortSpec],
) -> int:
    """Assert that oracle and packets agree on a whole table; how many cells it has."""
    oracle = PolicyOracle(policies, world, rules)
    enforce(bench, policies, world)
    wanted = cells(bench, world, ports)
    assert disagreements(bench, wanted, oracle.decide) == []
    return len(wanted)
