"""Writes SVG 1.1: boxes, lines and text, nothing else. Pure; the same calls give the same text."""

from html import escape

CHARACTER = 6.7
"""The width of a character of text at the usual size, in pixels: the font is monospaced."""
LINE = 15.0
"""The height of a line of text, in pixels."""

_STYLE = (
    "text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#1b1f24}"
    ".title{font-weight:bold}.dim{fill:#57606a}.bad{fill:#c1121f;font-weight:bold}"
    "rect{fill:#fff;stroke:#8c959f}.net{fill:#eef4fb;stroke:#5b84b1}.subnet{fill:#f8fafc}"
    ".cloud{fill:#f3f0fa;stroke:#8a6fb5}.edge{fill:#fdf6e3;stroke:#b58900}"
    ".broken{fill:#fff0f0;stroke:#c1121f;stroke-width:2}.pod{fill:#dbeafe;stroke:#5b84b1}"
    "line{stroke:#57606a;stroke-width:1.2}.down{stroke:#c1121f;stroke-dasharray:5 4}"
)


class Drawing:
    """Collects what is drawn; what comes later lies above."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._width = self._height = 0.0

    def box(
        self, x: float, y: float, width: float, height: float, kind: str = "", hint: str = ""
    ) -> None:
        """A rectangle; `kind` is a class of the style, `hint` what a pointer over it shows."""
        self._reach(x + width, y + height)
        title = f"<title>{escape(hint)}</title>" if hint else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"'
            f' class="{escape(kind)}">{title}</rect>'
        )

    def text(self, x: float, y: float, text: str, kind: str = "", room: float = 0.0) -> None:
        """A line of text whose top is at `y`, cut to `room` pixels where that is not 0."""
        shown = fitting(text, room) if room else text
        self._reach(x + len(shown) * CHARACTER, y + LINE)
        title = f"<title>{escape(text)}</title>" if shown != text else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y + 11:g}" class="{escape(kind)}">{escape(shown)}{title}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "") -> None:
        """A straight line."""
        self._reach(max(x1, x2), max(y1, y2))
        self._parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{escape(kind)}"/>'
        )

    def render(self, title: str, margin: float = 16.0) -> str:
        """The document."""
        width, height = self._width + margin, self._height + margin
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
            f' viewBox="0 0 {width:g} {height:g}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )

    def _reach(self, x: float, y: float) -> None:
        self._width, self._height = max(self._width, x), max(self._height, y)


def fitting(text: str, room: float) -> str:
    """A text cut to so many pixels, in its middle, where names of Kubernetes differ least."""
    most = max(int(room / CHARACTER), 3)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
