"""Truth tables of a run: several live sets work off one queue of cases, ahead of who asks for them.

Owns the threads, which set does which case, what is done again, and the finding that no engine
enforces anything: that is one finding, and not one of each case. Judges no cell.
"""

import contextlib
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol

from pytest_aksnet.check_table import LiveTable, TableRunner
from pytest_aksnet.model.errors import AksnetError, ControlFailed, EnvironmentProblem
from pytest_aksnet.model.policy_table import (
    CaseResult,
    Layout,
    Mark,
    PolicyCase,
    PutPolicy,
    TableStep,
)

_AHEAD = 8  # cases for each set, beyond the one that is asked for: others may never be
_STOP_S = 20.0
_RETIRED_AFTER = 3  # cases in a row whose positive control did not hold


class StartedTable(LiveTable, Protocol):
    """A live table that can be given back."""

    def end(self) -> None:
        """Ask for its end; does not wait."""
        ...


class PolicyCampaign:
    """Runs cases on at most `sets` tables at once. `start` starts the set of that number.

    `queue` are the cases that will be asked for, in this order; they run from the first call of
    `result` on. `runner` makes a runner for each set, which it gives a way to ask whether the run
    is ending.
    """

    def __init__(
        self,
        queue: Sequence[PolicyCase],
        *,
        sets: int,
        start: Callable[[Layout, int], StartedTable],
        runner: Callable[[Callable[[], bool]], TableRunner],
    ) -> None:
        self._sets = sets
        self._start = start
        self._runner = runner
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._places = {case.id: place for place, case in enumerate(queue)}
        self._allowed = 0
        self._waiting: deque[PolicyCase] = deque(queue)
        self._futures: dict[str, Future[CaseResult]] = {case.id: Future() for case in queue}
        self._threads: dict[int, threading.Thread] = {}
        self._idle: list[StartedTable] = []
        self._without_set: set[int] = set()
        self._start_error: AksnetError | None = None
        self._stopped = False
        self._absent = ""
        self._settled = False  # whether it is known that policies have an effect, or have none
        self._absent_told = False

    def result(self, case: PolicyCase) -> CaseResult:
        """What came of a case, as soon as it is done. Raises what kept it from being run."""
        with self._lock:
            future = self._futures.get(case.id)
            if future is None:
                future = self._futures[case.id] = Future()
                self._waiting.append(case)
            ahead = _AHEAD * self._sets
            self._allowed = max(self._allowed, self._places.get(case.id, 0) + ahead)
            self._asked.notify_all()
            self._employ()
        return future.result()

    @property
    def absent(self) -> str:
        """Why policies have no effect at all here, empty if they have, as far as is known.

        Cases that are asked for later are not run: their results have no steps.
        """
        return self._absent

    def tells_absent(self) -> bool:
        """Whether nobody has told yet that policies have no effect; whoever asks first does it."""
        with self._lock:
            told, self._absent_told = self._absent_told, True
            return not told

    def stop(self) -> None:
        """Begin no further case, and wait for the end of those that run, for 20 s at most."""
        with self._lock:
            self._stopped = True
            self._asked.notify_all()
            threads = list(self._threads.values())
        deadline = time.monotonic() + _STOP_S
        for thread in threads:
            # Whoever still waits for pods to start makes no namespace any more.
            thread.join(max(0.0, deadline - time.monotonic()))

    # -- the threads

    def _employ(self) -> None:
        """Have a thread for each set that has work to do. The lock is held.

        Where no set can be started, what waits has the reason as its result.
        """
        able = [number for number in range(self._sets) if number not in self._without_set]
        if not able and self._start_error is not None:
            while self._waiting:
                self._futures[self._waiting.popleft().id].set_exception(self._start_error)
        homes = {self._home(case) for case in self._waiting}
        for number in sorted({home if home in able else able[0] for home in homes}):
            if number not in self._threads and not self._stopped:
                thread = threading.Thread(
                    target=self._work, args=(number,), name=f"aksnet-table-{number}", daemon=True
                )
                self._threads[number] = thread
                thread.start()

    def _work(self, number: int) -> None:
        crew: _Crew | None = None
        try:
            runner = self._runner(lambda: self._stopped)
            crew = _Crew(runner, self._one_by_one, number, self._take_idle())
            while (case := self._next(number, crew.layout)) is not None:
                try:
                    crew.prepare(case.layout)
                except AksnetError as error:
                    self._cannot_start(number, case, error)
                    return
                self._do(crew, case)
                if crew.failures >= _RETIRED_AFTER:
                    crew.give_up()
        except BaseException as error:
            self._fail_all(error)
        finally:
            self._leave(number, crew)

    def _leave(self, number: int, crew: "_Crew | None") -> None:
        """End a thread, whose set is kept for the next one or given back."""
        with self._lock:
            self._threads.pop(number, None)
            # Cases that nobody announced may be followed by more of them; the end of announced
            # ones is the end, and what is removed now is not waited for later.
            if crew is not None and crew.table is not None and not self._places:
                self._idle.append(crew.table)
                crew.table = None
            self._employ()  # a case may have come since this thread had none left
        if crew is not None:
            crew.give_up()

    def _one_by_one(self, layout: Layout, number: int) -> StartedTable:
        """Start sets one after the other: the first is at work while the next one starts."""
        with self._starting:
            return self._start(layout, number)

    def _do(self, crew: "_Crew", case: PolicyCase) -> None:
        future = self._futures[case.id]
        try:
            result = crew.skipped(case, self._absent) if self._absent else crew.run(case)
            if not self._settled and _nothing_closed(result):
                absent = crew.absent()
                with self._lock:
                    self._absent, self._settled = absent, True
        except AksnetError as error:
            future.set_exception(error)
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            future.set_result(result)

    def _next(self, number: int, layout: Layout | None) -> PolicyCase | None:
        """The next case of this set, one for this layout if there is any.

        A case is always that of the same set, and so looked at from the same nodes in every run;
        what belonged to a set that could not start is done by another.
        """
        with self._lock:
            while True:
                mine = [c for c in self._waiting if self._home(c) in (number, *self._without_set)]
                if self._stopped or not mine:
                    return None
                near = [c for c in mine if self._places.get(c.id, 0) <= self._allowed]
                if near:
                    chosen = next((case for case in near if case.layout is layout), near[0])
                    self._waiting.remove(chosen)
                    return chosen
                self._asked.wait()

    def _home(self, case: PolicyCase) -> int:
        """The number of the set that a case belongs to."""
        digits = "".join(filter(str.isdigit, case.id))
        return (int(digits) if digits else zlib.crc32(case.id.encode())) % self._sets

    def _take_idle(self) -> StartedTable | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _cannot_start(self, number: int, case: PolicyCase, error: AksnetError) -> None:
        """Leave the set's cases to the others."""
        with self._lock:
            self._waiting.appendleft(case)
            self._without_set.add(number)
            self._start_error = error

    def _fail_all(self, error: BaseException) -> None:
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for case in waiting:
            self._futures[case.id].set_exception(error)


