"""The status of a Deployment from its ReplicaSets, and when its progress is overdue.

Source: k8s.io/kubernetes pkg/controller/deployment/{sync,progress}.go: counts, conditions, texts.
"""

from collections.abc import Sequence

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.controllers.workloads import pods, rolling

_NEVER = 2**31 - 1  # a progressDeadlineSeconds that means none


def is_complete(value: JsonObject, owned: Sequence[JsonObject], new: JsonObject) -> bool:
    """Whether all pods are of the newest template, available, and no old one is left."""
    wanted = value["spec"]["replicas"]
    return bool(
        _count([new], "replicas") == wanted
        and _count(owned, "replicas") == wanted
        and _count(owned, "availableReplicas") == wanted
        and (new.get("status") or {}).get("observedGeneration", 0)
        >= new["metadata"].get("generation", 1)
    )


def status_of(
    value: JsonObject, owned: Sequence[JsonObject], new: JsonObject | None
) -> tuple[JsonObject, float | None]:
    """The status, and in how many seconds it is to be looked at again for its deadline."""
    wanted = value["spec"]["replicas"]
    status: JsonObject = {"observedGeneration": value["metadata"].get("generation", 1)}
    counts = {
        "replicas": _count(owned, "replicas"),
        "updatedReplicas": _count([new], "replicas") if new is not None else 0,
        "readyReplicas": _count(owned, "readyReplicas"),
        "availableReplicas": _count(owned, "availableReplicas"),
        "unavailableReplicas": max(
            0, _count_wanted(owned, wanted) - _count(owned, "availableReplicas")
        ),
    }
    status |= {name: number for name, number in counts.items() if number}
    old = {item["type"]: item for item in (value.get("status") or {}).get("conditions") or []}
    conditions = [_available(value, owned, old.get("Available", {}))]
    progressing, deadline = _progressing(value, owned, new, counts, old.get("Progressing", {}))
    if progressing:
        conditions.append(progressing)
    conditions += _failures(owned, new)
    status["conditions"] = conditions
    return status, deadline


def _count(items: Sequence[JsonObject], field: str) -> int:
    return sum((item.get("status") or {}).get(field, 0) for item in items)


def _count_wanted(owned: Sequence[JsonObject], wanted: int) -> int:
    return max(wanted, _count(owned, "replicas")) if owned else wanted


def _available(value: JsonObject, owned: Sequence[JsonObject], old: JsonObject) -> JsonObject:
    least = value["spec"]["replicas"] - rolling.tolerance(value)
    if _count(owned, "availableReplicas") >= least:
        text = "Deployment has minimum availability."
        return _condition(old, "Available", "True", "MinimumReplicasAvailable", text)
    text = "Deployment does not have minimum availability."
    return _condition(old, "Available", "False", "MinimumReplicasUnavailable", text)


def _progressing(
    value: JsonObject,
    owned: Sequence[JsonObject],
    new: JsonObject | None,
    counts: dict[str, int],
    old: JsonObject,
) -> tuple[JsonObject, float | None]:
    limit = value["spec"].get("progressDeadlineSeconds", 600)
    kind = "Progressing"
    if limit >= _NEVER:
        return {}, None
    if value["spec"].get("paused"):
        if old.get("reason") == "ProgressDeadlineExceeded":
            return old, None
        return _condition(old, kind, "Unknown", "DeploymentPaused", "Deployment is paused"), None
    if old.get("reason") == "DeploymentPaused":
        text = "Deployment is resumed"
        old = _condition(old, kind, "Unknown", "DeploymentResumed", text)
    if new is None:
        return old, None
    what = f'ReplicaSet "{new["metadata"]["name"]}"'
    if is_complete(value, owned, new):
        text = f"{what} has successfully progressed."
        return _condition(old, kind, "True", "NewReplicaSetAvailable", text), None
    if old.get("reason") == "NewReplicaSetAvailable" and (
        counts["replicas"] == counts["updatedReplicas"]
    ):
        # A finished rollout that lost pods, or is scaled, is not under way again.
        return old, None
    if not old or not _same_counts(value, counts) or old.get("reason") == "DeploymentResumed":
        reason = "ReplicaSetUpdated" if old else "NewReplicaSetCreated"
        text = f"{what} is progressing." if old else f'Created new replica set "{what[12:-1]}"'
        renewed = _condition(old, kind, "True", reason, text)
        return {**renewed, "lastUpdateTime": timestamp()}, float(limit)
    left = limit - pods.age_seconds(old["lastUpdateTime"])
    if left > 0 and old.get("reason") != "ProgressDeadlineExceeded":
        return old, left
    text = f"{what} has timed out progressing."
    return _condition(old, kind, "False", "ProgressDeadlineExceeded", text), None


def _same_counts(value: JsonObject, counts: dict[str, int]) -> bool:
    """Whether nothing has moved since the last status: no pod made, gone or become available."""
    before = value.get("status") or {}
    moving = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return all(before.get(name, 0) == counts[name] for name in moving)


def _failures(owned: Sequence[JsonObject], new: JsonObject | None) -> list[JsonObject]:
    for item in [*([new] if new is not None else []), *owned]:
        for condition in (item.get("status") or {}).get("conditions") or []:
            if condition["type"] == "ReplicaFailure":
                since = condition["lastTransitionTime"]
                return [{**condition, "lastUpdateTime": since}]
    return []


def _condition(old: JsonObject, kind: str, status: str, reason: str, text: str) -> JsonObject:
    if (old.get("status"), old.get("reason"), old.get("message")) == (status, reason, text):
        return old
    now = timestamp()
    since = old["lastTransitionTime"] if old.get("status") == status else now
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
        "reason": reason,
        "message": text,
    }
