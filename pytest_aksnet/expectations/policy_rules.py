"""NetworkPolicies as questions that can be asked of one peer and one port; pure.

Policies are objects as the API server returns them (networking.k8s.io/v1). What the server would
not have stored is not judged here: a KeyError or a ValueError.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.model.peers import of_family
from pytest_aksnet.model.policy import Direction, End, Node, Pod, PortSpec, World

Json = Mapping[str, Any]


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (meta/v1) matches; one that is absent or empty matches all."""
    if not selector:
        return True
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(_holds(term, labels) for term in selector.get("matchExpressions") or ())


def _holds(term: Json, labels: Mapping[str, str]) -> bool:
    key, values = term["key"], term.get("values") or ()
    match term["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise ValueError(f"unknown operator of a label selector: {other!r}")


def address(end: End, version: int) -> str | None:
    """The first address of that family (4 or 6)."""
    return of_family(end.ips, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of one policy. `name` is "NAMESPACE/POLICY DIRECTION[INDEX]".

    Empty `peers` mean everybody, empty `ports` all of them.
    """

    name: str
    namespace: str
    peers: Sequence[Json]
    ports: Sequence[Json]

    def admits(self, peer: End, world: World, *, version: int, blocks_match_cluster: bool) -> bool:
        """Whether the peer is one of those that the rule names."""
        return not self.peers or any(
            self._is(one, peer, world, version, blocks_match_cluster) for one in self.peers
        )

    def opens(self, port: PortSpec, destination: End) -> bool:
        """Whether the rule has that port; names are the destination pod's."""
        return not self.ports or any(_is_port(one, port, destination) for one in self.ports)

    def port_names(self) -> set[tuple[str, str]]:
        """Ports that it gives by name, with their protocols."""
        return {
            (one["port"], one.get("protocol") or "TCP")
            for one in self.ports
            if isinstance(one.get("port"), str)
        }

    def _is(
        self, wanted: Json, peer: End, world: World, version: int, blocks_match_cluster: bool
    ) -> bool:
        if "ipBlock" in wanted:
            if isinstance(peer, Pod | Node) and not blocks_match_cluster:
                return False
            ip = address(peer, version)
            return ip is not None and _in_block(wanted["ipBlock"], ip)
        if not isinstance(peer, Pod):
            return False
        if wanted.get("namespaceSelector") is None:
            if peer.namespace != self.namespace:
                return False
        elif not selects(wanted["namespaceSelector"], world.namespaces.get(peer.namespace, {})):
            return False
        return selects(wanted.get("podSelector"), peer.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy: whom it isolates in which direction, and what it lets them."""

    name: str
    namespace: str
    selector: Json
    rules: Mapping[Direction, Sequence[Rule]]

    def isolates(self, pod: Pod, direction: Direction) -> bool:
        """Whether that direction of the pod is closed but for what policies allow."""
        return (
            direction in self.rules
            and pod.namespace == self.namespace
            and selects(self.selector, pod.labels)
        )


def read_policy(policy: Json) -> Policy:
    """A policy from the API's object."""
    namespace, spec = policy["metadata"]["namespace"], policy["spec"]
    name = f"{namespace}/{policy['metadata']['name']}"
    types = spec.get("policyTypes") or (
        ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    )
    rules: dict[Direction, list[Rule]] = {}
    sides: tuple[tuple[str, Direction, str], ...] = (
        ("Egress", "egress", "to"),
        ("Ingress", "ingress", "from"),
    )
    for type_name, direction, peers in sides:
        if type_name in types:
            rules[direction] = [
                Rule(
                    name=f"{name} {direction}[{index}]",
                    namespace=namespace,
                    peers=rule.get(peers) or (),
                    ports=rule.get("ports") or (),
                )
                for index, rule in enumerate(spec.get(direction) or ())
            ]
    return Policy(
        name=name, namespace=namespace, selector=spec.get("podSelector") or {}, rules=rules
    )


def _is_port(wanted: Json, port: PortSpec, destination: End) -> bool:
    if (wanted.get("protocol") or "TCP") != port.protocol:
        return False
    number = wanted.get("port")
    if number is None:
        return True
    if isinstance(number, str):
        names = destination.named_ports if isinstance(destination, Pod) else {}
        return names.get((number, port.protocol)) == port.number
    last = wanted.get("endPort")
    return bool(number <= port.number <= (number if last is None else last))


def _in_block(block: Json, ip: str) -> bool:
    place = ipaddress.ip_address(ip)
    if place not in ipaddress.ip_network(block["cidr"], strict=False):
        return False
    return not any(
        place in ipaddress.ip_network(one, strict=False) for one in block.get("except") or ()
    )
