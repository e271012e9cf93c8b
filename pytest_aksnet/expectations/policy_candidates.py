"""The pods and ports that can tell a NetworkPolicy from its mutants: what a scenario chooses from.

Pure. What is documented (Namespaces and workloads beside the policy) comes before what is made up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_aksnet.expectations.policy_labels import Labels, matching, near_misses
from pytest_aksnet.expectations.policy_ports import ranges_of
from pytest_aksnet.expectations.policy_rules import selects
from pytest_aksnet.expectations.policy_world import NAME_LABEL
from pytest_aksnet.model.policy import Pod, PortSpec, Protocol, World
from pytest_aksnet.model.policy_table import NamedPort, TablePod

Json = Mapping[str, Any]
_FIRST_FREE = 8080
_MOST_SETS = 12
_MOST_CANDIDATES = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known beside the policies: labels of namespaces, and pods as workloads have them."""

    namespaces: Mapping[str, Mapping[str, str]]
    workloads: tuple[TablePod, ...] = ()


def relevant(around: Surroundings, policies: Sequence[Json]) -> Surroundings:
    """The same with the labels alone that selectors of these policies ask for.

    Other labels may make a cluster do more with our namespaces and pods: refuse them (Pod Security)
    or put sidecars into them.
    """
    keys = {key for policy in policies for key in keys_of(policy["spec"])}
    return Surroundings(
        namespaces={
            name: {key: value for key, value in labels.items() if key in keys}
            for name, labels in around.namespaces.items()
        },
        workloads=tuple(
            replace(pod, labels={key: value for key, value in pod.labels.items() if key in keys})
            for pod in around.workloads
        ),
    )


def keys_of(part: object) -> Iterator[str]:
    """The keys of labels in all selectors below a part of a policy."""
    if isinstance(part, list):
        for one in part:
            yield from keys_of(one)
    elif isinstance(part, dict):
        yield from part.get("matchLabels") or ()
        if "operator" in part:
            yield part["key"]
        for one in part.values():
            yield from keys_of(one)


def candidate_world(policy: Json, near: Sequence[Json], around: Surroundings) -> World:
    """Pods in namespaces that match and that nearly match each selector of the policy.

    Each is named as what it is: a workload by its name, others "selected", "peer" or "other". Some
    also match or miss other selectors, of the policy and of those `near` it: what only one of two
    overlapping parts decides takes a pod that the other does not select.
    """
    own = policy["metadata"]["namespace"]
    peers = list(_peers(policy))
    others = [peer for one in near for peer in _peers(one)]
    spaces = _namespaces(
        own,
        _present(peer.get("namespaceSelector") for peer in peers),
        _present(peer.get("namespaceSelector") for peer in others),
        around,
    )
    selected = policy["spec"].get("podSelector")
    chosen = [peer.get("podSelector") for peer in peers]
    extras = _both_kinds(
        [selected, *chosen, *(one["spec"].get("podSelector") for one in near)]
        + [peer.get("podSelector") for peer in others]
    )
    pods = [
        _pod(pod.namespace, pod.name, pod.labels)
        for pod in around.workloads
        if pod.namespace in spaces
    ]
    pods += [_pod(own, "selected", labels) for labels in matching(selected)]
    pods += [
        _pod(space, "peer", labels)
        for peer in peers
        for space in _spaces_of(peer, own, spaces)
        for labels in matching(peer.get("podSelector"))
    ]
    sets = [
        *(("peer", labels) for one in chosen for labels in matching(one)),
        *(("other", labels) for one in (selected, *chosen) for labels in near_misses(one)),
        ("other", {}),
    ]
    sets = [("selected", labels) for labels in matching(selected)] + sets
    sets += [(role, {**extra, **labels}) for role, labels in sets for extra in extras]
    for role, labels in sets:
        for space in spaces:
            if role != "selected" or space == own:
                pods.append(_pod(space, role, labels))
    return World(namespaces=spaces, pods=tuple(pods[:_MOST_CANDIDATES]))


def named_ports(policies: Sequence[Json], workloads: Iterable[TablePod]) -> tuple[NamedPort, ...]:
    """Every port name of the policies with a number: a workload's, else one that is free.

    A container declares a name once, so it has one protocol: a workload's, else the first listed.
    """
    wanted: dict[str, NamedPort | None] = {}
    protocols: dict[str, str] = {}
    for port in _ports(policies):
        if isinstance(port.get("port"), str):
            wanted[port["port"]] = None
            protocols.setdefault(port["port"], port.get("protocol") or "TCP")
    for pod in workloads:
        for declared in pod.ports:
            if declared.name in wanted:
                wanted[declared.name] = wanted[declared.name] or declared
    taken = {port.number for port in wanted.values() if port is not None}
    found = []
    for name, known in wanted.items():
        if known is None:
            number = free_port(policies, taken)
            taken.add(number)
            known = NamedPort(name=name, number=number, protocol=protocols[name])
        found.append(known)
    return tuple(found)


