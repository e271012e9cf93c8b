"""The agent's protocol as text: probes to lines, lines to answers. Pure.

Towards the pod only words of printable ASCII go: whatever else a value has is percent-encoded, so
no value can end a word, a line or a command.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.probing import Answer, Finding, Probe

_SAFE = "/:.,_-@+*"
_HOST = re.compile(r"[A-Za-z0-9_.:-]{0,253}\Z")
_KEY = re.compile(r"[a-z_]{1,32}\Z")
_LONGEST_LINE = 60_000
_FINDINGS = {finding.value: finding for finding in Finding}


class NotUnderstood(ValueError):
    """A line that no agent of ours writes."""


def probe_words(probe: Probe) -> str:
    """A probe without its index. Raises SettingsError for what the agent would not take."""
    if not _HOST.match(probe.host) or not 0 <= probe.port <= 65535 or probe.timeout_s <= 0:
        raise SettingsError(
            f"a probe needs a host name or address, a port and a timeout above 0: "
            f"{probe.host[:80]!r}, {probe.port}, {probe.timeout_s}"
        )
    words = f"{probe.kind.value} {probe.host or '-'} {probe.port} {probe.timeout_s:g}"
    if probe.options:
        words += "".join(f" {_option(*option)}" for option in probe.options.items())
    if probe.until:
        found = ",".join(sorted(finding.value for finding in probe.until))
        words += f" until={found} within={probe.within_s:g} times={probe.times}"
    if len(words) > _LONGEST_LINE:
        raise SettingsError(f"a probe of {probe.host} has options of {len(words)} characters")
    return words


def _option(key: str, value: str) -> str:
    if not _KEY.match(key):
        raise SettingsError(f"no probe has an option {key[:40]!r}")
    return f"{key}={quote(value, safe=_SAFE)}" if value else f"{key}=-"


def list_lines(number: int, budget_s: float, probes: Sequence[str], wanted: Sequence[int]) -> bytes:
    """The list of the `wanted` of these probes (their words), each with its own index."""
    lines = [f"list {number} {budget_s:.3f} {len(wanted)}"]
    lines += [f"p {index} {probes[index]}" for index in wanted]
    return ("\n".join(lines) + "\n").encode("ascii")


def ping_line(number: int) -> bytes:
    """A ping; the answer has the same number."""
    return b"ping %d\n" % number


def read_line(line: bytes) -> dict[str, Any]:
    """One line of an agent. Raises NotUnderstood."""
    try:
        said = json.loads(line)
    except ValueError as error:
        raise NotUnderstood(line[:200].decode("ascii", "backslashreplace")) from error
    if not isinstance(said, dict) or not isinstance(said.get("n"), int):
        raise NotUnderstood(line[:200].decode("ascii", "backslashreplace"))
    return said


def read_answer(said: Mapping[str, Any]) -> Answer:
    """The answer that a line has. Raises NotUnderstood."""
    try:
        first = said.get("first")
        return Answer(
            _FINDINGS[said["v"]],
            said["ms"],
            said["at"],
            said.get("x") or {},
            said.get("tries", 1),
            _FINDINGS[first] if first else None,
            said.get("streak", 0),
        )
    except (KeyError, TypeError) as error:
        raise NotUnderstood(str(dict(said))[:200]) from error


def split_lines(rest: bytes, data: bytes) -> tuple[bytes, Iterable[bytes]]:
    """What is left of an unfinished line, and the whole lines before it."""
    lines = (rest + data).split(b"\n")
    return lines.pop(), lines
