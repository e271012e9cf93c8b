"""The oracle counts what an independent simulator counted for the cases of cyclonus."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.model.policy import EngineRules
from tests.policy_cases import LIST, POD_KEYS, Cases

CASES = Cases(
    # Pods of z come first: they are in the /28, the others of the /24 are not.
    places={
        key: ("node", (f"10.0.0.{1 + index if index < 3 else 100 + index}",))
        for index, key in enumerate(POD_KEYS)
    },
    nodes=(),
    cidr="10.0.0.0/24",
    excepted="10.0.0.0/28",
)
# The simulator judges a pod's way to itself like any other.
PLAIN = replace(API_TEXT, own_pod_open=False)
BLIND = replace(PLAIN, ip_blocks_match_cluster=False)


def _counted(case: dict[str, Any], rules: EngineRules) -> list[dict[str, int]]:
    counts = []
    for step in CASES.steps(case):
        oracle = PolicyOracle(step.policies, step.world, rules)
        table = list(oracle.table(step.world.pods, step.world.pods, step.ports))
        allowed = sum(decision.allowed for _, decision in table)
        counts.append({"allowed": allowed, "probed": len(table)})
    return counts


@pytest.mark.skipif(not LIST.exists(), reason="no recorded counts beside the checkout")
@pytest.mark.parametrize(
    ("rules", "recorded"),
    [(PLAIN, "steps"), (BLIND, "steps_ipblock_blind")],
    ids=["plain", "blind"],
)
def test_counts_of_all_cases(rules: EngineRules, recorded: str) -> None:
    cases = json.loads(LIST.read_text())
    wrong = {
        f"{case['id']} {case['case']}": (counted, case[recorded])
        for case in cases
        if (counted := _counted(case, rules)) != case[recorded]
    }
    assert wrong == {}
    assert len(cases) == 230
