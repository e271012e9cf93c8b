"""How far a pod has come, read from its status: pure, no I/O.

Owns which words of the scheduler and of the kubelet mean that waiting longer is pointless.
"""

import re
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.cluster.probe_pod_manifest import CONTAINER, Readiness

Json = dict[str, Any]

# Waiting reasons of the kubelet that a person has to mend: no image, and others.
_PULL_FAILED = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
_NO_IMAGE = _PULL_FAILED | {"InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_STUCK = _NO_IMAGE | frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)
# runc: exec: "x": executable file not found in $PATH; crun: executable file `x` not found in $PATH
_NO_PROGRAM = re.compile(r"executable file .*not found")
# containerd: "no match for platform in manifest"; the kernel, of a foreign binary: ENOEXEC.
_NO_BUILD = re.compile(r"no match(ing manifest)? for|exec format error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`ready` or `failed` (a sentence), or neither: still under way.

    `unschedulable` is what the scheduler says for now; that can change by itself. `ended` is set
    where the main process ran and ended, `no_program` where the image has no such program,
    `no_image` where the node cannot have the image, and of these `pull_failed` where it asked a
    registry for it.
    """

    ready: bool = False
    failed: str = ""
    unschedulable: str = ""
    ended: bool = False
    no_program: bool = False
    no_image: bool = False
    pull_failed: bool = False


def progress(pod: Json, readiness: Readiness) -> Progress:
    """What the pod's status says."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return Progress(failed="it is being deleted by somebody else")
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _STUCK:
            why = _join(waiting["reason"], waiting.get("message"))
            return Progress(
                failed=why,
                no_program=_no_program(waiting),
                no_image=waiting["reason"] in _NO_IMAGE,
                pull_failed=waiting["reason"] in _PULL_FAILED,
            )
        ended = state.get("terminated")
        if ended:
            code = ended.get("exitCode")
            why = _join(f"its main process ended with exit code {code}", ended.get("message"))
            lacking = _no_program(ended)
            return Progress(failed=why, ended=not lacking, no_program=lacking)
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


def _no_program(state: Json) -> bool:
    return _NO_PROGRAM.search(state.get("message") or "") is not None


def _running(status: Json) -> bool:
    return any(
        container.get("name") == CONTAINER and "running" in (container.get("state") or {})
        for container in status.get("containerStatuses") or ()
    )


def _join(reason: str, message: str | None) -> str:
    said = " ".join((message or "").split())
    if _NO_BUILD.search(said):
        said = f"the image is not built for the architecture of this node ({said[:500]})"
    return f"{reason}: {said[:600]}" if said else reason
