"""Small changes of a NetworkPolicy: what an engine that misreads it would enforce instead; pure.

A table proves a part of a policy where a cell of it would be another one under such a change.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_aksnet.expectations.policy_rules import read_policy

Json = dict[str, Any]
Path = tuple[str | int, ...]
EVERY_POD: Mapping[str, Any] = {"namespaceSelector": {}}
_SIDES = (("ingress", "Ingress", "from"), ("egress", "Egress", "to"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A changed policy, None for none at all. `rule` is the rule that it lacks, if that is it.

    `blocks` says that its ipBlocks hold every pod, or none.
    """

    name: str
    policy: Json | None = field(hash=False)
    rule: str = ""
    blocks: bool = False


def explicit(policy: Mapping[str, Any]) -> Json:
    """The same policy with its policyTypes written out."""
    found = copy.deepcopy(dict(policy))
    rules = read_policy(policy).rules
    found["spec"] = dict(found.get("spec") or {})
    found["spec"]["policyTypes"] = [name for side, name, _ in _SIDES if side in rules]
    return found


def mutants(policy: Mapping[str, Any]) -> Iterator[Mutant]:
    """Changes, the coarse ones first: rules dropped, then peers, ports and terms of selectors."""
    base = explicit(policy)
    spec = base["spec"]
    sides = [side for side in _SIDES if side[1] in spec["policyTypes"]]
    for direction, _, _ in sides:
        for index, _ in enumerate(spec.get(direction) or ()):
            rule = f"{direction}[{index}]"
            yield Mutant(
                name=f"{rule} dropped", rule=rule, policy=_without(base, "spec", direction, index)
            )
    yield Mutant(name="the policy dropped", policy=None)
    yield from _types(base)
    yield from _selector(base, ("spec", "podSelector"))
    for direction, _, peers in sides:
        for index, rule in enumerate(spec.get(direction) or ()):
            at: Path = ("spec", direction, index)
            yield from _peers(base, (*at, peers), (rule or {}).get(peers) or ())
            yield from _ports(base, (*at, "ports"), (rule or {}).get("ports") or ())


def _types(base: Json) -> Iterator[Mutant]:
    types = base["spec"]["policyTypes"]
    for _, name, _ in _SIDES:
        changed = [one for one in types if one != name] if name in types else [*types, name]
        if changed:
            yield _changed(base, ("spec", "policyTypes"), changed)


def _peers(base: Json, at: Path, peers: Sequence[Mapping[str, Any]]) -> Iterator[Mutant]:
    if not peers:
        yield _changed(base, at, [{"podSelector": {}}])
        return
    yield _changed(base, at, [])
    for index, peer in enumerate(peers):
        if len(peers) > 1:
            yield _less(base, (*at, index))
        if "ipBlock" in peer:
            continue
        for name in ("namespaceSelector", "podSelector"):
            if peer.get(name) is not None:
                yield from _selector(base, (*at, index, name))
                if len(peer) > 1:
                    yield _less(base, (*at, index, name))
        if "namespaceSelector" not in peer:
            yield _changed(base, (*at, index, "namespaceSelector"), {})


def _ports(base: Json, at: Path, ports: Sequence[Mapping[str, Any]]) -> Iterator[Mutant]:
    if not ports:
        yield _changed(base, at, [{"protocol": "TCP"}])
        yield _changed(base, at, [{"protocol": "UDP"}])
        return
    yield _changed(base, at, [])
    for index, port in enumerate(ports):
        one: Path = (*at, index)
        if len(ports) > 1:
            yield _less(base, one)
        swapped = "TCP" if (port.get("protocol") or "TCP") != "TCP" else "UDP"
        yield _changed(base, (*one, "protocol"), swapped)
        number, last = port.get("port"), port.get("endPort")
        if number is None:
            continue
        if isinstance(number, int) and last is not None:
            yield _changed(base, (*one, "endPort"), last + 1)
            yield _changed(base, (*one, "port"), number - 1)
            yield _less(base, (*one, "endPort"))
            if last > number:
                yield _changed(base, (*one, "endPort"), last - 1)
                yield _changed(base, (*one, "port"), number + 1)
        elif isinstance(number, int):
            yield _changed(base, (*one, "endPort"), number + 1)
        else:
            yield _less(base, (*one, "port"))


def _selector(base: Json, at: Path) -> Iterator[Mutant]:
    selector = _at(base, at) or {}
    labels, terms = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    if labels or terms:
        yield _changed(base, at, {})
    if len(labels) + len(terms) > 1:
        for key in labels:
            yield _less(base, (*at, "matchLabels", key))
        for index, _ in enumerate(terms):
            yield _less(base, (*at, "matchExpressions", index))
    for index, term in enumerate(terms):
        values = term.get("values") or ()
        for place, _ in enumerate(values if len(values) > 1 else ()):
            yield _less(base, (*at, "matchExpressions", index, "values", place))


def _changed(base: Json, at: Path, value: object) -> Mutant:
    policy = copy.deepcopy(base)
    _at(policy, at[:-1])[at[-1]] = value
    return Mutant(name=f"{_words(at)} = {value}", policy=policy)


def _less(base: Json, at: Path) -> Mutant:
    return Mutant(name=f"{_words(at)} dropped", policy=_without(base, *at))


def _without(base: Json, *at: str | int) -> Json:
    policy = copy.deepcopy(base)
    del _at(policy, at[:-1])[at[-1]]
    return policy


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else value[step]
    return value


def _words(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:])[1:]
