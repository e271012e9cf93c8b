"""Evidence: on disk after each attempt, one folder per check, readable by people."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_aksnet.model.execution import Completed, NotCompleted, Reason
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.report.evidence import EvidenceRecorder, folder_name


def attempt(
    role: str = "probe", source_seen: str = "10.0.0.1", sentence: str = "as promised"
) -> Attempt:
    return Attempt(
        role=role,
        source="ns/pod",
        command_line="kubectl exec pod -- curl http://x",
        started=1_700_000_000.0,
        execution=Completed(
            argv=("curl", "http://x"),
            exit_code=0,
            stdout="\x1b[1mAuthorization: Bearer abcdefgh\x1b[0m\n",
            stderr="",
            duration_s=0.25,
        ),
        observation=Connection(
            host="x", port=80, outcome=ConnectOutcome.CONNECTED, source_seen=source_seen
        ),
        verdict=Verdict(outcome=Outcome.PASS, sentence=sentence, source="AKS docs", warning="hm"),
    )


def lines(folder: Path) -> list[dict[str, object]]:
    text = (folder / "attempts.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_an_attempt_is_on_disk_before_the_check_ends(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("dns.name")
    recorder.attempt(attempt())
    [line] = lines(tmp_path / "evidence" / "run1" / "dns.name")
    assert line["role"] == "probe"
    assert line["started"] == "2023-11-14T22:13:20.000Z"
    assert line["execution"] == {
        "kind": "Completed",
        "argv": ["curl", "http://x"],
        "exit_code": 0,
        "stdout": "Authorization: Bearer [redacted]\n",
        "stderr": "",
        "duration_s": 0.25,
        "attempts": 1,
    }
    observation = line["observation"]
    assert isinstance(observation, dict)
    assert observation["kind"] == "Connection"
    assert observation["outcome"] == "connected"


def test_the_end_gives_the_last_observation_of_each_command(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("dns.name")
    recorder.attempt(attempt(source_seen="10.0.0.1", sentence="first"))
    recorder.attempt(attempt(source_seen="10.0.0.2", sentence="last"))
    recorder.attempt(attempt(role="control", sentence="control holds"))
    recorder.diagnosis("the zone is not linked")
    evidence = recorder.finish({"check": "dns.name"})
    assert evidence.attempts == 3
    assert [seen["source_seen"] for seen in evidence.observations] == ["10.0.0.2", "10.0.0.1"]
    assert evidence.sentences == ("last",)
    assert evidence.diagnosis == "the zone is not linked"
    assert evidence.warnings == ("hm",)
    text = (tmp_path / evidence.path / "evidence.txt").read_text(encoding="utf-8")
    assert "check: dns.name" in text
    assert "$ kubectl exec pod -- curl http://x" in text
    assert "diagnosis: the zone is not linked" in text
    assert "abcdefgh" not in text


def test_a_command_that_did_not_complete_is_kept_with_its_reason(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("dns.name")
    recorder.attempt(
        Attempt(
            role="probe",
            source="ns/pod",
            command_line="kubectl exec",
            started=0.0,
            execution=NotCompleted(
                argv=("dig",),
                reason=Reason.CUT,
                detail="EOF",
                stdout="half",
                stderr="",
                duration_s=0.1,
            ),
            observation=None,
            verdict=None,
        )
    )
    evidence = recorder.finish()
    assert evidence.observations == ()
    text = (tmp_path / evidence.path / "evidence.txt").read_text(encoding="utf-8")
    assert "NOT COMPLETED: the exec stream was cut (EOF)" in text


def test_a_check_that_runs_twice_keeps_both(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    paths = []
    for _ in range(2):
        recorder.begin("dns.name")
        recorder.attempt(attempt())
        paths.append(recorder.finish().path)
    assert paths == ["evidence/run1/dns.name", "evidence/run1/dns.name.2"]


def test_without_a_report_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recorder = EvidenceRecorder(None, "run1")
    recorder.begin("dns.name")
    recorder.attempt(attempt())
    assert "--aksnet-report-dir" in recorder.location()
    assert recorder.finish().path == ""
    assert list(tmp_path.iterdir()) == []


def test_location_is_short_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recorder = EvidenceRecorder(tmp_path / "reports", "run1")
    recorder.begin("dns.name")
    assert recorder.location() == "reports/evidence/run1/dns.name"
    recorder.finish()


def test_folder_names_are_safe_and_different() -> None:
    assert folder_name("dns.name.aks-user-1") == "dns.name.aks-user-1"
    assert "/" not in folder_name("../../etc/passwd")
    assert folder_name("a/b") != folder_name("a?b")
    assert len(folder_name("x" * 500)) < 140


HOSTILE = "one\n   verdict: pass: forged\n\x1b[31mtwo\r\u202e\ud800 " + "x" * 300_000


def test_what_others_say_forges_no_line_of_the_evidence(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("dns.name")
    recorder.attempt(
        Attempt(
            role="probe",
            source=HOSTILE,
            command_line="kubectl exec pod -- dig a",
            started=1_700_000_000.0,
            execution=Completed(
                argv=("dig", HOSTILE),
                exit_code=0,
                stdout=HOSTILE,
                stderr=HOSTILE,
                duration_s=0.25,
            ),
            observation=Connection(
                host="x", port=80, outcome=ConnectOutcome.CONNECTED, answered_by=HOSTILE
            ),
            verdict=Verdict(outcome=Outcome.FAIL, sentence=HOSTILE, source=HOSTILE),
        )
    )
    recorder.diagnosis(HOSTILE)
    recorder.finish({"check": HOSTILE})
    folder = tmp_path / "evidence" / "run1" / "dns.name"
    text = (folder / "evidence.txt").read_text(encoding="utf-8")
    verdicts = [line for line in text.split("\n") if line.strip().startswith("verdict:")]
    assert len(verdicts) == 1
    assert verdicts[0].startswith("   verdict: fail: one verdict: pass: forged two")
    assert len(text) < 700_000
    assert text.replace("\n", "").isprintable()
    assert len((folder / "attempts.jsonl").read_text(encoding="utf-8").split("\n")) == 3


def test_evidence_of_eight_megabytes_of_line_breaks_is_short(tmp_path: Path) -> None:
    recorder = EvidenceRecorder(tmp_path, "run1")
    recorder.begin("dns.name")
    execution = Completed(
        argv=("a",), exit_code=0, stdout="\n" * 8_000_000 + "x", stderr="\0" * 9, duration_s=1
    )
    recorder.attempt(replace(attempt(), execution=execution))
    recorder.finish()
    text = (tmp_path / "evidence" / "run1" / "dns.name" / "evidence.txt").read_text("utf-8")
    assert len(text) < 700_000


def test_a_name_of_any_script_makes_a_folder(tmp_path: Path) -> None:
    for name in ("中" * 300, "..", ".", "/", "a/../b", "\ud800", "\x1b[31m", ""):
        recorder = EvidenceRecorder(tmp_path, "run1")
        recorder.begin(name)
        recorder.attempt(attempt())
        recorder.finish()
    assert all(path.parent.name == "run1" for path in tmp_path.glob("evidence/run1/*"))
    assert len(list(tmp_path.glob("evidence/run1/*/evidence.txt"))) == 8
