"""Judges truth tables of NetworkPolicies, and makes them observations. Pure.

A cell that was looked at and is wrong fails its case. One that was not looked at, or whose answer
proves nothing, leaves it open. Where the engine's documents leave the answer open, a cell may only
warn.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_patterns import WrongCell, closing_pod, patterns
from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.peers import PodRef
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
    spoken = _Names(result.pods)
    wrong = [found for step in result.steps for found in _wrong(step)]
    warned = [
        spoken.sentence(name, cell)
        for step in result.steps
        for name, cell in step.cells.items()
        if cell.caveat and cell.wrong
    ]
    asked = sum(len(step.cells) for step in result.steps)
    unseen = sum(_is_open(cell) for step in result.steps for cell in step.cells.values())
    outcome, text = Outcome.PASS, f"all {asked} cells are as expected"
    missing = len(result.case.steps) - len(result.steps)
    if wrong:
        outcome, text = Outcome.FAIL, _failure(wrong, result.case.title, asked, spoken, nodes)
        if unseen:
            text += f"; {unseen} more could not be looked at"
    elif unseen or missing > 0 or result.problem or not asked:
        outcome, text = Outcome.INCONCLUSIVE, _open(result, unseen, asked, missing)
    elif warned:
        text = f"all {asked - len(warned)} cells that documents decide are as expected"
    return Verdict(
        outcome=outcome,
        sentence=f"{result.case.id} ({result.case.title}): {text}",
        source=_source([one for step in result.steps for one in step.departures], result),
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
    spoken = _Names(result.pods)
    failed = list(_wrong(step))
    wrong = [spoken.sentence(found.name, found.cell) for found in failed]
    closing = (result.pods.get(closing_pod(found.name, found.cell)) for found in failed)
    open_answers = [
        spoken.sentence(name, cell)
        for name, cell in step.cells.items()
        if cell.caveat and cell.wrong
    ]
    return PolicyTable(
        case=result.case.id,
        title=result.case.title,
        family=result.case.family,
        tags=result.case.tags,
        step=step.title,
        engine=result.engine,
        document=_source(step.departures, result),
        pods=step.pods,
        nodes=tuple(result.pods[pod].node if pod in result.pods else "" for pod in step.pods),
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
        wrong_at=Counter(sorted(pod.node for pod in closing if pod is not None)),
        open_answers=tuple(open_answers[:_MOST_KEPT]),
        problem=step.problem or _first_detail(step),
        converged_s=None if step.converged_s is None else round(step.converged_s, 3),
        duration_s=round(step.duration_s, 3),
        probes=step.probes,
        late={
            str(name): round(cell.late_s, 3) for name, cell in step.cells.items() if cell.late_s > 0
        },
        departures=dict(step.departures),
        places={
            key: f"{pod.namespace}/{pod.name}, {', '.join(pod.ips or (pod.ip,))}, on {pod.node}"
            for key, pod in result.pods.items()
            if key in step.pods
        },
        policies=tuple(_policy(policy) for policy in step.policies),
    )


class _Names:
    """Turns the real names in reasons into those of the table, which people read more easily."""

    def __init__(self, pods: Mapping[str, PodRef]) -> None:
        names = {f"{pod.namespace}/{pod.name}": key for key, pod in pods.items()}
        spaces = {f"{pod.namespace}/": f"{_space(key)}/" for key, pod in pods.items()}
        self._names = {**spaces, **names}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"\Z.")

    def sentence(self, name: CellName, cell: CellResult) -> str:
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
        why = self._pattern.sub(lambda match: self._names[match[0]], f"{cell.why}{caveat}")
        return f"{name}: should be {should} and {seen}: {why}"


def _space(key: str) -> str:
    return key.partition("/")[0]


def _source(departures: Collection[str], result: CaseResult) -> str:
    """Where the expectations are written: the engine's document counts where it changes any."""
    documents = [API_TEXT.document, *([result.document] if departures else [])]
    return "; ".join(dict.fromkeys(documents))


def _wrong(step: StepResult) -> Iterator[WrongCell]:
    """The cells of a step that fail it."""
    for name, cell in step.cells.items():
        if cell.wrong and not cell.caveat:
            yield WrongCell(step=step, name=name, cell=cell)


def _is_open(cell: CellResult) -> bool:
    """Whether a cell that counts was seen as neither right nor wrong."""
    return not (cell.caveat or cell.wrong or cell.right)


def _failure(
    wrong: Sequence[WrongCell],
    title: str,
    asked: int,
    spoken: _Names,
    nodes: Mapping[str, str],
) -> str:
    steps = [step for step in dict.fromkeys(found.step.title for found in wrong) if step != title]
    where = f" in step {' and step '.join(map(repr, steps[:2]))}" if any(steps) else ""
    are = "are" if len(wrong) > 1 else "is"
    text = f"{len(wrong)} of {asked} cells {are} wrong{where}"
    if shared := patterns(wrong, nodes):
        text += f" ({'; '.join(shared)})"
    sentences = [spoken.sentence(found.name, found.cell) for found in wrong]
    return f"{text}: {_listed(sentences, '; ')}"


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
