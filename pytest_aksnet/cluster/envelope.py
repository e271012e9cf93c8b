"""The envelope around a command in a pod: its own end mark, proven against the stream's status.

Pure text. A stream that reports success although the command failed, or loses the tail of the
output, is a known defect of exec on managed clusters (cilium issue 22162); so the command itself
says how it ended, on both output streams, and only agreement counts.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

# $1 is the nonce, $2 the seconds that the command may take, $3 the bytes of its standard input, the
# rest the command. POSIX sh; run with dash, bash and busybox ash.
# The watcher ends the command (TERM, after a second KILL) when the time is over, or when standard
# input ends because the client has closed the stream or vanished: the cluster itself would let it
# run on, and over a path that has silently died no end of input ever arrives. A command that was
# ended so leaves no end mark. `read -t` waits without a process; dash has none and needs `sleep`,
# whose end interrupts its `read` because CHLD has a trap. So does a command whose input is not ours
# to read: it gets just the bytes that were announced, since v4 cannot end an input.
# Whatever is started is waited for: the pod's first process reaps no strangers. $! tells the
# watcher's trap which processes are its own ($c is not); KILL, because a shell that has just forked
# still has that trap. The watcher's output is not ours, so that the stream does not stay open for
# it; nor is what a shell says about a job that was killed. A line break before the mark keeps
# output exact that does not end with one.
SCRIPT = """\
n=$1
t=$2
b=$3
shift 3
exec 3<&0
if [ "$b" -gt 0 ]; then
head -c "$b" <&3 2>/dev/null 3<&- | "$@" 3<&- &
else
"$@" 3<&- &
fi
c=$!
(
read -r -t 1 x </dev/null
if [ $? -lt 2 ] && [ "$b" -eq 0 ]; then
read -r -t "$t" x
trap '[ "$!" = "$c" ] || kill -KILL "$!"; wait; exit 9' TERM
else
trap 'trap - CHLD; [ "$!" = "$c" ] || kill -KILL "$!"; wait; exit 0' TERM
trap : CHLD
sleep "$t" &
if [ "$b" -eq 0 ]; then
read -r x
else
wait "$!"
fi
trap - CHLD
trap 'kill -KILL "$!"; wait; exit 9' TERM
kill -KILL "$!"
wait "$!"
fi
kill -TERM "$c"
sleep 1 &
wait "$!"
kill -KILL "$c"
wait
exit 9
) <&3 >/dev/null 2>&1 &
w=$!
exec 3<&-
wait "$c" 2>/dev/null
s=$?
{ kill "$w"; wait "$w"; } >/dev/null 2>&1
[ "$?" -eq 9 ] && exit "$s"
printf '\\n%s %s\\n' "$n" "$s" >&2
printf '\\n%s %s\\n' "$n" "$s"
exit "$s"
"""

# What containerd and CRI-O say where the image has no such program, or may not execute it.
_CANNOT_START = ("failed to start exec", "executable file", "no such file", "permission denied")

_STATUS = re.compile(rb"(\d{1,3})\n\Z")


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What the stream itself said at its end (channel 3).

    `exit_code` is None where it says that no command ran to an end; `text` says why.
    """

    exit_code: int | None
    text: str


def wrap(argv: Sequence[str], nonce: str, *, seconds: int, stdin_bytes: int = 0) -> list[str]:
    """The argv that runs `argv` in its envelope, for `seconds` at most.

    Needs standard input attached to the stream; `argv` gets the first `stdin_bytes` of it.
    """
    return ["sh", "-c", SCRIPT, "sh", nonce, str(seconds), str(stdin_bytes), *argv]


def open_envelope(output: bytes, nonce: str) -> tuple[bytes, int] | None:
    """The command's own output and its exit code, or None where the end mark is not the end."""
    body, mark, rest = output.rpartition(b"\n" + nonce.encode("ascii") + b" ")
    status = _STATUS.match(rest) if mark else None
    return (body, int(status[1])) if status else None


def without_mark(output: bytes, nonce: str) -> bytes:
    """Output for evidence: without the end mark where there is one, else all of it."""
    opened = open_envelope(output, nonce)
    return opened[0] if opened else output


def read_status(frame: bytes) -> StreamStatus:
    """The Status of channel 3. v4 and v5 differ in texts, not in the ExitCode cause."""
    text = frame.decode("utf-8", errors="replace")
    try:
        status = json.loads(text)
        if status.get("status") == "Success":
            return StreamStatus(0, "")
        message = " ".join(str(status.get("message") or text).split())
        for cause in (status.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode":
                return StreamStatus(int(cause["message"]), message)
    except (ValueError, TypeError, AttributeError, KeyError):
        return StreamStatus(None, f"unknown status: {text[:300]}")
    return StreamStatus(None, message)


def cannot_start(status: StreamStatus) -> bool:
    """Whether the program itself could not be started, rather than its container be reached."""
    return status.exit_code is None and any(words in status.text for words in _CANNOT_START)
