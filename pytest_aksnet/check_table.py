"""Runs one case of a truth table on pods that are there: change, wait until it shows, look at all.

Owns what counts as seen. A change is waited for with a canary over every cell that it must flip;
then all cells are looked at, and those that are wrong or were not seen are looked at again. Silence
counts as closed only beside answers that prove source, destination and agent alive. It knows no
API: the live table is passed in.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pytest_aksnet.expectations.policy_cells import Asked, sample, seen_cells
from pytest_aksnet.expectations.policy_departures import departures
from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_world import PolicyState, expected_table, judged_cells
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import Decision, EngineRules, Node, PortSpec
from pytest_aksnet.model.policy_table import (
    Action,
    CaseResult,
    CellName,
    CellResult,
    Layout,
    ManyProber,
    Mark,
    Places,
    PolicyCase,
    StepResult,
)
from pytest_aksnet.model.probing import SLOW_PATH, Answer, Batch, Finding, Kind, Probe

_KINDS = {"TCP": Kind.TCP, "UDP": Kind.UDP, "SCTP": Kind.SCTP}
_EVERYWHERE = frozenset({"TCP", "UDP"})
# Streams may have to be opened again, and a third of a budget is how long an agent may be silent.
_GRACE_S = 15.0
_LONGER = 3.0
_RETRANSMITTED_S = 0.9  # the answer to a SYN that was sent again says nothing of the others
_FORGETS = 0.7
_AGAIN = 2  # lists in which what was not seen is asked again
_OPEN, _CLOSED = frozenset({Finding.OK}), frozenset({Finding.TIMEOUT})
_NOT_SPOKEN = frozenset({Finding.LOCAL, Finding.REFUSED})  # as a pod's answer to itself
_BACK = "back to no policy"

Expected = Mapping[CellName, Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePacing:
    """How long is waited for what (seconds).

    `patience_s` is for a change to show; once one did not, later ones get `impatient_s`, or thrice
    the slowest that did. `open_s` is for an answer that must come, `closed_s` for one that must
    not, `try_s` for one look of a canary. `settle_s` is waited at least after a change that flips
    nothing, else as long as the slowest change took. `confirm_s` is for a wrong cell to become
    right.
    """

    patience_s: float = 15.0
    impatient_s: float = 3.0
    open_s: float = 3.0
    closed_s: float = 0.4
    try_s: float = 0.15
    settle_s: float = 0.2
    confirm_s: float = 3.0


class LiveTable(Protocol):
    """Pods of one layout in a cluster, with nobody else's policies. Every method raises
    EnvironmentProblem where the API server does not do it."""

    @property
    def layout(self) -> Layout:
        """Who takes part."""
        ...

    @property
    def places(self) -> Places:
        """Where they are now."""
        ...

    @property
    def policies(self) -> Sequence[Mapping[str, Any]]:
        """The policies that are there, as the API server gave them back."""
        ...

    def apply(self, actions: Sequence[Action]) -> None:
        """Do this in the cluster, in this order; policies next to one another all at once."""
        ...

    def reset(self) -> None:
        """Go back to the layout: no policy, first labels, no further pods and namespaces."""
        ...

    def repair(self) -> bool:
        """Replace pods that have ended; whether there were any."""
        ...


class Tempo:
    """How fast the cluster realises changes, as all tables of a run have seen it."""

    def __init__(self) -> None:
        self.slowest_s = 0.0
        self.missed = 0

    def realised(self, after_s: float) -> None:
        """Tell of a change that showed after so many seconds."""
        self.slowest_s = max(self.slowest_s, after_s)


class TableRunner:
    """Runs cases on one live table after the other. One per thread; they share `tempo`.

    Cells of protocols that the pods do not speak are not asked. With `sampled` only the cells are
    asked that policies close or change, and some of the others. Once `ending` says so, nothing
    more is asked.
    """

    def __init__(
        self,
        prober: ManyProber,
        rules: EngineRules,
        *,
        nodes: Sequence[Node] = (),
        versions: Sequence[int] = (4, 6),
        pacing: TablePacing | None = None,
        tempo: Tempo | None = None,
        sampled: bool = False,
        ending: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rules = rules
        self._prober = prober
        self._nodes = tuple(nodes)
        self._versions = tuple(versions)
        self._protocols = _EVERYWHERE
        self._pacing = pacing or TablePacing()
        self._tempo = tempo or Tempo()
        self._sampled = sampled
        self._ending = ending
        self._answers_s = 0.0
        self._clock = clock
        self._sleep = sleep

    def control(self, table: LiveTable) -> str:
        """Whether all is open without policies that can be; else why not, in words.

        Finds out which protocols the pods speak: not every kernel has SCTP.
        """
        self._protocols = _EVERYWHERE | self._spoken(table)
        state, places = PolicyState(table.layout), table.places
        expected = self._expected(state, table, table.layout.ports)
        answers, problem = self._ask(
            table,
            {
                name: self._probe(name, places, self._pacing.closed_s, _OPEN, self._patience())
                for name, decision in expected.items()
                if decision.allowed
            },
            self._patience() + self._pacing.open_s,
        )
        shut = [
            name
            for name, decision in expected.items()
            if decision.allowed and not _is_ok(answers.get(name))
        ]
        if not shut:
            return ""
        return (
            f"{len(shut)} of {len(expected)} cells are not open without policies, such as "
            f"{shut[0]}{f' ({problem})' if problem else ''}"
        )

    def run(self, case: PolicyCase, table: LiveTable) -> CaseResult:
        """Run a case. What the API server did not do is the result's problem, never raised."""
        began, started = self._clock(), time.time()
        steps: list[StepResult] = []
        problem = ""
        pods = dict(table.places.pods)
        state = PolicyState(table.layout)
        ports = table.layout.ports
        before = self._expected(state, table, ports)
        try:
            for step in case.steps:
                begun = self._clock()
                table.apply(step.actions)
                applied = self._clock()
                for action in step.actions:
                    state.apply(action)
                after = self._expected(state, table, ports)
                change = _Change(
                    title=step.title, before=before, after=after, begun=begun, applied=applied
                )
                asked = judged_cells(after, case.pods, step.ports)
                steps.append(self._step(case.id, table, state, change, asked))
                before = after
                pods |= table.places.pods
        except EnvironmentProblem as error:
            problem = str(error)
        try:
            begun = self._clock()
            table.reset()
            applied = self._clock()
            state = PolicyState(table.layout)
            after = self._expected(state, table, ports)
            change = _Change(title=_BACK, before=before, after=after, begun=begun, applied=applied)
            if closed := {name: after[name] for name in change.flips}:
                steps.append(self._step(case.id, table, state, change, closed))
        except EnvironmentProblem as error:
            problem = problem or f"the table did not go back to no policy: {error}"
        return CaseResult(
            case=case,
            steps=tuple(steps),
            started=started,
            duration_s=self._clock() - began,
            engine=self.rules.engine,
            document=_documents(self.rules, steps),
            problem=problem,
            pods=pods,
        )

    def _spoken(self, table: LiveTable) -> frozenset[str]:
        """Further protocols that the kernel of every pod has, and its reflector answers.

        What did not answer for another reason counts as spoken: then it is looked at.
        """
        found, places = set(), table.places
        for port in table.layout.ports:
            if port.protocol in _EVERYWHERE or port.protocol in found:
                continue
            probes = {
                name: self._probe(name, places, self._pacing.open_s, frozenset(), 0.0)
                for pod in places.pods
                for name in (CellName(pod, pod, port),)
            }
            answers, _ = self._ask(table, probes, self._pacing.open_s)
            if not any(answer.finding in _NOT_SPOKEN for answer in answers.values()):
                found.add(port.protocol)
        return frozenset(found)

    # -- one step

    def _step(
        self,
        salt: str,
        table: LiveTable,
        state: PolicyState,
        change: "_Change",
        asked: Expected,
    ) -> StepResult:
        flips = [name for name in change.flips if not change.after[name].caveat]
        canary = self._canary(table, change.after, flips, change.applied)
        chosen = sample(asked, flips, salt) if self._sampled else asked
        cells, count, problem = self._matrix(table, chosen, canary, change.applied)
        ports = tuple(dict.fromkeys(name.port for name in asked))
        departing = departures(
            state,
            table.places,
            self.rules,
            ports,
            nodes=self._nodes,
            versions=self._versions,
            cells=chosen,
        )
        return StepResult(
            title=change.title,
            pods=tuple(dict.fromkeys(name.source for name in asked)),
            ports=ports,
            cells=cells,
            policies=tuple(table.policies),
            converged_s=canary.converged_s,
            duration_s=self._clock() - change.begun,
            probes=canary.tries + count,
            problem=problem,
            departures=departing,
        )

    def _canary(
        self, table: LiveTable, after: Expected, flips: Sequence[CellName], applied: float
    ) -> "_Canary":
        """Wait until every flipping cell is as it should be; what was not seen is asked again."""
        if not flips:
            self._sleep(max(self._pacing.settle_s, self._tempo.slowest_s))
            return _Canary()
        deadline = self._clock() + self._patience()
        shown: dict[CellName, float] = {}
        stuck: set[CellName] = set()
        lost, tries, places = list(flips), 0, table.places
        for _ in range(1 + _AGAIN):
            asked_at = self._clock()
            within = max(deadline - asked_at, self._try())
            probes = {
                name: self._probe(
                    name,
                    places,
                    self._try(),
                    _OPEN if after[name].allowed else _CLOSED,
                    within,
                )
                for name in lost
            }
            answers, _ = self._ask(table, probes, within + self._pacing.open_s)
            for name, answer in answers.items():
                tries += answer.tries
                if not answer.looked:
                    continue
                if (answer.finding is Finding.OK) == after[name].allowed:
                    silent_ms = 0.0 if after[name].allowed else answer.ms
                    shown[name] = asked_at - applied + max(answer.at_ms - silent_ms, 0.0) / 1000
                else:
                    stuck.add(name)
            lost = [name for name in lost if name not in shown and name not in stuck]
            if not lost:
                break
        if stuck:
            self._tempo.missed += 1
        if stuck or lost:
            return _Canary(tries=tries, stuck=frozenset(stuck), lost=bool(lost))
        self._tempo.realised(max(shown.values()))
        return _Canary(tries=tries, converged_s=max(shown.values()))

    def _matrix(
        self,
        table: LiveTable,
        asked: Expected,
        canary: "_Canary",
        applied: float,
    ) -> tuple[dict[CellName, CellResult], int, str]:
        """Look at all cells; at those that were wrong, or were not seen, again.

        What was wrong and then not seen was not seen: a pod that died looks closed at first.
        """
        cells, count, problem = self._look(table, asked)
        for _ in range(_AGAIN):  # fewer at once, and so faster, and waited for longer
            unseen = [name for name, cell in cells.items() if cell.seen is Mark.UNSEEN]
            if not unseen:
                break
            again, more, problem = self._look(
                table, {name: asked[name] for name in unseen}, patience=_LONGER
            )
            cells |= again
            count += more
        wrong = [
            name
            for name, cell in cells.items()
            if cell.wrong and (name not in canary.stuck or cell.seen is Mark.ODD)
        ]
        if wrong:
            again, more, why = self._look(
                table,
                {name: asked[name] for name in wrong},
                within=max(
                    self._pacing.confirm_s,
                    2 * self._tempo.slowest_s,
                    self._patience() if canary.lost else 0.0,
                ),
                patience=_LONGER,
            )
            late = self._clock() - applied
            cells |= {
                name: replace(again[name], late_s=late if again[name].right else 0.0)
                for name in wrong
            }
            count += more
            problem = problem or why
        unseen = [name for name, cell in cells.items() if cell.seen is Mark.UNSEEN]
        return {name: cells[name] for name in asked}, count, problem if unseen else ""

    def _look(
        self, table: LiveTable, asked: Expected, *, within: float = 0.0, patience: float = 1.0
    ) -> tuple[dict[CellName, CellResult], int, str]:
        """Look at cells once, or `within` seconds until they were as expected twice in a row.

        Silence is waited for `patience` times as long as usual.
        """
        pacing = self._pacing
        silence = patience * self._silence()
        selves = _selves(asked)
        places = table.places
        probes: dict[CellName, Probe] = {}
        for name in (*asked, *(own for own in selves if own not in asked)):
            opens = name.source == name.destination or asked[name].allowed
            wait = pacing.open_s if opens else silence
            wanted = _OPEN if opens else _CLOSED
            probes[name] = self._probe(
                name, places, wait, wanted if within else frozenset(), within, times=2
            )
        answers, problem = self._ask(table, probes, within + max(pacing.open_s, silence))
        judged = {
            name: Asked(decision=asked[name], answer=answers.get(name), probe=probes[name])
            for name in asked
        }
        own = {name: answers.get(name) for name in selves}
        return seen_cells(judged, own, problem), len(probes), problem

    def _ask(
        self, table: LiveTable, probes: Mapping[CellName, Probe], budget_s: float
    ) -> tuple[dict[CellName, Answer], str]:
        """The answers of lists that came back whole, and why others did not.

        Raises EnvironmentProblem where the run is ending: then nothing more is asked.
        """
        if self._ending():
            raise EnvironmentProblem("the run is ending: nothing more is looked at")
        pods = table.places.pods
        lists: dict[PodRef, list[Probe]] = {}
        names: dict[PodRef, list[CellName]] = {}
        for name, probe in probes.items():
            lists.setdefault(pods[name.source], []).append(probe)
            names.setdefault(pods[name.source], []).append(name)
        batches = self._prober.probe_many(lists, budget_s=budget_s + _GRACE_S)
        answers: dict[CellName, Answer] = {}
        problem = ""
        for pod, batch in batches.items():
            if not batch.ended or batch.gaps:
                problem = problem or f"pod {pod.namespace}/{pod.name}: {_why(batch)}"
            for name, answer in zip(names[pod], batch.counted, strict=True):
                if answer is not None:
                    answers[name] = answer
        took = [a.ms / 1000 for a in answers.values() if a.finding is Finding.OK]
        usual = [one for one in took if one < _RETRANSMITTED_S]
        self._answers_s = max(max(usual, default=0.0), _FORGETS * self._answers_s)
        return answers, problem

    # -- details

    def _silence(self) -> float:
        """How long a closed cell is waited for (seconds): as the last lists were answered."""
        slow = (SLOW_PATH + 1) * self._answers_s
        return max(self._pacing.closed_s, min(slow, self._pacing.open_s))

    def _try(self) -> float:
        """How long one look of a canary is (seconds)."""
        return max(self._pacing.try_s, min(2 * self._answers_s, self._pacing.closed_s))

    def _probe(
        self,
        name: CellName,
        places: Places,
        timeout_s: float,
        until: frozenset[Finding],
        within_s: float,
        times: int = 1,
    ) -> Probe:
        target = places.pods[name.destination]
        return Probe(
            kind=_KINDS[name.port.protocol],
            host=target.address(name.version) or "",
            port=name.port.number,
            timeout_s=timeout_s,
            options={"pod": target.name},
            until=until,
            within_s=within_s if until else 0.0,
            times=times if until else 1,
        )

    def _expected(
        self,
        state: PolicyState,
        table: LiveTable,
        ports: Sequence[PortSpec],
    ) -> dict[CellName, Decision]:
        spoken = [port for port in ports if port.protocol in self._protocols]
        return expected_table(
            state,
            table.places,
            self.rules,
            spoken,
            nodes=self._nodes,
            versions=self._versions,
        )

    def _patience(self) -> float:
        if self._tempo.missed < 2:
            return self._pacing.patience_s
        return max(self._pacing.impatient_s, 3 * self._tempo.slowest_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What is to hold before a change and after it, and when it was `begun` and all `applied`."""

    title: str
    before: Expected
    after: Expected
    begun: float
    applied: float

    @property
    def flips(self) -> list[CellName]:
        """The cells that must change, those of new pods included; nobody's way to itself."""
        return [
            name
            for name, decision in self.after.items()
            if name.source != name.destination
            and (name not in self.before or self.before[name].allowed != decision.allowed)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canary:
    """What came of waiting for a change: its tries, and when it had shown (seconds after it).

    `stuck` are cells that were seen, and never as they should be; `lost` says that some were not
    seen.
    """

    tries: int = 0
    converged_s: float | None = None
    stuck: frozenset[CellName] = frozenset()
    lost: bool = False


def _documents(rules: EngineRules, steps: Sequence[StepResult]) -> str:
    """Where the expectations are written: the engine's documents count where they made some."""
    departs = any(step.departures for step in steps)
    return f"{API_TEXT.document}; {rules.document}" if departs else API_TEXT.document


def _selves(asked: Expected) -> list[CellName]:
    """The ways of all pods of these cells to themselves: nothing may close them."""
    found: dict[CellName, None] = {}
    for name in asked:
        for pod in (name.source, name.destination):
            found[CellName(pod, pod, name.port, name.version)] = None
    return list(found)


def _is_ok(answer: Answer | None) -> bool:
    return answer is not None and answer.finding is Finding.OK


def _why(batch: Batch) -> str:
    return batch.problem or ("lines of the agent are missing" if batch.gaps else "no end")
