"""Walks the cases of policy tables without a cluster: what holds after each step, and where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.policy_world import PolicyState, expected_table, judged_cells
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import Decision, EngineRules, Node, PortSpec
from pytest_aksnet.model.policy_table import AddPod, CellName, Places, PolicyCase, TableStep

POD_KEYS = (
    *(f"{space}/{pod}" for space in ("z", "x", "y") for pod in ("a", "b", "c")),
    "x/d",
    "y-2/a",
    "y-2/b",
)
"""Every pod that cases have; the three that come and go are last."""


@dataclass(frozen=True, kw_only=True)
class Walked:
    """A step and what holds after it. `ports` are those that it looks at."""

    step: TableStep
    state: PolicyState
    ports: tuple[PortSpec, ...]


def walk(case: PolicyCase) -> Iterator[Walked]:
    """The steps of a case. The state is one object that goes on with the walk."""
    state = PolicyState(case.layout)
    for step in case.steps:
        for action in step.actions:
            state.apply(action)
        yield Walked(step=step, state=state, ports=step.ports or case.layout.ports)


def places_of(pods: Mapping[str, tuple[str, tuple[str, ...]]]) -> Places:
    """Places of pods by their names in the table, from (node, addresses); all keep their names."""
    return Places(
        namespaces={key.partition("/")[0]: key.partition("/")[0] for key in pods},
        pods={
            key: PodRef(
                namespace=key.partition("/")[0],
                name=key.partition("/")[2],
                container="agent",
                node=node,
                ip=ips[0],
                ips=ips,
            )
            for key, (node, ips) in pods.items()
        },
    )


def expected_steps(
    case: PolicyCase, places: Places, rules: EngineRules, *, nodes: Sequence[Node] = ()
) -> Iterator[dict[CellName, Decision]]:
    """The table that each step should give."""
    for walked in walk(case):
        table = expected_table(walked.state, places, rules, walked.ports, nodes=nodes)
        yield judged_cells(table, case.pods)


def new_pods(case: PolicyCase) -> set[str]:
    """Pods that come in the course of a case."""
    return {
        action.pod.key
        for step in case.steps
        for action in step.actions
        if isinstance(action, AddPod)
    }
