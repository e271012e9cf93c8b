"""Asks at the same time: a few threads, in copies of the asker's context.

What is sent belongs to the asker's reading. Nobody who interrupts the asker waits for the threads.
"""

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

_AT_ONCE = 8
Result = TypeVar("Result")


def together(asks: Iterable[Callable[[], Result]]) -> list[Result]:
    """What each gives, in order. Raises the first error; what was not begun by then is left out."""
    wanted = list(asks)
    if len(wanted) == 1:
        return [wanted[0]()]
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(wanted)):
        waiting.put(index)
    results: dict[int, Result] = {}
    errors: list[Exception] = []
    given_up = threading.Event()
    ended = threading.Semaphore(0)

    def run() -> None:
        try:
            while not given_up.is_set():
                index = waiting.get_nowait()
                results[index] = wanted[index]()
        except queue.Empty:
            pass
        except Exception as error:
            errors.append(error)
            given_up.set()
        finally:
            ended.release()

    count = min(_AT_ONCE, len(wanted))
    for number in range(count):
        # Not a ThreadPoolExecutor: it, and the interpreter at its end, would wait for all.
        context = contextvars.copy_context()
        name = f"aksnet-arm-{number}"
        threading.Thread(target=context.run, args=(run,), name=name, daemon=True).start()
    try:
        for _ in range(count):
            ended.acquire()
    finally:
        given_up.set()
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(wanted))]
