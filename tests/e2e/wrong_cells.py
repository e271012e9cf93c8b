"""Which cells of truth tables a fault of the policy engine turns over: computed, never listed.

Two oracles answer: one reads the policies as they are, one as the agent of the faulty node reads
them. Pods are placed as a run with one set of pods places them in a lab of three nodes.
"""

import functools
import itertools
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_aksnet.expectations.policy_cases import all_cases
from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.expectations.policy_world import expected_table, judged_cells
from pytest_aksnet.model.policy import Cell, EngineRules, PortSpec
from pytest_aksnet.model.policy_table import CellName, Places, PolicyCase
from tests.case_tables import Walked, places_of, walk
from tests.e2e.fault_matrix import NODES
from tests.policy_misreads import MISREAD, Json, on_node
from tests.truth_table_checks import table_checks

ONE_SET = "--aksnet-policy-sets=1"
NOT_ENFORCED = "policy-not-enforced-on-node"

_SCTP = 132
_FIRST = [f"{space}/{pod}" for space in "xyz" for pod in "abc"]
# In the order in which the cases bring them.
_LATER = ["y-2/a", "y-2/b", "x/d"]
_ROUND = "pod:z/c/"
"""How networks begin in which cases have pods of one node, or not."""
_BLOCK = 16
"""Addresses in the network that case 22 excepts: z/c is in it, others of its node may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCells:
    """What a step should show, and which of it is the other way round."""

    expected: Mapping[CellName, bool]
    wrong: frozenset[CellName]


def placements() -> Iterator[Places]:
    """Where pods may be: nodes in turn, and on the node of z/c in its block or out of it."""
    keys = [*_FIRST, *_LATER]
    node_of = {key: (number + number // len(NODES)) % len(NODES) for number, key in enumerate(keys)}
    neighbours = [k for k in keys if node_of[k] == node_of["z/c"] and k != "z/c"]
    for inside in itertools.product((True, False), repeat=len(neighbours)):
        block = dict(zip(neighbours, inside, strict=True)) | {"z/c": True}
        yield places_of(
            {
                key: (
                    NODES[node],
                    (f"10.244.{node}.{number + 1 + (0 if block.get(key) else _BLOCK)}",),
                )
                for number, (key, node) in enumerate(node_of.items())
            }
        )


def steps_of(
    case: PolicyCase, places: Places, fault: str, node: int, rules: EngineRules
) -> Iterator[StepCells]:
    """The steps of a case with a fault on a node, at the protocols that pods here speak."""
    for walked in walk(case):
        table = expected_table(walked.state, places, rules, _spoken(walked.ports))
        healthy = judged_cells(table, case.pods)
        yield StepCells(
            expected={name: decision.allowed for name, decision in healthy.items()},
            wrong=frozenset(_wrong(case, walked, places, fault, node, rules)),
        )


def _wrong(
    case: PolicyCase, walked: Walked, places: Places, fault: str, node: int, rules: EngineRules
) -> Iterator[CellName]:
    """The cells of a step that the fault turns over: all have an end on the faulty node."""
    policies, world = walked.state.bound(places), walked.state.world(places)
    there = [] if fault == NOT_ENFORCED else [_misread(fault, policy) for policy in policies]
    if there == list(policies):
        return
    right = PolicyOracle(policies, world, rules)
    faulty = on_node(NODES[node], PolicyOracle(there, world, rules), right)
    pods = {
        key: pod
        for key, pod in zip(walked.state.pods, world.pods, strict=True)
        if not case.pods or key in case.pods
    }
    for (source, start), (target, end) in itertools.product(pods.items(), repeat=2):
        if NODES[node] not in (start.node, end.node):
            continue
        for port in _spoken(walked.ports):
            cell = Cell(source=start, destination=end, port=port)
            if right.decide(cell).allowed != faulty(cell).allowed:
                yield CellName(source, target, port)


def _spoken(ports: Iterable[PortSpec]) -> list[PortSpec]:
    return [port for port in ports if port.protocol != "SCTP" or speaks_sctp()]


def _misread(fault: str, policy: Json) -> Json:
    return {**policy, "spec": MISREAD[fault](policy["spec"])}


def failing_tables(fault: str, node: int, words: Iterable[str]) -> set[str]:
    """The variants of the truth tables that a fault on a node fails, with engine calico.

    Of those alone whose function or case has one of the `words`, as with `pytest -k`.
    """
    rules = engine_rules("calico")
    return {
        f"{check.id}[{case}]"
        for check in table_checks()
        for case in check.cases
        if any(word in f"{check.function}[{case}]" for word in words)
        and _fails(all_cases()[case], fault, node, rules)
    }


def _fails(case: PolicyCase, fault: str, node: int, rules: EngineRules) -> bool:
    """Whether some cell is wrong; wherever on its node a pod may be, that is the same."""
    anywhere = list(placements())
    [fails] = {
        any(True for walked in walk(case) for _ in _wrong(case, walked, places, fault, node, rules))
        for places in (anywhere if _ROUND in str(case.steps) else anywhere[:1])
    }
    return fails


@functools.cache
def speaks_sctp() -> bool:
    """Whether pods of a lab can, which share the kernel of this machine."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, _SCTP).close()
    except OSError:
        return False
    return True
