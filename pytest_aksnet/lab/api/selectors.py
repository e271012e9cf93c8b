"""Label and field selectors: parse once, match often. Syntax: "Labels and Selectors"."""

import dataclasses
import re
from collections.abc import Callable, Mapping

from pytest_aksnet.lab.api import errors
from pytest_aksnet.lab.api.objects import JsonObject, get_path
from pytest_aksnet.lab.api.resources import Resource

Matcher = Callable[[JsonObject], bool]

_TOKEN = re.compile(r"\s*(!=|==|=|!|,|\(|\)|>|<|[^\s!=,()<>]+)")
_OPERATORS = {"=": "in", "==": "in", "!=": "notin", "in": "in", "notin": "notin"}
_COMPARE = {">": "gt", "<": "lt", "gt": "gt", "lt": "lt"}

_COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        }
    ),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"name", "status.phase"}),
    "secrets": frozenset({"type"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
    "replicasets.apps": frozenset({"status.replicas"}),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    "events.events.k8s.io": frozenset(
        {
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "reportingController",
            "type",
        }
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector: key, operator (in, notin, exists, absent, gt, lt), values."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy this term."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None
        (bound,) = self.values
        try:
            number = int(value or "")
        except ValueError:
            return False
        return number > int(bound) if self.operator == "gt" else number < int(bound)


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The terms of a label selector. Raises ApiError 400 with the API server's words."""
    tokens = _TOKEN.findall(text)
    position = 0
    terms: list[Requirement] = []

    def take() -> str:
        nonlocal position
        token: str = tokens[position] if position < len(tokens) else ""
        position += 1
        return token

    while position < len(tokens):
        key = take()
        if key == "!":
            terms.append(Requirement(take(), "absent", frozenset()))
            following = take()
        else:
            operator = take()
            if operator in ("", ","):
                terms.append(Requirement(key, "exists", frozenset()))
                following = operator
            elif operator in ("in", "notin"):
                terms.append(Requirement(key, operator, _parse_set(take)))
                following = take()
            elif operator in _OPERATORS:
                value = take()
                following = value if value == "," else take()
                value = "" if value == "," else value
                terms.append(Requirement(key, _OPERATORS[operator], frozenset({value})))
            elif operator in _COMPARE:
                terms.append(Requirement(key, _COMPARE[operator], frozenset({take()})))
                following = take()
            else:
                raise errors.bad_request(
                    f"unable to parse requirement: found '{operator}', "
                    "expected: in, notin, =, ==, !=, gt, lt"
                )
        if following not in ("", ","):
            raise errors.bad_request(
                f"unable to parse requirement: found '{following}', expected: ',' or 'end of "
                "string'"
            )
    return tuple(terms)


def _parse_set(take: Callable[[], str]) -> frozenset[str]:
    opening = take()
    if opening != "(":
        raise errors.bad_request(f"unable to parse requirement: found '{opening}', expected: '('")
    values: set[str] = set()
    while (token := take()) != ")":
        if token == "":
            raise errors.bad_request("unable to parse requirement: found '', expected: ',', or ')'")
        if token != ",":
            values.add(token)
    return frozenset(values)


def matches_label_selector(selector: JsonObject | None, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy a meta/v1 LabelSelector object. None selects nothing, {} all."""
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    for term in selector.get("matchExpressions") or []:
        values = frozenset(term.get("values") or ())
        if not Requirement(term["key"], operators[term["operator"]], values).matches(labels):
            return False
    return True


def parse_fields(resource: Resource, text: str) -> tuple[tuple[str, bool, str], ...]:
    """The terms (path, is equal, value) of a field selector. Raises ApiError 400."""
    terms = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part.strip())
        if found is None:
            raise errors.bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        path, operator, value = found.groups()
        if path not in _COMMON_FIELDS | _FIELDS.get(resource.key, frozenset()):
            raise errors.bad_request(f"field label not supported: {path}")
        terms.append((path, operator != "!=", value))
    return tuple(terms)


def _field(value: JsonObject, path: str) -> str:
    found = get_path(value, "metadata.name" if path == "name" else path)
    if path == "source":
        found = get_path(value, "source.component")
    if found is None:
        return "false" if path in ("spec.unschedulable", "spec.hostNetwork") else ""
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found)


def compile_selector(resource: Resource, labels: str, fields: str) -> Matcher | None:
    """One predicate of both selectors; None where they select everything. Raises ApiError 400."""
    label_terms = parse_labels(labels) if labels else ()
    field_terms = parse_fields(resource, fields) if fields else ()
    if not label_terms and not field_terms:
        return None

    def matches(value: JsonObject) -> bool:
        for path, equal, wanted in field_terms:
            if (_field(value, path) == wanted) != equal:
                return False
        own = value["metadata"].get("labels") or {}
        return all(term.matches(own) for term in label_terms)

    return matches
