"""Texts that peers might send, and what must be true of everything that a run leaves of them."""

import json
import re
import xml.etree.ElementTree as ElementTree
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

MARK = "h0stile"
# Each must show itself where it gets through: as markup, code, colour, title, or broken text.
TEXTS = (
    f"$(touch {MARK}) `touch {MARK}`; touch {MARK} | touch {MARK} && touch {MARK}",
    f"\x1b[31m\x1b[8m{MARK}\x1b]0;{MARK}\x07\x1b]8;;http://{MARK}\x1b\\\x1bP{MARK}\x1b\\\x9b31m",
    f"<script>{MARK}()</script><img src=x onerror={MARK}()><a href='javascript:{MARK}()'>",
    f"\"'><svg/onload={MARK}()>]]><!-- --> &lt;script&gt;{MARK}&lt;/script&gt; {{{{7*7}}}}",
    f"nul\0 bell\x07 back\x08\x08 feed\x0c {MARK}\r[2K passed \x7f \x85 \u2028 \u2029",
    f"bidi \u202egnp.{MARK}\u2066 \u200b\ufeff half \ud800 \udfff tag \U000e0041 \uffff",
    f"one\nPASSED two\n  evidence: {MARK}\nverdict: pass: three",
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
# What pytest itself writes where it may use colour.
_OF_OURS = ("h1", "h2", "p", "div", "span", "table", "tr", "td", "th", "thead", "tbody", "br")
_OF_THE_PAGE = ("template", "img", "video", "source", "button", "input", "footer")
_OF_ITS_HEAD = ("html", "head", "meta", "title", "style", "body", "a", "script")


def check_terminal(text: str) -> None:
    """No terminal code, nor any character that moves or hides others."""
    found = _CONTROL.search(text.replace("\r\n", "\n"))
    assert found is None, text[max(0, found.start() - 80) : found.end() + 80].encode(
        "unicode_escape"
    )


def check_reports(folder: Path) -> None:
    """Every file of the report can be parsed, and none carries what was sent as what it was."""
    for name in ("results.json", "results.jsonl", "junit.xml", "report.html"):
        check_terminal((folder / name).read_text("utf-8"))
    for path in folder.rglob("evidence.txt"):
        check_terminal(path.read_text("utf-8"))
    for path in [folder / "results.jsonl", *folder.rglob("attempts.jsonl")]:
        for line in path.read_text("utf-8").split("\n")[:-1]:
            check_terminal(line)
            _no_controls(json.loads(line))
    _no_controls(json.loads((folder / "results.json").read_text("utf-8")))
    for element in ElementTree.parse(folder / "junit.xml").getroot().iter():
        check_terminal((element.text or "") + "".join(element.attrib.values()))
    check_page((folder / "report.html").read_text("utf-8"))


def _no_controls(value: object) -> None:
    if isinstance(value, str):
        check_terminal(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _no_controls(key)
            _no_controls(inner)
    elif isinstance(value, list):
        for inner in value:
            _no_controls(inner)


def check_page(page: str) -> None:
    """No element, handler or link is there that the page itself does not have.

    Rows and logs of tests are markup within JSON within an attribute: the page's script sets them
    as the inner HTML of its elements.
    """
    outer = _Markup()
    outer.feed(page)
    blob = re.search(r'data-jsonblob="([^"]*)"', page)
    assert blob is not None
    inner = _Markup()
    for rows in json.loads(unescape(blob[1]))["tests"].values():
        for row in rows:
            for text in [*row["resultsTableRow"], row["log"]]:
                inner.feed(text)
                inner.feed("<br>")  # whatever was left open ends in the next one
    assert outer.scripts == 1
    assert inner.scripts == 0
    for markup in (outer, inner):
        markup.close()
        assert not [found for found in markup.handlers if "location.reload()" not in found]
        assert not [
            link for link in markup.links if link.lower().startswith(("javascript", "data"))
        ]
        known = {*_OF_OURS, *_OF_THE_PAGE, *_OF_ITS_HEAD}
        assert markup.tags <= known, markup.tags - known
    assert inner.tags <= {"td", "div", "span", "a", "br"}, inner.tags


class _Markup(HTMLParser):
    """What a browser would make of a text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down an element with what it may do."""
        self.tags.add(tag)
        self.scripts += tag == "script"
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(f"{name}={value}")
            if name in ("href", "src", "action"):
                self.links.append(value or "")
