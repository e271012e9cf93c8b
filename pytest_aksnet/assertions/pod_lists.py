"""What the verbs about ways between pods share: cells for reflectors, and lists of them."""

import dataclasses
from collections.abc import Callable, Sequence

from pytest_aksnet.assertions import many
from pytest_aksnet.assertions.target import Target
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Batch, Finding, Kind, Probe
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.verdict import Verdict

MODEL = "Kubernetes docs: concepts/services-networking, the network model"
_GRACE_S = 6.0  # bounds a list only where the pod gets too little CPU to answer
_OVER = {Kind.TCP: " over TCP", Kind.UDP: " over UDP", Kind.ICMP: " by ICMP echo"}

JudgeCell = Callable[[Batch, int], Verdict]


def patient(
    engine: Engine,
    kind: Kind,
    host: str,
    port: int = 0,
    *,
    options: dict[str, str] | None = None,
    until: frozenset[Finding] = frozenset({Finding.OK}),
) -> Probe:
    """A probe that is repeated until it is good, or until the patience of the run is over."""
    return Probe(
        kind=kind,
        host=host,
        port=port,
        timeout_s=engine.pacing.connect_timeout_s,
        options=options or {},
        until=until,
        within_s=engine.pacing.patience_s,
    )


def reflector_cell(
    engine: Engine, pod: PodRef, target: Target, kind: Kind, port: int, *, source: str = MODEL
) -> Cell:
    """The reflector of a pod at one of its ports, which must give its own name."""
    assert target.pod is not None
    at = dataclasses.replace(target, port=port)
    return Cell(
        probe=patient(engine, kind, at.host, port, options={"pod": target.pod.name}),
        judge=reached(at, kind, source),
        diagnose=many.why(engine, pod, at),
    )


def reached(target: Target, kind: Kind, source: str = MODEL) -> JudgeCell:
    """The judgement that the target was reached."""
    port = "" if kind is Kind.ICMP else f":{target.port}"
    name = f"{target.what} ({target.host}{port}{_OVER.get(kind, '')})"

    def judge(batch: Batch, index: int) -> Verdict:
        return judge_reached(batch.answers[index], what=name, source=source)

    return judge


def look_at_list(
    engine: Engine,
    pod: PodRef,
    cells: Sequence[Cell],
    *,
    what: str,
    by_hand: Sequence[str],
    longest_s: float = 0.0,
) -> Batch:
    """Ask all at once; `longest_s` is how long the list may take, by default patience and time-out.

    Raises like `check_many.look_at_all`.
    """
    longest = longest_s or engine.pacing.connect_timeout_s + engine.pacing.patience_s
    return look_at_all(engine, pod, cells, what=what, by_hand=by_hand, budget_s=longest + _GRACE_S)


def aks_mode(profile: NetworkProfile) -> str:
    """The network mode; empty where the cluster is not on Azure and so has none of AKS' modes.

    Raises FactUnknown where it is on Azure and the mode is not known.
    """
    on_azure = profile.get("cloud") == "azure"
    return profile.need("mode") if on_azure else profile.get("mode") or ""
