"""The envelope around a command in a pod: its own end mark, proven against the stream's status.

Pure text. A stream that reports success although the command failed, or loses the tail of the
output, is a known defect of exec on managed clusters (cilium issue 22162); so the command itself
says how it ended, on both output streams, and only agreement counts.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

# $1 is the nonce, the rest the command. POSIX sh; run with dash, bash and busybox ash.
# The watcher reads standard input, which ends when the client closes the stream or vanishes: then
# the command is ended (TERM, after a second KILL), because the cluster itself would let it run on.
# The watcher is waited for: the pod's first process reaps no strangers. Its output is not ours, so
# that the stream does not stay open for it. A line break before the mark keeps output exact that
# does not end with one.
SCRIPT = """\
n=$1
shift
exec 3<&0
"$@" 3<&- &
c=$!
(
read -r x
kill -TERM "$c"
sleep 1
kill -KILL "$c"
) <&3 >/dev/null 2>&1 &
w=$!
exec 3<&-
wait "$c"
s=$?
{ kill "$w"; wait "$w"; } >/dev/null 2>&1
printf '\\n%s %s\\n' "$n" "$s" >&2
printf '\\n%s %s\\n' "$n" "$s"
exit "$s"
"""

_STATUS = re.compile(rb"(\d{1,3})\n\Z")


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What the stream itself said at its end (channel 3).

    `exit_code` is None where it says that no command ran to an end; `text` says why.
    """

    exit_code: int | None
    text: str


def wrap(argv: Sequence[str], nonce: str) -> list[str]:
    """The argv that runs `argv` in its envelope. Needs standard input attached to the stream."""
    return ["sh", "-c", SCRIPT, "sh", nonce, *argv]


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
