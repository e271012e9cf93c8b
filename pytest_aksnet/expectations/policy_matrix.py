"""Which ports are open between pods, as bits of numbers: for many variants of one policy at once.

Pure, by the API text, and without addresses: an ipBlock admits nobody. Tables are judged by
`policy_oracle`; this is for choosing what they look at.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pytest_aksnet.expectations.policy_rules import Policy, Rule, read_policy, selects
from pytest_aksnet.model.policy import Direction, Pod, PortSpec, World

Json = Mapping[str, Any]
Matrix = list[list[int]]


class MatrixMaker:
    """Answers for one set of pods and ports. Every pod has the same named ports."""

    def __init__(self, world: World, ports: Sequence[PortSpec]) -> None:
        self._world = world
        self._ports = ports
        self._pods = world.pods
        self._meanings: dict[str, tuple[int, Sequence[int]]] = {}
        self._everything = (1 << len(ports)) - 1

    def matrix(self, policies: Iterable[Json], among: Collection[int] = ()) -> Matrix:
        """Bits of the open ports, by source and destination. A pod always reaches itself.

        With `among` only between these pods, by their numbers; nothing is open between others.
        """
        parsed = [read_policy(policy) for policy in policies]
        egress, ingress = self._rows(parsed, "egress"), self._rows(parsed, "ingress")
        size = len(self._pods)
        chosen = among or range(size)
        found = [[0] * size for _ in range(size)]
        for one in chosen:
            for other in chosen:
                found[one][other] = egress[one][other] & ingress[other][one]
            found[one][one] = self._everything
        return found

    def _rows(self, policies: Sequence[Policy], direction: Direction) -> Matrix:
        rows: dict[tuple[int, ...], list[int]] = {}
        found = []
        for pod in self._pods:
            isolating = tuple(
                index for index, one in enumerate(policies) if one.isolates(pod, direction)
            )
            if isolating not in rows:
                rules = [rule for index in isolating for rule in policies[index].rules[direction]]
                rows[isolating] = self._row(rules if isolating else None)
            found.append(rows[isolating])
        return found

    def _row(self, rules: Iterable[Rule] | None) -> list[int]:
        if rules is None:
            return [self._everything] * len(self._pods)
        row = [0] * len(self._pods)
        for rule in rules:
            opened, admitted = self._meaning(rule)
            for index in admitted:
                row[index] |= opened
        return row

    def _meaning(self, rule: Rule) -> tuple[int, Sequence[int]]:
        """The bits of a rule's ports and the numbers of its peers. Variants share most rules."""
        key = json.dumps((rule.namespace, rule.peers, rule.ports))
        if key not in self._meanings:
            opened = sum(
                1 << bit for bit, port in enumerate(self._ports) if rule.opens(port, self._pods[0])
            )
            self._meanings[key] = (
                opened,
                [
                    index
                    for index, pod in enumerate(self._pods)
                    if rule.admits(pod, self._world, version=4, blocks_match_cluster=True)
                ],
            )
        return self._meanings[key]


def distinct(pods: Sequence[Pod], world: World, policies: Iterable[Json]) -> list[Pod]:
    """The pods that some of these policies tell from those before them."""
    questions = _questions(policies)
    known: set[tuple[bool, ...]] = set()
    found = []
    for pod in pods:
        labels = world.namespaces.get(pod.namespace, {})
        signature = tuple(
            (namespace is None or namespace == pod.namespace)
            and selects(namespace_selector, labels)
            and selects(pod_selector, pod.labels)
            for namespace, namespace_selector, pod_selector in questions
        )
        if signature not in known:
            known.add(signature)
            found.append(pod)
    return found


_Question = tuple[str | None, Json | None, Json | None]


def _questions(policies: Iterable[Json]) -> Iterable[_Question]:
    """What can be asked of a pod: its namespace, a selector of namespaces, one of pods."""
    asked: dict[str, _Question] = {}
    for policy in policies:
        own, spec = policy["metadata"]["namespace"], policy["spec"]
        _ask(asked, (own, None, spec.get("podSelector")))
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction) or ():
                for peer in rule.get(side) or ():
                    if "ipBlock" not in peer:
                        spaces = peer.get("namespaceSelector")
                        where = own if spaces is None else None
                        _ask(asked, (where, spaces, peer.get("podSelector")))
    return asked.values()


def _ask(asked: dict[str, _Question], question: _Question) -> None:
    asked.setdefault(json.dumps(question), question)
