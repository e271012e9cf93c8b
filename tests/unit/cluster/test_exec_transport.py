"""Exec on a transport in trouble: silence, cuts, refusals, tokens that expire, interrupts."""

import asyncio
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_aksnet.cluster import wire
from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.cluster.stream import V4, V5, StreamFailed, open_exec
from pytest_aksnet.model.execution import Completed, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef
from tests.unit.cluster.scripted_api import ExecPeer, ScriptedApi, status

POD = PodRef(namespace="ns", name="p", container="probe", node="n", ip="10.0.0.9", uid="u1")

WriteKubeconfig = Callable[..., str]


def succeeds(peer: ExecPeer) -> None:
    peer.accept()
    peer.finish(0, stdout=b"hi\n")


def goes_silent(peer: ExecPeer) -> None:
    """A path that has died: the server neither speaks nor answers pings."""
    peer.accept()
    peer.send(1, b"so far")
    peer.wait_for_client()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence counts as death after a moment."""
    monkeypatch.setattr(wire, "PING_AFTER_S", 0.02)
    monkeypatch.setattr(wire, "DEAD_AFTER_S", 0.1)


@pytest.mark.usefixtures("impatient")
def test_a_path_that_went_silent_is_replaced_within_the_deadline(
    api: ScriptedApi, cluster: Cluster
) -> None:
    cluster.access.experience.pings_answered = True
    api.execs = [goes_silent, succeeds]
    executor = StreamExecutor(cluster)
    done = executor.run(POD, ["true"], timeout_s=20)
    assert isinstance(done, Completed)
    assert (done.stdout, done.attempts) == ("hi\n", 2)
    assert executor.retries.counts() == {"silent": 1}


@pytest.mark.usefixtures("impatient")
def test_a_path_that_is_always_silent_is_given_up_early(api: ScriptedApi, cluster: Cluster) -> None:
    cluster.access.experience.pings_answered = True
    api.execs = [goes_silent]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=60)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout, done.attempts) == (Reason.CUT, "so far", 2)
    assert "the path went silent" in done.detail


@pytest.mark.usefixtures("impatient")
def test_silence_proves_nothing_where_pings_are_swallowed(
    api: ScriptedApi, cluster: Cluster
) -> None:
    api.execs = [goes_silent]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=0.5)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout, done.attempts) == (Reason.DEADLINE, "so far", 1)


@pytest.mark.usefixtures("impatient")
def test_a_command_that_says_nothing_is_waited_for_while_the_server_lives(
    api: ScriptedApi, cluster: Cluster
) -> None:
    pings: list[bytes] = []

    def quiet(peer: ExecPeer) -> None:
        peer.accept()
        while len(pings) < 12 and (frame := peer.next_frame()) is not None:
            pings.append(frame[1])
            peer.pong(frame[1])
        peer.finish(0)

    api.execs = [quiet]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=20)
    assert isinstance(done, Completed)
    assert done.attempts == 1


@pytest.mark.usefixtures("impatient")
def test_a_command_that_takes_no_input_is_not_a_dead_path(
    api: ScriptedApi, cluster: Cluster
) -> None:
    read = threading.Event()

    def stuffed(peer: ExecPeer) -> None:
        peer.accept()
        read.wait(1)  # many times what would be a dead path
        peer.finish(0)

    api.execs = [stuffed]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=20, stdin=b"x" * 200_000)
    assert isinstance(done, Completed)
    assert done.attempts == 1


def test_no_log_has_the_token(
    api: ScriptedApi, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.execs = [succeeds]
    assert isinstance(StreamExecutor(cluster).run(POD, ["true"], timeout_s=20), Completed)
    assert api.exec_peers[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in caplog.text


def test_a_slow_stream_is_read_to_its_end(api: ScriptedApi, cluster: Cluster) -> None:
    def slow(peer: ExecPeer) -> None:
        peer.accept()
        for byte in b"slow":
            time.sleep(0.02)
            peer.send(1, bytes([byte]))
        peer.finish(0)

    api.execs = [slow]
    assert StreamExecutor(cluster).run(POD, ["true"], timeout_s=20).stdout == "slow"


def test_a_message_in_fragments_arrives_whole(api: ScriptedApi, cluster: Cluster) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.fragments(1, b"one ", b"two ", b"three")
        peer.finish(0)

    api.execs = [play]
    assert StreamExecutor(cluster).run(POD, ["true"], timeout_s=20).stdout == "one two three"


def test_thirty_two_megabytes_come_through_a_stream(api: ScriptedApi, cluster: Cluster) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        for number in range(1024):
            peer.send(1, bytes([number % 256]) * 32768)
        peer.close()

    async def read() -> list[bytes]:
        deadline = time.monotonic() + 60
        stream = await open_exec(cluster.access, POD, ["true"], deadline)
        chunks = []
        while (frame := await stream.receive(deadline)) is not None:
            chunks.append(frame[1])
            if len(chunks) % 256 == 0:
                await asyncio.sleep(0.01)  # a slow reader: the server is held back
        await stream.close()
        return chunks

    api.execs = [play]
    chunks = cluster.loop.run(read())
    assert b"".join(chunks) == b"".join(bytes([n % 256]) * 32768 for n in range(1024))


@pytest.mark.parametrize("protocol", [V5, V4])
def test_standard_input_arrives_whole_and_ends_where_the_protocol_can(
    api: ScriptedApi, cluster: Cluster, protocol: str
) -> None:
    data = bytes(range(256)) * 400
    frames: list[tuple[int, bytes]] = []

    def play(peer: ExecPeer) -> None:
        peer.accept(protocol)
        while sum(len(frame[1]) - 1 for frame in frames) < len(data):
            frame = peer.receive()
            assert frame is not None
            frames.append(frame)
        if protocol == V5:
            assert peer.receive() == (2, b"\xff\0")
        peer.finish(0)

    api.execs = [play]
    done = StreamExecutor(cluster).run(POD, ["cat"], timeout_s=20, stdin=data)
    assert isinstance(done, Completed)
    assert b"".join(frame[1][1:] for frame in frames) == data
    assert {(opcode, payload[0]) for opcode, payload in frames} == {(2, 0)}
    assert max(len(payload) for _, payload in frames) <= 32769
    assert api.exec_peers[0].command[5:] == ["21", str(len(data)), "cat"]


def test_a_server_that_takes_no_input_ends_at_the_deadline(
    api: ScriptedApi, cluster: Cluster
) -> None:
    left = threading.Event()

    def play(peer: ExecPeer) -> None:
        peer.accept()
        assert left.wait(20)

    api.execs = [play]
    data = b"x" * (32 * 1024 * 1024)
    done = StreamExecutor(cluster).run(POD, ["cat"], timeout_s=0.3, stdin=data)
    left.set()
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.DEADLINE


def test_a_redirect_is_not_followed(api: ScriptedApi, cluster: Cluster) -> None:
    api.execs = [lambda peer: peer.refuse(302, b"", Location="http://127.0.0.1:1/")]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=5)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)
    assert "302" in done.detail


def test_a_server_that_chooses_no_protocol_is_refused(api: ScriptedApi, cluster: Cluster) -> None:
    api.execs = [lambda peer: peer.accept("")]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=5)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)


def test_something_that_is_no_http_is_told(api: ScriptedApi, cluster: Cluster) -> None:
    api.execs = [lambda peer: peer.raw(b"SSH-2.0-OpenSSH_9.6\r\n")]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=5)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 3)
    assert "invalid HTTP status line" in done.detail


def test_a_frame_against_the_protocol_is_a_cut(api: ScriptedApi, cluster: Cluster) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.raw(b"\xff\xff\xff\xff")

    api.execs = [play]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=5)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.CUT, 3)


def test_what_was_tried_again_is_counted_by_cause(api: ScriptedApi, cluster: Cluster) -> None:
    def cut(peer: ExecPeer) -> None:
        peer.accept()

    def statusless(peer: ExecPeer) -> None:
        peer.accept()
        peer.close()

    code, body = status(429, "TooManyRequests", "later")
    throttled = json.dumps(body).encode()
    api.execs = [
        lambda peer: peer.refuse(code, throttled, Retry_After="0"),
        lambda peer: peer.refuse(503, b"upstream connect error", "text/plain"),
        cut,
        statusless,
        succeeds,
    ]
    executor = StreamExecutor(cluster)
    done = executor.run(POD, ["true"], timeout_s=20)
    assert isinstance(done, Completed)
    assert done.attempts == 5
    assert executor.retries.counts() == {"cut": 1, "http 429": 1, "http 503": 1, "status lost": 1}


def test_a_hundred_commands_at_once(api: ScriptedApi, cluster: Cluster) -> None:
    meet = threading.Barrier(100)

    def play(peer: ExecPeer) -> None:
        peer.accept()
        meet.wait(30)
        peer.finish(0, stdout=peer.command[-1].encode())

    api.execs = [play]
    executor = StreamExecutor(cluster)
    with ThreadPoolExecutor(100) as pool:
        done = list(
            pool.map(lambda n: executor.run(POD, ["echo", str(n)], timeout_s=60), range(100))
        )
    assert [one.stdout for one in done] == [str(n) for n in range(100)]
    assert {one.attempts for one in done} == {1}


def test_an_interrupt_closes_the_stream(api: ScriptedApi, cluster: Cluster) -> None:
    left = threading.Event()
    main = threading.get_ident()

    def play(peer: ExecPeer) -> None:
        peer.accept()
        signal.pthread_kill(main, signal.SIGINT)
        peer.wait_for_client()
        left.set()

    api.execs = [play]
    with pytest.raises(KeyboardInterrupt):
        StreamExecutor(cluster).run(POD, ["true"], timeout_s=60)
    assert left.wait(10)


PLUGIN = """\
#!{python}
import json, os, time
with open({runs!r}, "a") as file:
    file.write("x")
