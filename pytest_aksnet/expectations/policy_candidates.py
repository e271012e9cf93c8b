"""The pods and ports that can tell a NetworkPolicy from its mutants: what a scenario chooses from.

Pure. What is documented (Namespaces and workloads beside the policy) comes before what is made up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_aksnet.expectations.policy_labels import Labels, matching, near_misses
from pytest_aksnet.expectations.policy_ports import ranges_of
from pytest_aksnet.expectations.policy_world import NAME_LABEL
from pytest_aksnet.model.policy import Pod, PortSpec, Protocol, World
from pytest_aksnet.model.policy_table import NamedPort, TablePod

Json = Mapping[str, Any]
_FIRST_FREE = 8080


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
    keys = {key for policy in policies for key in _keys(policy["spec"])}
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


def candidate_world(policy: Json, around: Surroundings) -> World:
    """Pods in namespaces that match and that nearly match each selector of the policy.

    Each is named as what it is: a workload by its name, others "selected", "peer" or "other".
    """
    own = policy["metadata"]["namespace"]
    peers = list(_peers(policy))
    spaces = _namespaces(own, [peer.get("namespaceSelector") for peer in peers], around)
    pods: list[Pod] = [
        _pod(pod.namespace, pod.name, pod.labels)
        for pod in around.workloads
        if pod.namespace in spaces
    ]
    selector = policy["spec"].get("podSelector")
    pods += [_pod(own, "selected", labels) for labels in matching(selector)]
    for peer in peers:
        wanted = matching(peer.get("podSelector"))
        pods += [_pod(space, "peer", labels) for labels in wanted for space in spaces]
    pods += [_pod(own, "other", labels) for labels in near_misses(selector)]
    for peer in peers:
        missed = near_misses(peer.get("podSelector"))
        pods += [_pod(space, "other", labels) for labels in missed for space in spaces]
    pods += [_pod(space, "other", {}) for space in spaces]
    return World(namespaces=spaces, pods=tuple(pods))


def named_ports(policies: Sequence[Json], workloads: Iterable[TablePod]) -> tuple[NamedPort, ...]:
    """Every port name of the policies with a number: a workload's, else one that is free."""
    wanted: dict[tuple[str, str], int | None] = {}
    for port in _ports(policies):
        if isinstance(port.get("port"), str):
            wanted[port["port"], port.get("protocol") or "TCP"] = None
    for pod in workloads:
        for declared in pod.ports:
            key = declared.name, declared.protocol
            if key in wanted and wanted[key] is None:
                wanted[key] = declared.number
    taken = {number for number in wanted.values() if number is not None}
    found = []
    for (name, protocol), number in wanted.items():
        if number is None:
            number = free_port(policies, taken)
            taken.add(number)
        found.append(NamedPort(name=name, number=number, protocol=protocol))
    return tuple(found)


def candidate_ports(
    policy: Json, policies: Sequence[Json], named: Sequence[NamedPort]
) -> list[PortSpec]:
    """Each port of the policy, the ends of ranges and their neighbours, and one that none lists.

    Over TCP and UDP. All numbers are ones that `policy_ports` has moved.
    """
    names = {(port.name, port.protocol): port.number for port in named}
    found: list[PortSpec] = []
    for port in _ports([policy]):
        number, last = port.get("port"), port.get("endPort")
        protocol: Protocol = port.get("protocol") or "TCP"
        if isinstance(number, str):
            number = names[number, protocol]
        if number is None:
            continue
        near = {number: None, last or number: None, (last or number) + 1: None, number - 1: None}
        found += [PortSpec(number=one, protocol=protocol) for one in near]
    numbers = dict.fromkeys(port.number for port in found)
    numbers[free_port(policies, {*numbers, *names.values()})] = None
    found += [PortSpec(number=one, protocol="TCP") for one in numbers]
    found += [PortSpec(number=one, protocol="UDP") for one in numbers]
    return [port for port in dict.fromkeys(found) if port.protocol != "SCTP"]


def free_port(policies: Sequence[Json], taken: Iterable[int]) -> int:
    """A number that no policy lists and that is not taken."""
    ranges = ranges_of(policies)
    number, others = _FIRST_FREE, set(taken)
    while number in others or any(first <= number <= last for first, last in ranges):
        number += 1
    return number


def _namespaces(
    own: str, selectors: Sequence[Json | None], around: Surroundings
) -> dict[str, Mapping[str, str]]:
    """The policy's own, those that are documented, those that selectors name, and made-up ones."""
    found: dict[str, Mapping[str, str]] = {own: around.namespaces.get(own, {})}
    found.update(around.namespaces)
    for find in (matching, near_misses):
        for selector in selectors:
            for labels in find(selector) if selector is not None else ():
                _add_namespace(found, labels)
    _add_namespace(found, {})
    return {name: {**labels, NAME_LABEL: name} for name, labels in found.items()}


def _add_namespace(found: dict[str, Mapping[str, str]], labels: Labels) -> None:
    rest = {key: value for key, value in labels.items() if key != NAME_LABEL}
    if NAME_LABEL in labels:
        found.setdefault(labels[NAME_LABEL], rest)
        return
    made_up = [name for name in found if name.startswith("elsewhere")]
    if all(found[name] != rest for name in made_up):
        found[f"elsewhere-{len(made_up) + 1}"] = rest


def _keys(part: object) -> Iterator[str]:
    """The keys of labels in all selectors below a part of a policy."""
    if isinstance(part, list):
        for one in part:
            yield from _keys(one)
    elif isinstance(part, dict):
        yield from part.get("matchLabels") or ()
        if "operator" in part:
            yield part["key"]
        for one in part.values():
            yield from _keys(one)


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
