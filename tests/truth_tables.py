"""Made-up truth tables for tests: a case of three pods whose cells are what a test says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_aksnet.expectations.policy_verdicts import policy_table
from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import (
    CaseResult,
    CellName,
    CellResult,
    Layout,
    Mark,
    PolicyCase,
    StepResult,
    TablePod,
    TableStep,
)

PODS = ("x/a", "x/b", "y/a")
PORTS = (PortSpec(number=8080), PortSpec(number=8081, protocol="UDP"))
NODES = {"x/a": "node-1", "x/b": "node-2", "y/a": "node-1"}
LIVE = {
    key: PodRef(
        namespace=f"aksnet-{key[0]}",
        name=f"{key[2]}-12ab",
        container="probe",
        node=node,
        ip=f"10.244.0.{number}",
    )
    for number, (key, node) in enumerate(NODES.items(), 2)
}
POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {
        "name": "deny",
        "namespace": "aksnet-x",
        "uid": "1",
        "managedFields": [{"manager": "x"}],
    },
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


def cell(
    *,
    expected: bool,
    seen: Mark | None = None,
    why: str = "a policy says so",
    detail: str = "",
    caveat: str = "",
    late_s: float = 0.0,
) -> CellResult:
    """A cell, right where `seen` is not given."""
    return CellResult(
        expected=expected,
        why=why,
        seen=seen or (Mark.OPEN if expected else Mark.CLOSED),
        detail=detail,
        caveat=caveat,
        late_s=late_s,
    )


def step(
    changes: Mapping[CellName, CellResult] | None = None,
    *,
    closed_to: str = "x/a",
    versions: tuple[int, ...] = (4,),
    title: str = "",
    departures: Mapping[str, int] | None = None,
) -> StepResult:
    """A step in which `closed_to` is closed to all others, but for `changes`."""
    cells = {
        CellName(source, destination, port, version): cell(
            expected=source == destination or destination != closed_to
        )
        for source in PODS
        for destination in PODS
        for version in versions
        for port in PORTS
    }
    return StepResult(
        title=title,
        pods=PODS,
        ports=PORTS,
        cells={**cells, **(changes or {})},
        policies=(POLICY,),
        converged_s=0.25,
        duration_s=0.75,
        probes=40,
        departures=departures or {},
    )


def case(
    *steps: StepResult, planned: int = 0, problem: str = "", tags: tuple[str, ...] = ("peer",)
) -> CaseResult:
    """A case that saw these steps, of `planned` ones (as many if 0)."""
    return CaseResult(
        case=PolicyCase(
            id="generated-001",
            family="peers",
            title="deny all to x/a",
            layout=Layout(
                namespaces={"x": {}, "y": {}},
                pods=tuple(
                    TablePod(namespace=pod.partition("/")[0], name=pod.partition("/")[2])
                    for pod in PODS
                ),
                ports=PORTS,
            ),
            steps=tuple(TableStep(title=str(number)) for number in range(planned or len(steps))),
            tags=tags,
        ),
        steps=steps,
        started=1_700_000_000.0,
        duration_s=1.5,
        engine="calico",
        document="Calico docs: Felix configuration",
        problem=problem,
        pods=LIVE,
    )


def unlike_table() -> PolicyTable:
    """The observation of a step with cells that are wrong, late, not seen and not certain."""
    changes = {
        CellName("x/b", "x/a", PORTS[0]): cell(
            expected=False, seen=Mark.OPEN, why="isolated by <deny>"
        ),
        CellName("y/a", "x/b", PORTS[1]): cell(expected=True, seen=Mark.UNSEEN, detail="cut"),
        CellName("y/a", "y/a", PORTS[0]): cell(expected=True, late_s=0.125),
        CellName("y/a", "x/a", PORTS[1]): cell(
            expected=False, seen=Mark.OPEN, caveat="not documented"
        ),
    }
    seen = step(changes, title="create", departures={"engine x: no SCTP (AKS docs: y)": 2})
    return policy_table(seen, case(seen))


def large_table(*, wrong: int, policies: int = 1) -> PolicyTable:
    """The observation of 9 pods at 4 ports, in which every fifth cell should be closed."""
    pods = tuple(f"{namespace}/{name}" for namespace in "xyz" for name in "abc")
    ports = tuple(
        PortSpec(number=number, protocol=protocol)
        for protocol in ("TCP", "UDP")
        for number in (8080, 8081)
    )
    cells: dict[CellName, CellResult] = {}
    for source in pods:
        for destination in pods:
            for port in ports:
                closed = len(cells) % 5 == 0
                bad = closed and len(cells) < 5 * wrong
                cells[CellName(source, destination, port)] = cell(
                    expected=not closed,
                    seen=Mark.OPEN if bad else None,
                    why=f"ingress of {destination} is isolated by aksnet-1/deny, and no rule "
                    f"allows {source} at {port.protocol} {port.number}",
                )
    seen = replace(
        step(title="create"), pods=pods, ports=ports, cells=cells, policies=(POLICY,) * policies
    )
    return policy_table(seen, case(seen))
