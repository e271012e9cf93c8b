"""SIGTERM ends a run as Ctrl-C does, and a further signal does not lose what is left.

The first signal raises KeyboardInterrupt, as pytest expects. A second one, or the first once pytest
finishes the session, only ends the waiting: what is still there is named. Later ones raise again,
but not while the run cleans up.
"""

import contextlib
import signal
import threading
from collections.abc import Generator, Iterator
from types import FrameType
from typing import Any

import pytest

_SIGNALS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Interrupts:
    """The signals of this process while a run of ours goes on. Leaves alone who has own handlers.

    `hurry` is set once nobody is to wait any longer. Is a plugin of pytest, which tells it when the
    session ends: pytest does not clean up after a KeyboardInterrupt that is raised later than that.
    """

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self._count = 0
        self._cleaning = False
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Take over the signals. Does nothing outside of the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, usual in _SIGNALS.items():
            if number not in self._before and signal.getsignal(number) == usual:
                self._before[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Give the signals back."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """Take the next signal for a second one."""
        self._count = max(self._count, 1)
        return (yield)

    @contextlib.contextmanager
    def cleaning(self) -> Iterator[threading.Event]:
        """While this is open no signal raises; it sets the event that this gives."""
        self._cleaning = True
        try:
            yield self.hurry
        finally:
            self._cleaning = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True  # pytest shows the line that was interrupted
        self._count += 1
        if self._cleaning or self._count == 2:
            self.hurry.set()
            return
        raise KeyboardInterrupt
