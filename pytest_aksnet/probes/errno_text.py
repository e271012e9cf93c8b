"""Owns the words in which the C libraries report why a connection failed.

glibc and musl differ ("No route to host", "Host is unreachable"); netshoot is musl.
"""

from pytest_aksnet.model.observation import ConnectOutcome

_WORDS = (
    ("connection refused", ConnectOutcome.REFUSED),
    ("no route to host", ConnectOutcome.UNREACHABLE),
    ("host is unreachable", ConnectOutcome.UNREACHABLE),
    ("network is unreachable", ConnectOutcome.UNREACHABLE),
    ("network unreachable", ConnectOutcome.UNREACHABLE),
    ("connection timed out", ConnectOutcome.TIMEOUT),
    ("operation timed out", ConnectOutcome.TIMEOUT),
)


def outcome_of(text: str) -> ConnectOutcome | None:
    """The outcome that an error text names, or None for a text that names none of them."""
    lowered = text.lower()
    for words, outcome in _WORDS:
        if words in lowered:
            return outcome
    return None


def agreed(outcomes: list[ConnectOutcome]) -> ConnectOutcome:
    """One outcome for a host with several addresses: theirs if all agree, else OTHER."""
    return outcomes[0] if len(set(outcomes)) == 1 else ConnectOutcome.OTHER
