"""What a real API server sent over exec, fed to our client: fidelity from the other side.

The recorded commands ran without the envelope, so as they are none of them may count as completed.
With the end marks that the envelope adds, those that ran to an end must.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_aksnet.cluster import exec as exec_module
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.model.execution import Completed, Execution, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef
from tests.lab import recordings
from tests.unit.cluster.scripted_api import ExecPeer, ScriptedApi

pytestmark = pytest.mark.skipif(
    not recordings.FOLDER.is_dir(), reason="no recordings of a real API server beside the checkout"
)

CLOSE, PONG = 8, 10  # opcodes
POD = PodRef(namespace="recx", name="x", container="c", node="n", ip="10.0.0.9")
# No stream of one exec: statistics, a series of answers, plain HTTP.
OTHER = {"exec-output-loss", "exec-while-starting", "exec-plain-get"}


def streams() -> dict[str, dict[str, Any]]:
    """Every recorded handshake with its frames, by the name of its recording."""
    found = {}
    for path in sorted(recordings.FOLDER.glob("exec-*.json")):
        if path.stem not in OTHER:
            document = recordings.load(recordings.FOLDER, path.stem)
            many = "handshake_request" not in document
            for key, stream in document.items() if many else [("", document)]:
                if isinstance(stream, dict) and "handshake_request" in stream:
                    found[" ".join(filter(None, (path.stem, key)))] = stream
    return found


def replay(stream: dict[str, Any], *, marked: bool) -> Callable[[ExecPeer], None]:
    """Answers as the recording does; `marked` adds what the envelope prints at its end."""
    code = int(stream["handshake_response"][0].split(" ")[1])
    headers = dict(line.split(": ", 1) for line in stream["handshake_response"][1:])

    def play(peer: ExecPeer) -> None:
        if not is_upgraded(stream):
            body = stream["handshake_body"]
            text = body if isinstance(body, str) else json.dumps(body)
            peer.refuse(code, text.encode(), headers.get("Content-Type", "text/plain"))
            return
        peer.accept(headers.get("Sec-WebSocket-Protocol", ""), greet=False)
        for frame in stream["received_frames"]:
            if frame["opcode"] == CLOSE:
                peer.close(frame["close_code"])
            elif frame["opcode"] == PONG:
                peer.pong(b"aksnet")
            else:
                exit_code = ended_with(frame)
                if marked and exit_code is not None:
                    mark = f"\n{peer.nonce} {exit_code}\n".encode()
                    peer.send(1, mark)
                    peer.send(2, mark)
                peer.send(frame["channel"], payload_of(frame))
        if not is_closed(stream):
            peer.wait_for_client()

    return play


def is_upgraded(stream: dict[str, Any]) -> bool:
    return str(stream["handshake_response"][0]).startswith("HTTP/1.1 101")


def is_closed(stream: dict[str, Any]) -> bool:
    return [frame["opcode"] for frame in stream["received_frames"]][-1:] == [CLOSE]


def payload_of(frame: dict[str, Any]) -> bytes:
    """What a frame carried; of long ones the recording keeps the start, the length, or the JSON."""
    if "payload_hex" in frame:
        return bytes.fromhex(frame["payload_hex"])
    if "payload_json" in frame:
        return json.dumps(frame["payload_json"]).encode()
    size = int(frame["length"]) - 1
    start = str(frame["payload_text_start"]).encode()
    return (start * (size // len(start) + 1))[:size]


def ended_with(frame: dict[str, Any]) -> int | None:
    """The exit code where a frame is the Status of a command that ran to its end."""
    status = frame.get("payload_json")
    if frame.get("channel") != 3 or status is None:
        return None
    if status["status"] == "Success":
        return 0
    causes = status.get("details", {}).get("causes", [])
    return next((int(c["message"]) for c in causes if c.get("reason") == "ExitCode"), None)


@pytest.fixture
def run(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Execution]:
    """Feeds a recording to the executor. The pod itself is gone: the server knows none."""
    monkeypatch.setattr(exec_module, "backoff_s", lambda state: 0.0)

    def run_recorded(name: str, *, marked: bool) -> Execution:
        stream = STREAMS[name]
        api.execs = [replay(stream, marked=marked)]
        ends = not is_upgraded(stream) or is_closed(stream)  # else somebody stopped reading
        return StreamExecutor(cluster).run(POD, ["true"], timeout_s=20 if ends else 0.3)

    return run_recorded


STREAMS = streams()
# The handshake was refused: the reason, and words of the server that must come through.
REFUSED = {
    "exec-403": (Reason.REFUSED, 'cannot get resource "pods/exec"'),
    "exec-anonymous": (Reason.REFUSED, 'User "system:anonymous" cannot get'),
    "exec-bad-container": (Reason.REFUSED, "container nope is not valid for pod x"),
    "exec-badtoken": (Reason.REFUSED, "401: Unauthorized"),
    "exec-base64": (Reason.REFUSED, "unsupported subprotocol: base64.channel.k8s.io"),
    "exec-channel-k8s-io": (Reason.REFUSED, "unsupported subprotocol: channel.k8s.io"),
    "exec-completed-pod": (Reason.POD_GONE, 'container not found ("c"): pod recx/x is deleted'),
    "exec-imagepull-pod": (Reason.POD_GONE, 'container not found ("c")'),
    "exec-no-pod": (Reason.POD_GONE, 'pods "nopod" not found'),
    "exec-no-streams": (Reason.REFUSED, "at least 1 of stdin, stdout, stderr"),
    "exec-no-subprotocol": (Reason.REFUSED, "chose none of the exec protocols"),
    "exec-pending-pod": (Reason.REFUSED, "pod pend does not have a host assigned"),
    "exec-rbac-verbs create-only v4": (Reason.REFUSED, "cannot get"),
    "exec-rbac-verbs create-only v5": (Reason.REFUSED, "cannot get"),
    "exec-rbac-verbs get-only v4": (Reason.REFUSED, "needs both get and create on pods/exec"),
    "exec-rbac-verbs get-only v5": (Reason.REFUSED, "needs both get and create on pods/exec"),
    "exec-two-containers-noparam": (Reason.REFUSED, "choose one of: [c side]"),
    "exec-unknown-subprotocol": (Reason.REFUSED, "403: no text"),
    "exec-v4-base64": (Reason.REFUSED, "unsupported subprotocol: v4.base64.channel.k8s.io"),
}
# The command did not run to an end of its own, so its envelope would print nothing either.
UNFINISHED = {
    "exec-no-command": (Reason.REFUSED, "failed to start exec"),
    "exec-process-after-disconnect first": (Reason.DEADLINE, ""),
    "exec-v4-client-close": (Reason.STATUS_LOST, "without a status"),
    "exec-v4-notexecutable": (Reason.REFUSED, "permission denied"),
    "exec-v4-notfound": (Reason.REFUSED, "no such file or directory"),
    "exec-v4-pod-deleted": (Reason.POD_GONE, "the command was killed: pod recx/x is deleted"),
    "exec-v4-stdin-cat": (Reason.DEADLINE, ""),
    "exec-v4-stdin-textframe": (Reason.STATUS_LOST, "without a status"),
    "exec-v5-client-close": (Reason.STATUS_LOST, "without a status"),
    "exec-v5-container-exits": (Reason.POD_GONE, "the command was killed"),
    "exec-v5-notexecutable": (Reason.REFUSED, "permission denied"),
    "exec-v5-notfound": (Reason.REFUSED, "no such file or directory"),
    "exec-v5-pod-deleted": (Reason.POD_GONE, "the command was killed"),
    "exec-v5-pod-force-deleted": (Reason.POD_GONE, "the command was killed"),
}
# We never ask for a tty: with one, v4 loses output, which is what that recording shows.
TTY = {"exec-v4-tty", "exec-v5-tty"}
FINISHED = sorted(STREAMS.keys() - REFUSED.keys() - UNFINISHED.keys() - TTY)
KILLED = {"exec-v4-sigkill", "exec-v5-sigkill"}


@pytest.mark.parametrize("name", sorted(REFUSED.keys() | UNFINISHED.keys()))
def test_what_did_not_run_to_an_end_is_told_with_its_reason(
    run: Callable[..., Execution], name: str
) -> None:
    reason, words = {**REFUSED, **UNFINISHED}[name]
    done = run(name, marked=False)
    assert isinstance(done, NotCompleted)
    assert done.reason is reason
    assert words in done.detail


@pytest.mark.parametrize("name", sorted({*FINISHED, *TTY} - KILLED))
def test_a_status_alone_proves_no_end(run: Callable[..., Execution], name: str) -> None:
    done = run(name, marked=False)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.STATUS_LOST
    assert "end mark is missing" in done.detail


@pytest.mark.parametrize("name", FINISHED)
def test_with_its_end_marks_a_command_is_completed(
    run: Callable[..., Execution], name: str
) -> None:
    done = run(name, marked=True)
    frames = STREAMS[name]["received_frames"]
    payloads = [(frame["channel"], payload_of(frame)) for frame in frames if "channel" in frame]
    sent = {n: b"".join(data for channel, data in payloads if channel == n) for n in (1, 2)}
    assert isinstance(done, Completed)
    assert (done.stdout, done.stderr) == tuple(sent[n].decode("utf-8", "replace") for n in (1, 2))
    assert done.exit_code == next(code for code in map(ended_with, frames) if code is not None)
    assert done.attempts == 1


def test_no_recording_is_left_out() -> None:
    assert len(STREAMS) >= 50
    assert {"exec-v4-exit3", "exec-v5-exit3", "exec-v5-idle35", *KILLED} <= {*FINISHED}
