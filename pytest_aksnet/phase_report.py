"""Makes pytest's own report of a test of ours fit to be shown and sent: visible and bounded.

Messages of assertions, captured output and properties hold what peers have said. From here they go
to the terminal, to junit.xml and the page, and over the wire between the processes of a run.
"""

import dataclasses

import pytest

from pytest_aksnet.report.redaction import clean, visible

_MAX_LINES = 400
_MESSAGE = "E"  # pytest begins the lines of an exception's message with it
_MAX_LINE = 8192


def clean_report(report: pytest.TestReport) -> None:
    """Clean traceback, captured output and properties of a report in place."""
    if isinstance(report.longrepr, str):
        report.longrepr = clean(report.longrepr)
    elif report.failed:
        _clean_tree(report.longrepr)
    elif isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = (path, line, clean(reason))
    report.sections[:] = [(name, clean(content)) for name, content in report.sections]


def cleaned_properties(properties: list[tuple[str, object]]) -> list[tuple[str, object]]:
    """The same properties with clean texts."""
    return [(name, clean(v) if isinstance(v, str) else v) for name, v in properties]


def _clean_tree(node: object) -> None:
    """Clean the lines and messages in pytest's representation of an exception."""
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if field.name == "lines":
            setattr(node, field.name, _lines(value))
        elif isinstance(value, str):
            setattr(node, field.name, clean(value))
        elif field.name == "args":
            setattr(node, field.name, [(name, clean(text)) for name, text in value])
        elif isinstance(value, list | tuple):
            for inner in value:
                _clean_parts(inner)
        else:
            _clean_tree(value)


def _clean_parts(value: object) -> None:
    for part in value if isinstance(value, tuple) else (value,):
        _clean_tree(part)


def _lines(lines: list[str]) -> list[str]:
    """Lines of source as they are, those of a message redacted; the middle of many left out."""
    cleaned = [
        clean(line, _MAX_LINE) if line.startswith(_MESSAGE) else visible(line[:_MAX_LINE])
        for line in lines
    ]
    if len(cleaned) <= _MAX_LINES + 1:  # one is the note that some are left out
        return cleaned
    half = _MAX_LINES // 2
    gap = f"{_MESSAGE}   [{len(cleaned) - 2 * half} lines left out]"
    return [*cleaned[:half], gap, *cleaned[-half:]]
