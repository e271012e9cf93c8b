"""Promises about frontends: who answers, whom they see, who takes part, their addresses."""

import ipaddress
from collections import Counter

import pytest

from pytest_aksnet.expectations import load_balancer, load_balancer_addresses
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

VNET = (ipaddress.ip_network("10.224.0.0/12"),)
FRONTEND = "10.224.200.1:80"


def by(pod: str, source: str = "10.225.0.4") -> Answer:
    return Answer(Finding.OK, 1.0, 1.0, {"pod": pod, "source": source})


def ended(finding: Finding) -> Answer:
    return Answer(finding, 500.0, 500.0, {})


def served(*answers: Answer | None) -> Verdict:
    return load_balancer.judge_frontend(answers, frontend=FRONTEND, servers={"web"})


@pytest.mark.parametrize(
    ("answers", "outcome", "words"),
    [
        ((by("web"), by("web")), Outcome.PASS, "answered all of 2"),
        ((by("web"), ended(Finding.TIMEOUT)), Outcome.FAIL, "1 got no answer"),
        ((ended(Finding.REFUSED),), Outcome.FAIL, "1 were refused"),
        ((by("other"),), Outcome.FAIL, "other answered"),
    ],
)
def test_every_connection_to_a_frontend_is_answered_by_its_pods(
    answers: tuple[Answer, ...], outcome: Outcome, words: str
) -> None:
    verdict = served(*answers)
    assert verdict.outcome is outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("10.225.0.4", Outcome.PASS),
        ("::ffff:10.225.0.4", Outcome.PASS),
        ("10.224.0.5", Outcome.FAIL),
    ],
)
def test_local_keeps_the_address_of_the_client(source: str, outcome: Outcome) -> None:
    verdict = load_balancer.judge_source_kept(
        [by("web", source)], frontend=FRONTEND, client=["10.225.0.4"]
    )
    assert verdict.outcome is outcome


def test_who_entered_is_told_by_the_source_or_by_the_pod_itself() -> None:
    owners, nodes = {"10.224.0.4": "node-a"}, {"web": "node-b"}
    entered = load_balancer.entered_node
    assert entered(by("web", "10.224.0.4"), owners, nodes) == "node-a"
    assert entered(by("web", "10.225.0.4"), owners, nodes) == "node-b"


def test_so_many_connections_that_nobody_is_missed_by_chance() -> None:
    for parts in (2, 3, 10, 30):
        count = load_balancer.connections_to_see(parts)
        missed = parts * (1 - 1 / (2 * parts)) ** count
        assert missed <= load_balancer.FALSE_ALARM
        assert count == 2000 or missed * 2 > load_balancer.FALSE_ALARM / 2
    assert load_balancer.connections_to_see(1000) == load_balancer.MOST_CONNECTIONS


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        ({"a": 50, "b": 45}, Outcome.PASS),
        ({"a": 95}, Outcome.FAIL),
        ({"a": 10}, Outcome.INCONCLUSIVE),
        ({"a": 2000}, Outcome.INCONCLUSIVE),
    ],
)
def test_each_node_gets_a_share(seen: dict[str, int], outcome: Outcome) -> None:
    verdict = load_balancer.judge_shares(
        Counter(seen), frontend=FRONTEND, expected=["a", "b"], what="node"
    )
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("answers", "control", "outcome"),
    [
        ([ended(Finding.TIMEOUT)] * 2, by("web"), Outcome.PASS),
        ([ended(Finding.TIMEOUT), by("web")], by("web"), Outcome.FAIL),
        ([ended(Finding.TIMEOUT)], ended(Finding.TIMEOUT), Outcome.INCONCLUSIVE),
        ([ended(Finding.TIMEOUT)], None, Outcome.INCONCLUSIVE),
        ([ended(Finding.REFUSED)], by("web"), Outcome.INCONCLUSIVE),
    ],
)
def test_silence_counts_beside_a_control_only(
    answers: list[Answer], control: Answer | None, outcome: Outcome
) -> None:
    verdict = load_balancer.judge_closed(
        answers, control, frontend=FRONTEND, why="it is deleted", source="x"
    )
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([by("web"), by("other")], Outcome.PASS),
        ([by("other")], Outcome.INCONCLUSIVE),
        ([by("other"), ended(Finding.TIMEOUT)], Outcome.FAIL),
    ],
)
def test_a_pod_reaches_itself_through_its_frontend(answers: list[Answer], outcome: Outcome) -> None:
    verdict = load_balancer.judge_hairpin(
        answers, frontend=FRONTEND, pod="web", servers=["web", "other"]
    )
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("addresses", "networks", "outcome"),
    [
        (["10.224.200.1"], VNET, Outcome.PASS),
        (["10.224.200.1", "fd9a::1"], VNET, Outcome.PASS),
        (["10.9.0.1"], VNET, Outcome.FAIL),
        (["198.51.100.17"], VNET, Outcome.FAIL),
        (["10.9.0.1"], (), Outcome.PASS),
        (["198.51.100.17"], (), Outcome.FAIL),
        ([], VNET, Outcome.FAIL),
    ],
)
def test_an_internal_address_is_of_the_virtual_network(
    addresses: list[str], networks: tuple[ipaddress.IPv4Network, ...], outcome: Outcome
) -> None:
    verdict = load_balancer_addresses.judge_internal_address(
        addresses, service="Service ns/web", networks=networks
    )
    assert verdict.outcome is outcome
    assert ("annotation was not honoured" in verdict.sentence) is ("198.51.100.17" in addresses)


def test_addresses_are_public_of_both_families_and_stay() -> None:
    public = load_balancer_addresses.judge_public_address
    assert public(["198.51.100.17"], service="s").outcome is Outcome.PASS
    assert public(["10.224.200.1"], service="s").outcome is Outcome.FAIL
    both = load_balancer_addresses.judge_both_families
    assert both(["10.224.200.1", "fd9a::1"], service="s").outcome is Outcome.PASS
    assert both(["10.224.200.1"], service="s").outcome is Outcome.FAIL
    kept = load_balancer_addresses.judge_address_kept
    assert kept(["10.1.0.1"], ["10.1.0.1"], service="s").outcome is Outcome.PASS
    assert kept(["10.1.0.1"], [], service="s").outcome is Outcome.FAIL


def test_no_address_at_all_is_no_public_one_and_none_that_was_kept() -> None:
    none = load_balancer_addresses.judge_public_address([], service="s")
    assert (none.outcome, "has no address" in none.sentence) == (Outcome.FAIL, True)
    kept = load_balancer_addresses.judge_address_kept([], [], service="s")
    assert kept.outcome is Outcome.INCONCLUSIVE
