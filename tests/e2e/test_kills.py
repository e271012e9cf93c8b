"""Whatever is killed, and when: nothing of ours is left, nothing of others is gone.

And two runs at once on one cluster. The lab is a cluster that a kubeconfig names.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.cuttable_proxy import CuttableProxy
from tests.e2e.kill_run import (
    FOREIGN,
    Found,
    Kill,
    Plan,
    begin,
    cleanup,
    ended,
    killed,
    kubectl,
    listed,
)
from tests.lab.raw_api import RawApi
from tests.lab.running_lab import RunningLab, start_lab

KILLS = 100
LABS = 3
LONGEST_S = 4.0
CHECKS = 11
RUN_ID = r"[0-9]{8}-[0-9]{6}-[0-9a-f]+"
# Rarer are those that take long, as the run waits for the API server to come back.
OFTEN = (
    *(Kill.PYTEST, Kill.WORKER, Kill.TERMINATE, Kill.INTERRUPT, Kill.PYTEST, Kill.WORKER),
    *(Kill.API_RESTART, Kill.INTERRUPT_TWICE, Kill.PYTEST, Kill.API_SERVER),
)


def lab_with_foreign_objects() -> tuple[RunningLab, Found]:
    """A lab in which others have things that look like ours, and all that is in it."""
    lab = start_lab()
    kubectl(lab.kubeconfig, "apply", "--filename=-", text=FOREIGN)
    wait = ("wait", "--namespace=theirs", "--for=condition=Ready", "pod", "--all")
    kubectl(lab.kubeconfig, *wait, "--timeout=60s")
    return lab, listed(lab.kubeconfig)


@pytest.fixture(scope="module")
def theirs() -> Iterator[tuple[RunningLab, Found]]:
    lab, before = lab_with_foreign_objects()
    yield lab, before
    lab.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one kill: whether it struck a run in its middle, how much that left to the
    clean-up, and what was wrong, or empty.
    """

    plan: Plan
    struck: bool
    left: int
    wrong: str


def kill_and_clean(plan: Plan, lab: RunningLab, before: Found, folder: Path) -> Verdict:
    """Carry out a plan, clean up after it, and compare with what was there before."""
    folder.mkdir(exist_ok=True)
    with CuttableProxy(lab.kubeconfig, folder) as proxy:
        end = killed(plan, RawApi(lab, folder), proxy, folder)
    left = listed(lab.kubeconfig) - before
    wrong = []
    if plan.kill not in (Kill.PYTEST, Kill.WORKER):
        unnamed = [
            name
            for kind, place, name, _ in left
            if kind in ("Namespace", "Pod", "Service", "NetworkPolicy", "Lease")
            and not place.startswith("aksnet-")
            and name not in end.said
            and not re.search(rf"not removed: run {RUN_ID} .*", end.said)
        ]
        if unnamed:
            wrong.append(f"left without a word: {unnamed}")
    said = cleanup(lab.kubeconfig, folder)
    after = listed(lab.kubeconfig)
    if after != before:
        wrong.append(f"left: {sorted(after - before)}; gone: {sorted(before - after)}; {said}")
    told = "; ".join([*wrong, f"it ended with {end.exit_code} and said:\n{end.said}"])
    return Verdict(plan=plan, struck=end.struck, left=len(left), wrong=told if wrong else "")


@pytest.mark.parametrize(
    ("seed", "kill"),
    [
        (1, Kill.PYTEST),
        (2, Kill.WORKER),
        pytest.param(3, Kill.TERMINATE, marks=pytest.mark.thorough),
        (4, Kill.API_RESTART),
    ],
    ids=["pytest", "worker", "terminate", "api-server"],
)
def test_nothing_of_ours_is_left_and_nothing_of_others_is_gone(
    theirs: tuple[RunningLab, Found], tmp_path: Path, seed: int, kill: Kill
) -> None:
    plan = Plan.drawn(seed, kill, LONGEST_S)
    assert not kill_and_clean(plan, *theirs, tmp_path).wrong


