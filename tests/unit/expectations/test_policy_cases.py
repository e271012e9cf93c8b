"""The cases of policy tables are those that others know, and say what others counted for them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.expectations.policy_cases import (
    all_cases,
    case_ids,
    changes_objects,
    standard_layout,
)
from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_world import PolicyState
from pytest_aksnet.model.policy import Decision, EngineRules, PortSpec
from pytest_aksnet.model.policy_table import CellName, PolicyCase, PutPolicy
from tests.case_tables import POD_KEYS, expected_steps, new_pods, places_of, walk

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "policy_cases"
SHARED = ROOT.parent / "shared" / "data" / "policy-cases.json"
# Pods of z come first: they are in the /28 round z/c, the others of the /24 are not.
PLACES = places_of(
    {
        key: ("node", (f"10.0.0.{1 + index if index < 3 else 100 + index}",))
        for index, key in enumerate(POD_KEYS)
    }
)
# The counts judge a pod's way to itself like any other.
PLAIN = replace(API_TEXT, own_pod_open=False)
BLIND = replace(PLAIN, ip_blocks_match_cluster=False)
GENERATED: dict[str, Any] = json.loads((GOLDEN / "generated.json").read_text())
NETPOL: dict[str, Any] = json.loads((GOLDEN / "netpol.json").read_text())


def _counted(case: PolicyCase, rules: EngineRules) -> list[list[int]]:
    """Allowed and all cells of each step."""
    return [
        [sum(decision.allowed for decision in table.values()), len(table)]
        for table in expected_steps(case, PLACES, rules)
    ]


# -- the 230 generated ones ----------------------------------------------------------------


def test_there_are_all_cases_in_order() -> None:
    assert list(all_cases()) == [*GENERATED, *NETPOL]
    assert {case.id for case in all_cases().values()} == set(all_cases())


@pytest.mark.parametrize(("rules", "counted"), [(PLAIN, "steps"), (BLIND, "blind")])
def test_generated_cases_give_the_counts_of_an_independent_simulator(
    rules: EngineRules, counted: str
) -> None:
    wrong = {
        name: (found, wanted)
        for name, row in GENERATED.items()
        if (found := _counted(all_cases()[name], rules))
        != (wanted := row.get(counted, row["steps"]))
    }
    assert wrong == {}


def test_generated_cases_are_described_as_they_are_known() -> None:
    for name, row in GENERATED.items():
        case = all_cases()[name]
        assert (case.family, list(case.tags)) == (row["family"], row["tags"]), name
        assert case.default is row["default"], name
    assert sum(case.default for case in all_cases().values()) == 112


@pytest.mark.skipif(not SHARED.exists(), reason="no list of the cases beside the checkout")
def test_the_recorded_counts_are_those_of_the_list() -> None:
    def counts(steps: list[dict[str, int]]) -> list[list[int]]:
        return [[step["allowed"], step["probed"]] for step in steps]

    recorded = dict(GENERATED)
    for known in json.loads(SHARED.read_text()):
        row = recorded.pop(f"generated-{known['id']:03}")
        assert row["steps"] == counts(known["steps"])
        assert row.get("blind", row["steps"]) == counts(known["steps_ipblock_blind"])
        assert (row["family"], row["tags"]) == (known["family"], known["tags"])
    assert recorded == {}


# -- the 48 of Netpol ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NETPOL)
def test_netpol_cases_look_as_often_as_the_suite_does(name: str) -> None:
    case, row = all_cases()[name], NETPOL[name]
    assert list(case.pods) == row["pods"].split()
    looked = [port for walked in walk(case) for port in walked.ports]
    served = set(looked)
    assert served == {
        PortSpec(number=number, protocol=protocol.upper())
        for number in row["ports"]
        for protocol in row["protocols"]
    }
    put = [
        (policy["metadata"]["namespace"], policy["metadata"]["name"]) for policy in _policies(case)
    ]
    assert len(set(put)) == row["creates"]
    pairs = len(case.pods) ** 2
    assert pairs * len(served) == row["control"]
    assert pairs * len(looked) == row["policy"]
    assert sum(len(table) for table in expected_steps(case, PLACES, PLAIN)) == row["policy"]


@pytest.mark.parametrize("name", NETPOL)
def test_netpol_cases_close_something_or_say_why_not(name: str) -> None:
    case = all_cases()[name]
    closed = [
        cell
        for table in expected_steps(case, PLACES, API_TEXT)
        for cell, decision in table.items()
        if not decision.allowed
    ]
    assert bool(closed) == (not case.note)
    assert not case.note or "closes nothing" in case.note


def _closed(name: str, step: int = 0) -> set[str]:
    tables = list(expected_steps(all_cases()[name], PLACES, API_TEXT))
    return {
        f"{cell.source} {cell.destination} {cell.port.number}"
        for cell, decision in tables[step].items()
        if not decision.allowed
    }


@pytest.mark.parametrize(
    ("name", "step", "closed"),
    [
        ("netpol-03", 0, {"x/c x/a 8080", "y/a x/a 8080"}),
        ("netpol-04", 0, {"x/a x/b 8080", "y/a x/b 8080"}),
        ("netpol-09", 0, {"x/c x/a 8080"}),
        ("netpol-10", 0, {"x/b x/a 8080", "y/a x/a 8080"}),
        ("netpol-15", 0, {f"{pod} x/a 8080" for pod in ("x/b", "y/a", "y/b", "z/a")}
            | {"x/b x/a 8081", "z/a x/a 8081"}),
        ("netpol-15", 1, {"x/b x/a 8080", "z/a x/a 8080"}),
        ("netpol-19", 0, {"x/a y/a 8081"}),
        ("netpol-21", 0, {"y/a x/a 8080"}),
        ("netpol-21", 1, set()),
        ("netpol-24", 1, {"y/a x/a 8080"}),
        ("netpol-28", 0, {"x/a y/b 8080", "y/a y/b 8080", "y/b y/a 8080"}),
        ("netpol-30", 0, {"y/a x/a 8080"}),
        ("netpol-34", 0, {"x/a y/a 8080"}),
        ("netpol-36", 0, {"x/a x/b 8080"}),
        ("netpol-36", 1, set()),
        ("netpol-37", 1, {"x/b x/a 8080", "y/a x/a 8080", "x/a y/a 8080"}),
        ("netpol-42", 0, {"x/a y/a 8080"}),
        ("netpol-48", 0, {"x/b x/a 8080"}),
    ],
)  # fmt: skip
def test_netpol_cases_close_what_a_reader_of_the_policy_expects(
    name: str, step: int, closed: set[str]
) -> None:
    assert _closed(name, step) == closed


# -- all of them ---------------------------------------------------------------------------


def _policies(case: PolicyCase) -> Iterator[dict[str, Any]]:
    for step in case.steps:
        for action in step.actions:
            if isinstance(action, PutPolicy):
                yield dict(action.policy)


def test_policies_are_objects_that_an_api_server_takes() -> None:
    for case in all_cases().values():
        for policy in _policies(case):
            assert policy["apiVersion"] == "networking.k8s.io/v1"
            assert policy["kind"] == "NetworkPolicy"
            assert policy == json.loads(json.dumps(policy)), case.id
            assert set(policy["spec"]["policyTypes"]) <= {"Ingress", "Egress"}
            assert policy["spec"]["policyTypes"]


def test_pods_of_a_restricted_cluster_can_serve_the_ports() -> None:
    layout = standard_layout()
    assert len(layout.pods) == 9
    for pod in layout.pods:
        assert {(port.number, port.protocol) for port in pod.ports} == {
            (port.number, port.protocol) for port in layout.ports
        }
        assert all(port.number >= 1024 and len(port.name) <= 15 for port in pod.ports)


def test_cases_begin_on_one_layout_and_can_be_done_step_by_step() -> None:
    for case in all_cases().values():
        assert case.layout is standard_layout()
        assert new_pods(case) <= set(POD_KEYS[9:])
        assert case.steps[0].actions, case.id
        assert len(list(walk(case))) == len(case.steps)


def test_titles_tell_cases_of_a_family_apart() -> None:
    titles = [(case.family, case.title) for case in all_cases().values()]
    assert sorted(set(titles)) == sorted(titles)


def test_case_ids_are_chosen_by_family_tags_and_change() -> None:
    assert case_ids("rules") == [f"generated-{number:03}" for number in range(7, 11)]
    assert case_ids("peers-1", tagged=["ip-block-with-except"]) == [
        "generated-022",
        "generated-032",
    ]
    assert len(case_ids("ports-1", untagged=["end-port"])) == 42
    assert case_ids("action", changing=False) == ["generated-194"]
    assert case_ids("upstream", changing=True) == [f"generated-{n}" for n in (*range(224, 229),)]
    assert case_ids("nobody-has-it") == []


def test_what_changes_objects_is_known_by_its_actions() -> None:
    changing = {case.id for case in all_cases().values() if changes_objects(case)}
    assert {one for one in changing if one.startswith("netpol")} == {
        f"netpol-{number}" for number in (20, 21, 22, 24, 36)
    }
    assert "generated-230" not in changing


def test_after_a_pod_comes_it_is_looked_at_too() -> None:
    case = all_cases()["generated-198"]
    usual, more, again = expected_steps(case, PLACES, PLAIN)

    def ends(table: dict[CellName, Decision]) -> set[str]:
        return {name.source for name in table}

    assert ends(more) - ends(usual) == {"x/d"}
    assert ends(again) == ends(usual)


def test_a_case_does_not_keep_what_another_did() -> None:
    before = dict(PolicyState(standard_layout()).pods)
    for case in all_cases().values():
        list(walk(case))
    assert dict(PolicyState(standard_layout()).pods) == before
