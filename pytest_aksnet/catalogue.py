"""The catalogue of checks: a page made from the test files of suites. Nothing is run.

    python -m pytest_aksnet.catalogue suites docs/checks.md

Owns what the page says of a check: its sentence, why it matters, when it runs, what it needs of the
cluster and of the user, and its remedy.
"""

import importlib.util
import inspect
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from pytest_aksnet.collection import all_controls, docstring_of
from pytest_aksnet.control_file import read_controls
from pytest_aksnet.model.controls import Controls
from pytest_aksnet.model.record import FEATURES, Severity
from pytest_aksnet.needs import FIXTURES, MARKER, NAMED, Need, together

_USAGE = "usage: python -m pytest_aksnet.catalogue SUITES PAGE"
_RUNS = {
    "node": "once for each node that takes part",
    "node_pair": "once for each pair of a ring of nodes",
    "node_pool": "once for each agent pool",
}
_HEAD = """# Checks

{count} checks, {critical} of them critical. Each is a function below `suites/`, and its node id
runs it alone. This page is made from the functions:
`python -m pytest_aksnet.catalogue suites docs/checks.md`.

A check passes, fails, or is inconclusive where it could not look. It is skipped where its promise
does not concern the cluster, or where the user does not allow what it needs; the reason is printed.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One check. `function` is its node id, `fixtures` the names of its arguments.

    `says` is what its docstring says (collection.docstring_of), `lines` its length without that.
    """

    id: str
    feature: str
    severity: Severity
    controls: tuple[str, ...]
    needs: tuple[str, ...]
    fixtures: tuple[str, ...]
    function: str
    says: dict[str, str]
    lines: int

    @property
    def when(self) -> str:
        """How often it runs in one run of the suites, and under which condition."""
        runs = next((text for name, text in _RUNS.items() if name in self.fixtures), "once")
        condition = self.says["When"].rstrip(".")
        return f"{runs}; {condition}" if condition else runs

    @property
    def need(self) -> Need:
        """What it asks of cluster and user: fixtures do themselves, or the internal ones below."""
        names = [one for name in self.fixtures for one in (name, f"aksnet_{name}")]
        return together(
            [
                *(FIXTURES[name] for name in names if name in FIXTURES),
                *(NAMED[name] for name in self.needs),
            ]
        )


def read_entries(folder: Path) -> list[Entry]:
    """The checks of all test files below a folder, by feature and id.

    Raises what importing a test file raises.
    """
    controls = read_controls(None)
    found = [
        entry
        for file in sorted(folder.rglob("test_*.py"))
        for entry in _entries_of(file, folder, controls)
    ]
    return sorted(found, key=lambda entry: (FEATURES.index(entry.feature), entry.id))


def page(entries: Sequence[Entry]) -> str:
    """The page as Markdown."""
    critical = sum(entry.severity is Severity.CRITICAL for entry in entries)
    parts = [_HEAD.format(count=len(entries), critical=critical), _overview(entries)]
    for feature in _features(entries):
        parts.append(f"\n## {feature}\n")
        parts += [_section(entry) for entry in entries if entry.feature == feature]
    return "".join(parts)


def _features(entries: Iterable[Entry]) -> list[str]:
    present = {entry.feature for entry in entries}
    return [feature for feature in FEATURES if feature in present]


def _overview(entries: Sequence[Entry]) -> str:
    rows = ["| topic | checks | critical | major | minor | info |", "|---|--:|--:|--:|--:|--:|"]
    for feature in _features(entries):
        counts = Counter(entry.severity for entry in entries if entry.feature == feature)
        cells = (str(counts[severity]) for severity in Severity)
        rows.append(
            f"| [{feature}](#{feature}) | {counts.total()} | {' | '.join(cells)} |",
        )
    return "\n".join(rows) + "\n"


def _section(entry: Entry) -> str:
    facts = [
        f"severity {entry.severity.value}",
        *([f"controls {', '.join(entry.controls)}"] if entry.controls else []),
    ]
    lines = [
        f"\n### {entry.id}\n",
        entry.says[""],
        f"\n* {'; '.join(facts)}",
        *(
            f"* {label}: {_sentence(text)}"
            for label, text in (
                ("Why", entry.says["Why"]),
                ("When", entry.when),
                ("Needs", "; ".join(_needs(entry))),
                ("Remedy", entry.says["Remedy"]),
            )
            if text
        ),
        f"* Function: `{entry.function}`",
    ]
    return "\n".join(lines) + "\n"


def _needs(entry: Entry) -> list[str]:
    need = entry.need
    named = together(NAMED[name] for name in entry.needs)
    texts = [f"allowed actions: {', '.join(sorted(need.actions))}"] if need.actions else []
    if need.two_nodes:
        texts.append("two nodes")
    if "netshoot" in entry.fixtures or "iperf" in entry.fixtures:
        texts.append("pods of its own or of the run")
    if rights := sorted(str(right) for right in (*named.rights, *named.optional)):
        texts.append(f"rights: {', '.join(rights)}")
    return texts or ["to read the cluster's nodes"]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _entries_of(file: Path, folder: Path, controls: Controls) -> Iterable[Entry]:
    module = _load(file)
    for name, function in inspect.getmembers(module, inspect.isfunction):
        for mark in getattr(function, "pytestmark", ()):
            if mark.name == MARKER:
                nodeid = f"{file.relative_to(folder.parent)}::{name}"
                yield _entry(function, mark, nodeid, controls)


def _load(file: Path) -> ModuleType:
    """The module of a test file, which gets into nobody's way: sys.modules does not know it."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _entry(function: FunctionType, mark: pytest.Mark, nodeid: str, controls: Controls) -> Entry:
    told = mark.kwargs
    source = inspect.getsource(function)
    docstring = inspect.getdoc(function) or ""
    return Entry(
        id=told["id"],
        feature=told["feature"],
        severity=Severity(told["severity"]),
        controls=all_controls(controls, told["id"], told.get("controls", ())),
        needs=tuple(told.get("needs", ())),
        fixtures=tuple(inspect.signature(function).parameters),
        function=nodeid,
        says=docstring_of(function),
        lines=len(source.splitlines()) - len(docstring.splitlines()),
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page. Returns the exit status."""
    if len(arguments) != 2 or not Path(arguments[0]).is_dir():
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    Path(arguments[1]).write_text(page(read_entries(Path(arguments[0]))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