run = os.path.getsize({runs!r})
time.sleep({seconds})
status = {{"token": f"t{{run}}"}}
answer = {{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}}
print(json.dumps({{**answer, "status": status}}))
"""


@pytest.fixture
def with_plugin(
    api: ScriptedApi, write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> Callable[[float], tuple[Cluster, Path]]:
    """A cluster whose token comes from a plugin that says t1, t2, ...; and the log of its runs."""

    def make(seconds: float) -> tuple[Cluster, Path]:
        path, runs = tmp_path / "plugin", tmp_path / "runs"
        path.write_text(PLUGIN.format(python=sys.executable, runs=str(runs), seconds=seconds))
        path.chmod(0o755)
        spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}
        return connect(write_kubeconfig(api.url, user={"exec": spec}), None), runs

    return make


def accepts_only(token: str) -> Callable[[ExecPeer], None]:
    def play(peer: ExecPeer) -> None:
        if peer.headers["Authorization"] == f"Bearer {token}":
            succeeds(peer)
        else:
            body = json.dumps(status(401, "Unauthorized", "Unauthorized")[1]).encode()
            peer.refuse(401, body)

    return play


def test_an_expired_token_is_renewed_once_for_all_who_need_it(
    api: ScriptedApi, with_plugin: Callable[[float], tuple[Cluster, Path]]
) -> None:
    cluster, runs = with_plugin(0.2)
    assert runs.read_text() == "x"
    api.execs = [accepts_only("t2")]
    executor = StreamExecutor(cluster)
    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(lambda _: executor.run(POD, ["true"], timeout_s=30), range(12)))
    cluster.close()
    assert all(isinstance(one, Completed) for one in done)
    assert runs.read_text() == "xx"
    assert executor.retries.counts() == {"http 401": sum(one.attempts - 1 for one in done)}


def test_a_token_that_stays_refused_is_refused(
    api: ScriptedApi, with_plugin: Callable[[float], tuple[Cluster, Path]]
) -> None:
    cluster, runs = with_plugin(0)
    api.execs = [accepts_only("another")]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=3)
    cluster.close()
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.REFUSED
    assert "401" in done.detail
    assert len(runs.read_text()) <= done.attempts + 1


def test_a_token_that_never_worked_is_tried_once(api: ScriptedApi, cluster: Cluster) -> None:
    cluster.access.experience.user_known = False
    api.execs = [accepts_only("another")]
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=30)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)


def test_a_token_that_worked_before_is_tried_again(api: ScriptedApi, cluster: Cluster) -> None:
    api.execs = [accepts_only("another"), accepts_only("another"), succeeds]
    executor = StreamExecutor(cluster)
    done = executor.run(POD, ["true"], timeout_s=30)
    assert isinstance(done, Completed)
    assert executor.retries.counts() == {"http 401": 2}


def test_a_login_that_takes_its_time_does_not_hold_up_the_loop(
    api: ScriptedApi, with_plugin: Callable[[float], tuple[Cluster, Path]]
) -> None:
    cluster, runs = with_plugin(0)
    plugin = runs.with_name("plugin")
    plugin.write_text(plugin.read_text().replace("sleep(0)", "sleep(3)"))
    cluster.access.credentials.renew("Bearer t1")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(StreamExecutor(cluster).run, POD, ["true"], timeout_s=1)
        while not slow.done():
            cluster.loop.run(asyncio.sleep(0))
        done = slow.result()
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.DEADLINE
    assert "credential" in done.detail
    cluster.close()


def test_a_login_that_fails_is_told_in_its_words(
    api: ScriptedApi, with_plugin: Callable[[float], tuple[Cluster, Path]]
) -> None:
    cluster, runs = with_plugin(0)
    runs.with_name("plugin").write_text("#!/bin/sh\necho log in first >&2\nexit 1\n")
    cluster.access.credentials.renew("Bearer t1")
    done = StreamExecutor(cluster).run(POD, ["true"], timeout_s=30)
    cluster.close()
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)
    assert "log in first" in done.detail


def test_a_stream_keeps_what_comes_after_a_deadline_of_its_reader(
    api: ScriptedApi, cluster: Cluster
) -> None:
    asked = threading.Event()

    def play(peer: ExecPeer) -> None:
        peer.accept()
        assert asked.wait(10)
        peer.send(1, b"late")
        peer.close()

    async def read() -> list[tuple[int, bytes] | None]:
        stream = await open_exec(cluster.access, POD, ["true"], time.monotonic() + 10)
        frames = [await stream.receive(time.monotonic() + 10)]
        with pytest.raises(StreamFailed):
            await stream.receive(time.monotonic() + 0.01)
        asked.set()
        frames += [await stream.receive(time.monotonic() + 10) for _ in range(2)]
        await stream.close()
        return frames

    api.execs = [play]
    assert cluster.loop.run(read()) == [(1, b""), (1, b"late"), None]
