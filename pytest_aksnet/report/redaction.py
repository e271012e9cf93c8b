"""Takes secrets, terminal codes and excess out of text before it is kept. Pure.

Patterns rather than known values: what is redacted here was never known to us as a secret.
"""

import re

MAX_STREAM_CHARS = 65536
_REDACTED = "[redacted]"

_SECRETS = (
    # PEM private keys
    (
        re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL),
        _REDACTED,
    ),
    # JSON Web Tokens: service account tokens, Entra ID tokens
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), _REDACTED),
    (
        re.compile(r"(?i)\b(authorization\s*[:=]\s*['\"]?(?:bearer|basic)\s+)[^\s'\"]+"),
        rf"\1{_REDACTED}",
    ),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/-]{16,}=*"), rf"\1{_REDACTED}"),
    # storage keys and shared access signatures
    (re.compile(r"(?i)\b((?:AccountKey|SharedAccessKey)=)[^;\s'\"]+"), rf"\1{_REDACTED}"),
    (re.compile(r"([?&]sig=)[^&\s'\"]+"), rf"\1{_REDACTED}"),
    # credentials in addresses
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]+:)[^\s@'\"]+@"), rf"\1{_REDACTED}@"),
    (
        re.compile(
            r"(?i)(\b[\w-]*(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[:=]\s*[\"']?)"
            r"(?!\[redacted\])[^\s\"',;&]{4,}"
        ),
        rf"\1{_REDACTED}",
    ),
)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def redact(text: str) -> str:
    """The text without what looks like a key, a token or a password."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def clean(text: str, limit: int = MAX_STREAM_CHARS) -> str:
    """The text as it is kept: redacted, without terminal codes, at most about `limit` characters.

    Where it is longer the middle is left out, and the gap says how much that was.
    """
    text = redact(_CONTROL.sub("", _ANSI.sub("", text)))
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    return f"{text[:head]}\n[{len(text) - head - tail} characters left out]\n{text[-tail:]}"
