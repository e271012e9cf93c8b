"""Verdicts over truth tables, and the observations that are kept of them."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.policy_verdicts import case_tables, judge_case, policy_table
from pytest_aksnet.model.policy_table import CellName, CellResult, Mark
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.report.serialisation import tagged
from tests.truth_tables import NODES, PODS, PORTS, case, cell, step

TCP, UDP = PORTS


def open_to(
    *names: CellName, why: str = "ingress of x/a is isolated"
) -> dict[CellName, CellResult]:
    return {name: cell(expected=False, seen=Mark.OPEN, why=why) for name in names}


def test_a_table_as_expected_passes() -> None:
    verdict = judge_case(case(step()), NODES)
    assert verdict.outcome is Outcome.PASS
    assert verdict.sentence == "generated-001 (deny all to x/a): all 18 cells are as expected"
    assert verdict.source == "Kubernetes docs: network-policies"
    assert not verdict.warning


def test_one_wrong_cell_fails_with_its_reason() -> None:
    verdict = judge_case(case(step(open_to(CellName("x/b", "x/a", TCP)))), NODES)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == (
        "generated-001 (deny all to x/a): 1 of 18 cells is wrong "
        "(all should be closed and are open): x/b to x/a at TCP 8080: should be closed and is "
        "open: ingress of x/a is isolated"
    )


def test_wrong_cells_say_what_they_share() -> None:
    names = [CellName(source, "x/a", port) for source in ("x/b", "y/a") for port in PORTS]
    sentence = judge_case(case(step(open_to(*names))), NODES).sentence
    assert "4 of 18 cells are wrong" in sentence
    assert "all are to x/a, and no such cell is right" in sentence
    assert "on node" not in sentence, "the pod says it better"
    assert "and 1 more" in sentence


def test_a_step_with_a_name_is_named() -> None:
    name = CellName("x/b", "x/a", TCP)
    steps = (step(title="create"), step(open_to(name), title="label"))
    assert "wrong in step 'label'" in judge_case(case(*steps), NODES).sentence


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([("x/b", "x/a"), ("x/b", "y/a"), ("x/a", "y/a")], "all are to pods on node node-1"),
        ([("x/a", "x/b"), ("x/b", "x/b"), ("x/b", "y/a")], "have an end on node node-2"),
        ([("y/a", "x/a"), ("y/a", "x/b"), ("y/a", "y/a")], "all are from y/a"),
        ([("x/a", "x/b"), ("x/b", "x/a"), ("x/b", "y/a")], "between pods on different nodes"),
    ],
)
def test_what_wrong_cells_share(wrong: list[tuple[str, str]], words: str) -> None:
    names = [CellName(source, to, port) for source, to in wrong for port in PORTS]
    assert words in judge_case(case(step(open_to(*names, why="isolated"))), NODES).sentence


def closed(why: str, names: list[CellName], *, right: int = 0) -> dict[CellName, CellResult]:
    """Cells that should be closed for this reason; all but the first `right` are open."""
    return {
        name: cell(expected=False, seen=None if index < right else Mark.OPEN, why=why)
        for index, name in enumerate(names)
    }


def test_the_node_whose_policies_should_close_is_named() -> None:
    egress = [CellName("x/b", to, port) for to in ("x/a", "y/a") for port in PORTS]
    ingress = [CellName(source, "x/b", port) for source in ("x/a", "y/a") for port in PORTS]
    changes = {
        **closed("egress of x/b is isolated", egress),
        **closed("ingress of x/b is isolated", ingress),
    }
    sentence = judge_case(case(step(changes, closed_to="")), NODES).sentence
    assert (
        "all should be closed by policies of pods on node node-2, and no such cell is right"
        in sentence
    )
    assert "have an end on" not in sentence, "it says less"


def test_the_direction_that_is_not_enforced_is_named() -> None:
    egress = [CellName(one, to, TCP) for one in PODS for to in PODS if one != to]
    sentence = judge_case(
        case(step(closed("egress of it is isolated", egress), closed_to="")), NODES
    ).sentence
    assert "all should be closed by policies for egress, and no such cell is right" in sentence


def test_a_node_that_few_of_many_cells_share_is_chance() -> None:
    names = [CellName(one, to, port) for one in ("x/a", "x/b") for to in PODS for port in PORTS]
    changes = closed("a policy", [name for name in names if name.destination != "x/b"], right=5)
    sentence = judge_case(case(step(changes, closed_to="")), NODES).sentence
    assert "3 of 18 cells are wrong" in sentence
    assert "on node" not in sentence


def test_a_shared_protocol_and_family_are_named() -> None:
    udp = [CellName(one, to, UDP, 6) for one in PODS for to in PODS]
    sentence = judge_case(case(step(open_to(*udp), versions=(4, 6))), NODES).sentence
    assert "all are at UDP 8081, and no such cell is right" not in sentence
    assert "all are at UDP 8081" in sentence
    assert "all are over IPv6" in sentence


def test_without_nodes_there_are_no_patterns_of_nodes() -> None:
    names = [CellName(one, to, TCP) for one, to in (("x/b", "x/a"), ("x/b", "y/a"), ("x/a", "y/a"))]
    assert "node" not in judge_case(case(step(open_to(*names))), {}).sentence


@pytest.mark.parametrize(
    "unclear",
    [
        cell(expected=False, seen=Mark.UNSEEN, detail="the agent died"),
        cell(expected=True, seen=Mark.UNSEEN, detail="the agent died"),
        cell(expected=False, seen=Mark.ODD, detail="the agent died"),
    ],
)
def test_what_could_not_be_looked_at_is_inconclusive(unclear: CellResult) -> None:
    verdict = judge_case(case(step({CellName("x/b", "x/a", TCP): unclear})), NODES)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.sentence.endswith("1 of 18 cells could not be looked at: the agent died")


def test_a_wrong_cell_fails_beside_one_that_was_not_seen() -> None:
    changes = {
        CellName("x/b", "x/a", UDP): cell(expected=False, seen=Mark.UNSEEN),
        **open_to(CellName("x/b", "x/a", TCP)),
    }
    verdict = judge_case(case(step(changes)), NODES)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.endswith("; 1 more could not be looked at")


def test_an_odd_answer_where_the_way_should_be_open_is_wrong() -> None:
    odd = cell(expected=True, seen=Mark.ODD, detail="refused")
    verdict = judge_case(case(step({CellName("x/a", "x/b", TCP): odd})), NODES)
    assert verdict.outcome is Outcome.FAIL
    assert "should be open and gives an odd answer (refused)" in verdict.sentence


@pytest.mark.parametrize(
    ("looked", "words"),
    [
        (case(step(), planned=2, problem="the pod died"), "1 of 2 steps were not looked at: the"),
        (case(step(), planned=2), "1 of 2 steps were not looked at"),
        (case(planned=1, problem="no node is free"), "1 of 1 steps were not looked at: no node"),
        (case(step(), problem="it could not be reset"), "could not be looked at to its end: it"),
        (case(), "nothing was looked at"),
    ],
)
def test_what_is_missing_is_inconclusive(looked: object, words: str) -> None:
    verdict = judge_case(looked, NODES)  # type: ignore[arg-type]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert words in verdict.sentence


def test_where_documents_leave_it_open_a_cell_only_warns() -> None:
    name = CellName("x/b", "x/a", TCP)
    unsure = cell(expected=False, seen=Mark.OPEN, caveat="not documented")
    blind = cell(expected=False, seen=Mark.UNSEEN, caveat="not documented")
    verdict = judge_case(case(step({name: unsure})), NODES)
    assert verdict.outcome is Outcome.PASS
    assert "all 17 cells that documents decide" in verdict.sentence
    assert verdict.warning.startswith("x/b to x/a at TCP 8080: should be closed and is open")
    assert verdict.warning.endswith("not certain: not documented")
    assert judge_case(case(step({name: blind})), NODES).outcome is Outcome.PASS
    table = policy_table(step({name: unsure}), case())
    assert (table.wrong, table.wrong_cells) == (0, ())
    assert table.open_answers == (verdict.warning,)


def test_a_step_becomes_signs() -> None:
    changes = {
        CellName("x/b", "x/a", TCP): cell(expected=False, seen=Mark.OPEN, why="isolated"),
        CellName("x/a", "x/b", UDP): cell(expected=True, seen=Mark.UNSEEN, detail="cut"),
        CellName("y/a", "y/a", TCP): cell(expected=True, late_s=0.1254),
    }
    seen = step(changes, title="create", departures={"engine x does this (doc)": 2})
    table = policy_table(seen, case(seen))
    assert table.pods == PODS
    assert table.ports == ("TCP 8080", "UDP 8081")
    assert table.expected == ("++++++", "--++++", "--++++")
    assert table.seen == ("+++?++", "+-++++", "--++++")
    assert (table.cells, table.wrong, table.unseen) == (18, 1, 1)
    assert table.wrong_cells == ("x/b to x/a at TCP 8080: should be closed and is open: isolated",)
    assert table.problem == "cut"
    assert table.late == {"y/a to y/a at TCP 8080": 0.125}
    assert table.departures == {"engine x does this (doc)": 2}
    assert (table.step, table.case, table.engine) == ("create", "generated-001", "calico")
    assert table.policies == (
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "deny", "namespace": "aksnet-x"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        },
    )
    plain = tagged(table)
    assert isinstance(plain, dict)
    assert plain["kind"] == "PolicyTable"
    assert plain["seen"] == ["+++?++", "+-++++", "--++++"]


def test_two_families_stand_side_by_side_and_gaps_stay_gaps() -> None:
    seen = step(versions=(4, 6))
    cells = {
        name: one
        for name, one in seen.cells.items()
        if not (name.destination == "x/b" and name.version == 6)
    }
    kept = replace(seen, cells=cells)
    table = policy_table(kept, case(kept))
    assert table.ports == (
        "TCP 8080",
        "UDP 8081",
        "TCP 8080 over IPv6",
        "UDP 8081 over IPv6",
    )
    assert table.seen[0] == "++++++  ++++"
    assert table.expected[1] == "----++  ++++"


def test_reasons_speak_of_the_pods_of_the_table() -> None:
    why = (
        "ingress of aksnet-x/a-12ab is isolated by aksnet-x/deny, and no rule allows "
        "aksnet-x/b-12ab at TCP 8080"
    )
    seen = step(open_to(CellName("x/b", "x/a", TCP), why=why))
    told = "ingress of x/a is isolated by x/deny, and no rule allows x/b at TCP 8080"
    assert told in judge_case(case(seen), NODES).sentence
    table = policy_table(seen, case(seen))
    assert table.wrong_cells[0].endswith(told)
    assert table.places == {
        "x/a": "aksnet-x/a-12ab, 10.244.0.2, on node-1",
        "x/b": "aksnet-x/b-12ab, 10.244.0.3, on node-2",
        "y/a": "aksnet-y/a-12ab, 10.244.0.4, on node-1",
    }


def test_the_engine_s_document_counts_where_it_gives_expectations() -> None:
    plain, departing = step(), step(departures={"engine calico: that (doc)": 1})
    api = "Kubernetes docs: network-policies"
    assert policy_table(plain, case(plain)).document == api
    both = f"{api}; Calico docs: Felix configuration"
    assert judge_case(case(plain, departing), NODES).source == both
    assert policy_table(departing, case(departing)).document == both


def test_steps_that_were_not_looked_at_leave_a_table_that_says_so() -> None:
    tables = case_tables(case(step(), planned=3, problem="the pod died"))
    assert [(table.cells, table.problem) for table in tables] == [(18, ""), (0, "the pod died")]
    assert tables[1].step == "1"
    assert tables[1].pods == ()
    assert len(case_tables(case(step()))) == 1


def test_wrong_cells_are_counted_by_the_node_that_should_close_them() -> None:
    changes = {
        **closed("egress of x/b is isolated", [CellName("x/b", "y/a", port) for port in PORTS]),
        **closed("ingress of y/a is isolated", [CellName("x/b", "y/a", TCP)]),
        CellName("x/a", "y/a", TCP): cell(expected=True, seen=Mark.CLOSED, why="egress is free"),
    }
    seen = step(changes, closed_to="")
    assert policy_table(seen, case(seen)).wrong_at == {"node-1": 1, "node-2": 1}
