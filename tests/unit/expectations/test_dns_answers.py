"""What DNS answers must be, one by one, by the list, and as samples."""

import pytest

from pytest_aksnet.expectations.chance import FALSE_ALARM, most_by_chance, percentile
from pytest_aksnet.expectations.dns_lists import (
    as_dns_answer,
    judge_answer,
    judge_burst,
    judge_latency,
    judge_seen,
)
from pytest_aksnet.expectations.dns_objects import judge_replicas
from pytest_aksnet.expectations.dns_records import (
    judge_denial,
    judge_gone,
    judge_one_of_ranges,
    judge_records,
    judge_whole,
)
from pytest_aksnet.expectations.dns_servers import judge_agreement
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.observation import Denial, DnsAnswer, DnsStatus
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.profile import Fact, NetworkProfile
from pytest_aksnet.model.verdict import Outcome


def said(rcode: str = "NOERROR", *records: str, ms: float = 2.0) -> Answer:
    facts = {"rcode": rcode, "records": list(records), "server": "10.0.0.10"}
    return Answer(Finding.OK, ms, ms, facts)


def ended(finding: Finding) -> Answer:
    return Answer(finding, 4000.0, 4000.0, {})


@pytest.mark.parametrize(
    ("answer", "rcode", "records", "outcome", "words"),
    [
        (said("NOERROR", "10.0.0.1"), "NOERROR", ("10.0.0.1",), Outcome.PASS, ""),
        (said("NOERROR", "A.B."), "NOERROR", ("a.b",), Outcome.PASS, ""),
        (said("NOERROR", "10.0.0.2"), "NOERROR", ("10.0.0.1",), Outcome.FAIL, "holds 10.0.0.2"),
        (said("NOERROR"), "NOERROR", (), Outcome.PASS, ""),
        (said("NOERROR", "::1"), "NOERROR", (), Outcome.FAIL, "holds ::1"),
        (said("NOERROR"), "NOERROR", None, Outcome.FAIL, "holds no record"),
        (said("NXDOMAIN"), "NXDOMAIN", (), Outcome.PASS, ""),
        (said("SERVFAIL"), "NXDOMAIN", (), Outcome.FAIL, "could not find out"),
        (said("NXDOMAIN"), "NOERROR", None, Outcome.FAIL, "the name does not exist for it"),
        (ended(Finding.TIMEOUT), "NXDOMAIN", (), Outcome.FAIL, "nothing answered"),
        (ended(Finding.REFUSED), "NOERROR", None, Outcome.FAIL, "no DNS server listens"),
        (ended(Finding.LOCAL), "NOERROR", None, Outcome.INCONCLUSIVE, "could not be looked at"),
        (None, "NOERROR", None, Outcome.INCONCLUSIVE, "could not be looked at"),
    ],
)
def test_codes_silence_and_records_are_told_apart(
    answer: Answer | None,
    rcode: str,
    records: tuple[str, ...] | None,
    outcome: Outcome,
    words: str,
) -> None:
    verdict = judge_answer(answer, what="a name", rcode=rcode, records=records)
    assert verdict.outcome is outcome
    assert words in verdict.sentence


def test_an_answer_of_an_agent_is_one_for_a_diagnosis() -> None:
    seen = as_dns_answer(said("SERVFAIL"), name="a", qtype="A")
    assert (seen.status, seen.server) == (DnsStatus.SERVFAIL, "10.0.0.10")
    assert as_dns_answer(ended(Finding.TIMEOUT), name="a", qtype="A").status is DnsStatus.TIMEOUT
    assert as_dns_answer(said("RCODE9"), name="a", qtype="A").status is DnsStatus.OTHER


def test_what_another_tool_saw_is_judged_alike() -> None:
    cases = (
        (look(DnsStatus.NOERROR, "A.B."), "NOERROR", ("a.b",), True),
        (look(DnsStatus.NOERROR), "NOERROR", (), True),
        (look(DnsStatus.NOERROR), "NOERROR", None, False),
        (look(DnsStatus.NXDOMAIN), "NXDOMAIN", (), True),
        (look(DnsStatus.TIMEOUT), "NXDOMAIN", (), False),
    )
    for seen, rcode, records, good in cases:
        verdict = judge_seen(seen, rcode=rcode, records=records)
        assert (verdict.outcome is Outcome.PASS) is good


