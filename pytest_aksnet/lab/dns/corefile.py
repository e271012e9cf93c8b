"""Reads Corefiles: server blocks, the plugins in them, and their arguments. Pure, no I/O.

Source: CoreDNS manual, "Corefile Explained". Snippets, environment variables and schemes other than
plain DNS are not read, and files that are imported import nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

_DNS_PORT = "53"


class CorefileError(ValueError):
    """A text that CoreDNS would not start with; says why in its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A plugin or property with its arguments, and the properties in its braces."""

    name: str
    arguments: tuple[str, ...]
    body: tuple["Directive", ...] = ()

    def property(self, name: str) -> tuple[str, ...] | None:
        """The arguments of the first property of that name; None where there is none."""
        return next((one.arguments for one in self.body if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBlock:
    """The zones of a server block on port 53 ("" is the root), and its plugins."""

    zones: tuple[str, ...]
    plugins: tuple[Directive, ...]


def server_blocks(text: str, files: Mapping[str, str]) -> list[ServerBlock]:
    """The server blocks of a Corefile; `files` are those that it imports, by their paths.

    Raises CorefileError.
    """
    blocks = []
    for directive in _imported(_parse(_tokens(text)), files):
        keys = (directive.name, *directive.arguments)
        zones = tuple(_zone(key) for part in keys for key in part.split(",") if key)
        plugins = tuple(_imported(directive.body, files))
        blocks.append(ServerBlock(zones=zones, plugins=plugins))
    return blocks


def _imported(directives: Iterable[Directive], files: Mapping[str, str]) -> Iterator[Directive]:
    """The directives, with the content of files in the place of what imports them."""
    for directive in directives:
        if directive.name != "import":
            yield directive
            continue
        for path in sorted(files):
            if fnmatchcase(path, " ".join(directive.arguments)):
                yield from _parse(_tokens(files[path]))


def zone_name(text: str) -> str:
    """A zone in lower case without the final dot."""
    return text.lower().rstrip(".")


def _zone(key: str) -> str:
    name, colon, port = key.removeprefix("dns://").rpartition(":")
    if not colon:
        name, port = key, _DNS_PORT
    if port != _DNS_PORT:
        raise CorefileError(f"server block {key}: the lab's CoreDNS listens on port 53 only")
    return zone_name(name)


def _tokens(text: str) -> list[list[str]]:
    """Words by line; quotes keep blanks together, # begins a comment."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        words: list[str] = []
        rest = line.strip()
        while rest and not rest.startswith("#"):
            if rest.startswith('"'):
                word, rest = _quoted(rest, number)
            else:
                word, _, rest = rest.partition(" ") if " " in rest else (rest, "", "")
                word, tab, tail = word.partition("\t")
                rest = f"{tail} {rest}" if tab else rest
            words.append(word)
            rest = rest.strip()
        if words:
            lines.append(words)
    return lines


def _quoted(text: str, number: int) -> tuple[str, str]:
    word = ""
    position = 1
    while position < len(text):
        if text[position] == "\\" and text[position + 1 : position + 2] == '"':
            position += 1
        elif text[position] == '"':
            return word, text[position + 1 :]
        word += text[position]
        position += 1
    raise CorefileError(f"Corefile:{number} - Error during parsing: a quote is not closed")


def _parse(lines: Sequence[list[str]]) -> list[Directive]:
    stack: list[tuple[list[str], list[Directive]]] = [([], [])]
    for words in lines:
        if words == ["}"]:
            if len(stack) == 1:
                raise CorefileError("Error during parsing: unexpected '}'")
            head, body = stack.pop()
            stack[-1][1].append(_directive(head, body))
        elif words[-1] == "{":
            if len(words) == 1:
                raise CorefileError("Error during parsing: '{' without a name before it")
            stack.append((words[:-1], []))
        else:
            stack[-1][1].append(_directive(words, []))
    if len(stack) > 1:
        raise CorefileError("Error during parsing: unexpected end of file, '}' is missing")
    return stack[0][1]


def _directive(words: Sequence[str], body: Sequence[Directive]) -> Directive:
    return Directive(name=words[0], arguments=tuple(words[1:]), body=tuple(body))