@pytest.mark.thorough
def test_a_hundred_kills(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    plans = [
        Plan.drawn(1000 + number, kill, LONGEST_S)
        for number, kill in zip(range(KILLS), itertools.cycle(OFTEN), strict=False)
    ]

    def one_after_another(lane: int) -> list[Verdict]:
        lab, before = lab_with_foreign_objects()
        try:
            return [
                kill_and_clean(plans[number], lab, before, tmp_path / str(number))
                for number in range(lane, KILLS, LABS)
            ]
        finally:
            lab.end()

    with ThreadPoolExecutor(LABS) as pool:
        verdicts = [one for lane in pool.map(one_after_another, range(LABS)) for one in lane]
    for kill in Kill:
        of_it = [one for one in verdicts if one.plan.kill is kill]
        midst, left = sum(one.struck for one in of_it), sum(one.left > 0 for one in of_it)
        counts = f"{len(of_it)}, {midst} in the middle of a run, {left} left something"
        record_testsuite_property(kill.value, counts)
    wrong = [f"{one.plan}: {one.wrong}" for one in verdicts if one.wrong]
    assert not wrong, "\n\n".join(wrong)
    assert len(verdicts) == KILLS
    # Most strike in the middle of a run, and then pytest cannot tidy up: else this shows nothing.
    assert sum(one.struck for one in verdicts) >= KILLS / 2
    struck = [one for one in verdicts if one.struck and one.plan.kill is Kill.PYTEST]
    assert all(one.left for one in struck)


def outcomes(folder: Path) -> dict[str, str]:
    """Outcome by node id."""
    results = json.loads((folder / "reports/results.json").read_text("utf-8"))
    return {check["nodeid"]: check["outcome"] for check in results["checks"]}


@pytest.mark.parametrize("how", [pytest.param("share", marks=pytest.mark.thorough), "wait"])
def test_two_runs_at_once_are_both_correct(
    theirs: tuple[RunningLab, Found], tmp_path: Path, how: str
) -> None:
    lab, before = theirs
    folders = (tmp_path / "one", tmp_path / "two")
    runs = [begin(lab.kubeconfig, folder, f"--aksnet-second-run={how}") for folder in folders]
    ends = [ended(run, folder) for run, folder in zip(runs, folders, strict=True)]
    assert [end.exit_code for end in ends] == [0, 0], ends
    assert outcomes(folders[0]) == outcomes(folders[1])
    assert set(outcomes(folders[0]).values()) == {"passed"}
    assert len(outcomes(folders[0])) == CHECKS
    words = {"share": "sharing the cluster with another run: ", "wait": "waiting for another run"}
    assert sum(words[how] in end.said for end in ends) == 1, ends
    assert listed(lab.kubeconfig) == before


@pytest.mark.thorough
def test_a_run_that_refuses_names_the_holder_and_creates_nothing(
    theirs: tuple[RunningLab, Found], tmp_path: Path
) -> None:
    lab, before = theirs
    held = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "pytest-aksnet",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "pytest-aksnet", "aksnet.io/run": "r7"},
        },
        "spec": {"holderIdentity": "ci@runner-7 run r7 pid 7", "leaseDurationSeconds": 40},
    }
    kubectl(lab.kubeconfig, "create", "--filename=-", text=json.dumps(held))
    try:
        run = begin(lab.kubeconfig, tmp_path, "--aksnet-second-run=refuse")
        end = ended(run, tmp_path)
        here = listed(lab.kubeconfig) - before
    finally:
        kubectl(lab.kubeconfig, "delete", "lease", "--namespace=default", "pytest-aksnet")
    assert end.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "ci@runner-7 run r7 pid 7" in end.said
    assert [name for _, _, name, _ in here] == ["pytest-aksnet"]
