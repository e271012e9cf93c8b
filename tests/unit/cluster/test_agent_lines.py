"""Lines of an agent that are lost, doubled, swapped or mangled: no answer is given to another."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.cluster.agent import AgentPool
from pytest_aksnet.cluster.loop import StreamLoop
from pytest_aksnet.cluster.stream import STDOUT
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import AgentScript, Finding, Kind, Probe

POD = PodRef(namespace="ns", name="p", container="c", node="n", ip="127.0.0.1")
NUMBER = 8
SCRIPT = AgentScript(argv=("agent",), text="agent\n", lease_s=30)


def finding_of(port: int) -> Finding:
    """What the agent finds at a port."""
    return Finding.OK if port % 3 else Finding.TIMEOUT


class SpoilingStream:
    """An agent whose lines are spoiled on their way, once: `spoil` is what is done, and where."""

    def __init__(self, spoil: Sequence[tuple[str, int]]) -> None:
        self._spoil = spoil
        self._frames: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._number = 0
        self._started = False

    async def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """The next frame."""
        return await self._frames.get()

    async def send(self, payload: bytes) -> None:
        """The script, a ping or a list."""
        text = payload.decode()
        if not self._started:
            self._started = True
            self._say([{"hello": 1}])
        elif text.startswith("list"):
            head, *probes = text.splitlines()
            number = int(head.split()[1])
            said: list[dict[str, Any]] = []
            for probe in probes:
                _, index, _, _, port, *_ = probe.split()
                found = finding_of(int(port)).value
                said.append({"b": number, "i": int(index), "v": found, "ms": 1.0, "at": 1.0})
            count = len(said)
            self._say([*said, {"b": number, "end": count, "of": count, "ms": 1, "stall": 0}], True)

    async def close(self) -> None:
        """End it."""
        self._frames.put_nowait(None)

    def _say(self, said: Sequence[dict[str, Any]], spoiled: bool = False) -> None:
        lines = []
        for one in said:
            lines.append(json.dumps({"n": self._number, **one}))
            self._number += 1
        for how, where in self._spoil if spoiled else ():
            at = where % len(lines)
            if how == "lose" and at < len(lines) - 1:  # the last one is waited for
                del lines[at]
            elif how == "double":
                lines.insert(at, lines[at])
            elif how == "swap":
                lines[at], lines[at - 1] = lines[at - 1], lines[at]
            elif how == "mangle":
                lines[at] = lines[at][: len(lines[at]) // 2]
            elif how == "join":
                lines[at : at + 2] = ["".join(lines[at : at + 2])]
        self._frames.put_nowait((STDOUT, "".join(f"{line}\n" for line in lines).encode()))


@pytest.fixture(scope="module")
def loop() -> Iterator[StreamLoop]:
    """A stream loop."""
    made = StreamLoop()
    yield made
    made.close()


_HOW = st.sampled_from(["lose", "double", "swap", "mangle", "join"])
_SPOIL = st.lists(st.tuples(_HOW, st.integers(0, NUMBER)), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(spoils=st.lists(_SPOIL, min_size=1, max_size=3))
def test_no_answer_is_that_of_another_probe(
    loop: StreamLoop, spoils: list[list[tuple[str, int]]]
) -> None:
    waiting = list(spoils)

    async def open_stream(pod: PodRef, argv: Sequence[str], deadline: float) -> SpoilingStream:
        return SpoilingStream(waiting.pop(0) if waiting else [])

    pool = AgentPool(loop, open_stream, (SCRIPT,))
    ports = range(7000, 7000 + NUMBER)
    probes = [Probe(kind=Kind.TCP, host="10.0.0.1", port=port) for port in ports]
    began = time.monotonic()
    batch = pool.probe(POD, probes, budget_s=2.0)
    pool.close()
    assert time.monotonic() - began < 20
    for port, answer in zip(ports, batch.answers, strict=True):
        assert answer is None or answer.finding is finding_of(port)
    if batch.complete:
        assert None not in batch.answers
    else:
        assert batch.problem
    if len(spoils) < 3:
        assert all(answer is not None for answer in batch.answers)
