"""Takes secrets, terminal codes, hidden characters and excess out of text before it is kept. Pure.

What is cleaned here may come from anybody: peers that answer a probe, DNS servers, labels. The cost
is bounded by the limit, whatever the text: it is cut before anything looks for patterns in it, and
each pattern takes time in proportion to what is left. Whether ids of subscriptions are taken out
is switched for the whole process.
"""

import re

from pytest_aksnet.report.subscriptions import SubscriptionNames

MAX_STREAM_CHARS = 65536
_REDACTED = "[redacted]"
_SLACK = 100  # the note about a gap makes the text longer than the limit; it is not cut for that
_LONGEST_TOKEN = 4096

# Patterns rather than known values: what is redacted here was never known to us as a secret.
# Each begins where the one before could not: no text makes them read the same part many times.
_SECRETS = (
    # PEM private keys, one whose end is missing to the end of the text
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?"
            r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        _REDACTED,
    ),
    # JSON Web Tokens: service account tokens, Entra ID tokens
    (
        re.compile(
            r"(?<![\w-])((?>[\w-]*?\b(?=eyJ)))eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?", re.ASCII
        ),
        rf"\1{_REDACTED}",
    ),
    (
        re.compile(r"(?i)\b(authorization\s*[:=]\s*['\"]?(?:bearer|basic)\s+)[^\s'\"]+"),
        rf"\1{_REDACTED}",
    ),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/-]{16,}=*"), rf"\1{_REDACTED}"),
    # storage keys and shared access signatures
    (re.compile(r"(?i)\b((?:AccountKey|SharedAccessKey)=)[^;\s'\"]+"), rf"\1{_REDACTED}"),
    (re.compile(r"([?&]sig=)[^&\s'\"]+"), rf"\1{_REDACTED}"),
    # credentials in addresses
    (re.compile(r"(://[^\s:/@'\"]+:)[^\s@'\"]{1,512}+@"), rf"\1{_REDACTED}@"),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[:=]\s*[\"']?)"
            r"(?!\[redacted\]|\[\d+ characters left out)[^\s\"',;&]{4,}"
        ),
        rf"\1{_REDACTED}",
    ),
)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)|[@-Z\\-_])")
_END_OF_KEY = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_END_OF_TOKEN = re.compile(r"[\s\"'&;,]")


class _Visible(dict[int, str]):
    """Maps what cannot be seen, or moves what can, to an escape of Python. Learns as it goes."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if not character.isprintable() and character not in "\n\t":
            width, kind = (2, "x") if code < 0x100 else (4, "u") if code < 0x10000 else (8, "U")
            character = f"\\{kind}{code:0{width}x}"
        self[code] = character
        return character


_VISIBLE = _Visible()
_names: SubscriptionNames | None = None


def hide_subscriptions(names: SubscriptionNames | None) -> None:
    """From now on put these placeholders into all that is cleaned here; None ends that."""
    global _names
    _names = names


def _without_ids(text: str) -> str:
    return text if _names is None else _names.hide(text)


def redact(text: str) -> str:
    """The text without what looks like a key, a token or a password."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def visible(text: str) -> str:
    """The text without terminal codes; other characters that no terminal shows are escaped.

    Those are control characters but line feed and tab, marks that turn the direction of writing,
    spaces without width, halves of surrogate pairs, and what Unicode has not assigned.
    """
    return _without_ids(_ANSI.sub("", text).replace("\r\n", "\n").translate(_VISIBLE))


def clean(text: str, limit: int = MAX_STREAM_CHARS) -> str:
    """The text as it is kept: redacted, visible, at most about `limit` characters.

    Where it is longer the middle is left out, and the gap says how much that was.
    """
    return _cut(redact(visible(_cut(_without_ids(text), limit))), limit)


def one_line(text: str, limit: int = MAX_STREAM_CHARS) -> str:
    """The text cleaned, and its white space as single spaces."""
    return " ".join(clean(text, limit).split())


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit + _SLACK:
        return text
    head, tail = text[: limit * 3 // 4], _without_half_a_secret(text[-(limit // 4) :])
    return f"{head}\n[{len(text) - len(head) - len(tail)} characters left out]\n{tail}"


def _without_half_a_secret(tail: str) -> str:
    """What lies behind a gap without the rest of a key or token that began inside the gap."""
    end = _END_OF_KEY.search(tail)
    if end is not None and "-----BEGIN" not in tail[: end.start()]:
        return tail[end.end() :]
    longest = min(_LONGEST_TOKEN, len(tail) // 2)
    end = _END_OF_TOKEN.search(tail, 0, longest)
    return tail[end.start() if end is not None else longest :]
