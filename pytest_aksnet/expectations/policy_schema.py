"""What an API server refuses in a NetworkPolicy, said before one is asked; pure.

The rules are those of networking.k8s.io/v1: unknown fields (strict field validation, KEP 2885) and
pkg/apis/networking/validation of Kubernetes. Host bits in a CIDR are left to the server: whether
they are refused depends on its release (KEP 4858).
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

_LABEL = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
)
_PORT_NAME = re.compile(r"(?=.{1,15}\Z)(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_LAST_PORT = 65535
_DIRECTIONS = ("Ingress", "Egress")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_METADATA = (
    *("name", "generateName", "namespace", "labels", "annotations"),
    *("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
    *("finalizers", "ownerReferences", "managedFields"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong at one field. `value` is what stands there, `remedy` what to write."""

    field: str
    value: object
    problem: str
    remedy: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.field} = {self.value!r}: {self.problem}; {self.remedy}"


Flaws = Iterator[Flaw]
Reader = Callable[[object, str], Flaws]


def flaws_of_policy(policy: Mapping[str, object]) -> Flaws:
    """Everything in a NetworkPolicy that an API server would refuse, in the order of the object."""
    yield from _unknown(policy, ("apiVersion", "kind", "metadata", "spec", "status"), "")
    metadata = policy.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _unknown(metadata, _METADATA, "metadata")
        yield from _matches(metadata.get("name"), "metadata.name", _DNS_NAME, "a DNS name")
        yield from _matches(
            metadata.get("namespace"), "metadata.namespace", _DNS_LABEL, "a DNS label"
        )
    else:
        yield Flaw(field="metadata", value=metadata, problem="no name", remedy="give metadata.name")
    yield from _spec(policy.get("spec"), "spec")


def flaws_of_labels(labels: object, where: str) -> Flaws:
    """What is wrong with a map of labels."""
    if not isinstance(labels, Mapping):
        yield _no_map(labels, where)
        return
    for key, value in labels.items():
        yield from _label_key(key, f"{where}[{key!r}]")
        yield from _label_value(value, f"{where}.{key}")


def _spec(spec: object, where: str) -> Flaws:
    if not isinstance(spec, Mapping):
        yield _no_map(spec, where)
        return
    yield from _unknown(spec, ("podSelector", "policyTypes", "ingress", "egress"), where)
    yield from _selector(spec.get("podSelector"), f"{where}.podSelector")
    yield from _each(spec.get("policyTypes"), f"{where}.policyTypes", _policy_type)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        yield from _each(spec.get(direction), f"{where}.{direction}", _rule_reader(peers))


def _policy_type(value: object, where: str) -> Flaws:
    if value not in _DIRECTIONS:
        yield Flaw(
            field=where,
            value=value,
            problem="no policy type",
            remedy=f"write {' or '.join(_DIRECTIONS)}",
        )


def _rule_reader(peers: str) -> Reader:
    def read(rule: object, where: str) -> Flaws:
        if not isinstance(rule, Mapping):
            yield _no_map(rule, where)
            return
        yield from _unknown(rule, (peers, "ports"), where)
        yield from _each(rule.get(peers), f"{where}.{peers}", _peer)
        yield from _each(rule.get("ports"), f"{where}.ports", _port)

    return read


def _peer(peer: object, where: str) -> Flaws:
    if peer is not None and not isinstance(peer, Mapping):
        yield _no_map(peer, where)
        return
    given = {key: value for key, value in (peer or {}).items() if value is not None}
    yield from _unknown(given, ("podSelector", "namespaceSelector", "ipBlock"), where)
    if not given:
        yield Flaw(
            field=where,
            value=peer,
            problem="a peer that says nothing",
            remedy="give a podSelector, a namespaceSelector or an ipBlock; {} for a selector "
            "means all, a rule without peers means everybody",
        )
    if "ipBlock" in given and len(given) > 1:
        yield Flaw(
            field=where,
            value=sorted(given),
            problem="an ipBlock stands alone",
            remedy="make two peers of it",
        )
    for name in ("podSelector", "namespaceSelector"):
        yield from _selector(given.get(name), f"{where}.{name}")
    if "ipBlock" in given:
        yield from _block(given["ipBlock"], f"{where}.ipBlock")


def _block(block: object, where: str) -> Flaws:
    if not isinstance(block, Mapping):
        yield _no_map(block, where)
        return
    yield from _unknown(block, ("cidr", "except"), where)
    network = _network(block.get("cidr"))
    if network is None:
        yield _no_cidr(block.get("cidr"), f"{where}.cidr")
    yield from _each(
        block.get("except"), f"{where}.except", lambda one, at: _except(one, at, network)
    )


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _except(value: object, where: str, network: _Network | None) -> Flaws:
    hole = _network(value)
    if hole is None:
        yield _no_cidr(value, where)
    elif network is not None and not (
        hole.version == network.version
        and hole.prefixlen > network.prefixlen
        and hole.network_address in network
    ):
        yield Flaw(
            field=where,
            value=value,
            problem=f"is no part of the cidr {network}",
            remedy="write a smaller network inside of the cidr",
        )


