"""The cases of cyclonus with packets: oracle and engines agree on each step."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from tests.lab import policy_tables
from tests.lab.policy_bench import PolicyBench
from tests.policy_cases import LIST, POD_KEYS, Cases

ENGINES = ("calico", "azure", "cilium")
# Those of namespace z, which come first, are on a node of their own: its range is the exception.
PODS = (2, 2, 2, 0, 0, 1, 0, 1, 1, 0, 0, 1)
SAMPLE = (22, 142, 196, 209)

pytestmark = pytest.mark.skipif(not LIST.exists(), reason="no list of cases beside the checkout")


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[str, PolicyBench]]:
    made: dict[str, PolicyBench] = {}
    yield made
    for bench in made.values():
        bench.close()


def _check(made: dict[str, PolicyBench], engine: str, case: dict[str, Any]) -> None:
    if engine not in made:
        made[engine] = PolicyBench("overlay", engine, PODS)
    bench = made[engine]
    pods, nodes, _ = policy_tables.bench_ends(bench)
    cases = Cases(
        places={key: (pod.node, pod.ips) for key, pod in zip(POD_KEYS, pods, strict=True)},
        nodes=tuple(nodes),
        cidr=bench.spec.pod_cidr,
        excepted=bench.spec.nodes[2].pod_cidr or "",
    )
    for step in cases.steps(case):
        oracle = PolicyOracle(step.policies, step.world, engine_rules(engine))
        policy_tables.enforce(bench, step.policies, step.world)
        cells = [cell for cell, _ in oracle.table(step.world.pods, step.world.pods, step.ports)]
        assert policy_tables.disagreements(bench, cells, oracle.decide) == []


def _cases(*numbers: int) -> Iterator[dict[str, Any]]:
    for case in json.loads(LIST.read_text()):
        if not numbers or case["id"] in numbers:
            yield case


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sample_of_the_cases(benches: dict[str, PolicyBench], engine: str) -> None:
    for case in _cases(*SAMPLE):
        _check(benches, engine, case)


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ENGINES)
def test_all_cases(benches: dict[str, PolicyBench], engine: str) -> None:
    for case in _cases():
        _check(benches, engine, case)
