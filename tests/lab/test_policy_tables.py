"""Oracle and packets agree on whole truth tables of random policies, per engine and mode."""

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.expectations.policy_engines import engine_rules
from tests import random_policies
from tests.lab import policy_tables
from tests.lab.policy_bench import PolicyBench

PODS = (0, 0, 1, 1, 2)
FEW, QUICK, SOME, MANY = 8, 25, 300, 1500
BENCHES = {
    "calico": ("overlay", "calico", ()),
    "azure": ("node-subnet", "azure", ()),
    "cilium": ("overlay", "cilium", ()),
}
OTHERS = {
    "calico-kubenet": ("kubenet", "calico", ()),
    "calico-node-subnet": ("node-subnet", "calico", ()),
    "calico-dual-stack": ("overlay", "calico", ("dual-stack=true",)),
    "cilium-dual-stack": ("overlay", "cilium", ("dual-stack=true",)),
    "azure-pod-subnet": ("pod-subnet", "azure", ()),
    "none": ("overlay", "none", ()),
}


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[str, PolicyBench]]:
    made: dict[str, PolicyBench] = {}
    yield made
    for bench in made.values():
        bench.close()


def _bench(made: dict[str, PolicyBench], name: str) -> PolicyBench:
    if name not in made:
        mode, engine, more = {**BENCHES, **OTHERS}[name]
        made[name] = PolicyBench(mode, engine, PODS, settings=more)
    return made[name]


def _agree(bench: PolicyBench, examples: int, *, random: bool) -> None:
    rules = engine_rules(bench.spec.engine)

    def agree(world: Any, policies: Any) -> None:
        policy_tables.check(bench, policies, world, rules, random_policies.PORTS)

    policy_tables.on_random_policies(bench, agree, examples, random=random)


@pytest.mark.parametrize("name", BENCHES)
def test_packets_agree_with_the_oracle(benches: dict[str, PolicyBench], name: str) -> None:
    _agree(_bench(benches, name), QUICK, random=False)


def test_packets_of_both_families_agree_with_the_oracle(benches: dict[str, PolicyBench]) -> None:
    _agree(_bench(benches, "calico-dual-stack"), FEW, random=False)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [*BENCHES, *OTHERS])
def test_packets_agree_with_the_oracle_on_many_policies(
    benches: dict[str, PolicyBench], name: str
) -> None:
    _agree(_bench(benches, name), MANY if name in BENCHES else SOME, random=True)