def test_the_bound_is_the_smallest_that_chance_exceeds_rarely_enough() -> None:
    # By hand: of 100 with one in a hundred, P(X > 7) = 1.4e-5 / 16 < 1e-6 < P(X > 6).
    most = most_by_chance(100, 0.01)
    assert most == 8
    assert most_by_chance(100, 0.01, false_alarm=0.1) == 2
    assert most_by_chance(3, 0.5) == 3
    assert FALSE_ALARM == 1e-6
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.99)] == [2.0, 4.0]


def batch(*answers: Answer | None) -> Batch:
    return Batch(answers=answers, ended=True)


@pytest.mark.parametrize(
    ("late", "outcome"), [(0, Outcome.PASS), (8, Outcome.PASS), (9, Outcome.FAIL)]
)
def test_more_late_answers_than_chance_explains_fail(late: int, outcome: Outcome) -> None:
    good, slow = said("NOERROR", "10.0.0.1"), said("NOERROR", "10.0.0.1", ms=1500.0)
    answers = [slow] * late + [good] * (100 - late)
    verdict = judge_latency(batch(*answers), limit_s=1.0, where="node a")
    assert verdict.outcome is outcome
    assert "p50 2.0 ms" in verdict.sentence


def test_lost_queries_are_those_without_an_answer_in_time() -> None:
    good, again = said("NOERROR", "10.0.0.1"), said("NOERROR", "10.0.0.1", ms=2100.0)
    silent = ended(Finding.TIMEOUT)
    for bad in (again, silent):
        answers = [bad] * 20 + [good] * 220
        verdict = judge_burst(batch(*answers), within_s=2.0, where="node a")
        assert verdict.outcome is Outcome.FAIL
        assert "20 of 240" in verdict.sentence


def test_a_sample_that_was_not_looked_at_is_no_pass_and_many_wrong_answers_fail() -> None:
    good = said("NOERROR", "10.0.0.1")
    for other, outcome in (
        (None, Outcome.INCONCLUSIVE),
        (ended(Finding.AGENT), Outcome.INCONCLUSIVE),
        (said("SERVFAIL"), Outcome.PASS),
    ):
        verdict = judge_latency(batch(other, *[good] * 99), limit_s=1.0, where="node a")
        assert verdict.outcome is outcome
    wrong = batch(*[said("SERVFAIL")] * 9, *[good] * 91)
    verdict = judge_latency(wrong, limit_s=1.0, where="node a")
    assert verdict.outcome is Outcome.FAIL
    assert "9 of 100 queries are not answered well" in verdict.sentence


def look(
    status: DnsStatus = DnsStatus.NOERROR,
    *records: str,
    qtype: str = "A",
    truncated: bool = False,
) -> DnsAnswer:
    return DnsAnswer(
        name="x.svc", qtype=qtype, status=status, addresses=records, truncated=truncated
    )


def test_srv_records_are_compared_by_port_and_target() -> None:
    seen = look(DnsStatus.NOERROR, "0 50 8080 Web.Svc.", qtype="SRV")
    assert judge_records(seen, expected=["8080 web.svc"]).outcome is Outcome.PASS
    assert judge_records(seen, expected=["9090 web.svc"]).outcome is Outcome.FAIL
    assert judge_records(look(DnsStatus.NXDOMAIN), expected=["a"]).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (look(DnsStatus.NOERROR, "a", "b", truncated=True), Outcome.PASS, ""),
        (look(DnsStatus.NOERROR, "a", "b"), Outcome.INCONCLUSIVE, "TCP was not needed"),
        (look(DnsStatus.NOERROR, "a", truncated=True), Outcome.FAIL, "1 of them are missing"),
        (look(DnsStatus.TIMEOUT, truncated=True), Outcome.FAIL, "none came over TCP"),
        (look(DnsStatus.SERVFAIL), Outcome.FAIL, "SERVFAIL"),
    ],
)
def test_a_long_answer_counts_only_if_it_was_cut_short_first(
    answer: DnsAnswer, outcome: Outcome, words: str
) -> None:
    verdict = judge_whole(answer, expected=["a", "b"])
    assert verdict.outcome is outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("denial", "outcome"),
    [
        (Denial(name="x", status=DnsStatus.NXDOMAIN, zone="z", ttl_s=30), Outcome.PASS),
        (Denial(name="x", status=DnsStatus.NXDOMAIN), Outcome.PASS),
        (Denial(name="x", status=DnsStatus.NXDOMAIN, zone="z", ttl_s=31), Outcome.FAIL),
        (Denial(name="x", status=DnsStatus.SERVFAIL), Outcome.FAIL),
    ],
)
def test_a_denial_is_kept_no_longer_than_the_corefile_says(
    denial: Denial, outcome: Outcome
) -> None:
    assert judge_denial(denial, longest_s=30, corefile="it").outcome is outcome


