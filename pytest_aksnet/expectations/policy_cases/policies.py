"""What policies of the cases are made of, and the base policy that most of them change."""

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aksnet.expectations.policy_cases.layout import FIRST

Json = Mapping[str, Any]
Rules = Sequence[Json]

ANYBODY: Json = {"namespaceSelector": {}, "podSelector": {}}
EVERYWHERE: Json = {"ipBlock": {"cidr": "0.0.0.0/0"}}
DNS: Json = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
"""Egress rule that keeps names usable, to anywhere."""


def policy(
    name: str = "policy",
    namespace: str = "x",
    *,
    target: Json | None = None,
    ingress: Rules | None = None,
    egress: Rules | None = None,
) -> Json:
    """A policy for the pods of a selector (all if None), of the directions that are given."""
    rules = {"ingress": ingress, "egress": egress}
    given = {direction: list(some) for direction, some in rules.items() if some is not None}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "podSelector": target or {},
            "policyTypes": [direction.capitalize() for direction in given],
            **given,
        },
    }


def base(
    *,
    namespace: str = "x",
    target: Json | None = None,
    ingress: Rules | None = None,
    egress: Rules | None = None,
) -> Json:
    """The base policy with one thing changed: pod a of x, and TCP at the first port each way.

    It is let in from pods b and c of x and y, and out to pods a and b of y and z. What is changed
    of `egress` stays without the rule for DNS, which comes on top.
    """
    usual_ingress, usual_egress = base_rule("ingress"), base_rule("egress")
    return policy(
        "base",
        namespace,
        target=pods("a") if target is None else target,
        ingress=[usual_ingress] if ingress is None else ingress,
        egress=[*([usual_egress] if egress is None else egress), DNS],
    )


def base_changed(direction: str, *, peers: Rules | None = None, ports: Rules | None = None) -> Json:
    """The base policy with other peers or ports in one direction."""
    rule = dict(base_rule(direction))
    if peers is not None:
        rule[side(direction)] = list(peers)
    if ports is not None:
        rule["ports"] = list(ports)
    return base(ingress=[rule]) if direction == "ingress" else base(egress=[rule])


def base_rule(direction: str) -> Json:
    """The base policy's one rule of a direction."""
    if direction == "ingress":
        peer = both(spaces("x", "y"), pods("b", "c"))
    else:
        peer = both(spaces("y", "z"), pods("a", "b"))
    return {side(direction): [peer], "ports": [{"protocol": "TCP", "port": FIRST}]}


def side(direction: str) -> str:
    """The field of a rule that names its peers."""
    return "from" if direction == "ingress" else "to"


def pods(*names: str) -> Json:
    """A label selector for the pods of these names."""
    if len(names) == 1:
        return {"matchLabels": {"pod": names[0]}}
    return one_of("pod", *names)


def spaces(*names: str) -> Json:
    """A label selector for the namespaces of these names."""
    if len(names) == 1:
        return {"matchLabels": {"ns": names[0]}}
    return one_of("ns", *names)


def one_of(key: str, *values: str) -> Json:
    """A label selector for a label with one of some values."""
    return _term(key, "In", values)


def none_of(key: str, *values: str) -> Json:
    """A label selector for all that have not one of these values."""
    return _term(key, "NotIn", values)


def labelled(key: str, value: str) -> Json:
    """A label selector for one label."""
    return {"matchLabels": {key: value}}


def both(namespaces: Json, selected: Json) -> Json:
    """A peer: the selected pods of the selected namespaces."""
    return {"namespaceSelector": namespaces, "podSelector": selected}


def from_pods(selected: Json) -> Json:
    """An ingress rule for pods of the policy's namespace."""
    return {"from": [{"podSelector": selected}]}


def from_spaces(namespaces: Json) -> Json:
    """An ingress rule for all pods of some namespaces."""
    return {"from": [{"namespaceSelector": namespaces}]}


def at(port: int | str, protocol: str = "TCP") -> Json:
    """A rule's field `ports` with one port, by its number or name."""
    return {"ports": [{"protocol": protocol, "port": port}]}


def _term(key: str, operator: str, values: Sequence[str]) -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
