"""What agents of a policy engine make of policies that they misread: each changes a policy's spec.

Names are those of the lab's faults. Other nodes, and other pods, read the policies as they are.
"""

from collections.abc import Callable
from typing import Any

from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.model.policy import Cell, Decision, Pod

Json = dict[str, Any]

_UNHEARD_OF = 1  # a port that nobody looks at


def _rules(spec: Json, change: Callable[[Json, str], Json]) -> Json:
    """The spec with each rule changed; `change` gets the name of its peers too."""
    sides = {"ingress": "from", "egress": "to"}
    changed = {
        way: [change(rule, sides[way]) for rule in spec[way]] for way in sides if way in spec
    }
    return {**spec, **changed}


def _peers(spec: Json, change: Callable[[Json], Json]) -> Json:
    def rule(one: Json, peers: str) -> Json:
        return {**one, peers: [change(peer) for peer in one[peers]]} if peers in one else one

    return _rules(spec, rule)


def _without_except(spec: Json) -> Json:
    def peer(one: Json) -> Json:
        return {"ipBlock": {"cidr": one["ipBlock"]["cidr"]}} if "ipBlock" in one else one

    return _peers(spec, peer)


def _any_namespace(spec: Json) -> Json:
    def peer(one: Json) -> Json:
        return {**one, "namespaceSelector": {}} if "namespaceSelector" in one else one

    return _peers(spec, peer)


def _shorter(spec: Json) -> Json:
    def port(one: Json) -> Json:
        if "endPort" not in one:
            return one
        last = one["endPort"] - 1
        return {**one, "endPort": last} if last >= one["port"] else {"port": _UNHEARD_OF}

    def rule(one: Json, _: str) -> Json:
        return {**one, "ports": [port(each) for each in one["ports"]]} if "ports" in one else one

    return _rules(spec, rule)


def _ingress_alone(spec: Json) -> Json:
    types = spec.get("policyTypes") or ["Ingress"]
    if "Ingress" in types:
        return {**spec, "policyTypes": ["Ingress"], "egress": []}
    return {"podSelector": {"matchLabels": {"app": "nobody"}}}


MISREAD: dict[str, Callable[[Json], Json]] = {
    "policy-except-ignored": _without_except,
    "policy-namespace-selector-any": _any_namespace,
    "policy-end-port-off-by-one": _shorter,
    "policy-egress-not-enforced": _ingress_alone,
}


def on_node(node: str, there: PolicyOracle, elsewhere: PolicyOracle) -> Callable[[Cell], Decision]:
    """What holds where one node's pods are judged by another oracle than all others."""

    def side(end: object) -> PolicyOracle:
        return there if isinstance(end, Pod) and end.node == node else elsewhere

    def judge(cell: Cell) -> Decision:
        return Decision(
            egress=side(cell.source).decide(cell).egress,
            ingress=side(cell.destination).decide(cell).ingress,
        )

    return judge
