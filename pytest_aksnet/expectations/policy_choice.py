"""Chooses the pods and ports of a table that shows every small misreading of a NetworkPolicy.

Pure. Owns the search alone: where the candidates come from, and what is made of those that were
chosen, is others'. All numbers of ports are ones that `policy_ports` has moved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_aksnet.expectations.policy_candidates import (
    Surroundings,
    candidate_ports,
    candidate_world,
    relevant,
)
from pytest_aksnet.expectations.policy_matrix import Matrix, MatrixMaker, distinct
from pytest_aksnet.expectations.policy_mutants import EVERY_POD, Mutant, explicit, mutants
from pytest_aksnet.expectations.policy_rules import read_policy
from pytest_aksnet.model.policy import Pod, PortSpec, World
from pytest_aksnet.model.policy_table import NamedPort

MOST_PODS, MOST_PORTS = 12, 10
# What rules and the policy as a whole may take: a long policy has a pod for each rule at least.
MOST_FOR_RULES = 24
_MOST_CANDIDATES = 100

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Goal:
    """A misreading that is to show: `apart` has the ports at which cells would differ."""

    mutant: Mutant
    apart: Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a table looks at, and what it cannot show.

    `hidden` are misreadings that no pods and ports would show, `unshown` those that would have
    taken more of them than a table has. `closes` and `opens` are whether a cell is closed by the
    policy, and whether one is open by its rules. `selects` is whether it selects any pod at all.
    """

    namespaces: Mapping[str, Mapping[str, str]]
    pods: tuple[Pod, ...]
    ports: tuple[PortSpec, ...]
    hidden: tuple[Mutant, ...]
    unshown: tuple[Mutant, ...]
    closes: bool
    opens: bool
    selects: bool


def choose(
    policy: Json, near: Sequence[Json], named: Sequence[NamedPort], around: Surroundings
) -> Choice:
    """Pods and ports for a policy beside those that are `near` it; `named` are ports of all pods.

    Misreadings are shown wherever ipBlocks may lie, if that can be.
    """
    search = _Search(policy, near, named, around)
    search.run()
    return search.choice()


def blocks_of(policy: Json) -> Iterator[Json]:
    """The ipBlocks of a policy."""
    for direction, side in (("ingress", "from"), ("egress", "to")):
        if direction in read_policy(policy).rules:
            for rule in policy["spec"].get(direction) or ():
                yield from (one["ipBlock"] for one in rule.get(side) or () if "ipBlock" in one)


def isolates(policy: Json, pod: Pod) -> bool:
    """Whether a policy selects a pod, in any direction."""
    parsed = read_policy(policy)
    return any(parsed.isolates(pod, direction) for direction in parsed.rules)


