"""The stream loop: who waits for it, who interrupts it, and how it ends."""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_aksnet.cluster.loop import StreamLoop, in_thread


@pytest.fixture
def loop() -> Iterator[StreamLoop]:
    """A loop that is closed at the end."""
    made = StreamLoop()
    yield made
    made.close()


async def forty_two() -> int:
    await asyncio.sleep(0)
    return 42


async def fails() -> None:
    raise LookupError("so it is")


def test_a_result_and_an_error_come_back(loop: StreamLoop) -> None:
    assert loop.run(forty_two()) == 42
    with pytest.raises(LookupError, match="so it is"):
        loop.run(fails())


def test_no_thread_starts_before_it_is_needed() -> None:
    before = threading.active_count()
    StreamLoop().close()
    assert threading.active_count() == before


def test_many_threads_wait_at_once(loop: StreamLoop) -> None:
    barrier = asyncio.Event()
    waiting = 0

    async def meet() -> int:
        nonlocal waiting
        waiting += 1
        if waiting == 20:
            barrier.set()
        await barrier.wait()
        return waiting

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda _: loop.run(meet()), range(20))) == [20] * 20


def test_an_interrupt_of_the_caller_cancels_what_it_waits_for(loop: StreamLoop) -> None:
    cleaned = threading.Event()
    main = threading.get_ident()

    async def endless() -> None:
        try:
            signal.pthread_kill(main, signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    with pytest.raises(KeyboardInterrupt):
        loop.run(endless())
    assert cleaned.wait(10)


def test_closing_ends_what_still_runs() -> None:
    loop = StreamLoop()
    started, cleaned = threading.Event(), threading.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loop.run, endless())
        assert started.wait(10)
        loop.close()
        assert cleaned.is_set()
        with pytest.raises(RuntimeError, match="closed"):
            waiting.result(10)
    loop.close()


def test_a_closed_loop_takes_nothing(loop: StreamLoop) -> None:
    loop.run(forty_two())
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.run(forty_two())


def test_the_loop_does_not_wait_for_itself(loop: StreamLoop) -> None:
    async def outer() -> int:
        return loop.run(forty_two())

    with pytest.raises(RuntimeError, match="itself"):
        loop.run(outer())


def test_what_blocks_runs_beside_the_loop(loop: StreamLoop) -> None:
    release = threading.Event()

    def block() -> str:
        assert release.wait(10)
        return threading.current_thread().name

    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(loop.run, in_thread(block))
        assert loop.run(forty_two()) == 42  # the loop is free
        release.set()
        assert blocked.result(10) == "aksnet-blocking"


def test_an_error_of_what_blocks_comes_back(loop: StreamLoop) -> None:
    def fail() -> None:
        raise LookupError("so it is")

    with pytest.raises(LookupError, match="so it is"):
        loop.run(in_thread(fail))


def test_nobody_waits_for_what_blocks_for_ever(loop: StreamLoop) -> None:
    release = threading.Event()

    async def impatient() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_thread(lambda: release.wait(10))

    loop.run(impatient())
    loop.close()
    release.set()  # its thread ends, although its loop is gone
    while any(thread.name == "aksnet-blocking" for thread in threading.enumerate()):
        time.sleep(0.001)
