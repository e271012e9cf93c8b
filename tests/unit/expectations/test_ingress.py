"""What is concluded of requests through an ingress controller; shares, by their statistics."""

import json
import math

import pytest

from pytest_aksnet.assertions.ingress_requests import DECIDING_LISTS, SPLIT_REQUESTS
from pytest_aksnet.expectations.ingress import (
    judge_certificate,
    judge_forwarded_for,
    judge_redirect,
    judge_routed,
    judge_split,
    reply_of,
)
from pytest_aksnet.expectations.ingress_controllers import (
    CONTROLLERS,
    controller_named,
    rank,
)
from pytest_aksnet.expectations.shares import FALSE_ALARM, plausible_counts
from pytest_aksnet.model.ingress import Wanted
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome

WANTED = Wanted(host="a.example", path="/shop", pods=("one",))


def answer(finding: Finding = Finding.OK, **facts: object) -> Answer:
    return Answer(finding, 1.0, 1.0, facts)


def http(status: int = 200, *, pod: str = "", forwarded: str | None = None) -> Answer:
    body: dict[str, object] = {"source": "10.244.0.9", "pod": pod} if pod else {}
    if forwarded is not None:
        body["forwarded"] = {"x-forwarded-for": forwarded}
    return answer(status=status, body=json.dumps(body) if body else "default backend - 404")


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        (http(pod="one"), Outcome.PASS, "pod one"),
        (http(pod="other"), Outcome.FAIL, "answered with 200 by pod other"),
        (http(503), Outcome.FAIL, "answered with 503"),
        (http(404, pod="one"), Outcome.FAIL, "404"),
        (answer(status=200, body="[]"), Outcome.FAIL, "answered with 200"),
        (answer(Finding.REFUSED), Outcome.FAIL, "refused"),
        (answer(Finding.MUTE), Outcome.FAIL, "nothing came over it"),
        (answer(Finding.LOCAL, detail="no socket"), Outcome.INCONCLUSIVE, "no socket"),
        (answer(Finding.AGENT), Outcome.INCONCLUSIVE, ""),
        (None, Outcome.INCONCLUSIVE, ""),
    ],
)
def test_a_request_is_answered_by_whom_it_is_for(
    seen: Answer | None, outcome: Outcome, words: str
) -> None:
    verdict = judge_routed(seen, WANTED)
    assert verdict.outcome is outcome
    assert words in verdict.sentence
    assert "http://a.example/shop" in verdict.sentence


def test_a_status_is_right_only_from_the_front_itself() -> None:
    wanted = Wanted(host="b.example", statuses=(502, 503, 504))
    assert judge_routed(http(503), wanted).outcome is Outcome.PASS
    assert judge_routed(http(200, pod="one"), wanted).outcome is Outcome.FAIL
    assert judge_routed(http(503, pod="one"), wanted).outcome is Outcome.FAIL
    assert judge_routed(answer(Finding.MUTE), wanted).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("10.244.0.7", Outcome.PASS),
        ("203.0.113.9, 10.244.0.7", Outcome.PASS),
        ("10.244.0.7:40112", Outcome.PASS),  # Application Gateway adds the port
        ("10.244.9.9", Outcome.FAIL),
        ("110.244.0.7", Outcome.FAIL),
        ("unknown", Outcome.FAIL),
        ("", Outcome.FAIL),
        (None, Outcome.FAIL),
    ],
)
def test_the_backend_is_told_the_client(said: str | None, outcome: Outcome) -> None:
    seen = http(pod="one", forwarded=said)
    assert judge_forwarded_for(seen, WANTED, clients={"10.244.0.7"}).outcome is outcome


def test_ipv6_clients_are_read_in_brackets_and_without() -> None:
    for said in ("fd00::7", "[fd00::7]", "[fd00::7]:443"):
        seen = http(pod="one", forwarded=said)
        assert judge_forwarded_for(seen, WANTED, clients={"fd00::7"}).outcome is Outcome.PASS


