"""How fast truth tables of NetworkPolicies are worked off in the lab, set-up and end included.

Run: python -m benchmarks.policy_tables [--cases default|netpol|all|N] [--sets 1,3,6]
[--round-trip 0,0.05,0.15,0.3] [--pods 9,18,30] [--engine calico] [--sampled]

Every line is one whole campaign on a lab of its own. "s/step" is seconds over steps of the cases,
each with its way there and back, "us" are microseconds of processor time per probe: of this
process, of the lab, of agents and reflectors.
"""

import argparse
import functools
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_aksnet.expectations.policy_cases import all_cases
from pytest_aksnet.model.policy_table import CaseResult, Layout, Mark, PolicyCase
from tests.lab.live_tables import live_tables
from tests.lab.running_lab import RunningLab, start_lab

_HEAD = (
    "cases", "steps", "sets", "pods", "round trip", "seconds", "ready", "end", "s/step", "probes",
    "probes/s", "client us", "lab us", "pods us", "wrong", "unseen", "errors",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is run."""

    cases: Sequence[PolicyCase]
    sets: int
    pods: int
    round_trip_s: float
    engine: str
    sampled: bool


def main() -> None:
    options = read_options()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    show(_HEAD)
    for round_trip in options.round_trip:
        for pods in options.pods:
            for sets in options.sets:
                campaign = Campaign(
                    cases=[with_pods(case, pods) for case in chosen(options.cases)],
                    sets=sets,
                    pods=pods,
                    round_trip_s=round_trip,
                    engine=options.engine,
                    sampled=options.sampled,
                )
                run(campaign)


def run(campaign: Campaign) -> None:
    """One campaign on a lab of its own, as one line; what was wrong follows."""
    faults = [f"api-round-trip={campaign.round_trip_s:g}"] if campaign.round_trip_s else []
    lab = start_lab("overlay", campaign.engine, *faults)
    ended: list[float] = []
    try:
        began, processors = time.perf_counter(), Processors(lab)
        with live_tables(lab, closed=ended.append) as tables:
            working = tables.campaign(campaign.cases, campaign.sets, sampled=campaign.sampled)
            results = tables.results(working, campaign.cases)
            ready = max(tables.ready_s, default=0.0)
            used = processors.used()
        took = time.perf_counter() - began
    finally:
        lab.end()
    seen = [result for result in results if isinstance(result, CaseResult)]
    steps = [step for result in seen for step in result.steps]
    probes = max(sum(step.probes for step in steps), 1)
    cells = [(r, s, n, c) for r in seen for s in r.steps for n, c in s.cells.items()]
    wrong = [(r.case.id, s.title, str(n)) for r, s, n, c in cells if c.wrong]
    unseen = [(r.case.id, s.title, str(n), c.detail) for r, s, n, c in cells if not c.right]
    planned = sum(len(case.steps) for case in campaign.cases)
    errors = [error for error in results if isinstance(error, Exception)]
    show(
        (
            len(results), planned, campaign.sets,
            campaign.pods, f"{1000 * campaign.round_trip_s:g} ms", f"{took:.1f}", f"{ready:.1f}",
            f"{sum(ended):.1f}", f"{took / planned:.3f}", probes,
            f"{probes / took:.0f}", *(f"{1e6 * one / probes:.0f}" for one in used),
            len(wrong), len(unseen) - len(wrong), len(errors),
        )
    )  # fmt: skip
    for text, number in Counter(str(error)[:300] for error in errors).items():
        print(f"    {number} times: {text}")
    for told in (*wrong[:5], *[one for one in unseen if one[:3] not in wrong][:5]):
        print("   ", *told)
    problems = Counter(result.problem for result in seen if result.problem)
    for text, number in problems.items():
        print(f"    {number} times: {text[:300]}")
    late = sum(cell.late_s > 0 for _, _, _, cell in cells)
    odd = sum(cell.seen is Mark.ODD for _, _, _, cell in cells)
    if late or odd:
        print(f"    late {late}, odd {odd}")


def chosen(cases: str) -> list[PolicyCase]:
    """The cases of a name: a list, or the first N of the default ones."""
    every = list(all_cases().values())
    default = [case for case in every if case.default]
    if cases.isdigit():
        return default[: int(cases)]
    if cases == "default":
        return default
    if cases == "netpol":
        return [c for c in every if c.id.startswith("netpol") and "sctp" not in c.tags]
    return every


def with_pods(case: PolicyCase, pods: int) -> PolicyCase:
    """The case on a layout of so many pods."""
    return replace(case, layout=wider(case.layout, pods)) if pods > len(case.layout.pods) else case


@functools.cache
def wider(layout: Layout, pods: int) -> Layout:
    """The layout with further pods, spread over its namespaces."""
    more = []
    for number in range(pods - len(layout.pods)):
        like = layout.pods[number % len(layout.pods)]
        name = f"{like.name}{number // len(layout.pods) + 2}"
        more.append(replace(like, name=name, labels={"pod": name}))
    return replace(layout, pods=(*layout.pods, *more))


class Processors:
    """Processor time, in seconds, of this process, of the lab, and of what runs in its pods."""

    def __init__(self, lab: RunningLab) -> None:
        self._tree = family(lab.process.pid)
        self._lab = lab.process.pid
        self._client = time.process_time()

    def used(self) -> tuple[float, float, float]:
        """Since this was made: client, lab, pods."""
        lab = pods = 0.0
        for pid, (own, seconds) in family(self._lab).items():
            spent = seconds - self._tree.get(pid, (own, 0.0))[1]
            lab, pods = (lab + spent, pods) if own else (lab, pods + spent)
        return time.process_time() - self._client, lab, pods


def family(pid: int) -> dict[int, tuple[bool, float]]:
    """A process and its descendants: whether it is the lab's own, and its seconds, with those of
    children that ended."""
    found: dict[int, tuple[bool, float]] = {}
    waiting = [pid]
    tick = os.sysconf("SC_CLK_TCK")
    while waiting:
        one = waiting.pop()
        folder = Path(f"/proc/{one}")
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
            for task in (folder / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has ended
        found[one] = (command.startswith(b"aksnet-lab"), sum(map(int, fields[11:15])) / tick)
    return found


def show(cells: Sequence[object]) -> None:
    """One line of the table."""
    print("".join(f"{cell!s:>11}" for cell in cells), flush=True)


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", default="default", help="default, netpol, all, or how many")
    parser.add_argument("--sets", type=integers, default=[3], help="sets in parallel, as 1,3,6")
    parser.add_argument("--round-trip", type=numbers, default=[0.0], help="seconds, as 0,0.05")
    parser.add_argument("--pods", type=integers, default=[9], help="pods of a set, as 9,30")
    parser.add_argument("--engine", default="calico", help="the lab's policy engine")
    parser.add_argument("--sampled", action="store_true", help="not all of the open cells")
    return parser.parse_args()


def integers(text: str) -> list[int]:
    """Numbers in a text."""
    return [int(part) for part in text.split(",")]


def numbers(text: str) -> list[float]:
    """Numbers in a text."""
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