class _Search:
    """Chooses pods and ports. All numbers of ports are moved ones."""

    def __init__(
        self,
        policy: Json,
        near: Sequence[Json],
        named: Sequence[NamedPort],
        around: Surroundings,
    ) -> None:
        self._policy, self._near = policy, near
        together = [policy, *near]
        self._blocks = any(True for _ in blocks_of(policy))
        known = list(mutants(policy))
        variants = [one.policy for one in known if one.policy is not None]
        world = candidate_world(policy, near, relevant(around, together))
        # Those that the policies themselves tell apart first: no limit is to cut them off.
        coarse = distinct(world.pods, world, together)
        fine = distinct(world.pods, world, [*variants, *together])
        pods = [*coarse, *(pod for pod in fine if pod not in coarse)][:_MOST_CANDIDATES]
        # A pod always reaches itself: what a policy says of two pods alike takes two of them.
        pods += [pod for pod in pods if pod.namespace == policy["metadata"]["namespace"]]
        names = {(port.name, port.protocol): port.number for port in named}
        self._world = World(
            namespaces=world.namespaces,
            pods=tuple(replace(pod, named_ports=names) for pod in pods),
        )
        self._ports = candidate_ports(policy, together, named)
        self._maker = MatrixMaker(self._world, self._ports)
        self._mutants = known
        self._pods_taken: list[int] = []
        self._ports_taken = 0
        self._hidden: list[Mutant] = []
        self._unshown: list[Mutant] = []

    def run(self) -> None:
        """Choose, the coarse misreadings first."""
        for goal in self._goals():
            self._reach(goal)
        self._fill()

    def choice(self) -> Choice:
        """What was chosen."""
        closes, opens = self._sides()
        return Choice(
            namespaces=self._world.namespaces,
            pods=tuple(self._world.pods[index] for index in sorted(self._pods_taken)),
            ports=tuple(
                port for bit, port in enumerate(self._ports) if self._ports_taken >> bit & 1
            ),
            hidden=tuple(self._hidden),
            unshown=tuple(self._unshown),
            closes=closes,
            opens=opens,
            selects=any(isolates(self._policy, pod) for pod in self._world.pods),
        )

    def _goals(self) -> Iterator[_Goal]:
        """What each misreading would change, wherever ipBlocks may lie if that can be."""
        whole = self._both_ways(self._policy)
        for mutant in self._mutants:
            among = self._pods_taken if not _is_coarse(mutant) and self._is_full() else ()
            bases = self._both_ways(self._policy, among) if among else whole
            found = self._both_ways(mutant.policy, among)
            apart = [_apart(base, other) for base, other in zip(bases, found, strict=True)]
            sure = _both(*apart) if len(apart) > 1 else apart[0]
            yield _Goal(mutant=mutant, apart=sure if any(map(any, sure)) else apart[0])
        if self._blocks:
            bare, full = whole
            yield _Goal(
                mutant=Mutant(name="other ipBlocks", policy=None, blocks=True),
                apart=_apart(bare, full),
            )

    def _both_ways(self, policy: Json | None, among: Sequence[int] = ()) -> list[Matrix]:
        """The matrix where ipBlocks hold no pod and, if there are any, where they hold all."""
        ways = [policy]
        if self._blocks:
            ways.append(None if policy is None else _blocks_filled(policy))
        return [
            self._maker.matrix([*self._near, *([] if way is None else [way])], among)
            for way in ways
        ]

    def _reach(self, goal: _Goal) -> None:
        taken = self._pods_taken
        if any(goal.apart[one][other] & self._ports_taken for one in taken for other in taken):
            return
        best: tuple[int, int, int, int] | None = None
        for one, row in enumerate(goal.apart):
            for other, bits in enumerate(row):
                if bits:
                    fresh = len({one, other}.difference(taken))
                    cost = fresh if bits & self._ports_taken else fresh + 1
                    if best is None or (cost, one + other) < best[:2]:
                        best = (cost, one + other, one, other)
        coarse = _is_coarse(goal.mutant)
        if best is None:
            # Where there is no room for further pods, only those taken were looked through.
            (self._hidden if coarse or not self._is_full() else self._unshown).append(goal.mutant)
            return
        _, _, one, other = best
        wanted = {one, other}.difference(taken)
        bits = goal.apart[one][other]
        port = 0 if bits & self._ports_taken else bits & -bits
        pods, ports = (MOST_FOR_RULES, MOST_FOR_RULES) if coarse else (MOST_PODS, MOST_PORTS)
        if len(taken) + len(wanted) > pods or (self._ports_taken | port).bit_count() > ports:
            self._unshown.append(goal.mutant)
            return
        taken += sorted(wanted)
        self._ports_taken |= port

    def _is_full(self) -> bool:
        return len(self._pods_taken) >= MOST_PODS

    def _fill(self) -> None:
        """A pod that the policy selects, another pod and a port, whatever else was chosen.

        A policy that adds nothing to others is looked at too.
        """
        taken = self._pods_taken
        selected = [
            index for index, pod in enumerate(self._world.pods) if isolates(self._policy, pod)
        ]
        if not set(selected).intersection(taken):
            taken += selected[:1]
        if len(taken) < 2:
            taken += [index for index, _ in enumerate(self._world.pods) if index not in taken][:1]
        self._ports_taken = self._ports_taken or 1

    def _sides(self) -> tuple[bool, bool]:
        """Whether a cell is closed by this policy alone, and whether one is open by its rules."""
        without = self._maker.matrix(self._near)
        held = self._maker.matrix([*self._near, self._policy])
        shut = explicit(self._policy)
        shut["spec"] |= {"ingress": [], "egress": []}
        bare = self._maker.matrix([*self._near, shut])
        cells = [(one, other) for one in self._pods_taken for other in self._pods_taken]
        closed = any(
            without[one][other] & ~held[one][other] & self._ports_taken for one, other in cells
        )
        opened = any(
            held[one][other] & ~bare[one][other] & self._ports_taken for one, other in cells
        )
        return closed, opened


def _is_coarse(mutant: Mutant) -> bool:
    return bool(mutant.rule) or mutant.policy is None


def _apart(one: Matrix, other: Matrix) -> Matrix:
    return [
        [a ^ b for a, b in zip(row, line, strict=True)]
        for row, line in zip(one, other, strict=True)
    ]


def _both(one: Matrix, other: Matrix) -> Matrix:
    return [
        [a & b for a, b in zip(row, line, strict=True)]
        for row, line in zip(one, other, strict=True)
    ]


def _blocks_filled(policy: Json) -> Json:
    filled = explicit(policy)
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in filled["spec"].get(direction) or ():
            if rule.get(side):
                rule[side] = [dict(EVERY_POD) if "ipBlock" in one else one for one in rule[side]]
    return filled
