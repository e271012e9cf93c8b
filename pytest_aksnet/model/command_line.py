"""Writes an argv as one line that a person may paste into a shell, whatever stands in it.

Pure. The line does the same as the argv and shows all of it: no line break, tab or terminal code
gets to the terminal of the person, neither when it is shown nor when it is pasted.
"""

import shlex
from collections.abc import Sequence

_NAMED = {"!": r"\041", "\n": r"\n", "\t": r"\t", "\\": r"\\", "'": r"\'"}


def shell_line(argv: Sequence[str]) -> str:
    """The words quoted for a shell: as POSIX has it, and $'...' for what cannot be shown.

    bash, zsh, ksh and POSIX.1-2024 read $'...'; an older sh does not.
    """
    return " ".join(map(_word, argv))


def _word(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))