def test_a_header_is_judged_only_of_an_answer_from_the_backend() -> None:
    lost = judge_forwarded_for(None, WANTED, clients={"10.244.0.7"})
    assert lost.outcome is Outcome.INCONCLUSIVE
    other = http(pod="other", forwarded="10.244.0.7")
    assert judge_forwarded_for(other, WANTED, clients={"10.244.0.7"}).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (answer(verified=True, names=["a.example"]), Outcome.PASS),
        (answer(verified=False, names=["b.example"], why="self-signed"), Outcome.FAIL),
        (answer(), Outcome.INCONCLUSIVE),
        (answer(Finding.REFUSED), Outcome.FAIL),
        (answer(Finding.WRONG, detail="no TLS"), Outcome.FAIL),
        (None, Outcome.INCONCLUSIVE),
    ],
)
def test_the_certificate_is_the_hosts_own(seen: Answer | None, outcome: Outcome) -> None:
    assert judge_certificate(seen, host="a.example").outcome is outcome


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (answer(status=308, location="https://a.example/"), Outcome.PASS),
        (answer(status=301, location="https://a.example:443/x"), Outcome.PASS),
        (answer(status=308, location="https://b.example/"), Outcome.FAIL),
        (answer(status=308, location="http://a.example/"), Outcome.FAIL),
        (answer(status=308), Outcome.INCONCLUSIVE),
        (http(200, pod="one"), Outcome.FAIL),
        (None, Outcome.INCONCLUSIVE),
    ],
)
def test_plain_http_is_redirected_to_the_same_host(seen: Answer | None, outcome: Outcome) -> None:
    assert judge_redirect(seen, host="a.example", source="x").outcome is outcome


def answers(one: int, other: int, failed: int = 0) -> list[Answer | None]:
    found: list[Answer | None] = [http(pod="one")] * one
    found += [http(pod="other")] * other
    return found + [http(503)] * failed


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (answers(150, 50), Outcome.PASS),
        (answers(170, 30), Outcome.PASS),
        (answers(200, 0), Outcome.FAIL),
        (answers(0, 200), Outcome.FAIL),
        (answers(100, 100), Outcome.FAIL),
        (answers(149, 50, failed=1), Outcome.FAIL),
        ([*answers(150, 49), None], Outcome.INCONCLUSIVE),
    ],
)
def test_shares_are_those_of_the_weights(seen: list[Answer | None], outcome: Outcome) -> None:
    shares = {"one": 0.75, "other": 0.25}
    assert judge_split(seen, shares, what="a.example").outcome is outcome


@pytest.mark.parametrize("seen", [0.25, 0.5])
def test_a_split_that_is_off_passes_no_decision(
    seen: float,
) -> None:
    requests = DECIDING_LISTS * SPLIT_REQUESTS
    least, largest = plausible_counts(requests, 0.1)
    passes = sum(
        math.comb(requests, count) * seen**count * (1 - seen) ** (requests - count)
        for count in range(least, largest + 1)
    )
    assert passes < 1e-6


def test_answers_that_are_nobodys_are_named() -> None:
    verdict = judge_split(answers(0, 0, failed=200), {"one": 1.0}, what="a.example")
    assert "200 were answered by status 503" in verdict.sentence


@pytest.mark.parametrize("tries", [20, 200, 1000])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.7])
def test_plausible_counts_leave_out_what_is_less_likely_than_stated(
    tries: int, share: float
) -> None:
    def chance(counts: range) -> float:
        return math.fsum(
            math.comb(tries, k) * share**k * (1 - share) ** (tries - k) for k in counts
        )

    least, largest = plausible_counts(tries, share)
    assert chance(range(least)) <= FALSE_ALARM < chance(range(least + 1))
    above = range(largest + 1, tries + 1)
    assert chance(above) <= FALSE_ALARM < chance(range(largest, tries + 1))


def test_certain_shares_leave_no_choice() -> None:
    assert plausible_counts(50, 0.0) == (0, 0)
    assert plausible_counts(50, 1.0) == (50, 50)


def test_controllers_are_known_by_their_names_and_others_promise_nothing_of_their_own() -> None:
    managed = controller_named("webapprouting.kubernetes.azure.com/nginx")
    assert managed.canary
    assert managed.redirect
    assert managed.service_labels
    stranger = controller_named("example.com/controller")
    assert (stranger.canary, stranger.redirect, stranger.service_labels) == ("", None, {})
    names = [name for row in CONTROLLERS for name in row.names]
    assert len(names) == len(set(names))


def test_the_default_class_goes_first_then_the_best_known() -> None:
    known, stranger = "azure/application-gateway", "example.com/controller"
    assert rank(stranger, default=True) < rank(known, default=False)
    assert rank(known, default=False) < rank(stranger, default=False)


def test_a_reply_that_is_no_reflectors_has_no_pod() -> None:
    for body in ("", "no JSON", "[1]", '"text"', "[" * 5000):
        assert reply_of(answer(status=200, body=body)).pod == ""
    assert reply_of(answer(status="200", body="{}")).status == 0
