"""What is concluded from answers about Services, from their spread, and from what nodes say."""

import math
import random
from collections import Counter

import pytest

from pytest_aksnet.expectations.service_answers import (
    judge_answer,
    judge_closed,
    judge_gone,
    judge_no_loss,
    judge_rejected,
    judge_same_endpoint,
)
from pytest_aksnet.expectations.service_spread import (
    FALSE_ALARM,
    connections_needed,
    judge_near,
    judge_spread,
)
from pytest_aksnet.expectations.service_state import (
    judge_health_port,
    judge_listed,
    judge_proxies,
)
from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
LOCAL = Answer(Finding.LOCAL, 0.0, 0.0, {"detail": "no socket"})


def served(by: str = "web-1", ms: float = 2.0, **facts: object) -> Answer:
    return Answer(Finding.OK, ms, ms, {"pod": by, **facts})


def ended(finding: Finding, ms: float = 500.0) -> Answer:
    return Answer(finding, ms, ms, {})


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (served(), PASS, "served by web-1"),
        (served("web-9"), FAIL, "stale"),
        (served(""), FAIL, "a stranger"),
        (served(source="10.0.0.4"), FAIL, "masqueraded"),
        (served(source="10.244.0.7"), PASS, "served"),
        (ended(Finding.TIMEOUT), FAIL, "nothing answered"),
        (ended(Finding.REFUSED), FAIL, "refused"),
        (ended(Finding.WRONG), FAIL, "something else"),
        (LOCAL, INCONCLUSIVE, "no socket"),
        (None, INCONCLUSIVE, "no answer of the agent"),
    ],
)
def test_who_serves(answer: Answer | None, outcome: Outcome, words: str) -> None:
    clients = ["10.244.0.7"] if answer is not None and "source" in answer.facts else []
    verdict = judge_answer(
        answer, what="Service ns/web", servers={"web-1"}, source="docs", clients=clients
    )
    assert verdict.outcome is outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (served("web-1"), PASS),
        (served("web-2"), FAIL),
        (ended(Finding.TIMEOUT), FAIL),
        (LOCAL, INCONCLUSIVE),
    ],
)
def test_a_client_with_affinity_keeps_its_endpoint(answer: Answer, outcome: Outcome) -> None:
    assert judge_same_endpoint(answer, what="x", first="web-1").outcome is outcome


@pytest.mark.parametrize(
    ("finding", "mode", "outcome", "warns"),
    [
        (Finding.REFUSED, "iptables", PASS, False),
        (Finding.UNREACH, None, PASS, False),
        (Finding.TIMEOUT, "iptables", FAIL, False),
        (Finding.TIMEOUT, "nftables", FAIL, False),
        (Finding.TIMEOUT, "none", PASS, False),
        (Finding.TIMEOUT, None, PASS, True),
        (Finding.OK, "none", FAIL, False),
        (Finding.EOF, "iptables", FAIL, False),
        (Finding.AGENT, "iptables", INCONCLUSIVE, False),
    ],
)
def test_a_service_of_nobody(
    finding: Finding, mode: str | None, outcome: Outcome, warns: bool
) -> None:
    verdict = judge_rejected(ended(finding), what="x", proxy_mode=mode)
    assert verdict.outcome is outcome
    assert bool(verdict.warning) is warns


def test_a_closed_port_needs_patience_before_it_counts() -> None:
    quick, slow = served(ms=2.0), served(ms=400.0)
    silent = ended(Finding.TIMEOUT)
    assert judge_closed(silent, quick, what="x", timeout_s=1.0).outcome is PASS
    assert judge_closed(silent, slow, what="x", timeout_s=1.0).outcome is INCONCLUSIVE
    refused = ended(Finding.REFUSED)
    assert judge_closed(refused, slow, what="x", timeout_s=1.0).outcome is PASS
    assert judge_closed(served(), quick, what="x", timeout_s=1.0).outcome is FAIL
    stranger = ended(Finding.MUTE)
    assert judge_closed(stranger, quick, what="x", timeout_s=1.0).outcome is INCONCLUSIVE
    assert judge_closed(LOCAL, quick, what="x", timeout_s=1.0).outcome is INCONCLUSIVE


def test_an_address_of_a_deleted_service_may_belong_to_another() -> None:
    own = judge_gone(served("web-1"), what="x", servers={"web-1"})
    assert own.outcome is FAIL
    assert judge_gone(served("api-1"), what="x", servers={"web-1"}).outcome is INCONCLUSIVE
    assert judge_gone(ended(Finding.TIMEOUT), what="x", servers={"web-1"}).outcome is PASS
    assert judge_gone(None, what="x", servers={"web-1"}).outcome is INCONCLUSIVE


def test_losses_are_counted_by_kind() -> None:
    answers = [served(), ended(Finding.TIMEOUT), ended(Finding.REFUSED), ended(Finding.TIMEOUT)]
    verdict = judge_no_loss(answers, what="4 connections")
    assert verdict.outcome is FAIL
    assert "3 were: 2 times nothing answered, 1 times it was refused" in verdict.sentence
    assert judge_no_loss([served(), None], what="x").outcome is INCONCLUSIVE
    assert judge_no_loss([served()], what="x").outcome is PASS


