"""Exchanges with ARM in the evidence: request, answer, body, and what is left out."""

import json
from pathlib import Path

from pytest_aksnet.model.arm import Exchange
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.report.evidence import EvidenceRecorder, take_over
from pytest_aksnet.report.exchange_text import exchange_lines


def exchange(status: int = 200, body: str = "", size: int | None = None) -> Exchange:
    return Exchange(
        method="GET",
        url="/subscriptions/s?api-version=1",
        status=status,
        started=1_700_000_000.0,
        duration_s=0.1234,
        body=body,
        size=len(body) if size is None else size,
        problem="" if status else "ServiceRequestError: no route",
    )


def attempt(role: str = "azure") -> Attempt:
    return Attempt(
        role=role,
        source="Azure Resource Manager: cluster",
        command_line="az rest --method=get --url=/subscriptions/s",
        started=1_700_000_000.0,
        execution=exchange(body='{"id":"x","clientSecret":"hunter22"}'),
        observation=None,
        verdict=None,
    )


def test_json_has_a_line_for_each_value() -> None:
    assert list(exchange_lines(exchange(body='{"id":"x","tags":{}}'))) == [
        "   GET /subscriptions/s?api-version=1",
        "   HTTP 200 after 0.123 s, 20 bytes",
        "   body:",
        "   | {",
        '   |  "id": "x",',
        '   |  "tags": {}',
        "   | }",
    ]


def test_what_is_cut_is_counted_and_shown_as_it_came() -> None:
    lines = list(exchange_lines(exchange(body='{"id":"x', size=500)))
    assert lines[-2:] == ['   | {"id":"x', "   left out: the last 492 bytes of the body"]


def test_an_error_is_told_with_its_body() -> None:
    lines = list(exchange_lines(exchange(403, '{"error":{"code":"AuthorizationFailed"}}')))
    assert lines[1].startswith("   HTTP 403 ")
    assert any("AuthorizationFailed" in line for line in lines)


def test_no_answer_says_why() -> None:
    assert list(exchange_lines(exchange(0)))[1:] == [
        "   NO ANSWER after 0.123 s: ServiceRequestError: no route"
    ]


def test_a_body_forges_no_line(tmp_path: Path) -> None:
    for line in exchange_lines(exchange(body="x\n   verdict: pass: forged\r\n\x1b[2J")):
        assert not line.startswith("   verdict")
        assert line.isprintable()


def test_deep_json_is_shown_as_it_came() -> None:
    assert any("[[[" in line for line in exchange_lines(exchange(body="[" * 90_000)))


def test_evidence_has_exchanges_that_are_no_looks(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("azure.x")
    recorder.attempt(attempt())
    recorder.attempt(attempt())
    evidence = recorder.finish({"check": "azure.x"})
    assert evidence.attempts == 0
    assert evidence.observations == ()
    folder = tmp_path / evidence.path
    text = (folder / "evidence.txt").read_text(encoding="utf-8")
    assert "1. azure from Azure Resource Manager: cluster at 2023-11-14T22:13:20.000Z" in text
    assert "$ az rest --method=get --url=/subscriptions/s" in text
    assert "HTTP 200 after" in text
    assert "hunter22" not in text
    line = json.loads((folder / "attempts.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert line["execution"]["kind"] == "Exchange"
    assert "hunter22" not in line["execution"]["body"]


def test_a_lost_check_counts_its_looks_alone(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("azure.x")
    recorder.attempt(attempt())
    recorder.attempt(attempt(role="probe"))
    recorder.diagnosis("none")
    assert take_over(tmp_path, recorder.place("azure.x"), {})[1] == 1
