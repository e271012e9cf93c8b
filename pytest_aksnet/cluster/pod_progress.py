"""How far a pod has come, read from its status: pure, no I/O.

Owns which words of the scheduler and of the kubelet mean that waiting longer is pointless.
"""

from dataclasses import dataclass
from typing import Any

from pytest_aksnet.cluster.probe_pod_manifest import CONTAINER, Readiness

Json = dict[str, Any]

# Waiting reasons of the kubelet that a person has to mend.
_STUCK = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`ready` or `failed` (a sentence), or neither: still under way.

    `unschedulable` is what the scheduler says for now; that can change by itself. `ended` is set
    where the main process ran and ended.
    """

    ready: bool = False
    failed: str = ""
    unschedulable: str = ""
    ended: bool = False


def progress(pod: Json, readiness: Readiness) -> Progress:
    """What the pod's status says."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return Progress(failed="it is being deleted by somebody else")
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _STUCK:
            return Progress(failed=_join(waiting["reason"], waiting.get("message")))
        ended = state.get("terminated")
        if ended:
            code = ended.get("exitCode")
            why = _join(f"its main process ended with exit code {code}", ended.get("message"))
            return Progress(failed=why, ended=True)
    if status.get("phase") in ("Failed", "Succeeded"):
        return Progress(
            failed=_join(status.get("reason") or status["phase"], status.get("message"))
        )
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Progress(unschedulable=_join("Unschedulable", scheduled.get("message")))
    if readiness is Readiness.NEVER:
        return Progress(ready=bool(status.get("podIP")) and _running(status))
    return Progress(
        ready=conditions.get("Ready", {}).get("status") == "True" and bool(status.get("podIP"))
    )


def _running(status: Json) -> bool:
    return any(
        container.get("name") == CONTAINER and "running" in (container.get("state") or {})
        for container in status.get("containerStatuses") or ()
    )


def _join(reason: str, message: str | None) -> str:
    said = " ".join((message or "").split())
    return f"{reason}: {said[:600]}" if said else reason
