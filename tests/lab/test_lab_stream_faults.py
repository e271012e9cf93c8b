"""Faults of exec streams: healthy, injected, healed, as the frames show them."""

import contextlib
import json

import pytest

from tests.lab.raw_api import (
    CLOSED,
    ENDED,
    ENDED_WITHIN,
    RESET,
    SILENT,
    STDIN,
    RawApi,
    output,
    status_of,
)
from tests.lab.user import User

MANY = 300
_SILENCE_S = 0.3


class Pod:
    """A pod to run commands in."""

    def __init__(self, api: RawApi, user: User) -> None:
        self.api = api
        self.namespace = user.namespace
        user.create_pod("p")
        user.ready("p")

    def end_of(self, *argv: str) -> str:
        """How an exec ends."""
        return self.api.exec_to_end(self.namespace, "p", *argv)[1]


@pytest.fixture
def pod(api: RawApi, user: User) -> Pod:
    """A pod in a lab that is healed afterwards."""
    return Pod(api, user)


def test_streams_are_cut_in_each_way(pod: Pod) -> None:
    assert pod.end_of("echo", "hi") == CLOSED
    pod.api.inject("exec-stream-cut=1")
    seen = set[str]()
    for _ in range(MANY):
        seen.add(pod.end_of("echo", "hi"))
        if seen >= {ENDED, ENDED_WITHIN, RESET}:
            break
    assert seen == {ENDED, ENDED_WITHIN, RESET}
    pod.api.heal("exec-stream-cut")
    assert pod.end_of("echo", "hi") == CLOSED


def test_an_open_stream_is_cut_when_the_fault_comes_and_its_process_sees_the_end(pod: Pod) -> None:
    script = "echo begun; cat; sleep 0.1; touch /tmp/ended"
    with contextlib.closing(
        pod.api.exec(pod.namespace, "p", "sh", "-c", script, stdin=True)
    ) as stream:
        assert stream.next() == (1, b"begun\n")
        pod.api.inject("exec-stream-cut=1")
        frames, end = stream.frames()
        assert frames == []
        assert end in (ENDED, ENDED_WITHIN, RESET)
    pod.api.heal("exec-stream-cut")
    assert pod.end_of("sh", "-c", "until [ -e /tmp/ended ]; do sleep 0.01; done") == CLOSED


def test_a_half_open_stream_carries_nothing_either_way(pod: Pod) -> None:
    with contextlib.closing(
        pod.api.exec(pod.namespace, "p", "tee", "/tmp/got", stdin=True)
    ) as stream:
        stream.send(STDIN, b"one\n")
        assert stream.next() == (1, b"one\n")
        stream.ping()
        assert stream.next() == (-1, b"")
        pod.api.inject("exec-half-open=1")
        stream.send(STDIN, b"two\n")
        stream.ping()
        assert stream.frames(_SILENCE_S) == ([], SILENT)
        pod.api.heal("exec-half-open")
        frames, _ = pod.api.exec_to_end(pod.namespace, "p", "cat", "/tmp/got")
        assert output(frames) == b"one\n"


def test_a_healed_half_open_way_does_not_know_the_old_connection(pod: Pod) -> None:
    with contextlib.closing(pod.api.exec(pod.namespace, "p", "cat", stdin=True)) as stream:
        pod.api.inject("exec-half-open=1")
        pod.api.heal("exec-half-open")
        frames, end = stream.frames()
        assert frames == []
        assert end in (RESET, ENDED)


def test_a_new_stream_becomes_half_open_at_its_status_at_the_latest(pod: Pod) -> None:
    pod.api.inject("exec-half-open=1")
    with contextlib.closing(pod.api.exec(pod.namespace, "p", "true")) as stream:
        assert stream.status == 101
        frames, end = stream.frames(_SILENCE_S)
    assert (status_of(frames), end) == (None, SILENT)


def test_a_lost_status_leaves_all_else(pod: Pod) -> None:
    pod.api.inject("exec-status-lost=1")
    assert pod.api.exec_to_end(pod.namespace, "p", "echo", "hi") == ([(1, b"hi\n")], CLOSED)
    pod.api.heal("exec-status-lost")
    frames, _ = pod.api.exec_to_end(pod.namespace, "p", "echo", "hi")
    assert status_of(frames) == {"metadata": {}, "status": "Success"}


def test_a_false_status_says_success(pod: Pod) -> None:
    def status() -> str:
        frames, end = pod.api.exec_to_end(pod.namespace, "p", "sh", "-c", "exit 3")
        assert end == CLOSED
        return str(status_of(frames)["status"])

    assert status() == "Failure"
    pod.api.inject("exec-false-success=1")
    assert status() == "Success"
    pod.api.heal("exec-false-success")
    assert status() == "Failure"


def test_the_tail_of_the_output_is_lost_but_not_what_came_before(pod: Pod) -> None:
    script = "echo first; sleep 0.3; echo last"
    pod.api.inject("exec-output-lost=1")
    frames, end = pod.api.exec_to_end(pod.namespace, "p", "sh", "-c", script)
    assert (output(frames), end) == (b"first\n", CLOSED)
    assert status_of(frames)["status"] == "Success"
    pod.api.heal("exec-output-lost")
    frames, _ = pod.api.exec_to_end(pod.namespace, "p", "sh", "-c", script)
    assert output(frames) == b"first\nlast\n"


def test_execs_are_refused_in_the_words_of_kubelets_and_tunnels(pod: Pod, user: User) -> None:
    node = user.pod("p").status.host_ip
    wanted = {
        (500, 'container not found ("main")'),
        (500, "error dialing backend: No agent available"),
        (500, f"error dialing backend: dial tcp {node}:10250: connect: connection refused"),
        (503, "the server is currently unable to handle the request"),
        (504, "Timeout: request did not complete within the allotted timeout"),
    }
    pod.api.inject("exec-refused=1")
    seen = set[tuple[int, str]]()
    for _ in range(MANY):
        with contextlib.closing(pod.api.exec(pod.namespace, "p", "true")) as stream:
            text = stream.body.decode()
            if stream.headers["content-type"] == "application/json":
                text = json.loads(text)["message"]
            seen.add((stream.status, text))
        if seen >= wanted:
            break
    assert seen == wanted
    pod.api.heal("exec-refused")
    assert pod.end_of("true") == CLOSED
