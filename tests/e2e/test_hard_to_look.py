"""A break of looking ends as inconclusive: never as passed, failed or skipped.

The real client runs inner suites against the real lab, while streams break, pods go, tools are
missing or the API server dies.
"""

import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.e2e.breaking_proxy import Break, BreakingProxy, Hook, Wanted
from tests.e2e.suite_run import SuiteRun, run_suites
from tests.lab.running_lab import RunningLab, start_lab

INNER = Path(__file__).parent / "inner"
PARALLEL_RUNS = 5

CONNECTS = "looks.connects"
DENY_OF_NOTHING = "looks.deny-of-nothing"
DENY_BY_POLICY = "looks.deny-by-policy"
EVERY_LOOK = (
    CONNECTS,
    "looks.resolves",
    DENY_OF_NOTHING,
    DENY_BY_POLICY,
    "looks.deny-without-control",
)
TOOLS = ("tools.curl", "tools.nc", "tools.dig", "tools.ethtool", "tools.iperf3")
DENY_BY_TOOL = "tools.curl-for-deny"
BEFORE = "dies.before"
AFTERWARDS = ("dies.meanwhile", "dies.after", "dies.deny-after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Checks of an inner suite, and what breaks while they look.

    With `deletes` that pod of a check ("source", "target") is deleted once its look has begun.
    With `own_lab` the checks get a lab that they kill.
    """

    name: str
    suite: str = "looks"
    checks: tuple[str, ...]
    kind: Break = Break.NONE
    deletes: str = ""
    own_lab: bool = False
    arguments: tuple[str, ...] = ()
    says: str = ""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerRun:
    """What the checks of a scenario came to, and how many streams were broken meanwhile."""

    scenario: Scenario
    run: SuiteRun
    broken: int


# The slowest first: they share the time with the others.
BROKEN = (
    Scenario(
        name="frozen",
        kind=Break.FREEZE,
        checks=(CONNECTS, DENY_OF_NOTHING, DENY_BY_POLICY),
        arguments=("-n3",),
        says="went silent",
    ),
    Scenario(
        name="source-deleted",
        kind=Break.BEGUN,
        deletes="source",
        checks=(DENY_OF_NOTHING, DENY_BY_POLICY),
        says="gone",
    ),
    Scenario(
        name="target-deleted",
        kind=Break.BEGUN,
        deletes="target",
        checks=(DENY_OF_NOTHING, DENY_BY_POLICY),
        says="gone",
    ),
    Scenario(name="cut", kind=Break.CUT, checks=EVERY_LOOK, says="cut"),
    Scenario(name="reset", kind=Break.RESET, checks=EVERY_LOOK, says="cut"),
    Scenario(name="status-lost", kind=Break.STATUS_LOST, checks=EVERY_LOOK, says="status"),
    Scenario(name="tail-lost", kind=Break.TAIL_LOST, checks=EVERY_LOOK, says="status"),
    Scenario(
        name="false-success", kind=Break.FALSE_SUCCESS, checks=(DENY_BY_POLICY,), says="status"
    ),
)
UNBROKEN = Scenario(name="unbroken", checks=EVERY_LOOK)
SERVER_DIES = Scenario(
    name="server-dies", suite="server_dies", own_lab=True, checks=(BEFORE, *AFTERWARDS)
)
SLIM_IMAGE = Scenario(
    name="slim-image",
    suite="tools",
    checks=(*TOOLS, DENY_BY_TOOL),
    arguments=("--aksnet-image=python:3.12-slim",),
)
WHOLE_IMAGE = Scenario(name="whole-image", suite="tools", checks=TOOLS)


@pytest.fixture(scope="module")
def under_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Scenario, Future[InnerRun]]]:
    """Runs of all scenarios that were selected, started together: they mostly wait."""
    selected = [
        scenario
        for item in request.session.items
        if item.path == request.path and isinstance(item, pytest.Function)
        if isinstance(scenario := item.callspec.params["inner"], Scenario)
    ]
    lab = start_lab()
    try:
        with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
            yield {
                scenario: pool.submit(run, scenario, lab, tmp_path_factory.mktemp(scenario.name))
                for scenario in selected
            }
    finally:
        lab.end()


@pytest.fixture
def inner(
    request: pytest.FixtureRequest, under_way: Mapping[Scenario, Future[InnerRun]]
) -> InnerRun:
    """The run of the scenario that the test is parametrised with, once it has ended."""
    return under_way[request.param].result()


def run(scenario: Scenario, lab: RunningLab, folder: Path) -> InnerRun:
    """Run the checks of a scenario against the lab, or against one of its own."""
    if scenario.own_lab:
        return run_with_own_lab(scenario, folder)
    hook = deletion(lab.kubeconfig, scenario.deletes) if scenario.deletes else None
    with BreakingProxy(lab.kubeconfig, folder / "proxy", scenario.kind, begun=hook) as proxy:
        ended = run_copy(
            scenario, folder, proxy.kubeconfig, {"AKSNET_BREAKS": str(proxy.wanted_dir)}
        )
        return InnerRun(scenario=scenario, run=ended, broken=proxy.broken)


def run_with_own_lab(scenario: Scenario, folder: Path) -> InnerRun:
    """The lab's process and address are in the environment of the checks."""
    lab = start_lab()
    try:
        content = lab.kubeconfig.read_text("utf-8")
        kubeconfig = folder / "kubeconfig"  # the lab's own goes with it
        kubeconfig.write_text(content, "utf-8")
        server = yaml.safe_load(content)["clusters"][0]["cluster"]["server"]
        environment = {
            "AKSNET_LAB_PID": str(lab.process.pid),
            "AKSNET_API": urlsplit(server).netloc,
        }
        ended = run_copy(scenario, folder, kubeconfig, environment)
    finally:
        lab.end()
    return InnerRun(scenario=scenario, run=ended, broken=0)


def run_copy(
    scenario: Scenario, folder: Path, kubeconfig: Path, environment: Mapping[str, str]
) -> SuiteRun:
    """Run the chosen checks in a copy of the inner suite, far from this project's settings."""
    copy = folder / f"test_{scenario.suite}.py"
    copy.write_bytes((INNER / f"{scenario.suite}.py").read_bytes())
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    names = [check.partition(".")[2].replace("-", "_") for check in scenario.checks]
    return run_suites(
        folder,
        f"--aksnet-kubeconfig={kubeconfig}",
        *scenario.arguments,
        suites=[f"{copy}::test_{name}" for name in names],
        environment=environment,
    )


def deletion(kubeconfig: Path, which: str) -> Hook:
    """Deletes the source or the target of a check, once each, and waits until it is gone."""
    gone: set[str] = set()

    def delete(wanted: Wanted) -> None:
        pod: str = getattr(wanted, which)
        if pod in gone:
            return
        gone.add(pod)
        namespace, name = pod.split("/")
        subprocess.run(
            ["kubectl", f"--kubeconfig={kubeconfig}", "delete", "pod", "-n", namespace, name],
            check=True,
            capture_output=True,
            timeout=30,
        )

    return delete


@pytest.mark.parametrize("inner", BROKEN, indirect=True, ids=str)
def test_what_cannot_be_looked_at_is_inconclusive(inner: InnerRun) -> None:
    checks = inner.scenario.checks
    assert inner.run.outcomes() == dict.fromkeys(checks, "inconclusive"), inner.run.terminal
    assert inner.broken >= len(checks)
    for check, reason in inner.run.not_passed().items():
        assert inner.scenario.says in reason, f"{check}: {reason}"
    assert inner.run.exit_code == 1


@pytest.mark.parametrize("inner", [UNBROKEN], indirect=True, ids=str)
def test_the_same_looks_are_judged_where_nothing_breaks(inner: InnerRun) -> None:
    expected = dict.fromkeys(EVERY_LOOK, "passed") | {DENY_OF_NOTHING: "failed"}
    assert inner.run.outcomes() == expected, inner.run.terminal
    assert inner.broken == 0


@pytest.mark.parametrize("inner", [SLIM_IMAGE], indirect=True, ids=str)
def test_a_missing_tool_is_inconclusive_and_named(inner: InnerRun) -> None:
    expected = dict.fromkeys(inner.scenario.checks, "inconclusive")
    assert inner.run.outcomes() == expected, inner.run.terminal
    for check, reason in inner.run.not_passed().items():
        tool = check.partition(".")[2].partition("-")[0]
        assert f"{tool} cannot be run in the pod" in reason, f"{check}: {reason}"


@pytest.mark.parametrize("inner", [WHOLE_IMAGE], indirect=True, ids=str)
def test_the_same_tools_look_where_the_image_has_them(inner: InnerRun) -> None:
    assert inner.run.outcomes() == dict.fromkeys(TOOLS, "passed"), inner.run.terminal


@pytest.mark.parametrize("inner", [SERVER_DIES], indirect=True, ids=str)
def test_after_the_api_server_has_died_nothing_passes(inner: InnerRun) -> None:
    outcomes = inner.run.outcomes()
    assert outcomes.pop(BEFORE) == "passed", inner.run.terminal
    assert set(outcomes) == set(AFTERWARDS)
    assert set(outcomes.values()) <= {"inconclusive", "error"}, inner.run.terminal
    assert inner.run.exit_code == 1
    for name in ("report.html", "junit.xml", "results.jsonl"):
        assert (inner.run.report_dir / name).stat().st_size > 0
