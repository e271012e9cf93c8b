"""How ways under a policy are looked at: first those that it must close, then those that stay open.

Owns the two rounds, the controls beside them, and the record of each source. Which ways, and what
is expected of them, is passed in.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell, judge_all
from pytest_aksnet.expectations.policy_ways import Expected, Way, judge_way
from pytest_aksnet.expectations.probing import HOW_IT_FAILED
from pytest_aksnet.model.errors import AksnetError, ConformanceFailure, ControlFailed
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Verdict

OPEN = frozenset({Finding.OK})
_SILENT = frozenset({Finding.TIMEOUT})
_LOOKS = 2  # connections at once to what must be closed: one alone may be lost
_GRACE_S = 4.0
_BY_HAND = 'for a; do nc -vz -w 3 "${a% *}" "${a##* }"; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way from `source`, and the pod and probe that show its target alive.

    `entered` is the node by whose port a Service is asked.
    """

    source: PodRef
    probe: Probe
    way: Way
    control_pod: PodRef | None
    control: Probe
    entered: NodeRef | None = None

    @property
    def asked_by(self) -> tuple[str, str, int, str, str]:
        """What tells its control from others."""
        by, probe = self.control_pod, self.control
        name = f"{by.namespace}/{by.name}" if by is not None else ""
        return name, probe.host, probe.port, probe.kind.value, str(sorted(probe.options.items()))


@dataclass(slots=True)
class _Look:
    """The ways of one source, and the controls that it is asked for."""

    closed: list[tuple[Tried, Expected]] = field(default_factory=list)
    open: list[tuple[Tried, Expected]] = field(default_factory=list)
    controls: dict[tuple[str, str, int, str, str], Probe] = field(default_factory=dict)


def ask_all(
    engine: Engine, lists: Mapping[PodRef, Sequence[Probe]], seconds: float
) -> dict[PodRef, Batch]:
    """Each pod its list, all at once; `seconds` is how long a list may take but for one look.

    Answers are those that count: see `Batch.counted`.
    """
    budget = seconds + engine.pacing.connect_timeout_s + _GRACE_S

    def ask(pod: PodRef) -> Batch:
        batch = engine.prober.probe(pod, lists[pod], budget_s=budget)
        return replace(batch, answers=batch.counted)

    with ThreadPoolExecutor(max_workers=max(1, min(32, len(lists)))) as threads:
        return dict(zip(lists, threads.map(ask, lists), strict=True))


def itself(engine: Engine, pod: PodRef) -> Probe:
    """The pod's own reflector by its own address, which no policy closes."""
    pacing = engine.pacing
    return Probe(
        kind=Kind.TCP,
        host=pod.ip,
        port=pod.port,
        timeout_s=pacing.connect_timeout_s,
        options={"pod": pod.name},
        until=OPEN,
        within_s=pacing.control_patience_s,
    )


def look_and_judge(
    engine: Engine, expected: Sequence[tuple[Tried, Expected]], slowest_ms: float
) -> dict[PodRef, Batch]:
    """Wait for what must be closed, look at the rest, and judge each source's ways.

    `slowest_ms` is the slowest answer while all was open. Raises as `check_many.look_at_all`.
    """
    started = time.time()
    looks: dict[PodRef, _Look] = {}
    for tried, one in expected:
        look = looks.setdefault(tried.source, _Look())
        (look.open if one.allowed else look.closed).append((tried, one))
        if not one.allowed and tried.control_pod is not None:
            by = looks.setdefault(tried.control_pod, _Look())
            by.controls[tried.asked_by] = tried.control
    wait = engine.pacing.silence_s(slowest_ms / 1000)
    patience = engine.pacing.policy_patience_s
    closing = ask_all(
        engine,
        {
            source: [
                replace(tried.probe, timeout_s=wait, until=_SILENT, within_s=patience)
                for tried, _ in look.closed
                for _ in range(_LOOKS)
            ]
            + [itself(engine, source)]
            for source, look in looks.items()
            if look.closed
        },
        patience + 2 * wait,
    )
    patience = engine.pacing.patience_s
    opened = ask_all(
        engine,
        {
            source: [replace(one.probe, until=OPEN, within_s=patience) for one, _ in look.open]
            + list(look.controls.values())
            for source, look in looks.items()
        },
        patience,
    )
    dead = _dead(looks, opened)
    judged, errors = {}, []
    for source, look in looks.items():
        if not look.closed and not look.open:
            continue
        cells = [
            *_closed_cells(look, closing.get(source), dead, slowest_ms, wait),
            *_open_cells(look, opened[source]),
        ]
        try:
            judged[source] = judge_all(
                engine,
                source,
                cells,
                _whole(look, closing.get(source), opened[source]),
                what=f"what policies make of ways from {from_pod(source)}",
                by_hand=_by_hand(cells),
                started=started,
            )
        except AksnetError as error:
            errors.append(error)
    _raise_worst(errors)
    return judged


