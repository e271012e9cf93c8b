"""Where an engine's documents, and not the API text, give the expectations of a table. Pure."""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_world import PolicyState, expected_table
from pytest_aksnet.model.policy import EngineRules, Node, PortSpec
from pytest_aksnet.model.policy_table import CellName, Places

_WORDS = {
    "enforces": "nothing is enforced",
    "ip_blocks_match_cluster": "an ipBlock matches neither pods nor nodes",
    "own_node_open": "a pod reaches its own node only where policies allow it",
    "own_pod_open": "a pod reaches itself only where policies allow it",
    "node_ingress_judged": "what comes through a node is not judged",
    "sctp": "pods cannot speak SCTP",
    "ipv6": "IPv6 is not judged",
}
_OF_NODES = ("own_node_open", "node_ingress_judged")


def departures(
    state: PolicyState,
    places: Places,
    rules: EngineRules,
    ports: Sequence[PortSpec],
    *,
    nodes: Sequence[Node] = (),
    versions: Sequence[int] = (4,),
    cells: Container[CellName],
) -> dict[str, int]:
    """How many of these cells each departure of the engine from the API text turns over.

    The arguments are those of `expected_table`. Keys are sentences with the document that says so.
    """
    differing = {
        name: getattr(rules, name)
        for name in _WORDS
        if getattr(rules, name) != getattr(API_TEXT, name)
        and _matters(name, state, places, ports, versions)
    }
    if not differing:
        return {}

    def table(of: EngineRules) -> dict[CellName, bool]:
        found = expected_table(state, places, of, ports, nodes=nodes, versions=versions)
        return {name: decision.allowed for name, decision in found.items() if name in cells}

    plain = table(API_TEXT)
    counts = {}
    for name, value in differing.items():
        with_it = table(replace(API_TEXT, **{name: value}))
        turned = sum(with_it[cell] != allowed for cell, allowed in plain.items())
        if turned:
            counts[f"engine {rules.engine}: {_WORDS[name]} ({rules.document})"] = turned
    return counts


def _matters(
    name: str,
    state: PolicyState,
    places: Places,
    ports: Sequence[PortSpec],
    versions: Sequence[int],
) -> bool:
    """Whether a departure can turn over a cell of this table at all: to ask costs a table."""
    questions: dict[str, Callable[[], bool]] = {
        "sctp": lambda: any(port.protocol == "SCTP" for port in ports),
        "ipv6": lambda: 6 in versions and any(places.pods[key].address(6) for key in state.pods),
        "ip_blocks_match_cluster": lambda: any(
            "ipBlock" in str(policy.get("spec")) for policy in state.policies.values()
        ),
        **{
            one: lambda: any(places.pods[key].host_network for key in state.pods)
            for one in _OF_NODES
        },
    }
    return questions[name]() if name in questions else bool(state.policies)