# -- spread -----------------------------------------------------------------------------------


def test_the_number_of_connections_shows_half_a_share() -> None:
    with pytest.raises(ValueError, match="two endpoints"):
        connections_needed(1)
    for endpoints in (2, 3, 5, 10):
        total = connections_needed(endpoints)
        share = total / endpoints
        half = int(share / 2)
        rest, more = divmod(total - half, endpoints - 1)
        counts = {f"web-{n}": rest + (n < more) for n in range(endpoints - 1)} | {"poor": half}
        assert judge_spread(counts, what="x", proxy_mode="iptables").outcome is FAIL


def test_the_bound_is_no_smaller_than_the_exact_tail() -> None:
    """Of 320 connections to one of 3: what is let pass is rarer than what the bound says."""
    total, share = connections_needed(3), 1 / 3

    def exact(upto: int) -> float:
        return sum(
            math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(upto + 1)
        )

    lowest = next(
        count
        for count in range(total)
        if judge_spread(
            {"a": count, "b": (total - count) // 2, "c": total - count - (total - count) // 2},
            what="x",
            proxy_mode="iptables",
        ).outcome
        is PASS
    )
    assert 6 * exact(lowest - 1) <= FALSE_ALARM


def test_random_choices_are_even() -> None:
    chance = random.Random(7)
    for endpoints in (2, 3, 6):
        names = [f"web-{n}" for n in range(endpoints)]
        for _ in range(100):
            counts = Counter(chance.choices(names, k=connections_needed(endpoints)))
            verdict = judge_spread(
                {name: counts[name] for name in names}, what="x", proxy_mode="nftables"
            )
            assert verdict.outcome is PASS


def test_what_uneven_means_rests_on_the_proxy() -> None:
    counts = {"a": 300, "b": 20}
    assert judge_spread(counts, what="x", proxy_mode="iptables").outcome is FAIL
    assert judge_spread(counts, what="x", proxy_mode="none").outcome is FAIL
    unknown = judge_spread(counts, what="x", proxy_mode=None)
    assert unknown.outcome is INCONCLUSIVE
    assert "--aksnet-profile kube-proxy-mode" in unknown.sentence
    assert judge_spread({"a": 320, "b": 0}, what="x", proxy_mode=None).outcome is FAIL
    ipvs = judge_spread({"a": 320, "b": 0}, what="x", proxy_mode="ipvs")
    assert (ipvs.outcome, bool(ipvs.warning)) == (PASS, True)


def test_another_zone_only_warns_and_only_where_the_own_one_has_an_endpoint() -> None:
    zones = {"near": "z-1", "far": "z-2"}
    assert not judge_near({"near": 9, "far": 0}, zones, what="x", zone="z-1").warning
    mixed = judge_near({"near": 5, "far": 4}, zones, what="x", zone="z-1")
    assert mixed.outcome is PASS
    assert "4 went to other zones" in mixed.warning
    assert not judge_near({"near": 5, "far": 4}, zones, what="x", zone="z-3").warning


# -- nodes and slices -------------------------------------------------------------------------

WELL, SICK = served(status=200), served(status=503)
REFUSED, SILENT = ended(Finding.REFUSED), ended(Finding.TIMEOUT)


@pytest.mark.parametrize(
    ("second", "outcome", "words"),
    [
        (WELL, PASS, "all 2 nodes"),
        (SICK, FAIL, "node b answers 503"),
        (REFUSED, FAIL, "does not run"),
        (SILENT, INCONCLUSIVE, "firewall"),
        (None, INCONCLUSIVE, "b did not answer"),
    ],
)
def test_the_health_of_proxies(second: Answer | None, outcome: Outcome, words: str) -> None:
    verdict = judge_proxies({"a": WELL, "b": second}, proxy_mode="iptables")
    assert verdict.outcome is outcome
    assert words in verdict.sentence


def test_where_nobody_answers_there_may_be_nothing_to_ask() -> None:
    with pytest.raises(NotApplicable, match="eBPF"):
        judge_proxies({"a": REFUSED, "b": REFUSED}, proxy_mode="none")
    for mode in ("iptables", None):
        verdict = judge_proxies({"a": REFUSED, "b": REFUSED}, proxy_mode=mode)
        assert verdict.outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("answer", "has_endpoint", "outcome"),
    [
        (WELL, True, PASS),
        (SICK, True, FAIL),
        (WELL, False, FAIL),
        (SICK, False, PASS),
        (REFUSED, True, FAIL),
        (LOCAL, True, INCONCLUSIVE),
        (None, False, INCONCLUSIVE),
    ],
)
def test_health_check_ports(answer: Answer | None, has_endpoint: bool, outcome: Outcome) -> None:
    assert judge_health_port(answer, what="x", has_endpoint=has_endpoint).outcome is outcome


def test_slices_list_exactly_the_ready_pods() -> None:
    assert judge_listed(["1", "2"], ["2", "1"], what="x", after_s=0.1).outcome is PASS
    missing = judge_listed([], ["1"], what="x", after_s=30.0)
    assert missing.outcome is FAIL
    assert "list nobody after 30 s" in missing.sentence
    assert judge_listed(["1", "2"], ["1"], what="x", after_s=30.0).outcome is FAIL
