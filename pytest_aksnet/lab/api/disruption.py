"""Disruption budgets at eviction: whether a pod may go, and what its budget says afterwards.

Pure. Source: k8s.io/kubernetes pkg/registry/core/pod/storage/eviction (order, texts).
"""

from collections.abc import Iterable

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.selectors import matches_label_selector

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)
_SETTLED = ("Succeeded", "Failed", "Pending")
_RETRY_SECONDS = 10


def selects(budget: JsonObject, pod: JsonObject) -> bool:
    """Whether a budget of the pod's namespace is about this pod."""
    labels = pod["metadata"].get("labels") or {}
    return matches_label_selector((budget.get("spec") or {}).get("selector"), labels)


def after_eviction(budgets: Iterable[JsonObject], pod: JsonObject) -> JsonObject | None:
    """The budget with its status after the eviction of a pod; None where none needs to know.

    Raises ApiError 429 where the budget does not let it go, 500 where there are several.
    """
    status = pod.get("status") or {}
    if status.get("phase") in _SETTLED or "deletionTimestamp" in pod["metadata"]:
        return None
    found = [budget for budget in budgets if selects(budget, pod)]
    if not found:
        return None
    if len(found) > 1:
        several = ApiError(500, "", _SEVERAL)
        del several.status["reason"]
        raise several
    budget = clone(found[0])
    counts = budget.setdefault("status", {})
    name = budget["metadata"]["name"]
    desired, healthy = counts.get("desiredHealthy", 0), counts.get("currentHealthy", 0)
    ready = any(
        item["type"] == "Ready" and item["status"] == "True"
        for item in status.get("conditions") or []
    )
    always = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    if not ready and (always or (healthy >= desired and desired > 0)):
        return None
    if counts.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
        text = f"The disruption budget {name} is still being processed by the server."
        raise _refused(text, retry_seconds=_RETRY_SECONDS)
    if counts.get("disruptionsAllowed", 0) <= 0:
        raise _refused(
            f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )
    counts["disruptionsAllowed"] -= 1
    counts["conditions"] = conditions(budget, counts["disruptionsAllowed"])
    going = counts.get("disruptedPods") or {}
    counts["disruptedPods"] = {**going, pod["metadata"]["name"]: timestamp()}
    return budget


def announce(pod: JsonObject) -> None:
    """Write into a pod's conditions that it is being evicted."""
    found = pod["status"].setdefault("conditions", [])
    found[:] = [item for item in found if item["type"] != "DisruptionTarget"]
    found.append(
        {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(),
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
    )


def _refused(text: str, *, retry_seconds: int = 0) -> ApiError:
    details: JsonObject = {"causes": [{"reason": "DisruptionBudget", "message": text}]}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
    return ApiError(429, "TooManyRequests", _REFUSED, details=details)


def conditions(budget: JsonObject, allowed: int) -> list[JsonObject]:
    """The conditions of a budget that allows so many disruptions."""
    wanted = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed > 0 else "False",
        "observedGeneration": budget["metadata"].get("generation", 1),
        "reason": "SufficientPods" if allowed > 0 else "InsufficientPods",
        "message": "",
    }
    old: JsonObject = next(
        (
            item
            for item in (budget.get("status") or {}).get("conditions") or []
            if item["type"] == wanted["type"]
        ),
        {},
    )
    same = old.get("status") == wanted["status"]
    changed = old.get("lastTransitionTime") if same else None
    return [{**wanted, "lastTransitionTime": changed or timestamp()}]
