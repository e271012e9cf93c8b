"""The cases of policy tables with packets: oracle and engines agree on each step."""

from collections.abc import Iterator

import pytest

from pytest_aksnet.expectations.policy_cases import all_cases, standard_layout
from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.model.policy_table import PolicyCase
from tests.case_tables import POD_KEYS, places_of, walk
from tests.lab import policy_tables
from tests.lab.policy_bench import PolicyBench

ENGINES = ("calico", "azure", "cilium")
# Those of namespace z, which come first, are on a node of their own: the /24 round z/c is theirs.
PODS = (2, 2, 2, 0, 0, 1, 0, 1, 1, 0, 0, 1)
SAMPLE = ("generated-022", "generated-142", "generated-196", "generated-209", "netpol-36")


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[str, PolicyBench]]:
    made: dict[str, PolicyBench] = {}
    yield made
    for bench in made.values():
        bench.close()


def _check(made: dict[str, PolicyBench], engine: str, case: PolicyCase) -> None:
    if engine not in made:
        ports = sorted({port.number for port in standard_layout().ports})
        made[engine] = PolicyBench("overlay", engine, PODS, ports=ports)
    bench = made[engine]
    pods, nodes, _ = policy_tables.bench_ends(bench)
    places = places_of({key: (pod.node, pod.ips) for key, pod in zip(POD_KEYS, pods, strict=True)})
    for walked in walk(case):
        world, policies = walked.state.world(places, nodes), walked.state.bound(places)
        oracle = PolicyOracle(policies, world, engine_rules(engine))
        policy_tables.enforce(bench, policies, world)
        cells = [cell for cell, _ in oracle.table(world.pods, world.pods, walked.ports)]
        assert policy_tables.disagreements(bench, cells, oracle.decide) == [], case.id


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sample_of_the_cases(benches: dict[str, PolicyBench], engine: str) -> None:
    for name in SAMPLE:
        _check(benches, engine, all_cases()[name])


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ENGINES)
def test_all_cases(benches: dict[str, PolicyBench], engine: str) -> None:
    for case in all_cases().values():
        _check(benches, engine, case)
