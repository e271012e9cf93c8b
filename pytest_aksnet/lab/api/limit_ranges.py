"""LimitRanges: what containers get that state no resources, and which pods are refused.

Pure. Source: k8s.io/kubernetes plugin/pkg/admission/limitranger (order, texts) and answers of a
real API server. Limits of PersistentVolumeClaims are not looked at: the lab serves none.
"""

from collections.abc import Iterable, Iterator

from pytest_aksnet.lab.api import defaults, quantity
from pytest_aksnet.lab.api.objects import JsonObject

_ANNOTATION = "kubernetes.io/limit-ranger"
_GROUPS = (("initContainers", "init container"), ("containers", "container"))
_Resources = dict[str, str]


def default(value: JsonObject) -> None:
    """A LimitRange: defaults from max, default requests from defaults and min."""
    for limit in (value.get("spec") or {}).get("limits") or []:
        if limit.get("type") != "Container":
            continue
        limits = {**(limit.get("max") or {}), **(limit.get("default") or {})}
        stated = limit.get("defaultRequest") or {}
        requests = {**(limit.get("min") or {}), **limits, **stated}
        for field, found in (("default", limits), ("defaultRequest", requests)):
            if found:
                limit[field] = found


def apply(ranges: Iterable[JsonObject], pod: JsonObject) -> None:
    """Write the defaults of a namespace's LimitRanges into a pod, with the note that says so."""
    notes: list[str] = []
    for limit in _limits(ranges, "Container"):
        for group, title in _GROUPS:
            for container in pod["spec"].get(group) or []:
                notes += _merge(container, title, limit)
    if notes:
        annotations = pod["metadata"].get("annotations") or {}
        annotations[_ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"
        pod["metadata"]["annotations"] = annotations
        pod["status"]["qosClass"] = defaults.qos_class(pod["spec"])


def _merge(container: JsonObject, title: str, limit: JsonObject) -> Iterator[str]:
    resources = container["resources"]
    for part, field in (("requests", "defaultRequest"), ("limits", "default")):
        stated = resources.get(part) or {}
        added = {
            name: value
            for name, value in sorted((limit.get(field) or {}).items())
            if name not in stated
        }
        if added:
            resources[part] = {**stated, **added}
            yield f"{', '.join(added)} {part[:-1]} for {title} {container['name']}"


def problem(ranges: Iterable[JsonObject], pod: JsonObject) -> str:
    """Why a namespace's LimitRanges refuse a pod; empty where they do not."""
    found: list[str] = []
    spec = pod["spec"]
    for one in ranges:
        for limit in _limits([one], "Container"):
            for group, _ in _GROUPS:
                for container in spec.get(group) or []:
                    stated = container["resources"]
                    found += _problems(
                        limit, stated.get("requests") or {}, stated.get("limits") or {}
                    )
        for limit in _limits([one], "Pod"):
            requests = quantity.pod_total(spec, "requests")
            found += _problems(limit, requests, quantity.pod_total(spec, "limits"))
    found = list(dict.fromkeys(found))
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else ""


def _limits(ranges: Iterable[JsonObject], kind: str) -> Iterator[JsonObject]:
    for one in ranges:
        for limit in (one.get("spec") or {}).get("limits") or []:
            if limit.get("type") == kind:
                yield limit


def _problems(limit: JsonObject, requests: _Resources, limits: _Resources) -> Iterator[str]:
    checks = (("min", _below), ("max", _above), ("maxLimitRequestRatio", _out_of_ratio))
    for field, check in checks:
        for name, bound in sorted((limit.get(field) or {}).items()):
            text = check(name, limit["type"], bound, requests.get(name), limits.get(name))
            if text:
                yield text


def _below(name: str, kind: str, bound: str, request: str | None, limit: str | None) -> str:
    text = f"minimum {name} usage per {kind} is {quantity.canonical(bound)}"
    if request is None:
        return f"{text}.  No request is specified"
    if quantity.parse(request) < quantity.parse(bound):
        return f"{text}, but request is {quantity.canonical(request)}"
    if limit is not None and quantity.parse(limit) < quantity.parse(bound):
        return f"{text}, but limit is {quantity.canonical(limit)}"
    return ""


def _above(name: str, kind: str, bound: str, request: str | None, limit: str | None) -> str:
    text = f"maximum {name} usage per {kind} is {quantity.canonical(bound)}"
    if limit is None:
        return f"{text}.  No limit is specified"
    if quantity.parse(limit) > quantity.parse(bound):
        return f"{text}, but limit is {quantity.canonical(limit)}"
    if request is not None and quantity.parse(request) > quantity.parse(bound):
        return f"{text}, but request is {quantity.canonical(request)}"
    return ""


def _out_of_ratio(name: str, kind: str, bound: str, request: str | None, limit: str | None) -> str:
    text = f"{name} max limit to request ratio per {kind} is {quantity.canonical(bound)}, but"
    if request is None or not quantity.parse(request):
        return f"{text} no request is specified or request is 0"
    if limit is None or not quantity.parse(limit):
        return f"{text} no limit is specified or limit is 0"
    ratio = quantity.parse(limit) / quantity.parse(request)
    if ratio > quantity.parse(bound):
        return f"{text} provided ratio is {ratio:.6f}"
    return ""
