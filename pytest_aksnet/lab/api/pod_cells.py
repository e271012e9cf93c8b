"""Cells of pods in Table answers: READY, STATUS and RESTARTS.

As k8s.io/kubernetes pkg/printers/internalversion (printPod) has them.
"""

from typing import Any

from pytest_aksnet.lab.api.cells import since
from pytest_aksnet.lab.api.objects import JsonObject, get_path

_NODE_LOST = "NodeLost"


def _of_containers(value: JsonObject) -> list[JsonObject]:
    return list((value.get("status") or {}).get("containerStatuses") or [])


def _of_init(value: JsonObject) -> list[JsonObject]:
    return list((value.get("status") or {}).get("initContainerStatuses") or [])


def _sidecars(value: JsonObject) -> set[str]:
    """Names of init containers that run as long as the pod."""
    return {
        item["name"]
        for item in value["spec"].get("initContainers") or []
        if item.get("restartPolicy") == "Always"
    }


def ready(value: JsonObject) -> object:
    """Ready containers of all containers, sidecars among them."""
    sidecars = _sidecars(value)
    counted = [item for item in _of_init(value) if item["name"] in sidecars]
    good = sum(bool(item.get("ready")) for item in (*counted, *_of_containers(value)))
    return f"{good}/{len(value['spec'].get('containers') or []) + len(sidecars)}"


def status(value: JsonObject) -> object:
    """The phase of a pod, or the reason that says more."""
    found = value.get("status") or {}
    reason = str(found.get("reason") or found.get("phase", "Unknown"))
    if any(
        item["type"] == "PodScheduled" and item.get("reason") == "SchedulingGated"
        for item in found.get("conditions") or []
    ):
        reason = "SchedulingGated"
    initialising = _while_initialising(value)
    if initialising is not None:
        reason = initialising
    if initialising is None or _is_initialised(value):
        reason = _of_main_containers(value, reason)
    if "deletionTimestamp" in value["metadata"]:
        if found.get("reason") == _NODE_LOST:
            return "Unknown"
        if found.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return reason


def _while_initialising(value: JsonObject) -> str | None:
    """Init:... of the first init container that is not done; None where all are."""
    sidecars = _sidecars(value)
    total = len(value["spec"].get("initContainers") or [])
    for index, item in enumerate(_of_init(value)):
        state: dict[str, Any] = item.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if terminated is not None and terminated.get("exitCode") == 0:
            continue
        if item["name"] in sidecars and item.get("started"):
            continue
        if terminated is not None:
            why = terminated.get("reason") or f"ExitCode:{terminated.get('exitCode')}"
            return f"Init:{why}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return None


def _is_initialised(value: JsonObject) -> bool:
    return any(
        item["type"] == "Initialized" and item["status"] == "True"
        for item in (value.get("status") or {}).get("conditions") or []
    )


def _of_main_containers(value: JsonObject, reason: str) -> str:
    running = False
    for item in reversed(_of_containers(value)):
        state: dict[str, Any] = item.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = terminated.get("reason") or f"ExitCode:{terminated.get('exitCode')}"
        elif item.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and running:
        is_ready = any(
            item["type"] == "Ready" and item["status"] == "True"
            for item in (value.get("status") or {}).get("conditions") or []
        )
        return "Running" if is_ready else "NotReady"
    return reason


def restarts(value: JsonObject) -> object:
    """Restarts of all containers, and when the last one was."""
    if _while_initialising(value) is not None and not _is_initialised(value):
        counted = _of_init(value)
    else:
        sidecars = _sidecars(value)
        counted = [item for item in _of_init(value) if item["name"] in sidecars]
        counted += _of_containers(value)
    count = sum(int(item.get("restartCount", 0)) for item in counted)
    finished = [
        moment for item in counted if (moment := get_path(item, "lastState.terminated.finishedAt"))
    ]
    if count and finished:
        return f"{count} ({since(max(map(str, finished)))} ago)"
    return str(count)
