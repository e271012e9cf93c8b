"""What security groups close between nodes, and what packets say of it."""

from dataclasses import replace

from pytest_aksnet.expectations.azure_security_between import (
    Looked,
    closed_between,
    judge_talk,
)
from pytest_aksnet.expectations.azure_security_rules import (
    Effect,
)
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_security_samples import (
    NSG_ID,
    machine,
    rule,
)

HIGH = rule("high", sources=("10.224.0.0/16",), protocol="Tcp", ports=("40000-65535",))


def test_closed_ports_are_found_once_for_nodes_that_are_alike() -> None:
    nodes = [machine(f"n{number}", f"10.224.0.{number}", HIGH) for number in range(4, 40)]
    [one] = closed_between(nodes, nodes)
    assert (one.first, one.last, one.port, one.open_port) == (40000, 65535, 40000, 39999)
    assert one.source.node != one.destination.node
    assert closed_between(nodes[:1], nodes[:1]) == []


def test_a_rule_for_one_node_is_found() -> None:
    one = rule("one", destinations=("10.224.0.9/32",), ports=("10250",))
    nodes = [machine(f"n{number}", f"10.224.0.{number}", one) for number in range(4, 12)]
    found = closed_between(nodes, nodes)
    assert {each.destination.address for each in found} == {"10.224.0.9"}


def test_packets_decide_with_the_rule() -> None:
    nodes = [machine("a", "10.224.0.4", HIGH), machine("b", "10.224.0.5", HIGH)]
    closed = closed_between(nodes, nodes)

    def judged(at_closed: bool | None, at_open: bool | None) -> Outcome:
        looked = {0: Looked(at_closed=at_closed, at_open=at_open)}
        return judge_talk(looked, closed).verdict.outcome

    assert judged(False, True) is Outcome.FAIL
    assert judged(False, False) is Outcome.INCONCLUSIVE
    assert judged(None, True) is Outcome.INCONCLUSIVE
    assert judged(True, True) is Outcome.PASS
    assert judge_talk({}, closed).verdict.outcome is Outcome.INCONCLUSIVE
    assert judge_talk({}, []).verdict.outcome is Outcome.PASS
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, closed)
    assert found.resource == HIGH.id
    assert judge_talk({0: Looked(at_closed=True, at_open=True)}, closed).verdict.warning


def test_what_is_not_known_fails_nobody() -> None:
    doubtful = replace(HIGH, is_by_members=True)
    nodes = [machine("a", "10.224.0.4", doubtful), machine("b", "10.224.0.5", doubtful)]
    closed = closed_between(nodes, nodes)
    assert [one.ruling.effect for one in closed] == [Effect.OPEN]
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, closed)
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


def test_login_between_nodes_may_be_closed_on_purpose() -> None:
    ssh = rule("ssh", sources=("VirtualNetwork",), protocol="Tcp", ports=("22",))
    nodes = [machine("a", "10.224.0.4", ssh), machine("b", "10.224.0.5", ssh)]
    closed = closed_between(nodes, nodes)
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, closed)
    assert (found.verdict.outcome, bool(found.verdict.warning)) == (Outcome.PASS, True)


def test_a_default_rule_is_changed_by_its_group() -> None:
    far = replace(machine("b", "20.1.2.3"), groups=())
    [one] = closed_between([far], [machine("a", "10.224.0.4")])
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, [one])
    assert found.resource == NSG_ID
