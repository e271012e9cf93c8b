"""Truth tables of pods that are there already: who may reach whom, and what an answer proves; pure.

Pods of others run no reflector: a handshake of TCP is all that is asked of them, at the container
ports that they declare. Silence counts as closed only where the source reached something in the
same look and the destination answered somebody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.expectations.policy_rules import address
from pytest_aksnet.expectations.probing import HOW_IT_FAILED, too_close
from pytest_aksnet.model.policy import Cell, Decision, EngineRules, Node, Pod, PortSpec, World
from pytest_aksnet.model.policy_table import CellName, CellResult, Mark
from pytest_aksnet.model.probing import Answer, Finding

Json = Mapping[str, Any]

_PROXIES = ("istio-proxy", "linkerd-proxy", "kuma-sidecar", "consul-dataplane")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A running pod. `ports` are the TCP ports that its containers declare, `unseen` the others.

    `proxy` is the container that answers connections of this pod itself, empty where none does.
    """

    pod: Pod
    ports: tuple[PortSpec, ...]
    unseen: tuple[PortSpec, ...]
    proxy: str = ""

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.pod.namespace}/{self.pod.name}"


def read_workload(pod: Json) -> Workload:
    """A pod as the API server has it."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    declared = [port for one in containers for port in one.get("ports") or ()]
    ports = dict.fromkeys(
        PortSpec(number=port["containerPort"], protocol=port.get("protocol") or "TCP")
        for port in declared
    )
    return Workload(
        pod=Pod(
            namespace=metadata["namespace"],
            name=metadata["name"],
            node=spec.get("nodeName") or "",
            ips=tuple(one["ip"] for one in status.get("podIPs") or () if one.get("ip")),
            labels=metadata.get("labels") or {},
            named_ports={
                (port["name"], port.get("protocol") or "TCP"): port["containerPort"]
                for port in declared
                if port.get("name")
            },
            host_network=bool(spec.get("hostNetwork")),
        ),
        ports=tuple(port for port in ports if port.protocol == "TCP"),
        unseen=tuple(port for port in ports if port.protocol != "TCP"),
        proxy=next((one["name"] for one in containers if one["name"] in _PROXIES), ""),
    )


def expected_cells(
    source: Workload,
    workloads: Sequence[Workload],
    policies: Iterable[Json],
    namespaces: Mapping[str, Mapping[str, str]],
    nodes: Sequence[Node],
    rules: EngineRules,
) -> dict[CellName, Decision]:
    """What the source may reach at the other pods, and itself at its own ports.

    `policies` are all those of the pods' namespaces, `namespaces` has their labels.
    """
    world = World(
        namespaces=namespaces, pods=tuple(one.pod for one in workloads), nodes=tuple(nodes)
    )
    oracle = PolicyOracle(policies, world, rules)
    return {
        name: oracle.decide(
            Cell(source=source.pod, destination=other.pod, port=name.port, version=name.version)
        )
        for other in workloads
        for name in cells_between(source, other)
    }


def cells_between(source: Workload, other: Workload) -> Iterator[CellName]:
    """Every declared TCP port, over each address family that both have."""
    for version in (4, 6):
        if address(source.pod, version) and address(other.pod, version):
            for port in other.ports:
                yield CellName(source.key, other.key, port, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What came of one look. `answers` are the source's, `witnesses` those of other ways to the
    same destinations, their own to themselves among them. `self_answer` is what the source got at
    its own address at a port that nobody needs to serve; `problem` says why answers are missing."""

    answers: Mapping[CellName, Answer | None]
    witnesses: Mapping[CellName, Answer | None]
    self_answer: Answer | None
    waited_s: float
    problem: str = ""


def judge_looks(
    expected: Mapping[CellName, Decision], looks: Looks, caveat: str
) -> dict[CellName, CellResult]:
    """How each cell was seen. `caveat` says who else may decide, empty where nobody does."""
    reached = [one for one in looks.answers.values() if one and one.finding is Finding.OK]
    own = looks.self_answer
    alive = bool(reached) or (own is not None and own.finding in (Finding.OK, Finding.REFUSED))
    found = {}
    for name, decision in expected.items():
        mark, detail = _mark(name, looks, alive)
        found[name] = CellResult(
            expected=decision.allowed,
            why=decision.why,
            seen=mark,
            detail=detail,
            caveat="; ".join(filter(None, (decision.caveat, caveat))),
        )
    return found


def unproven(cells: Mapping[CellName, CellResult]) -> list[CellName]:
    """Cells whose destination has answered nobody yet: another source may tell."""
    return [name for name, cell in cells.items() if cell.detail.endswith(_NOBODY)]


def unserved(looks: Looks) -> set[CellName]:
    """Ways of pods to themselves that are refused: a port that is declared, and nobody listens."""
    return {
        way
        for way, one in looks.witnesses.items()
        if way.source == way.destination and one is not None and one.finding is Finding.REFUSED
    }


_WHO_CAN = "a pod of the same labels whose image has python3, nc or curl can look"
_NOBODY = "answered nobody at that port"


def _mark(name: CellName, looks: Looks, alive: bool) -> tuple[Mark, str]:
    answer = looks.answers.get(name)
    if answer is None:
        return Mark.UNSEEN, looks.problem or "no answer of the agent"
    if not answer.looked:
        return Mark.UNSEEN, f"{answer.detail}; {_WHO_CAN}"
    if answer.finding is Finding.OK:
        return Mark.OPEN, ""
    if not alive:
        return Mark.UNSEEN, f"{name.source} reached nothing at all, itself included"
    slowest = max(
        (
            one.ms
            for way, one in {**looks.witnesses, **looks.answers}.items()
            if one is not None
            and one.finding is Finding.OK
            and (way.destination, way.port, way.version)
            == (name.destination, name.port, name.version)
        ),
        default=None,
    )
    if slowest is None:
        return Mark.UNSEEN, f"{name.destination} {_NOBODY}"
    if answer.finding is not Finding.TIMEOUT:
        return Mark.ODD, HOW_IT_FAILED[answer.finding]
    if late := too_close(looks.waited_s, slowest):
        return Mark.UNSEEN, late
    return Mark.CLOSED, ""
