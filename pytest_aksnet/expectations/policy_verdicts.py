"""Judges truth tables of NetworkPolicies, and makes them observations. Pure.

A cell that was looked at and is wrong fails its case. One that was not looked at, or whose answer
proves nothing, leaves it open. Where the engine's documents leave the answer open, a cell may only
warn.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_aksnet.expectations.policy_patterns import WrongCell, patterns
from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.policy_table import CaseResult, CellName, CellResult, Mark, StepResult
from pytest_aksnet.model.verdict import Outcome, Verdict

_MOST_NAMED = 3
_MOST_KEPT = 60
_NOT_ASKED = " "
_KEPT_METADATA = ("name", "namespace", "labels")


def judge_case(result: CaseResult, nodes: Mapping[str, str]) -> Verdict:
    """The verdict over a case. `nodes` has the node of each pod by its name in the table.

    A pod without a node there is in no pattern of nodes.
    """
    wrong = [found for step in result.steps for found in _wrong(step)]
    warned = [
        sentence_of(name, cell)
        for step in result.steps
        for name, cell in step.cells.items()
        if cell.caveat and cell.wrong
    ]
    asked = sum(len(step.cells) for step in result.steps)
    unseen = sum(_is_open(cell) for step in result.steps for cell in step.cells.values())
    outcome, text = Outcome.PASS, f"all {asked} cells are as expected"
    missing = len(result.case.steps) - len(result.steps)
    if wrong:
        outcome, text = Outcome.FAIL, _failure(wrong, asked, nodes)
        if unseen:
            text += f"; {unseen} more could not be looked at"
    elif unseen or missing > 0 or result.problem or not asked:
        outcome, text = Outcome.INCONCLUSIVE, _open(result, unseen, asked, missing)
    elif warned:
        text = f"all {asked - len(warned)} cells that documents decide are as expected"
    return Verdict(
        outcome=outcome,
        sentence=f"{result.case.id} ({result.case.title}): {text}",
        source=result.document,
        warning=_listed(warned, "; "),
    )


def case_tables(result: CaseResult) -> tuple[PolicyTable, ...]:
    """A case as observations: one per step, and an empty one for steps that were not looked at."""
    tables = [policy_table(step, result) for step in result.steps]
    missing = result.case.steps[len(result.steps) :]
    if missing:
        blind = StepResult(
            title=missing[0].title,
            pods=(),
            ports=(),
            cells={},
            policies=(),
            converged_s=None,
            duration_s=0.0,
            probes=0,
            problem=result.problem or "not looked at",
        )
        tables.append(policy_table(blind, result))
    return tuple(tables)


def policy_table(step: StepResult, result: CaseResult) -> PolicyTable:
    """One step of a case as an observation."""
    versions = sorted({name.version for name in step.cells}) or [4]
    columns = [(port, version) for version in versions for port in step.ports]
    rows = [
        [
            step.cells.get(CellName(source, destination, port, version))
            for destination in step.pods
            for port, version in columns
        ]
        for source in step.pods
    ]
    wrong = [sentence_of(found.name, found.cell) for found in _wrong(step)]
    open_answers = [
        sentence_of(name, cell) for name, cell in step.cells.items() if cell.caveat and cell.wrong
    ]
    return PolicyTable(
        case=result.case.id,
        title=result.case.title,
        family=result.case.family,
        tags=result.case.tags,
        step=step.title,
        engine=result.engine,
        document=result.document,
        pods=step.pods,
        ports=tuple(
            f"{port.protocol} {port.number}" + (" over IPv6" if version == 6 else "")
            for port, version in columns
        ),
        expected=tuple("".join(_expected_sign(cell) for cell in row) for row in rows),
        seen=tuple(
            "".join(_NOT_ASKED if cell is None else cell.seen.value for cell in row) for row in rows
        ),
        cells=len(step.cells),
        wrong=len(wrong),
        unseen=sum(_is_open(cell) for cell in step.cells.values()),
        wrong_cells=tuple(wrong[:_MOST_KEPT]),
        open_answers=tuple(open_answers[:_MOST_KEPT]),
        problem=step.problem or _first_detail(step) or result.problem,
        converged_s=None if step.converged_s is None else round(step.converged_s, 3),
        duration_s=round(step.duration_s, 3),
        probes=step.probes,
        late={
            str(name): round(cell.late_s, 3) for name, cell in step.cells.items() if cell.late_s > 0
        },
        departures=dict(step.departures),
        policies=tuple(_policy(policy) for policy in step.policies),
    )


def sentence_of(name: CellName, cell: CellResult) -> str:
    """What a cell should be, how it was seen, and why it should be so."""
    should = "open" if cell.expected else "closed"
    detail = f" ({cell.detail})" if cell.detail else ""
    seen = {
        Mark.OPEN: "is open",
        Mark.CLOSED: "is closed",
        Mark.ODD: f"gives an odd answer{detail}",
        Mark.UNSEEN: f"could not be looked at{detail}",
    }[cell.seen]
    caveat = f"; not certain: {cell.caveat}" if cell.caveat else ""
    return f"{name}: should be {should} and {seen}: {cell.why}{caveat}"


def _wrong(step: StepResult) -> Iterator[WrongCell]:
    """The cells of a step that fail it."""
    for name, cell in step.cells.items():
        if cell.wrong and not cell.caveat:
            yield WrongCell(step=step, name=name, cell=cell)


def _is_open(cell: CellResult) -> bool:
    """Whether a cell that counts was seen as neither right nor wrong."""
    return not (cell.caveat or cell.wrong or cell.right)


def _failure(wrong: list[WrongCell], asked: int, nodes: Mapping[str, str]) -> str:
    steps = list(dict.fromkeys(found.step.title for found in wrong))
    where = f" in step {' and step '.join(map(repr, steps[:2]))}" if steps != [""] else ""
    text = f"{len(wrong)} of {asked} cells are wrong{where}"
    if shared := patterns(wrong, nodes):
        text += f" ({'; '.join(shared)})"
    return f"{text}: {_listed([sentence_of(found.name, found.cell) for found in wrong], '; ')}"


def _open(result: CaseResult, unseen: int, asked: int, missing: int) -> str:
    why = next(
        (
            text
            for step in result.steps
            for text in (step.problem, _first_detail(step))
            if text and any(_is_open(cell) for cell in step.cells.values())
        ),
        "",
    )
    why = result.problem or why
    if missing > 0:
        text = f"{missing} of {len(result.case.steps)} steps were not looked at"
    elif unseen:
        text = f"{unseen} of {asked} cells could not be looked at"
    else:
        text = "the table could not be looked at to its end" if asked else "nothing was looked at"
    return f"{text}: {why}" if why else text


def _first_detail(step: StepResult) -> str:
    return next((cell.detail for cell in step.cells.values() if _is_open(cell)), "")


def _listed(sentences: list[str], glue: str) -> str:
    more = len(sentences) - _MOST_NAMED
    text = glue.join(sentences[:_MOST_NAMED])
    return f"{text}{glue}and {more} more" if more > 0 else text


def _expected_sign(cell: CellResult | None) -> str:
    if cell is None:
        return _NOT_ASKED
    return str((Mark.OPEN if cell.expected else Mark.CLOSED).value)


def _policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what the API server keeps for itself, such as managedFields."""
    metadata = policy.get("metadata", {})
    return {
        "apiVersion": policy.get("apiVersion", "networking.k8s.io/v1"),
        "kind": policy.get("kind", "NetworkPolicy"),
        "metadata": {key: metadata[key] for key in _KEPT_METADATA if metadata.get(key)},
        "spec": policy.get("spec", {}),
    }
