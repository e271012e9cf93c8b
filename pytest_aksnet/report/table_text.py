"""Truth tables of NetworkPolicies as text, for terminals and auditors. Pure.

A row is a source; a block of a row is a destination, with one sign per port.
"""

from collections.abc import Iterator, Sequence

import yaml

from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.policy_table import Mark
from pytest_aksnet.report.redaction import one_line
from pytest_aksnet.report.serialisation import to_json

RIGHT = "."
UNCERTAIN = "~"
LEGEND = "+ open, - closed, ! odd answer, ? not looked at, blank: not asked for"
DIFFERENCE_LEGEND = (
    f"{RIGHT} as expected; wrong: + is open, - is closed, ! answers oddly; ? proves nothing; "
    f"{UNCERTAIN} not as expected, where documents leave it open"
)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast, where it was built
_CORNER = "from \\ to"
_MOST_ROWS = 40


def difference(table: PolicyTable) -> tuple[str, ...]:
    """Rows like those of `expected`, in the signs of DIFFERENCE_LEGEND."""
    uncertain = {cell_of(sentence) for sentence in table.open_answers}
    return tuple(
        "".join(
            _sign(expected, seen, uncertain=bool(uncertain) and name in uncertain)
            for expected, seen, name in zip(should, was, names, strict=True)
        )
        for should, was, names in zip(table.expected, table.seen, cell_names(table), strict=True)
    )


def cell_names(table: PolicyTable) -> Iterator[list[str]]:
    """The name of each cell, row by row: how its sentences begin."""
    for source in table.pods:
        yield [f"{source} to {to} at {port}" for to in table.pods for port in table.ports]


def cell_of(sentence: str) -> str:
    """The cell that a sentence of a table is about."""
    return sentence.partition(": ")[0]


def blocks(row: str, table: PolicyTable) -> list[str]:
    """A row cut by destinations."""
    width = len(table.ports)
    return [row[index * width : (index + 1) * width] for index in range(len(table.pods))]


def policy_yaml(table: PolicyTable) -> str:
    """The policies that held, as YAML; empty without any."""
    if not table.policies:
        return ""
    documents = [to_json(policy) for policy in table.policies]
    return yaml.dump_all(documents, Dumper=_DUMPER, sort_keys=False, width=100)


def heading(table: PolicyTable) -> str:
    """Which case and step it is."""
    step = f", step {table.step}" if _has_own_step(table) else ""
    return f"{table.case}: {table.title}{step}"


def _has_own_step(table: PolicyTable) -> bool:
    """Whether the step's title says more than the case's; the only step of a case often has it."""
    return table.step not in ("", table.title)


def about(table: PolicyTable) -> list[str]:
    """What is to be said of a step before its cells, in sentences."""
    facts = [f"{table.cells} cells: {table.wrong} wrong, {table.unseen} left open"]
    if table.converged_s is not None:
        facts.append(f"every cell that had to change did so within {table.converged_s:.2f} s")
    facts.append(f"{table.probes} probes in {table.duration_s:.2f} s")
    facts.append(f"expected of engine {table.engine} ({table.document})")
    facts += [f"{sentence}: {count} cells" for sentence, count in table.departures.items()]
    if table.late:
        slowest, seconds = max(table.late.items(), key=lambda item: item[1])
        facts.append(
            f"wrong at first: {len(table.late)} cells, longest {slowest} for {seconds:.2f} s"
        )
    if table.problem:
        facts.append(f"problem: {table.problem}")
    return [one_line(fact) for fact in facts]


def table_lines(table: PolicyTable) -> list[str]:
    """Everything of a step: facts, the three tables, sentences of cells, policies."""
    lines = [one_line(heading(table)), *(f"  {fact}" for fact in about(table))]
    if table.pods:
        lines.append(f"  ports of each destination, in order: {', '.join(table.ports)}")
        lines += ["", f"  expected ({LEGEND})", *_grid(table, table.expected)]
        lines += ["", "  seen", *_grid(table, table.seen)]
        if table.wrong or table.unseen or table.open_answers:
            lines += ["", f"  difference ({DIFFERENCE_LEGEND})", *_grid(table, difference(table))]
    for title, sentences in (
        ("wrong", table.wrong_cells),
        ("not as expected, where documents leave it open", table.open_answers),
    ):
        if sentences:
            lines += ["", f"  {title}:", *(f"    {one_line(sentence)}" for sentence in sentences)]
            if title == "wrong" and table.wrong > len(sentences):
                lines.append(f"    and {table.wrong - len(sentences)} more")
    if table.places:
        lines += ["", "  pods:"]
        lines += [f"    {one_line(pod)}: {one_line(at)}" for pod, at in table.places.items()]
    if table.policies:
        text = policy_yaml(table).rstrip("\n")
        lines += ["", "  policies:", *(f"    {line}" for line in text.split("\n"))]
    return lines


def difference_text(tables: Sequence[PolicyTable]) -> str:
    """The rows of the steps that are not as expected, for a message; empty where there are none."""
    lines: list[str] = []
    for table in tables:
        marked = difference(table)
        told = [index for index, row in enumerate(marked) if set(row) - {RIGHT, " "}]
        if not told:
            continue
        step = f"step {one_line(table.step)}: " if _has_own_step(table) else ""
        lines.append(f"{step}ports of each destination: {', '.join(table.ports)}")
        shown = told[:_MOST_ROWS]
        lines += _grid(table, marked, only=shown)
        if len(told) > len(shown):
            lines.append(f"  and {len(told) - len(shown)} more rows")
    return "\n".join([*lines, DIFFERENCE_LEGEND]) if lines else ""


def _sign(expected: str, seen: str, *, uncertain: bool) -> str:
    if seen == Mark.UNSEEN.value:
        return seen
    if seen in (" ", expected):
        return " " if seen == " " else RIGHT
    if uncertain:
        return UNCERTAIN
    if expected == Mark.CLOSED.value and seen == Mark.ODD.value:
        return Mark.UNSEEN.value
    return seen


def _grid(
    table: PolicyTable, rows: Sequence[str], only: Sequence[int] | None = None
) -> Iterator[str]:
    """A table with a line of destinations on top; `only` has the rows that are shown."""
    names = [one_line(pod) for pod in table.pods]
    left = max(len(_CORNER), *map(len, names))
    widths = [max(len(name), len(table.ports)) for name in names]
    heads = (name.ljust(width) for name, width in zip(names, widths, strict=True))
    yield f"  {_CORNER.ljust(left)} | {' '.join(heads)}".rstrip()
    for index in range(len(rows)) if only is None else only:
        cells = (
            block.ljust(width)
            for block, width in zip(blocks(rows[index], table), widths, strict=True)
        )
        yield f"  {names[index].ljust(left)} | {' '.join(cells)}".rstrip()
