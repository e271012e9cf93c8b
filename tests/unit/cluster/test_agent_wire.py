"""The agent's protocol as text: nothing that a value holds ends a word or a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.cluster.agent_wire import (
    NotUnderstood,
    list_lines,
    probe_words,
    read_answer,
    read_line,
)
from pytest_aksnet.model.probing import Finding, Kind, Probe


@given(st.text(max_size=200))
def test_a_value_stays_one_word_of_printable_ascii(value: str) -> None:
    words = probe_words(Probe(kind=Kind.HTTP, host="h", port=80, options={"path": value}))
    assert words.startswith("h h 80 2 path=")
    assert len(words.split(" ")) == 5
    assert words.isascii()
    assert words.isprintable()


def test_a_list_has_the_indexes_of_the_whole() -> None:
    words = [probe_words(Probe(kind=Kind.TCP, host=f"10.0.0.{n}", port=80)) for n in range(4)]
    assert list_lines(7, 1.5, words, [1, 3]) == (
        b"list 7 1.500 2\np 1 t 10.0.0.1 80 2\np 3 t 10.0.0.3 80 2\n"
    )


def test_a_repeated_probe_says_until_when() -> None:
    until = frozenset({Finding.TIMEOUT, Finding.OK})
    probe = Probe(kind=Kind.UDP, host="::1", port=53, until=until, within_s=15.0, times=2)
    assert probe_words(probe) == "u ::1 53 2 until=ok,timeout within=15 times=2"


@pytest.mark.parametrize("line", [b"", b"x", b"[]", b"{}", b'{"n": "1"}', b"\xff", b'{"n":1'])
def test_what_no_agent_writes_is_not_understood(line: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_line(line)


@pytest.mark.parametrize("said", [{}, {"v": "good", "ms": 1, "at": 1}, {"v": "ok"}, {"v": []}])
def test_an_answer_without_its_parts_is_not_understood(said: dict[str, object]) -> None:
    with pytest.raises(NotUnderstood):
        read_answer(said)
