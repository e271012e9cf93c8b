"""Whether a pod fits a node: the scheduler's filters, pure, with the scheduler's words.

Source: Kubernetes docs, "Assigning Pods to Nodes", "Taints and Tolerations"; texts as recorded.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pytest_aksnet.lab.api import quantity
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.selectors import Requirement, matches_label_selector

_OPERATORS = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "absent",
    "Gt": "gt",
    "Lt": "lt",
}
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


def why_not(pod: JsonObject, node: JsonObject, on_node: Iterable[JsonObject]) -> list[str]:
    """Why a pod cannot go to a node where these pods are; empty where it can.

    Several resources may be short at once; of the other filters the first that refuses is named.
    """
    spec = pod["spec"]
    taint = _untolerated(spec, node)
    if taint is not None:
        return [taint]
    if not affinity_matches(spec, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    present = list(on_node)
    wanted = set(_host_ports(spec))
    taken = {port for other in present for port in _host_ports(other["spec"])}
    if any(_ports_clash(port, used) for port in wanted for used in taken):
        return ["node(s) didn't have free ports for the requested pod ports"]
    return _short_resources(spec, node, present)


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


def repelled(
    pod: JsonObject, node: JsonObject, pods: Iterable[tuple[JsonObject, JsonObject]]
) -> bool:
    """Whether the pod's required anti-affinity keeps it off a node.

    `pods` are the pods of the cluster, each with its node.
    """
    affinity = (pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    labels = node["metadata"].get("labels") or {}
    for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or []:
        domain = labels.get(term["topologyKey"])
        namespaces = term.get("namespaces") or [pod["metadata"]["namespace"]]
        for other, home in pods:
            if (
                domain is not None
                and (home["metadata"].get("labels") or {}).get(term["topologyKey"]) == domain
                and other["metadata"]["namespace"] in namespaces
                and matches_label_selector(
                    term.get("labelSelector"), other["metadata"].get("labels") or {}
                )
            ):
                return True
    return False


_HostPort = tuple[str, str, int]


def _host_ports(spec: JsonObject) -> Iterable[_HostPort]:
    for container in spec.get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                address = port.get("hostIP") or "0.0.0.0"
                yield address, port.get("protocol", "TCP"), int(port["hostPort"])


def _ports_clash(one: _HostPort, other: _HostPort) -> bool:
    same_address = one[0] == other[0] or "0.0.0.0" in (one[0], other[0])
    return same_address and one[1:] == other[1:]


def _short_resources(spec: JsonObject, node: JsonObject, present: list[JsonObject]) -> list[str]:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    if len(present) + 1 > quantity.parse(allocatable.get("pods", "0")):
        return ["Too many pods"]
    used: dict[str, Decimal] = {}
    for other in present:
        for name, value in quantity.pod_requests(other["spec"]).items():
            used[name] = used.get(name, Decimal(0)) + value
    return [
        f"Insufficient {name}"
        for name, value in sorted(quantity.pod_requests(spec).items())
        if value > 0
        and used.get(name, Decimal(0)) + value > quantity.parse(allocatable.get(name, "0"))
    ]