def candidate_ports(
    policy: Json, policies: Sequence[Json], named: Sequence[NamedPort]
) -> list[PortSpec]:
    """Each port of the policy, the ends of ranges and their neighbours, and one that none lists.

    Over TCP and UDP, and over SCTP what is listed with it and the last. All numbers are ones that
    `policy_ports` has moved.
    """
    names = {(port.name, port.protocol): port.number for port in named}
    found: list[PortSpec] = []
    for port in _ports([policy]):
        number, last = port.get("port"), port.get("endPort")
        protocol: Protocol = port.get("protocol") or "TCP"
        if isinstance(number, str):
            number = names.get((number, protocol))
        if number is None:
            continue
        near = {number: None, last or number: None, (last or number) + 1: None, number - 1: None}
        found += [PortSpec(number=one, protocol=protocol) for one in near]
    numbers = dict.fromkeys(port.number for port in found)
    free = free_port(policies, {*numbers, *names.values()})
    numbers[free] = None
    found += [PortSpec(number=one, protocol="TCP") for one in numbers]
    found += [PortSpec(number=one, protocol="UDP") for one in numbers]
    found.append(PortSpec(number=free, protocol="SCTP"))
    return list(dict.fromkeys(found))


def free_port(policies: Sequence[Json], taken: Iterable[int]) -> int:
    """A number that no policy lists and that is not taken."""
    ranges = ranges_of(policies)
    number, others = _FIRST_FREE, set(taken)
    while number in others or any(first <= number <= last for first, last in ranges):
        number += 1
    return number


def _namespaces(
    own: str, asked: Sequence[Json], beside: Sequence[Json], around: Surroundings
) -> dict[str, Mapping[str, str]]:
    """The policy's own, those that are documented, those that selectors name, and made-up ones."""
    named = {name for one in (*asked, *beside) for name in _names_in(one)}
    found: dict[str, Mapping[str, str]] = {own: around.namespaces.get(own, {})}
    for name, labels in around.namespaces.items():
        # Of those that are alike for all selectors one will do.
        if name in named or labels not in found.values():
            found[name] = labels
    sets = [labels for one in asked for labels in matching(one)]
    sets += [labels for one in asked for labels in near_misses(one)]
    for labels in [*sets, {}]:
        _add_namespace(found, labels)
    for extra in _both_kinds([*asked, *beside]) if len(asked) + len(beside) > 1 else ():
        for labels in sets:
            _add_namespace(found, {**extra, **labels})
    return {name: {**labels, NAME_LABEL: name} for name, labels in found.items()}


def _names_in(selector: Json) -> Iterator[str]:
    """Namespaces that a selector names."""
    if NAME_LABEL in (selector.get("matchLabels") or {}):
        yield selector["matchLabels"][NAME_LABEL]
    for term in selector.get("matchExpressions") or ():
        if term["key"] == NAME_LABEL:
            yield from term.get("values") or ()


def _both_kinds(selectors: Sequence[Json | None]) -> list[Labels]:
    """Labels that match and that nearly match each, the first few of all."""
    found = [
        labels for find in (near_misses, matching) for one in selectors for labels in find(one)
    ]
    return [one for index, one in enumerate(found) if one and one not in found[:index]][:_MOST_SETS]


def _spaces_of(peer: Json, own: str, spaces: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The namespaces that a peer means."""
    wanted = peer.get("namespaceSelector")
    if wanted is None:
        return [own]
    return [name for name, labels in spaces.items() if selects(wanted, labels)]


def _present(selectors: Iterable[Json | None]) -> list[Json]:
    return [one for one in selectors if one is not None]


def _add_namespace(found: dict[str, Mapping[str, str]], labels: Labels) -> None:
    rest = {key: value for key, value in labels.items() if key != NAME_LABEL}
    if NAME_LABEL in labels:
        found.setdefault(labels[NAME_LABEL], rest)
        return
    made_up = [name for name in found if name.startswith("elsewhere")]
    if len(made_up) < _MOST_SETS and all(found[name] != rest for name in made_up):
        found[f"elsewhere-{len(made_up) + 1}"] = rest


def _peers(policy: Json) -> Iterator[Json]:
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(direction) or ():
            yield from (peer for peer in rule.get(side) or () if "ipBlock" not in peer)


def _ports(policies: Sequence[Json]) -> Iterator[Json]:
    for policy in policies:
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction) or ():
                yield from rule.get("ports") or ()


def _pod(namespace: str, name: str, labels: Mapping[str, str]) -> Pod:
    return Pod(namespace=namespace, name=name, node="", ips=(), labels=labels)