def _network(value: object) -> _Network | None:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", value):
        return None
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def _no_cidr(value: object, where: str) -> Flaw:
    return Flaw(
        field=where, value=value, problem="no CIDR", remedy="write it as 10.0.0.0/8 or fd00::/64"
    )


def _port(port: object, where: str) -> Flaws:
    if not isinstance(port, Mapping):
        yield _no_map(port, where)
        return
    yield from _unknown(port, ("protocol", "port", "endPort"), where)
    protocol, number, last = (port.get(key) for key in ("protocol", "port", "endPort"))
    if protocol is not None and protocol not in _PROTOCOLS:
        yield Flaw(
            field=f"{where}.protocol",
            value=protocol,
            problem="no protocol",
            remedy=f"write one of {', '.join(_PROTOCOLS)}",
        )
    named = isinstance(number, str) and _PORT_NAME.fullmatch(number) is not None
    if number is not None and not named and not _is_number(number):
        yield Flaw(
            field=f"{where}.port",
            value=number,
            problem="neither a port number nor the name of a container port",
            remedy=f"write a number from 1 to {_LAST_PORT} without quotes, or a name of at most 15 "
            "characters (a-z, 0-9, -) with a letter",
        )
    if last is None:
        return
    if not _is_number(last):
        problem, remedy = "no port number", f"write a number from 1 to {_LAST_PORT}"
    elif number is None:
        problem, remedy = "an endPort without a port", "add the first port of the range as port"
    elif not isinstance(number, int):
        problem, remedy = "an endPort needs a number as port", "write the first port as a number"
    elif isinstance(last, int) and last < number:
        problem, remedy = f"is smaller than the port {number}", "write the last port of the range"
    else:
        return
    yield Flaw(field=f"{where}.endPort", value=last, problem=problem, remedy=remedy)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LAST_PORT


def _selector(selector: object, where: str) -> Flaws:
    if selector is None:
        return
    if not isinstance(selector, Mapping):
        yield _no_map(selector, where)
        return
    yield from _unknown(selector, ("matchLabels", "matchExpressions"), where)
    yield from flaws_of_labels(selector.get("matchLabels") or {}, f"{where}.matchLabels")
    yield from _each(selector.get("matchExpressions"), f"{where}.matchExpressions", _term)


def _term(term: object, where: str) -> Flaws:
    if not isinstance(term, Mapping):
        yield _no_map(term, where)
        return
    yield from _unknown(term, ("key", "operator", "values"), where)
    yield from _label_key(term.get("key"), f"{where}.key")
    values = term.get("values") or []
    yield from _each(values, f"{where}.values", _label_value)
    match term.get("operator"):
        case "In" | "NotIn" as operator:
            if not values:
                yield Flaw(
                    field=f"{where}.values",
                    value=term.get("values"),
                    problem=f"{operator} without values",
                    remedy="list at least one value",
                )
        case "Exists" | "DoesNotExist" as operator:
            if values:
                yield Flaw(
                    field=f"{where}.values",
                    value=values,
                    problem=f"{operator} takes no values",
                    remedy="leave them out, or write In or NotIn",
                )
        case other:
            yield Flaw(
                field=f"{where}.operator",
                value=other,
                problem="no operator",
                remedy="write In, NotIn, Exists or DoesNotExist",
            )


def _label_key(key: object, where: str) -> Flaws:
    prefix, slash, name = key.rpartition("/") if isinstance(key, str) else ("", "", "")
    if not _LABEL.fullmatch(name) or (slash and not _DNS_NAME.fullmatch(prefix)):
        yield Flaw(
            field=where, value=key, problem="no key of a label", remedy="write [PREFIX/]NAME"
        )


def _label_value(value: object, where: str) -> Flaws:
    if not isinstance(value, str):
        yield Flaw(
            field=where, value=value, problem="a label is a string", remedy="put it in quotes"
        )
    elif value and not _LABEL.fullmatch(value):
        yield Flaw(
            field=where,
            value=value,
            problem="no value of a label",
            remedy="at most 63 characters: letters, digits, '-', '_', '.', the first and last a "
            "letter or digit",
        )


def _each(values: object, where: str, read: Reader) -> Flaws:
    if values is None:
        return
    if not isinstance(values, list):
        yield Flaw(field=where, value=values, problem="no list", remedy="put '- ' before each part")
        return
    for index, value in enumerate(values):
        yield from read(value, f"{where}[{index}]")


def _unknown(found: Mapping[str, object], known: Collection[str], where: str) -> Flaws:
    for key, value in found.items():
        if key not in known:
            yield Flaw(
                field=f"{where}.{key}" if where else str(key),
                value=value,
                problem="unknown field",
                remedy=f"{where or 'a NetworkPolicy'} has {', '.join(sorted(known))}",
            )


def _no_map(value: object, where: str) -> Flaw:
    return Flaw(
        field=where,
        value=value,
        problem="no map of fields",
        remedy="write fields as KEY: VALUE, or {}",
    )


def _matches(value: object, where: str, wanted: re.Pattern[str], what: str) -> Flaws:
    if not isinstance(value, str) or not wanted.fullmatch(value):
        yield Flaw(
            field=where, value=value, problem=f"is not {what}", remedy="give one in small letters"
        )
