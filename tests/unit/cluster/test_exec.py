"""What the executor makes of everything that an exec stream can do."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_aksnet.cluster.attempt import OUTPUT_LIMIT
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.envelope import SCRIPT
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.model.execution import Completed, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef
from tests.unit.cluster.scripted_api import ExecPeer, ScriptedApi, status

POD = PodRef(namespace="ns", name="p", container="probe", node="n", ip="10.0.0.9", uid="u1")
POD_PATH = "/api/v1/namespaces/ns/pods/p"


@pytest.fixture
def run(api: ScriptedApi, cluster: Cluster) -> Callable[..., Completed | NotCompleted]:
    """Runs `true` against a script of exec answers."""

    def run_scripted(
        *execs: Callable[[ExecPeer], None], timeout_s: float = 5.0
    ) -> Completed | NotCompleted:
        api.execs = list(execs)
        return StreamExecutor(cluster).run(POD, ["true"], timeout_s=timeout_s)

    return run_scripted


Run = Callable[..., Completed | NotCompleted]


def succeeds(peer: ExecPeer) -> None:
    peer.accept()
    peer.finish(0, stdout=b"hi\n")


def test_a_command_that_ends_well_is_completed(run: Run, api: ScriptedApi) -> None:
    done = run(succeeds)
    assert isinstance(done, Completed)
    assert (done.exit_code, done.stdout, done.stderr, done.attempts) == (0, "hi\n", "", 1)
    assert done.argv == ("true",)
    [peer] = api.exec_peers
    assert peer.command[:4] == ["sh", "-c", SCRIPT, "sh"]
    assert peer.command[5:] == ["6", "0", "true"]  # 5 s, and the envelope's second more
    assert peer.path == f"{POD_PATH}/exec"
    assert peer.parameters == {
        "container": "probe",
        "stdin": "true",
        "stdout": "true",
        "stderr": "true",
        "tty": "false",
    }
    assert peer.headers["Sec-WebSocket-Protocol"] == "v5.channel.k8s.io, v4.channel.k8s.io"
    assert peer.headers["Authorization"] == "Bearer s3cret"


def test_output_without_a_last_line_break_stays_exact(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.finish(0, stdout=b"no break", stderr=b"\n\n")

    done = run(play)
    assert (done.stdout, done.stderr) == ("no break", "\n\n")


@pytest.mark.parametrize("code", [1, 3, 126, 127, 137, 255])
def test_a_bad_exit_code_is_a_result(run: Run, code: int) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.finish(code, stderr=b"no\n")

    done = run(play)
    assert isinstance(done, Completed)
    assert (done.exit_code, done.stderr, done.attempts) == (code, "no\n", 1)


def test_a_server_that_speaks_only_v4_is_understood(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept("v4.channel.k8s.io")
        peer.send(1, f"x\n{peer.nonce} 3\n".encode())
        peer.send(2, f"\n{peer.nonce} 3\n".encode())
        causes = [{"reason": "ExitCode", "message": "3"}]
        text = "error executing command [bash -c exit 3], exit code 3"
        answer = {"status": "Failure", "message": text, "details": {"causes": causes}}
        peer.send(3, json.dumps(answer).encode())
        peer.close()

    done = run(play)
    assert isinstance(done, Completed)
    assert (done.exit_code, done.stdout) == (3, "x")


def test_a_character_split_over_frames_arrives_whole(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        for byte in "€uro €".encode():
            peer.send(1, bytes([byte]))
        peer.finish(0)

    assert run(play).stdout == "€uro €"


def test_bytes_that_are_no_utf8_are_replaced(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.finish(0, stdout=b"a\xff\xfeb")

    assert run(play).stdout == "a��b"


def test_five_megabytes_arrive_whole(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        for _ in range(160):
            peer.send(1, b"x" * 32768)
        peer.finish(0)

    done = run(play, timeout_s=20)
    assert isinstance(done, Completed)
    assert len(done.stdout) == 160 * 32768


def test_output_over_the_limit_is_not_completed(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        for _ in range(OUTPUT_LIMIT // 65536 + 2):
            peer.send(1, b"x" * 65536)
        peer.wait_for_client()

    done = run(play, timeout_s=20)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.CUT
    assert "8 MiB" in done.detail
    assert done.attempts == 1


def test_a_stream_cut_half_way_is_tried_again_and_counted(run: Run) -> None:
    def cut(peer: ExecPeer) -> None:
        peer.accept()
        peer.send(1, b"half")

    done = run(cut, succeeds)
    assert isinstance(done, Completed)
    assert (done.stdout, done.attempts) == ("hi\n", 2)


def test_a_stream_that_is_always_cut_is_not_completed(run: Run) -> None:
    def cut(peer: ExecPeer) -> None:
        peer.accept()
        peer.send(1, b"half")

    done = run(cut)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout, done.attempts) == (Reason.CUT, "half", 3)


def test_a_close_that_is_not_normal_is_a_cut(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.send(1, b"half")
        peer.close(1011)

    done = run(play)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.CUT
    assert "1011" in done.detail


def test_a_missing_farewell_does_not_spoil_a_proven_end(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        mark = f"\n{peer.nonce} 0\n".encode()
        peer.send(1, b"hi" + mark)
        peer.send(2, mark)
        peer.exit_status(0)

    done = run(play)
    assert isinstance(done, Completed)
    assert (done.stdout, done.attempts) == ("hi", 1)


def test_a_missing_status_is_not_completed(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        mark = f"\n{peer.nonce} 0\n".encode()
        peer.send(1, b"hi" + mark)
        peer.send(2, mark)
        peer.close()

    done = run(play)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout, done.attempts) == (Reason.STATUS_LOST, "hi", 3)


def test_a_success_without_the_end_mark_is_not_completed(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.send(1, b"hi\n")
        peer.exit_status(0)
        peer.close()

    done = run(play)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout) == (Reason.STATUS_LOST, "hi\n")


def test_a_status_that_contradicts_the_command_is_not_completed(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        mark = f"\n{peer.nonce} 7\n".encode()
        peer.send(1, mark)
        peer.send(2, mark)
        peer.exit_status(0)
        peer.close()

    done = run(play)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.STATUS_LOST
    assert "[7, 7]" in done.detail


def test_lost_standard_error_is_not_completed(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.send(1, f"\n{peer.nonce} 0\n".encode())
        peer.exit_status(0)
        peer.close()

    done = run(play)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.STATUS_LOST


def test_a_missing_shell_is_refused_at_once_with_the_text(run: Run) -> None:
    text = 'OCI runtime exec failed: exec: "sh": executable file not found in $PATH'

    def play(peer: ExecPeer) -> None:
        peer.accept()
        answer = {"status": "Failure", "message": text, "reason": "InternalError", "code": 500}
        peer.send(3, json.dumps(answer).encode())
        peer.close()

    done = run(play)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)
    assert text in done.detail


def killed(peer: ExecPeer) -> None:
    peer.accept()
    peer.send(1, b"started\n")
    peer.exit_status(137)
    peer.close()


def test_a_command_killed_with_its_pod_says_so(run: Run) -> None:
    done = run(killed)  # the scripted server knows no such pod: 404
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout, done.attempts) == (Reason.POD_GONE, "started\n", 1)
    assert "ns/p is deleted" in done.detail


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"metadata": {"uid": "other"}}, "replaced"),
        ({"metadata": {"uid": "u1", "deletionTimestamp": "now"}}, "being deleted"),
        (
            {
                "metadata": {"uid": "u1"},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [{"name": "probe", "state": {"terminated": {}}}],
                },
            },
            "container of pod ns/p has ended",
        ),
        (
            {
                "metadata": {"uid": "u1"},
                "status": {
                    "phase": "Failed",
                    "reason": "Evicted",
                    "message": "The node was low on resource: memory.",
                    "containerStatuses": [{"name": "probe", "state": {"terminated": {}}}],
                },
            },
            "pod ns/p has ended (Evicted: The node was low on resource: memory.)",
        ),
    ],
)
def test_how_the_pod_went_is_told(
    run: Run, api: ScriptedApi, pod: dict[str, object], words: str
) -> None:
    api.answer("GET", POD_PATH, (200, pod))
    done = run(killed)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.POD_GONE
    assert words in done.detail


def test_a_kill_in_a_living_pod_is_a_lost_status(run: Run, api: ScriptedApi) -> None:
    states = [{"name": "probe", "restartCount": 0, "state": {"running": {}}}]
    living = {
        "metadata": {"uid": "u1"},
        "status": {"phase": "Running", "containerStatuses": states},
    }
    api.answer("GET", POD_PATH, (200, living))
    done = run(killed)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.STATUS_LOST, 1)


def refuses(
    code: int, body: bytes, kind: str = "application/json", **headers: str
) -> Callable[[ExecPeer], None]:
    return lambda peer: peer.refuse(code, body, kind, **headers)


def error_body(code: int, reason: str, message: str) -> bytes:
    return json.dumps(status(code, reason, message)[1]).encode()


def test_a_pod_that_does_not_exist_is_gone(run: Run) -> None:
    done = run(refuses(404, error_body(404, "NotFound", 'pods "p" not found')))
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.POD_GONE, 1)
    assert 'pods "p" not found' in done.detail


def test_a_missing_right_is_refused_and_named(run: Run) -> None:
    done = run(refuses(403, error_body(403, "Forbidden", 'pods "p" is forbidden: ')))
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)
    assert "get and create on pods/exec" in done.detail


NOT_FOUND = b'container not found ("probe")\n'


def test_a_container_that_has_not_started_yet_is_waited_for(run: Run, api: ScriptedApi) -> None:
    states = [{"name": "probe", "restartCount": 1, "state": {"waiting": {}}}]
    waiting = {
        "metadata": {"uid": "u1"},
        "status": {"phase": "Running", "containerStatuses": states},
    }
    api.answer("GET", POD_PATH, (200, waiting))
    refused = refuses(500, NOT_FOUND, "text/plain")
    done = run(refused, refused, refused, refused, succeeds)
    assert isinstance(done, Completed)
    assert done.attempts == 5  # more than for commands that may have run
    done = run(refused, timeout_s=0.5)
    assert isinstance(done, NotCompleted)
    assert done.reason in (Reason.POD_GONE, Reason.DEADLINE)  # whichever the last try met
    assert 'container not found ("probe")' in done.detail


def test_an_evicted_pod_is_gone_at_once_with_the_reason(run: Run, api: ScriptedApi) -> None:
    evicted = {"metadata": {"uid": "u1"}, "status": {"phase": "Failed", "reason": "Evicted"}}
    api.answer("GET", POD_PATH, (200, evicted))
    done = run(refuses(500, NOT_FOUND, "text/plain"))
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.POD_GONE, 1)
    assert 'container not found ("probe"): pod ns/p has ended (Evicted)' in done.detail


def test_an_empty_refusal_is_refused(run: Run) -> None:
    done = run(refuses(403, b""))
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.REFUSED


def test_throttling_is_waited_out_as_the_server_asks(run: Run) -> None:
    body = error_body(429, "TooManyRequests", "too many requests")
    started = time.monotonic()
    done = run(refuses(429, body, Retry_After="1"), succeeds)
    assert isinstance(done, Completed)
    assert done.attempts == 2
    assert time.monotonic() - started >= 1.0


def test_a_broken_backend_is_tried_again(run: Run) -> None:
    done = run(
        refuses(500, error_body(500, "InternalError", "error dialing backend: EOF")), succeeds
    )
    assert isinstance(done, Completed)
    assert done.attempts == 2


def test_a_silent_stream_ends_at_the_deadline(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.send(1, b"so far")
        peer.wait_for_client()

    done = run(play, timeout_s=0.3)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.stdout, done.attempts) == (Reason.DEADLINE, "so far", 1)


def test_a_handshake_without_answer_ends_at_the_deadline(run: Run) -> None:
    done = run(lambda peer: peer.wait_for_client(), timeout_s=0.3)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.DEADLINE


def test_the_deadline_closes_the_stream_so_that_the_command_ends(
    run: Run, api: ScriptedApi
) -> None:
    left = threading.Event()

    def play(peer: ExecPeer) -> None:
        peer.accept()
        peer.wait_for_client()
        left.set()

    run(play, timeout_s=0.2)
    assert left.wait(5)


def test_no_try_starts_that_the_deadline_would_cut(run: Run) -> None:
    def play(peer: ExecPeer) -> None:
        peer.refuse(429, b"", Retry_After="9")

    started = time.monotonic()
    done = run(play, timeout_s=1.0)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.REFUSED, 1)
    assert time.monotonic() - started < 5


def test_an_api_server_that_is_down_is_refused(run: Run, api: ScriptedApi) -> None:
    api.stop()
    done = run(succeeds, timeout_s=1)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.REFUSED
    assert done.attempts > 1
    assert "cannot be reached" in done.detail


def test_many_threads_share_one_executor(api: ScriptedApi, cluster: Cluster) -> None:
    def echo(peer: ExecPeer) -> None:
        peer.accept()
        peer.finish(0, stdout=peer.command[-1].encode())

    api.execs = [echo]
    executor = StreamExecutor(cluster)
    with ThreadPoolExecutor(16) as pool:
        done = list(
            pool.map(lambda n: executor.run(POD, ["echo", str(n)], timeout_s=20), range(64))
        )
    assert [one.stdout for one in done] == [str(n) for n in range(64)]


def test_hostile_arguments_arrive_as_they_are(api: ScriptedApi, cluster: Cluster) -> None:
    api.execs = [succeeds]
    hostile = ["$(id)", "a&command=b", "x\n\r", "\x1b[31m", "<b>", "é€", ""]
    done = StreamExecutor(cluster).run(POD, hostile, timeout_s=5)
    assert isinstance(done, Completed)
    assert api.exec_peers[0].command[7:] == hostile
    StreamExecutor(cluster).run(POD, ["lone \ud800 surrogate"], timeout_s=5)


def test_the_command_line_is_quoted_and_reaches_the_same_cluster(cluster: Cluster) -> None:
    line = StreamExecutor(cluster).command_line(POD, ["sh", "-c", "echo 'a b'; $(x)"])
    kubeconfig = cluster.access.kubectl[1]
    assert line == (
        f"kubectl --kubeconfig {kubeconfig} exec -n ns p -c probe -- "
        """sh -c 'echo '"'"'a b'"'"'; $(x)'"""
    )
