"""One asyncio loop in one thread, where all streams live; synchronous callers wait for it here.

Owns the loop, its thread, and the way out of both. One loop for all streams means that no socket is
ever touched by two threads. Nothing on the loop may block: what does, goes through `in_thread`.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_CLOSE_LIMIT_S = 5.0


class StreamLoop:
    """The loop; its thread starts with the first `run`. Safe to call from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, wait for its end, return its result or raise its error.

        A caller that is interrupted meanwhile (KeyboardInterrupt, or whatever a signal handler
        raises) cancels the coroutine, which closes what it has open. Raises RuntimeError after
        `close`, and on the loop itself, where waiting would never end.
        """
        try:
            loop = self._running()
        except BaseException:
            coroutine.close()
            raise
        call = _Call(coroutine)
        try:
            return asyncio.run_coroutine_threadsafe(call.run(), loop).result()
        except concurrent.futures.CancelledError:
            raise RuntimeError("the stream loop was closed meanwhile") from None
        finally:
            call.abandon(loop)

    def close(self) -> None:
        """Cancel what runs, close the streams, end the thread; again is no error."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        ended = asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        with contextlib.suppress(concurrent.futures.TimeoutError):
            ended.result(_CLOSE_LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_LIMIT_S)
        if not thread.is_alive():
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RuntimeError("the stream loop is closed")
            if self._thread is threading.current_thread():
                raise RuntimeError("the stream loop cannot wait for itself")
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=loop.run_forever, name="aksnet-streams", daemon=True
                )
                self._thread.start()
                self._loop = loop
            return self._loop


class _Call(Generic[T]):
    """A coroutine whose caller may leave at any moment, also before it has the call's future."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._abandoned = self._ended = False

    async def run(self) -> T:
        """Run it, on the loop."""
        self._task = asyncio.current_task()
        try:
            if self._abandoned:
                self._coroutine.close()
                raise asyncio.CancelledError
            return await self._coroutine
        finally:
            self._ended = True

    def abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel it; nothing where it has ended. Called by the caller's thread."""
        self._abandoned = True
        if not self._ended:
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def in_thread(function: Callable[[], T]) -> T:
    """What a blocking function returns, run in a thread of its own.

    Unlike the threads of asyncio.to_thread, this one does not hold up the end of the process: a
    login program or a name server may be stuck for a minute.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():  # the waiter was cancelled
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T may itself be None

    def work() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="aksnet-blocking", daemon=True).start()
    return await future


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):  # transports that were aborted close their sockets in the next rounds
        await asyncio.sleep(0)
