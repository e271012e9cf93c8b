"""A connection over a long way: nothing is lost or overtakes, and no piece waits for another."""

import asyncio
from typing import Any

from pytest_aksnet.lab.api.round_trip import Way
from pytest_aksnet.lab.api.trouble import Kind, Trouble

PIECES = 200
TRIP_S = 0.2


class _Wire(asyncio.Transport):
    """The real end of a connection: what was written, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[float, object]] = []

    def write(self, data: Any) -> None:
        self._note(bytes(data))

    def close(self) -> None:
        self._note("closed")

    def abort(self) -> None:
        self._note("aborted")

    def is_closing(self) -> bool:
        return False

    def _note(self, what: object) -> None:
        self.log.append((asyncio.get_running_loop().time(), what))


class _Server(asyncio.Protocol):
    def __init__(self) -> None:
        self.log: list[tuple[float, object]] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.log.append((asyncio.get_running_loop().time(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.log.append((asyncio.get_running_loop().time(), exc))


def _connected(trip_s: float) -> tuple[Way, _Server, _Wire, Trouble]:
    trouble, server, wire = Trouble(seed=1), _Server(), _Wire()
    if trip_s:
        trouble.begin(Kind.ROUND_TRIP, "a", trip_s)
    way = Way(server, trouble)
    way.connection_made(wire)
    return way, server, wire, trouble


def _pieces(log: list[tuple[float, object]]) -> list[object]:
    return [what for _, what in log]


def test_without_a_fault_all_goes_at_once() -> None:
    async def talk() -> None:
        way, server, wire, _ = _connected(0)
        assert server.transport is not None
        way.data_received(b"a")
        server.transport.writelines([b"b", b"c"])
        server.transport.close()
        way.connection_lost(None)
        assert (_pieces(server.log), _pieces(wire.log)) == ([b"a", None], [b"bc", "closed"])

    asyncio.run(talk())


def test_each_piece_is_half_a_trip_late_and_none_waits_for_another() -> None:
    async def talk() -> None:
        way, server, wire, trouble = _connected(TRIP_S)
        assert server.transport is not None
        began = asyncio.get_running_loop().time()
        for number in range(PIECES):
            way.data_received(b"i%d" % number)
            server.transport.write(b"o%d" % number)
        server.transport.close()
        assert server.transport.is_closing()
        await asyncio.sleep(TRIP_S / 4)
        trouble.end(Kind.ROUND_TRIP, "a")
        way.data_received(b"last")  # which has no way any more, and overtakes nothing
        while len(server.log) <= PIECES or len(wire.log) <= PIECES:
            await asyncio.sleep(TRIP_S / 10)
        assert _pieces(wire.log) == [*(b"o%d" % n for n in range(PIECES)), "closed"]
        assert _pieces(server.log) == [*(b"i%d" % n for n in range(PIECES)), b"last"]
        assert wire.log[0][0] - began >= TRIP_S / 2
        assert server.log[0][0] - began >= 2.5 * TRIP_S  # with the handshakes
        assert wire.log[-1][0] - began < PIECES * TRIP_S / 2

    asyncio.run(talk())


def test_who_aborts_or_is_gone_gets_nothing_that_was_under_way() -> None:
    async def talk() -> None:
        way, server, wire, _ = _connected(TRIP_S)
        assert server.transport is not None
        server.transport.write(b"never")
        way.data_received(b"heard")
        way.connection_lost(None)
        while len(server.log) < 2:
            await asyncio.sleep(TRIP_S / 10)
        assert (_pieces(server.log), wire.log) == ([b"heard", None], [])
        way, server, wire, _ = _connected(TRIP_S)
        assert server.transport is not None
        server.transport.write(b"never")
        way.data_received(b"never")
        server.transport.abort()
        way.connection_lost(None)
        await asyncio.sleep(3 * TRIP_S)
        assert (_pieces(server.log), _pieces(wire.log)) == ([None], ["aborted"])

    asyncio.run(talk())


def test_the_routes_of_the_lab_are_near() -> None:
    async def talk() -> None:
        way, server, wire, _ = _connected(60)
        assert server.transport is not None
        way.data_received(b"GET /lab/v1/status HTTP/1.1\r\n\r\n")
        server.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        assert (len(server.log), len(wire.log)) == (1, 1)
        way.data_received(b"GET /readyz HTTP/1.1\r\n\r\n")
        assert len(server.log) == 1
        server.transport.abort()

    asyncio.run(talk())