class _Crew:
    """One thread's runner and table."""

    def __init__(
        self,
        runner: TableRunner,
        start: Callable[[Layout, int], StartedTable],
        number: int,
        table: StartedTable | None,
    ) -> None:
        self.table = table
        self.failures = 0
        self._runner = runner
        self._start = start
        self._number = number
        self._controlled = False

    @property
    def layout(self) -> Layout | None:
        return self.table.layout if self.table is not None else None

    def prepare(self, layout: Layout) -> None:
        """Have a table of this layout. Raises EnvironmentProblem or ToolMissing."""
        if self.table is not None and self.table.layout is not layout:
            self.give_up()
        if self.table is None:
            self.table = self._start(layout, self._number)
            self._controlled, self.failures = False, 0

    def give_up(self) -> None:
        """Give the table back."""
        table, self.table = self.table, None
        if table is not None:
            with contextlib.suppress(EnvironmentProblem):  # the end of the run removes it
                table.end()

    def run(self, case: PolicyCase) -> CaseResult:
        """The case's result; where something was not seen, of a second run of it.

        Raises ControlFailed where the table is not open without policies.
        """
        assert self.table is not None
        self._control(self.table)
        result = self._once(case, self.table)
        if why := _unseen(result):
            self.table.repair()
            self._controlled = False
            self._control(self.table)
            again = self._once(case, self.table)
            result = replace(again, problem=again.problem or (_unseen(again) and why))
        return result

    def skipped(self, case: PolicyCase, why: str) -> CaseResult:
        """The result of a case that is not run."""
        rules = self._runner.rules
        return CaseResult(
            case=case,
            steps=(),
            started=time.time(),
            duration_s=0.0,
            engine=rules.engine,
            document=rules.document,
            problem=why,
        )

    def absent(self) -> str:
        """Why policies have no effect: nothing closes although all is denied; else empty."""
        assert self.table is not None
        layout = self.table.layout
        case = PolicyCase(
            id="default-deny-everywhere",
            family="control",
            title="default deny of ingress in every namespace",
            layout=layout,
            steps=(TableStep(title="deny", actions=tuple(map(_deny, layout.namespaces))),),
        )
        result = self._once(case, self.table)
        if not _nothing_closed(result):
            return ""
        return (
            "no NetworkPolicy takes effect: with default deny of ingress in "
            f"{len(layout.namespaces)} namespaces every connection is still made"
        )

    def _control(self, table: StartedTable) -> None:
        if self._controlled:
            return
        table.reset()  # the case before may have been unable to
        if (why := self._runner.control(table)) and table.repair():
            why = self._runner.control(table)
        if why:
            self.failures += 1
            raise ControlFailed(f"the positive control did not hold: {why}")
        self._controlled, self.failures = True, 0

    def _once(self, case: PolicyCase, table: StartedTable) -> CaseResult:
        result = self._runner.run(case, table)
        last = result.steps[-1].cells.values() if result.steps else ()
        self._controlled = not result.problem and all(cell.right for cell in last)
        return result


def _deny(namespace: str) -> PutPolicy:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    return PutPolicy(
        policy={"metadata": {"namespace": namespace, "name": "deny-ingress"}, "spec": spec}
    )


def _unseen(result: CaseResult) -> str:
    """Why something of it was not seen; empty if all was."""
    if result.problem:
        return result.problem
    for step in result.steps:
        for name, cell in step.cells.items():
            if cell.seen is Mark.UNSEEN or (cell.seen is Mark.ODD and not cell.expected):
                return f"{name}: {cell.detail}"
    return ""


def _nothing_closed(result: CaseResult) -> bool:
    """Whether something should have been closed, and all of it was open."""
    shut = [
        cell
        for step in result.steps
        for cell in step.cells.values()
        if not cell.expected and not cell.caveat
    ]
    return bool(shut) and all(cell.seen is Mark.OPEN for cell in shut)
