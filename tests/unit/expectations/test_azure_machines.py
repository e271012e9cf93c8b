"""Machines that are nodes, and what Azure calls them, judged."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_machines import ClusterNode, judge_joined, judge_states
from pytest_aksnet.model.azure_machines import Machine
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_machine_samples import MACHINE, MACHINE_ID, NODE, SET, SET_ID

_OTHER = replace(MACHINE, id=f"{SET_ID}/virtualmachines/1", name="x_1", computer_name="x000001")


def test_a_machine_that_is_a_node_passes() -> None:
    assert judge_joined([MACHINE], [NODE]).verdict.outcome is Outcome.PASS


def test_a_running_machine_without_a_node_is_named() -> None:
    found = judge_joined([MACHINE, _OTHER], [NODE])
    assert found.verdict.outcome is Outcome.FAIL
    assert found.resource == _OTHER.id
    assert "machine x_1 (x000001) of pool user runs, and no node" in found.verdict.sentence


@pytest.mark.parametrize(
    ("power", "state", "outcome"),
    [
        ("deallocated", "Succeeded", Outcome.PASS),
        ("stopped", "Succeeded", Outcome.PASS),
        ("running", "Failed", Outcome.FAIL),
        ("running", "Creating", Outcome.INCONCLUSIVE),
        ("running", "Deleting", Outcome.INCONCLUSIVE),
        ("starting", "Updating", Outcome.INCONCLUSIVE),
        ("", "Succeeded", Outcome.INCONCLUSIVE),
        ("running", "", Outcome.INCONCLUSIVE),
    ],
)
def test_only_what_runs_and_is_made_must_be_a_node(
    power: str, state: str, outcome: Outcome
) -> None:
    other = replace(_OTHER, power_state=power, provisioning_state=state)
    assert judge_joined([MACHINE, other], [NODE]).verdict.outcome is outcome


def test_machines_of_no_pool_need_not_be_nodes() -> None:
    assert judge_joined([MACHINE, replace(_OTHER, pool="")], [NODE]).verdict.outcome is Outcome.PASS


def test_a_node_whose_machine_is_gone_is_named_once_it_is_not_ready() -> None:
    ready = replace(NODE, name="gone", machine=f"{SET_ID}/virtualmachines/7")
    assert judge_joined([MACHINE], [NODE, ready]).verdict.outcome is Outcome.INCONCLUSIVE
    found = judge_joined([MACHINE], [NODE, replace(ready, is_ready=False)])
    assert found.verdict.outcome is Outcome.FAIL
    assert found.resource == ready.machine


def test_nodes_of_no_machine_of_azure_are_left_out() -> None:
    virtual = replace(NODE, name="virtual", machine="")
    assert judge_joined([MACHINE], [NODE, virtual]).verdict.outcome is Outcome.PASS


@pytest.mark.parametrize("machines", [[], [replace(MACHINE, pool="")]])
def test_without_machines_of_pools_nothing_is_said(machines: list[Machine]) -> None:
    assert judge_joined(machines, [NODE]).verdict.outcome is Outcome.INCONCLUSIVE
    assert judge_states([SET], machines, [NODE]).verdict.outcome is Outcome.INCONCLUSIVE


def test_without_a_node_of_azure_nothing_is_said() -> None:
    found = judge_joined([MACHINE], [replace(NODE, machine="")])
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([NODE], "its node x000000 is Ready"),
        ([replace(NODE, is_ready=False)], "its node x000000 is not Ready"),
        ([], "no node of the cluster is on it"),
    ],
)
def test_a_failed_machine_is_told_beside_its_node(nodes: list[ClusterNode], words: str) -> None:
    failed = replace(MACHINE, provisioning_state="Failed")
    found = judge_states([SET], [failed], nodes)
    assert found.verdict.outcome is Outcome.FAIL
    assert found.resource == MACHINE_ID
    assert words in found.verdict.sentence


def test_a_failed_scale_set_is_told_with_its_nodes() -> None:
    found = judge_states([replace(SET, provisioning_state="Failed")], [MACHINE], [NODE])
    assert found.resource == SET_ID
    assert "scale set x is Failed; 1 of its 1 nodes are Ready" in found.verdict.sentence


def test_a_state_that_is_not_told_is_open() -> None:
    found = judge_states([SET], [replace(MACHINE, provisioning_state="")], [NODE])
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("state", ["Succeeded", "Updating", "Creating"])
def test_other_states_pass(state: str) -> None:
    found = judge_states([SET], [replace(MACHINE, provisioning_state=state)], [NODE])
    assert found.verdict.outcome is Outcome.PASS
