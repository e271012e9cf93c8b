"""Faults of the policy engine hit exactly the cells that they should: whole truth tables."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.lab.faults.naming import UnfitFault, find_fault
from pytest_aksnet.lab.layout import default_spec
from pytest_aksnet.model.policy import Pod, World
from tests import random_policies
from tests.lab import policy_tables
from tests.lab.policy_bench import PolicyBench
from tests.policy_misreads import MISREAD, on_node
from tests.random_policies import PORTS, Json

PODS = (0, 0, 1, 1, 2)
QUICK, MANY = 8, 300
LONG, SHORT = 600, 0.2  # seconds: surely not over yet, and soon over


@pytest.fixture(scope="module")
def bench() -> Iterator[PolicyBench]:
    made = PolicyBench("overlay", "calico", PODS)
    yield made
    made.close()


def _check_misread(bench: PolicyBench, fault: str, examples: int, *, random: bool) -> None:
    rules = engine_rules(bench.spec.engine)
    node = bench.nodes[0]

    def hits(world: Any, policies: Any) -> None:
        misread = [{**one, "spec": MISREAD[fault](one["spec"])} for one in policies]
        policy_tables.enforce(bench, policies, world)
        judge = on_node(
            node, PolicyOracle(misread, world, rules), PolicyOracle(policies, world, rules)
        )
        cells = policy_tables.cells(bench, world, PORTS)
        assert policy_tables.disagreements(bench, cells, judge) == []

    bench.inject(f"{fault}@{node}")
    try:
        policy_tables.on_random_policies(bench, hits, examples, random=random)
    finally:
        bench.heal(f"{fault}@{node}")


@pytest.mark.parametrize("fault", MISREAD)
def test_an_agent_that_misreads_is_wrong_about_its_own_pods_alone(
    bench: PolicyBench, fault: str
) -> None:
    _check_misread(bench, fault, QUICK, random=False)


@pytest.mark.thorough
@pytest.mark.parametrize("fault", MISREAD)
def test_an_agent_misreads_many_policies(bench: PolicyBench, fault: str) -> None:
    _check_misread(bench, fault, MANY, random=True)


@pytest.mark.parametrize(
    "fault", [*MISREAD, "policy-lag", "policy-unprotected-window", "policy-not-enforced-on-node"]
)
def test_a_lab_without_an_engine_cannot_have_a_broken_one(fault: str) -> None:
    with pytest.raises(UnfitFault, match=f"{fault}: engine none .* set engine to calico"):
        find_fault(fault, default_spec("overlay", "none"))


# -- late agents ---------------------------------------------------------------------------

DENY = [
    {
        "metadata": {"namespace": space, "name": "deny"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    for space in random_policies.NAMESPACES
]


def _world(bench: PolicyBench) -> World:
    pods, nodes, _ = policy_tables.bench_ends(bench)
    return World(
        namespaces={"x": {}},
        nodes=tuple(nodes),
        pods=tuple(Pod(namespace="x", name=one.name, node=one.node, ips=one.ips) for one in pods),
    )


def _differs(
    bench: PolicyBench, world: World, there: list[Json], elsewhere: list[Json]
) -> list[str]:
    """Where packets are not as if these policies held for the first node's pods and the others."""
    rules = engine_rules(bench.spec.engine)
    judge = on_node(
        bench.nodes[0], PolicyOracle(there, world, rules), PolicyOracle(elsewhere, world, rules)
    )
    return policy_tables.disagreements(bench, policy_tables.cells(bench, world, PORTS), judge)


def _soon(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline


def test_a_late_agent_enforces_what_was_until_it_catches_up(bench: PolicyBench) -> None:
    world, node = _world(bench), bench.nodes[0]
    policy_tables.enforce(bench, [], world)
    bench.inject(f"policy-lag={LONG}@{node}")
    policy_tables.enforce(bench, DENY, world)
    assert _differs(bench, world, [], DENY) == []
    bench.heal(f"policy-lag={LONG}@{node}")
    assert _differs(bench, world, DENY, DENY) == []
    bench.inject(f"policy-lag={LONG}@{node}")
    policy_tables.enforce(bench, [], world)
    assert _differs(bench, world, DENY, []) == []
    bench.heal(f"policy-lag={LONG}@{node}")
    assert _differs(bench, world, [], []) == []


def test_a_late_agent_is_there_in_the_end(bench: PolicyBench) -> None:
    world, node = _world(bench), bench.nodes[0]
    policy_tables.enforce(bench, [], world)
    bench.inject(f"policy-lag={SHORT}@{node}")
    policy_tables.enforce(bench, DENY, world)
    _soon(lambda: not _differs(bench, world, DENY, DENY))
    bench.heal(f"policy-lag={SHORT}@{node}")
    policy_tables.enforce(bench, [], world)


def test_young_pods_are_unprotected_for_a_while(bench: PolicyBench) -> None:
    world, node = _world(bench), bench.nodes[0]
    bench.inject(f"policy-unprotected-window={LONG}@{node}")
    policy_tables.enforce(bench, DENY, world)
    assert _differs(bench, world, [], DENY) == []
    bench.heal(f"policy-unprotected-window={LONG}@{node}")
    assert _differs(bench, world, DENY, DENY) == []
    bench.inject(f"policy-unprotected-window={SHORT}@{node}")
    _soon(lambda: not _differs(bench, world, DENY, DENY))
    bench.heal(f"policy-unprotected-window={SHORT}@{node}")
    policy_tables.enforce(bench, [], world)
