"""Whether a pod fits a node: the scheduler's filters, pure, with the scheduler's words.

Source: Kubernetes docs, "Assigning Pods to Nodes", "Taints and Tolerations"; texts as recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pytest_aksnet.lab.api import quantity
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.selectors import Requirement
from pytest_aksnet.lab.controllers.node_room import HostPort, NodeRoom, host_ports

_OPERATORS = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "absent",
    "Gt": "gt",
    "Lt": "lt",
}
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node is not for a pod; `helpless` where no other pod's end could change it."""

    text: str
    helpless: bool = True


def why_not(pod: JsonObject, room: NodeRoom) -> list[Refusal]:
    """Why a pod cannot go to a node; empty where it can.

    Several resources may be short at once; of the other filters the first that refuses is named.
    """
    spec = pod["spec"]
    taint = _untolerated(spec, room.node)
    if taint is not None:
        return [Refusal(taint)]
    if not affinity_matches(spec, room.node):
        return [Refusal("node(s) didn't match Pod's node affinity/selector")]
    wanted = set(host_ports(spec))
    taken = [port for port, count in room.host_ports.items() if count > 0]
    if any(_ports_clash(port, used) for port in wanted for used in taken):
        text = "node(s) didn't have free ports for the requested pod ports"
        return [Refusal(text, helpless=False)]
    return _short_resources(quantity.pod_requests(spec), room)


def _untolerated(spec: JsonObject, node: JsonObject) -> str | None:
    node_spec = node.get("spec") or {}
    taints = list(node_spec.get("taints") or [])
    if node_spec.get("unschedulable"):
        cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
        if not tolerates(spec, cordon):
            return "node(s) were unschedulable"
        taints = [taint for taint in taints if taint["key"] != cordon["key"]]
    for taint in taints:
        if taint.get("effect") in _BLOCKING_EFFECTS and not tolerates(spec, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return None


def tolerates(spec: JsonObject, taint: Mapping[str, str]) -> bool:
    """Whether a pod's tolerations accept a taint."""
    for toleration in spec.get("tolerations") or []:
        if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
            continue
        key = toleration.get("key", "")
        if key and key != taint["key"]:
            continue
        if toleration.get("operator", "Equal") == "Exists":
            return True
        if key and toleration.get("value", "") == taint.get("value", ""):
            return True
    return False


def affinity_matches(spec: JsonObject, node: JsonObject) -> bool:
    """Whether nodeSelector and the required node affinity terms select a node."""
    labels = node["metadata"].get("labels") or {}
    selector = spec.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or [])


def _term_matches(term: JsonObject, node: JsonObject) -> bool:
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    labels = node["metadata"].get("labels") or {}
    by_field = {"metadata.name": node["metadata"]["name"]}
    return all(_requirement(item).matches(labels) for item in expressions) and all(
        _requirement(item).matches(by_field) for item in fields
    )


def _requirement(item: JsonObject) -> Requirement:
    values = frozenset(item.get("values") or ())
    return Requirement(item["key"], _OPERATORS[item["operator"]], values)


def preferred_nodes(spec: JsonObject, node: JsonObject) -> int:
    """The weights of the preferred node affinity terms that select a node."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return sum(
        int(item["weight"])
        for item in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        if _term_matches(item["preference"], node)
    )


def disliked(spec: JsonObject, node: JsonObject) -> int:
    """How many taints with the effect PreferNoSchedule a pod does not tolerate."""
    taints = (node.get("spec") or {}).get("taints") or []
    return sum(
        taint.get("effect") == "PreferNoSchedule" and not tolerates(spec, taint) for taint in taints
    )


def _ports_clash(one: HostPort, other: HostPort) -> bool:
    same_address = one[0] == other[0] or "0.0.0.0" in (one[0], other[0])
    return same_address and one[1:] == other[1:]


def _short_resources(requests: Mapping[str, Decimal], room: NodeRoom) -> list[Refusal]:
    if len(room.pods) + 1 > room.allocatable.get("pods", 0):
        return [Refusal("Too many pods", helpless=False)]
    return [
        Refusal(f"Insufficient {name}", helpless=value > room.allocatable.get(name, 0))
        for name, value in sorted(requests.items())
        if value > 0 and room.used.get(name, 0) + value > room.allocatable.get(name, 0)
    ]
