"""Results: lines that survive, a schema that fits, a comparison that says what got worse."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_aksnet.model.controls import Control, Controls, Framework
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.profile import Fact, NetworkProfile
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Retries, Severity
from pytest_aksnet.report.baseline import compare, load_baseline, save_baseline
from pytest_aksnet.report.results import ClusterInfo, NodeInfo, ResultsLog, profile_facts
from pytest_aksnet.report.run import RunReport
from pytest_aksnet.report.schema import results_adapter, schema_text

SCHEMA_FILE = Path(__file__).parents[2] / "reports" / "results.schema.json"

RECORD = CheckRecord(
    id="dns.name",
    nodeid="dns/test_dns.py::test_name[node-1]",
    title="A name resolves.",
    feature="dns",
    severity=Severity.MAJOR,
    controls=("CIS 1",),
    outcome=CheckOutcome.PASSED,
    reason="resolves",
    duration_s=0.5,
    attempts=1,
    retries=Retries(exec={"cut": 2}, rest={"http 429": 1}),
    observations=({"kind": "DnsAnswer", "addresses": ["10.0.0.1"]},),
    evidence="evidence/run1/dns.name.node-1",
)
PROFILE = NetworkProfile(
    facts={"mode": Fact(value="overlay", source="node label", conflicts=("ARM: kubenet",))},
    unknown={"egress-ips": "nothing in the cluster says it"},
)
CONTROLS = Controls(
    (
        Framework(
            id="own-1",
            name="OWN",
            title="Own rules",
            version="1",
            source="https://example.com/rules",
            controls=(
                Control(id="1", name="OWN 1", title="Names", looks="DNS.", checks=("dns.name",)),
                Control(id="2", name="OWN 2", title="B", looks="", checks=(), blind="No look."),
            ),
        ),
    )
)
CLUSTER = ClusterInfo(
    server="https://127.0.0.1:6443",
    context="aksnet-lab",
    nodes=(
        NodeInfo(
            name="node-1",
            pool="user",
            zone="1",
            instance_type="Standard_F2s_v2",
            addresses=("10.224.0.4",),
        ),
    ),
)


def run_report(folder: Path, baseline: dict[str, CheckOutcome] | None = None) -> RunReport:
    report = RunReport(
        report_dir=folder,
        run_id="run1",
        version="0.1.0",
        lab="overlay:calico",
        lab_faults=("nic-without-vf",),
        baseline=baseline,
        save_baseline_to=folder / "saved.json",
        controls=CONTROLS,
    )
    report.begin()
    report.learn(CLUSTER, profile_facts(PROFILE))
    return report


def test_the_tracked_schema_is_the_one_of_the_code() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "write it anew: python -m pytest_aksnet.report.schema > reports/results.schema.json"
    )


def test_results_fit_their_schema_to_the_last_key(tmp_path: Path) -> None:
    report = run_report(tmp_path, {"dns.name": CheckOutcome.PASSED})
    report.log.append(RECORD)
    report.log.append(
        replace(RECORD, id="dns.other", outcome=CheckOutcome.FAILED, reason="does not")
    )
    report.finish(1)
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    adapter = results_adapter()
    assert adapter.dump_python(adapter.validate_json(text), mode="json") == json.loads(text)


def test_results_say_what_they_are_about(tmp_path: Path) -> None:
    report = run_report(tmp_path)
    report.log.append(RECORD)
    report.log.append(replace(RECORD, id="z", outcome=CheckOutcome.INCONCLUSIVE))
    report.learn_lab(
        {"options": {"egress": "none", "pools": ["a", "b"]}, "real": ["packets"], "facade": ["VFs"]}
    )
    report.finish(1)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert list(results) == [
        *("schema", "run", "cluster", "profile", "summary", "policy_tables"),
        *("azure", "controls", "checks"),
    ]
    assert results["policy_tables"] is None
    assert results["run"]["target"] == "lab"
    assert results["run"]["lab_faults"] == ["nic-without-vf"]
    assert results["run"]["lab_options"] == {"egress": "none", "pools": "a, b"}
    assert results["run"]["lab_real"] == ["packets"]
    assert results["run"]["lab_facade"] == ["VFs"]
    assert results["profile"]["mode"]["source"] == "node label"
    assert results["profile"]["egress-ips"]["value"] is None
    assert results["summary"]["passed"] == 1
    assert results["summary"]["inconclusive"] == 1
    assert results["summary"]["partial"] is True


def test_retries_are_counted_for_checks_and_for_the_run(tmp_path: Path) -> None:
    report = run_report(tmp_path)
    report.log.append(RECORD)
    report.log.append(replace(RECORD, id="z", retries=Retries(exec={"cut": 1}, streams={"a": 1})))
    report.count_retries(Retries(rest={"http 429": 2, "http 503": 1}))
    report.finish(1)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["checks"][0]["retries"] == {
        "exec": {"cut": 2},
        "rest": {"http 429": 1},
        "streams": {},
    }
    assert results["summary"]["retries"] == {
        "exec": {"cut": 3},
        "rest": {"http 429": 3, "http 503": 1},
        "streams": {"a": 1},
    }


def test_retries_since_an_earlier_count() -> None:
    before = Retries(exec={"cut": 1}, rest={"http 429": 1})
    after = before + Retries(exec={"cut": 1, "refused": 2}, streams={"cut": 4})
    assert after - before == Retries(exec={"cut": 1, "refused": 2}, streams={"cut": 4})
    assert (after - before).total == 7
    assert (after - after).total == 0


@pytest.mark.parametrize("text", ["\u2028", "\x85", "\x1c", "\ud800", "\x00", "\r"])
def test_no_character_of_a_text_ends_its_line(tmp_path: Path, text: str) -> None:
    log = ResultsLog(tmp_path)
    log.append(replace(RECORD, reason=f"one{text}two", observations=({text: [text]},)))
    [read] = log.read()
    assert read.reason.startswith("one\\")


def test_no_number_breaks_the_json(tmp_path: Path) -> None:
    log = ResultsLog(tmp_path)
    log.append(replace(RECORD, observations=({"a": float("nan"), "b": float("-inf")},)))
    [line] = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["observations"] == [{"a": None, "b": None}]
    assert "NaN" not in line


def test_a_new_run_forgets_the_lines_of_the_last_one(tmp_path: Path) -> None:
    ResultsLog(tmp_path).append(RECORD)
    report = run_report(tmp_path)
    assert report.log.read() == ()


def test_a_run_that_never_began_leaves_the_lines_of_the_last_one(tmp_path: Path) -> None:
    log = ResultsLog(tmp_path)
    log.append(RECORD)
    assert log.read() == (RECORD,)


def test_a_line_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    log = ResultsLog(tmp_path)
    log.append(RECORD)
    with (tmp_path / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "dns.ha')
    assert log.read() == (RECORD,)


@pytest.mark.parametrize(
    ("before", "now", "is_worse"),
    [
        (CheckOutcome.PASSED, CheckOutcome.FAILED, True),
        (CheckOutcome.PASSED, CheckOutcome.INCONCLUSIVE, True),
        (CheckOutcome.PASSED, CheckOutcome.SKIPPED, True),
        (CheckOutcome.INCONCLUSIVE, CheckOutcome.FAILED, True),
        (CheckOutcome.FAILED, CheckOutcome.FAILED, False),
        (CheckOutcome.FAILED, CheckOutcome.PASSED, False),
    ],
)
def test_worse_is_worse(before: CheckOutcome, now: CheckOutcome, is_worse: bool) -> None:
    worse = compare({"dns.name[node-1]": before}, [replace(RECORD, outcome=now)])
    assert bool(worse) is is_worse


def test_a_new_node_is_compared_with_the_worst_of_the_old_ones() -> None:
    baseline = {
        "dns.name[old-1]": CheckOutcome.PASSED,
        "dns.name[old-2]": CheckOutcome.INCONCLUSIVE,
    }
    failed = replace(RECORD, outcome=CheckOutcome.FAILED)
    inconclusive = replace(RECORD, outcome=CheckOutcome.INCONCLUSIVE)
    assert compare(baseline, [failed])[0].before is CheckOutcome.INCONCLUSIVE
    assert compare(baseline, [inconclusive]) == ()


def test_a_new_check_is_not_worse() -> None:
    assert compare({}, [replace(RECORD, outcome=CheckOutcome.FAILED)]) == ()


def test_a_saved_baseline_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    save_baseline(path, "run1", [RECORD])
    assert load_baseline(path) == {"dns.name[node-1]": CheckOutcome.PASSED}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "x", "outcomes": {}}'])
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="--aksnet-save-baseline wrote"):
        load_baseline(path)


def test_a_missing_baseline_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_baseline(tmp_path / "missing.json")
