"""What a rule about one fact gives: the sources that say it, or why none does. Data only."""

from typing import NamedTuple


class Seen(NamedTuple):
    """One source that says what a fact is."""

    value: str
    source: str


class Unknown(NamedTuple):
    """Why no source says it."""

    why: str


Finding = list[Seen] | Unknown  # the first one seen counts, the others may contradict it
