"""Policies in time: what is late, what is unprotected, and what a deny does to connections."""

import pytest

from pytest_aksnet.expectations.policy_changes import (
    Convergence,
    judge_convergence,
    judge_established,
    judge_kept,
    judge_windows,
)
from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.probes import first_packets

LIMIT_S = 15.0


def _answers(*findings: Finding) -> list[Answer | None]:
    return [Answer(finding, 1.0, 1.0, {}) for finding in findings]


@pytest.mark.parametrize(
    ("closed_s", "opened_s", "outcome"),
    [
        (0.1, 0.2, Outcome.PASS),
        (14.9, 15.0, Outcome.PASS),
        (15.1, 0.2, Outcome.FAIL),
        (None, 0.2, Outcome.FAIL),
        (0.1, None, Outcome.FAIL),
    ],
)
def test_convergence(closed_s: float | None, opened_s: float | None, outcome: Outcome) -> None:
    quick = Convergence(node="n0", closed_s=0.1, opened_s=0.1)
    other = Convergence(node="n1", closed_s=closed_s, opened_s=opened_s)
    verdict = judge_convergence([quick, other], limit_s=LIMIT_S)
    assert verdict.outcome is outcome
    assert ("node n1" in verdict.sentence) == (outcome is Outcome.FAIL)
    assert "node n0" not in verdict.sentence


@pytest.mark.parametrize(
    ("seconds", "outcome", "warns"),
    [(0.0, Outcome.PASS, False), (2.5, Outcome.PASS, True), (15.1, Outcome.FAIL, False)],
)
def test_windows(seconds: float, outcome: Outcome, warns: bool) -> None:
    verdict = judge_windows({"out of n0": 0.0, "out of n1": seconds}, limit_s=LIMIT_S)
    assert (verdict.outcome, bool(verdict.warning)) == (outcome, warns)
    assert ("out of n1" in verdict.sentence) == (seconds > 0)


@pytest.mark.parametrize(
    ("engine", "findings", "outcome", "warns"),
    [
        ("cilium", (Finding.MUTE, Finding.RESET), Outcome.PASS, False),
        ("cilium", (Finding.MUTE, Finding.OK), Outcome.FAIL, False),
        ("calico", (Finding.OK, Finding.OK), Outcome.PASS, False),
        ("calico", (Finding.OK, Finding.MUTE), Outcome.PASS, True),
        ("azure", (Finding.EOF, Finding.MUTE), Outcome.PASS, True),
        (None, (Finding.OK, Finding.MUTE), Outcome.PASS, False),
        ("cilium", (Finding.TIMEOUT, Finding.OK), Outcome.INCONCLUSIVE, False),
        ("calico", (Finding.LOCAL, Finding.OK), Outcome.INCONCLUSIVE, False),
    ],
)
def test_connections_that_were_there(
    engine: str | None, findings: tuple[Finding, ...], outcome: Outcome, warns: bool
) -> None:
    verdict = judge_established(_answers(*findings), engine=engine)
    assert (verdict.outcome, bool(verdict.warning)) == (outcome, warns)


@pytest.mark.parametrize(
    ("findings", "outcome"),
    [
        ((Finding.OK, Finding.OK), Outcome.PASS),
        ((Finding.OK, Finding.MUTE), Outcome.FAIL),
        ((Finding.OK, Finding.TIMEOUT), Outcome.INCONCLUSIVE),
    ],
)
def test_connections_that_are_allowed(findings: tuple[Finding, ...], outcome: Outcome) -> None:
    assert judge_kept(_answers(*findings)).outcome is outcome


def test_no_answer_is_no_verdict() -> None:
    assert judge_kept([None]).outcome is Outcome.INCONCLUSIVE
    assert judge_established([None], engine="cilium").outcome is Outcome.INCONCLUSIVE


def test_the_first_packets_are_read_from_the_last_line() -> None:
    text = 'noise\n{"tried": 20, "opened": 3, "refused": 0, "last_s": 0.41}\n'
    seen = first_packets.parse(text)
    assert (seen.tried, seen.opened, seen.last_s) == (20, 3, 0.41)
    for bad in ("", "noise", '{"tried": 1}'):
        with pytest.raises(OutputUnparsable):
            first_packets.parse(bad)


def test_the_first_packets_are_sent_by_a_pod_of_nobody() -> None:
    spec = first_packets.spec("image:1", "10.244.0.4", 8080, longest_s=16)
    [container] = spec["initContainers"]
    assert container["image"] == "image:1"
    assert container["command"][3:] == ["10.244.0.4", "8080", "1", "16"]
    assert container["securityContext"]["runAsNonRoot"]
    compile(container["command"][2], "script", "exec")
