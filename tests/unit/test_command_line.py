"""The line to paste does what the argv does, and brings nothing of its own to a terminal."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.model.command_line import shell_line

HOSTILE = [
    "plain",
    "",
    "two words",
    '$(touch /tmp/x) `id` ; rm -rf / && | > < * ? ! ~ # "',
    "it's",
    "line\nbreak and 'quote'",
    "tab\tand \\ back",
    "\x1b]0;title\x07\x1b[31m",
    "acct\u202etxt",
    "wow! it's\n!!",
    "grün 中文",
    "-q",
]


def back(line: str) -> list[bytes]:
    """The words that bash takes the line for."""
    script = f"printf '%s\\0' {line}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    return ended.stdout.split(b"\0")[:-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("word", HOSTILE)
def test_a_shell_reads_what_was_meant(word: str) -> None:
    assert back(shell_line(["x", word, "y"])) == [b"x", word.encode(), b"y"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_a_shell_reads_any_words(words: list[str]) -> None:
    assert back(shell_line(words)) == [word.encode() for word in words]


@given(st.lists(st.text(st.characters(codec=None))))
def test_nothing_but_printable_characters_is_on_the_line(words: list[str]) -> None:
    assert shell_line(words).isprintable()


def test_ordinary_commands_look_as_people_write_them() -> None:
    argv = ["kubectl", "exec", "-n", "a", "pod", "--", "dig", "-t", "A", "-q", "a b"]
    assert shell_line(argv) == "kubectl exec -n a pod -- dig -t A -q 'a b'"
