"""Waiting that somebody can end early, and requests that hang without holding up anybody."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from pytest_aksnet.model.errors import ApiUnreachable, EnvironmentProblem

_PARALLEL = 8
_TICK_S = 0.1
_T = TypeVar("_T")
_R = TypeVar("_R")


class Patience:
    """`timeout_s` seconds from now on, or until `hurry` is set."""

    def __init__(self, timeout_s: float, hurry: threading.Event) -> None:
        self.timeout_s = timeout_s
        self.hurry = hurry
        self._deadline = time.monotonic() + timeout_s

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.hurry.is_set() or time.monotonic() >= self._deadline

    def pause(self, seconds: float) -> None:
        """Sleep so long, or less where it ends before."""
        self.hurry.wait(max(0.0, min(seconds, self._deadline - time.monotonic())))

    def each(self, work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R | EnvironmentProblem]:
        """The results of the work for each item, or the problem that it met; many at a time.

        An item that is not done when patience ends has a problem as well; its request, if it was
        begun, goes on in a daemon thread whose result nobody sees.
        """
        unfinished = ApiUnreachable("the API server has not answered in time")
        results: list[_R | EnvironmentProblem] = [unfinished] * len(items)
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in range(len(items)):
            waiting.put(index)
        done = threading.Semaphore(0)
        given_up = threading.Event()

        def run() -> None:
            while not given_up.is_set():
                try:
                    index = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    results[index] = work(items[index])
                except EnvironmentProblem as problem:
                    results[index] = problem
                finally:
                    done.release()

        for number in range(min(_PARALLEL, len(items))):
            # Not a ThreadPoolExecutor: the interpreter would wait for its threads at the end.
            threading.Thread(target=run, name=f"aksnet-each-{number}", daemon=True).start()
        for _ in items:
            while not done.acquire(timeout=_TICK_S):
                if self.over:
                    given_up.set()
                    if not self.hurry.is_set():
                        return list(results)
                    interrupted = EnvironmentProblem("interrupted before the API server answered")
                    return [interrupted if one is unfinished else one for one in results]
        return results
