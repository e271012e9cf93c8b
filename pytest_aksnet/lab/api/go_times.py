"""Times as Go reads them, for the types that the API server is strict about.

metav1.MicroTime is read with the layout RFC3339Micro: exactly six digits behind the point.
"""

import re

_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_SECONDS = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
)
_FRACTION = re.compile(r"\.\d{6}")
_ZONE = re.compile(r"Z|[-+]\d\d:\d\d")


def cannot_parse_micro(text: str) -> str:
    """What Go's time.Parse says against a MicroTime; empty where it reads it."""
    rest = text
    for pattern, element in ((_SECONDS, "2006"), (_FRACTION, ".000000"), (_ZONE, "Z07:00")):
        found = pattern.match(rest)
        if found is None:
            return f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{rest}" as "{element}"'
        rest = rest[found.end() :]
    return f'parsing time "{text}": extra text: "{rest}"' if rest else ""