def test_what_was_deleted_is_denied() -> None:
    assert judge_gone(look(DnsStatus.NXDOMAIN)).outcome is Outcome.PASS
    assert "still exists" in judge_gone(look()).sentence
    assert "SERVFAIL" in judge_gone(look(DnsStatus.SERVFAIL)).sentence


def test_one_address_in_a_range_of_services() -> None:
    fact = Fact(value="10.0.0.0/16, fd12::/108", source="test")
    ranges = NetworkProfile(facts={"service-cidrs": fact}, unknown={}).networks("service-cidrs")
    outcomes = [
        judge_one_of_ranges(look(DnsStatus.NOERROR, *records), ranges=ranges).outcome
        for records in (("fd12::7",), ("10.0.3.4",), ("10.9.0.1",), ("10.0.0.1", "10.0.0.2"), ())
    ]
    assert outcomes == [Outcome.PASS, Outcome.PASS, *[Outcome.FAIL] * 3]


def test_servers_that_disagree_or_are_silent_are_named() -> None:
    servers, names = ("10.1.0.4", "10.1.0.5"), ("www.example", "acct.example")
    same = said("NOERROR", "10.9.0.1")

    def judged(last: Answer | None) -> tuple[Outcome, str]:
        answers: dict[tuple[str, str], Answer | None] = {
            (server, name): same for server in servers for name in names
        }
        answers[servers[1], names[1]] = last
        verdict = judge_agreement(
            answers, servers=servers, names=names, same_records=frozenset({names[1]})
        )
        return verdict.outcome, verdict.sentence

    assert judged(same)[0] is Outcome.PASS
    outcome, sentence = judged(said("NXDOMAIN"))
    assert outcome is Outcome.FAIL
    assert "disagree about acct.example" in sentence
    assert judged(said("NOERROR", "10.9.0.2"))[0] is Outcome.FAIL
    outcome, sentence = judged(ended(Finding.TIMEOUT))
    assert outcome is Outcome.FAIL
    assert "10.1.0.5 does not answer" in sentence
    assert judged(None)[0] is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
def test_servers_that_all_find_nothing_out_prove_nothing_by_agreeing(rcode: str) -> None:
    servers, name = ("10.1.0.4", "10.1.0.5"), "www.example"
    verdict = judge_agreement(
        {(server, name): said(rcode) for server in servers},
        servers=servers,
        names=[name],
        same_records=frozenset(),
    )
    assert (verdict.outcome, rcode in verdict.sentence) == (Outcome.INCONCLUSIVE, True)


def replica(name: str, node: str, ready: str = "True", **metadata: str) -> Json:
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"nodeName": node},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_replicas_are_ready_and_better_apart() -> None:
    two = judge_replicas([replica("a", "n1"), replica("b", "n2")], nodes=2)
    assert (two.outcome, two.warning) == (Outcome.PASS, "")
    assert "on node n1" in judge_replicas([replica("a", "n1"), replica("b", "n1")], nodes=2).warning
    assert "one replica" in judge_replicas([replica("a", "n1")], nodes=2).warning
    assert judge_replicas([replica("a", "n1")], nodes=1).warning == ""
    failed = judge_replicas([replica("a", "n1"), replica("b", "n2", "False")], nodes=2)
    assert failed.outcome is Outcome.FAIL
    assert "b on n2 is not" in failed.sentence
    ending = replica("b", "n2", "False", deletionTimestamp="2026-01-01T00:00:00Z")
    assert judge_replicas([replica("a", "n1"), ending], nodes=1).outcome is Outcome.PASS
    assert judge_replicas([], nodes=1).outcome is Outcome.FAIL
