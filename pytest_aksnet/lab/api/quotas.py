"""ResourceQuotas: what objects use, and which new objects a namespace's quotas refuse.

Pure. Sources: k8s.io/kubernetes pkg/quota and plugin/pkg/admission/resourcequota (order, texts),
Kubernetes docs, "Resource Quotas", and answers of a real API server.
"""

import datetime
from collections.abc import Iterable

from pytest_aksnet.lab.api import defaults, quantity
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICES,
    Resource,
)

Usage = dict[str, str]
# Names that count whole objects, beside count/RESOURCE.GROUP.
_COUNTED_AS = {
    CONFIG_MAPS: "configmaps",
    RESOURCE_QUOTAS: "resourcequotas",
    SECRETS: "secrets",
    SERVICES: "services",
}
_STATED_BY_CONTAINERS = (
    "cpu",
    "limits.cpu",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.memory",
)
_PLAIN = ("cpu", "memory", "ephemeral-storage")
_ENDED = ("Succeeded", "Failed")


class Refused(Exception):
    """A quota refuses an object; the text is the admission plugin's."""


def usage(resource: Resource, value: JsonObject) -> Usage:
    """What an object uses, by the names that quotas know."""
    found = {f"count/{resource.key}": "1"}
    if resource in _COUNTED_AS:
        found[_COUNTED_AS[resource]] = "1"
    if resource is SERVICES:
        found |= _ports(value["spec"])
    if resource is PODS and not _is_over(value):
        found |= {"pods": "1", **_compute(value["spec"])}
    return found


def _is_over(pod: JsonObject) -> bool:
    """Whether a pod has ended, or is being deleted and late by more than its grace."""
    metadata = pod["metadata"]
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return True
    deleted = metadata.get("deletionTimestamp")
    if deleted is None:
        return False
    grace = datetime.timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    due = datetime.datetime.fromisoformat(deleted) + grace
    return due < datetime.datetime.now(datetime.UTC)


def _ports(spec: JsonObject) -> Usage:
    kind = spec.get("type", "ClusterIP")
    found: Usage = {}
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = "1"
    without = kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False
    if kind == "NodePort" or (kind == "LoadBalancer" and not without):
        found["services.nodeports"] = str(len(spec.get("ports") or []))
    return found


def _compute(spec: JsonObject) -> Usage:
    found = {}
    for name, value in quantity.pod_total(spec, "requests").items():
        found[f"requests.{name}"] = value
        if name in _PLAIN:
            found[name] = value
    for name, value in quantity.pod_total(spec, "limits").items():
        if name in _PLAIN:
            found[f"limits.{name}"] = value
    return found


def covers(quota: JsonObject, resource: Resource, value: JsonObject) -> bool:
    """Whether an object is in the scopes of a quota; scopes select pods only."""
    spec = quota.get("spec") or {}
    terms = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or []]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return not terms or (resource is PODS and all(_in_scope(term, value["spec"]) for term in terms))


def _in_scope(term: JsonObject, spec: JsonObject) -> bool:
    terminating = spec.get("activeDeadlineSeconds") is not None
    best_effort = defaults.qos_class(spec) == "BestEffort"
    priority = spec.get("priorityClassName", "")
    match term["scopeName"], term.get("operator"):
        case "Terminating", _:
            return terminating
        case "NotTerminating", _:
            return not terminating
        case "BestEffort", _:
            return best_effort
        case "NotBestEffort", _:
            return not best_effort
        case "PriorityClass", "In":
            return priority in (term.get("values") or [])
        case "PriorityClass", "NotIn":
            return priority not in (term.get("values") or [])
        case "PriorityClass", "DoesNotExist":
            return not priority
        case "PriorityClass", _:
            return bool(priority)
    return False


def used(quota: JsonObject, objects: Iterable[tuple[Resource, JsonObject]]) -> Usage:
    """What objects use of the resources that a quota limits."""
    hard = quota["spec"].get("hard") or {}
    found: dict[str, list[str]] = {name: ["0"] for name in sorted(hard)}
    for resource, value in objects:
        if covers(quota, resource, value):
            for name, amount in usage(resource, value).items():
                if name in found:
                    found[name].append(amount)
    return {name: quantity.total(amounts) for name, amounts in found.items()}


def charge(
    quota: JsonObject, resource: Resource, value: JsonObject, old: JsonObject | None = None
) -> Usage | None:
    """The usage of a quota with a new object, or with an update of `old`; None for no change.

    Raises Refused.
    """
    if not covers(quota, resource, value):
        return None
    name = quota["metadata"]["name"]
    status = quota.get("status") or {}
    hard: Usage = status.get("hard") or {}
    wanted = usage(resource, value)
    before = {} if old is None else usage(resource, old)
    if resource is PODS and old is None:
        _require_stated(name, hard, value["spec"])
    have: Usage = status.get("used") or {}
    unknown = sorted(item for item in hard if item in wanted and item not in have)
    if unknown:
        raise Refused(f"status unknown for quota: {name}, resources: {','.join(unknown)}")
    more = {
        item: quantity.total([amount, f"-{before[item]}"]) if item in before else amount
        for item, amount in wanted.items()
        if item in hard
    }
    more = {item: amount for item, amount in more.items() if quantity.parse(amount) > 0}
    after = {item: quantity.total([have[item], amount]) for item, amount in more.items()}
    exceeded = sorted(
        item for item in after if quantity.parse(after[item]) > quantity.parse(hard[item])
    )
    if exceeded:
        raise Refused(
            f"exceeded quota: {name}, requested: {_listed(more, exceeded)}, "
            f"used: {_listed(have, exceeded)}, limited: {_listed(hard, exceeded)}"
        )
    return {**have, **after} if after else None


def _require_stated(quota: str, hard: Usage, spec: JsonObject) -> None:
    missing: dict[str, set[str]] = {}
    for container in (*spec["containers"], *(spec.get("initContainers") or [])):
        stated = _compute({"containers": [container]})
        for name in _STATED_BY_CONTAINERS:
            if name in hard and name not in stated:
                missing.setdefault(name, set()).add(container["name"])
    if missing:
        texts = [f"{name} for: {','.join(sorted(found))}" for name, found in missing.items()]
        raise Refused(f"failed quota: {quota}: must specify {'; '.join(sorted(texts))}")


def _listed(amounts: Usage, names: Iterable[str]) -> str:
    return ",".join(f"{name}={quantity.canonical(amounts[name])}" for name in names)