def from_pod(pod: PodRef) -> str:
    """A source, for messages."""
    kind = "host-network pod" if pod.host_network else "pod"
    return f"{kind} {pod.namespace}/{pod.name} on node {pod.node}"


def ending(answer: Answer | None, batch: Batch) -> str:
    """How a look ended, as a clause."""
    if answer is None:
        return batch.problem or "no answer of the agent came"
    return HOW_IT_FAILED.get(answer.finding, answer.detail)


def _closed_cells(
    look: _Look,
    closing: Batch | None,
    dead: Mapping[tuple[str, str, int, str, str], str],
    slowest_ms: float,
    wait: float,
) -> list[Cell]:
    cells: list[Cell] = []
    for number, (tried, expected) in enumerate(look.closed):
        assert closing is not None
        mine = closing.answers[_LOOKS * number : _LOOKS * (number + 1)]
        alone = "" if _ok(closing.answers[-1]) else "its own pod does not reach itself"
        unasked = "nobody whom no policy selects was there to ask it"
        verdict = judge_way(
            mine,
            expected,
            what=tried.way.what,
            held=alone or dead.get(tried.asked_by, unasked),
            slowest_ms=slowest_ms,
            timeout_s=wait,
        )
        cells.append(Cell(probe=tried.probe, judge=_always(verdict)))
    return cells


def _open_cells(look: _Look, opened: Batch) -> list[Cell]:
    return [
        Cell(
            probe=tried.probe,
            judge=_always(
                judge_way(
                    [answer], expected, what=tried.way.what, held="", slowest_ms=0, timeout_s=0
                )
            ),
        )
        for (tried, expected), answer in zip(look.open, opened.answers, strict=False)
    ]


def _dead(
    looks: Mapping[PodRef, _Look], opened: Mapping[PodRef, Batch]
) -> dict[tuple[str, str, int, str, str], str]:
    """By control: "" where it held, else why it did not."""
    dead = {}
    for pod, look in looks.items():
        answers = opened[pod].answers[len(look.open) :]
        for key, answer in zip(look.controls, answers, strict=True):
            how = ending(answer, opened[pod])
            dead[key] = "" if _ok(answer) else f"{from_pod(pod)} does not reach it either: {how}"
    return dead


def _whole(look: _Look, closing: Batch | None, opened: Batch) -> Batch:
    """Both lists of a source as one, without what it was asked for others."""
    mine = opened.answers[: len(look.open)]
    if closing is None:
        return replace(opened, answers=mine)
    by_way = (
        closing.answers[_LOOKS * number : _LOOKS * (number + 1)]
        for number in range(len(look.closed))
    )
    return replace(
        closing,
        answers=(*map(_telling, by_way), *mine),
        ended=closing.ended and opened.ended,
        gaps=closing.gaps + opened.gaps,
        stall_ms=closing.stall_ms + opened.stall_ms,
        duration_s=closing.duration_s + opened.duration_s,
        problem=closing.problem or opened.problem,
    )


def _telling(answers: Sequence[Answer | None]) -> Answer | None:
    """Of the answers about one closed way the one that says most: one that is not silence."""
    for answer in answers:
        if answer is None or answer.finding is not Finding.TIMEOUT:
            return answer
    return answers[0]


def _raise_worst(errors: Sequence[AksnetError]) -> None:
    for kinds in ((ConformanceFailure,), (ControlFailed,), (AksnetError,)):
        for error in errors:
            if isinstance(error, kinds):
                raise error


def _always(verdict: Verdict) -> Callable[[Batch, int], Verdict]:
    return lambda batch, index: verdict


def _by_hand(cells: Sequence[Cell]) -> tuple[str, ...]:
    places = dict.fromkeys(f"{cell.probe.host} {cell.probe.port}" for cell in cells)
    return ("sh", "-c", _BY_HAND, "sh", *places)


def _ok(answer: Answer | None) -> bool:
    return answer is not None and answer.finding is Finding.OK
