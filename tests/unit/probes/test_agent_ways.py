"""The agent's looks at ways: lost datagrams, held connections, segment sizes, silent pings."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.unit.probes.agent_process import AgentProcess, free_port, python_agent, running_reflector

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def process() -> Iterator[AgentProcess]:
    made = python_agent()
    yield made
    made.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    found = free_port()
    with running_reflector(found):
        yield found


def test_a_row_of_datagrams_is_counted(process: AgentProcess, port: int) -> None:
    answers, _ = process.ask(f"l {HERE} {port} 2 count=60 gap_ms=1 pod=web")
    assert (answers[0]["v"], answers[0]["x"]) == ("ok", {"sent": 60, "answered": 60})
    other, _ = process.ask(f"l {HERE} {port} 2 count=60 gap_ms=1 pod=db")
    assert (other[0]["v"], other[0]["x"]["detail"]) == ("wrong", "another pod")


def test_each_lost_datagram_is_lost_for_good(process: AgentProcess, port: int) -> None:
    """A relay that passes two of three on."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward,
    ):
        relay.bind((HERE, 0))
        relay.settimeout(5)
        onward.settimeout(5)

        def pass_on() -> None:
            for number in range(30):
                data, peer = relay.recvfrom(4096)
                if number % 3:
                    onward.sendto(data, (HERE, port))
                    relay.sendto(onward.recv(4096), peer)

        thread = threading.Thread(target=pass_on, daemon=True)
        thread.start()
        answers, _ = process.ask(f"l {HERE} {relay.getsockname()[1]} 0.4 count=30 gap_ms=1")
        thread.join(5)
    assert (answers[0]["v"], answers[0]["x"]) == ("ok", {"sent": 30, "answered": 20})


def test_a_row_that_nobody_answers_is_silent(process: AgentProcess) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((HERE, 0))
        answers, _ = process.ask(f"l {HERE} {mute.getsockname()[1]} 0.2 count=5 gap_ms=1")
    assert (answers[0]["v"], answers[0]["x"]) == ("timeout", {"sent": 5, "answered": 0})
    closed, _ = process.ask(f"l {HERE} {free_port()} 0.2 count=5 gap_ms=1")
    assert closed[0]["v"] == "refused"


def test_held_connections_are_open_at_the_same_time(process: AgentProcess) -> None:
    most = []
    with socket.create_server((HERE, 0)) as server:
        server.settimeout(5)

        def accept() -> None:
            held = [server.accept()[0] for _ in range(20)]
            most.append(len(held))
            for one in held:
                one.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        target = server.getsockname()[1]
        answers, _ = process.ask(*[f"t {HERE} {target} 4 hold=1.5"] * 20)
        thread.join(5)
    assert most == [20]
    assert {answer["v"] for answer in answers.values()} == {"eof"}


def test_a_held_connection_is_asked_in_the_end(process: AgentProcess, port: int) -> None:
    answers, _ = process.ask(f"t {HERE} {port} 4 hold=0.2 pod=web")
    assert answers[0]["v"] == "ok"
    assert answers[0]["ms"] >= 200


def test_segment_sizes_are_those_of_the_handshake(process: AgentProcess) -> None:
    with socket.create_server((HERE, 0)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1300)
        server.listen()
        answers, _ = process.ask(f"c {HERE} {server.getsockname()[1]} 2 mss=yes")
    assert answers[0]["x"]["mss"] == 1300
    assert answers[0]["x"]["own_mss"] > 1300
