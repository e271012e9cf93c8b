"""The status of a pod from the states of its containers: pure, field by field as a kubelet's.

Source: recordings of a real cluster; Kubernetes docs, "Pod Lifecycle".
"""

import dataclasses
from collections.abc import Sequence

from pytest_aksnet.lab.api.objects import JsonObject, timestamp

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
EVICTED = "Evicted"


@dataclasses.dataclass(slots=True, kw_only=True)
class ContainerState:
    """Where a container is: `state` and `last` as in the API (waiting, running, terminated)."""

    name: str
    image: str
    state: JsonObject
    last: JsonObject = dataclasses.field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    restarts: int = 0
    ready: bool = False
    started: bool = False
    sidecar: bool = False

    @property
    def terminated(self) -> JsonObject | None:
        """The terminated state, or None."""
        found: JsonObject | None = self.state.get("terminated")
        return found

    @property
    def running(self) -> bool:
        """Whether its main process runs."""
        return "running" in self.state


@dataclasses.dataclass(slots=True, kw_only=True)
class PodState:
    """What the kubelet knows of a pod besides its containers.

    Addresses come with the IPv4 one first. `final` is the phase of a pod that is over, "" before;
    `reason` and `message` say why it was ended where it did not end by itself.
    """

    host_ips: tuple[str, ...]
    start_time: str
    ips: tuple[str, ...] = ()
    sandbox_ready: bool = False
    final: str = ""
    reason: str = ""
    message: str = ""


def waiting(reason: str, message: str = "") -> JsonObject:
    """A waiting state."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def phase(
    state: PodState, init: Sequence[ContainerState], containers: Sequence[ContainerState]
) -> str:
    """The pod's phase."""
    if state.final:
        return state.final
    if not _initialised(init):
        return PENDING
    begun = any(item.running or item.terminated or item.last for item in containers)
    return RUNNING if begun else PENDING


def pod_status(
    pod: JsonObject,
    state: PodState,
    init: Sequence[ContainerState],
    containers: Sequence[ContainerState],
    ephemeral: Sequence[ContainerState] = (),
) -> JsonObject:
    """The whole status; conditions that stay as they are keep their transition times."""
    generation = pod["metadata"].get("generation", 1)
    old = pod.get("status") or {}
    current = phase(state, init, containers)
    result: JsonObject = {"observedGeneration": generation, "phase": current}
    result["conditions"] = _conditions(pod, state, current, init, containers)
    if state.reason:
        result["reason"] = state.reason
    if state.message:
        result["message"] = state.message
    result["hostIP"] = state.host_ips[0]
    result["hostIPs"] = [{"ip": ip} for ip in state.host_ips]
    if state.ips:
        result["podIP"] = state.ips[0]
        result["podIPs"] = [{"ip": ip} for ip in state.ips]
    result["startTime"] = state.start_time
    specs = {item["name"]: item for item in _all_containers(pod["spec"])}
    if init:
        result["initContainerStatuses"] = [_container(item, specs[item.name]) for item in init]
    result["containerStatuses"] = [_container(item, specs[item.name]) for item in containers]
    if ephemeral:
        shown = [_container(item, specs[item.name]) for item in ephemeral]
        result["ephemeralContainerStatuses"] = shown
    result["qosClass"] = old.get("qosClass", "BestEffort")
    result["resources"] = {}
    return result


def _all_containers(spec: JsonObject) -> list[JsonObject]:
    groups = ("initContainers", "containers", "ephemeralContainers")
    return [item for group in groups for item in spec.get(group) or []]


def _initialised(init: Sequence[ContainerState]) -> bool:
    return all(map(_is_done, init))


def _is_done(item: ContainerState) -> bool:
    """Whether an init container does not hold up the next one."""
    if item.sidecar:
        return item.started or bool(item.last) or item.terminated is not None
    return item.terminated is not None and item.terminated["exitCode"] == 0


def _container(item: ContainerState, spec: JsonObject) -> JsonObject:
    result: JsonObject = {
        "name": item.name,
        "state": item.state,
        "lastState": item.last,
        "ready": item.ready,
        "restartCount": item.restarts,
        "image": item.image,
        "imageID": item.image_id,
    }
    if item.container_id:
        result["containerID"] = item.container_id
    result["started"] = item.started
    if item.container_id:
        result["resources"] = spec.get("resources") or {}
    mounts = []
    for mount in spec.get("volumeMounts") or []:
        shown = {"name": mount["name"], "mountPath": mount["mountPath"]}
        if mount.get("readOnly"):
            shown |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
        mounts.append(shown)
    if mounts:
        result["volumeMounts"] = mounts
    if item.container_id:
        result["user"] = {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0]}}
    return result


def _conditions(
    pod: JsonObject,
    state: PodState,
    current: str,
    init: Sequence[ContainerState],
    containers: Sequence[ContainerState],
) -> list[JsonObject]:
    outcome = _outcome(pod, current, init, containers)
    over = {SUCCEEDED: "PodCompleted", FAILED: "PodFailed"}.get(outcome, "")
    sidecars = [item for item in init if item.sidecar]
    unready = [item.name for item in (*sidecars, *containers) if not item.ready]
    unfinished = [item.name for item in init if not _is_done(item)]
    not_ready = (
        "" if over else f"containers with unready status: [{' '.join(unready)}]",
        over or "ContainersNotReady",
    )
    wanted: list[tuple[str, bool, str, str]] = [
        ("PodReadyToStartContainers", state.sandbox_ready, "", ""),
    ]
    if unfinished and outcome != SUCCEEDED:
        text = f"containers with incomplete status: [{' '.join(unfinished)}]"
        wanted.append(("Initialized", False, "ContainersNotInitialized", text))
    else:
        completed = "PodCompleted" if outcome == SUCCEEDED else ""
        wanted.append(("Initialized", True, completed, ""))
    ready = not unready and not unfinished and not over
    gates = _closed_gates(pod)
    if ready and gates:
        text = f"corresponding condition of pod readiness gate {gates[0]!r} does not exist."
        wanted.append(("Ready", False, "ReadinessGatesNotReady", text.replace("'", '"')))
    else:
        wanted.append(("Ready", ready, *_why(ready, not_ready)))
    wanted.append(("ContainersReady", ready, *_why(ready, not_ready)))
    wanted.append(("PodScheduled", True, "", ""))
    if state.reason == EVICTED:
        wanted.append(("DisruptionTarget", True, "TerminationByKubelet", state.message))
    old = {item["type"]: item for item in (pod.get("status") or {}).get("conditions") or []}
    generation = pod["metadata"].get("generation", 1)
    result = []
    for kind, holds, reason, message in wanted:
        result.append(_condition(old.pop(kind, {}), generation, kind, holds, reason, message))
    return result + list(old.values())


def _outcome(
    pod: JsonObject,
    current: str,
    init: Sequence[ContainerState],
    containers: Sequence[ContainerState],
) -> str:
    """The phase that conditions show: that of the end as soon as nothing is started again."""
    policy = pod["spec"].get("restartPolicy", "Always")
    ended = [item.terminated for item in containers if item.terminated]
    if current != RUNNING or len(ended) < len(containers) or not _initialised(init):
        return current
    failed = any(state["exitCode"] for state in ended)
    if policy == "Never" and failed:
        return FAILED
    return SUCCEEDED if policy != "Always" and not failed else current


def _why(ready: bool, not_ready: tuple[str, str]) -> tuple[str, str]:
    return ("", "") if ready else (not_ready[1], not_ready[0])


def _condition(
    old: JsonObject, generation: int, kind: str, holds: bool, reason: str, message: str
) -> JsonObject:
    status = str(holds)
    since = old["lastTransitionTime"] if old.get("status") == status else timestamp()
    condition: JsonObject = {
        "type": kind,
        "observedGeneration": generation,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since,
    }
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _closed_gates(pod: JsonObject) -> list[str]:
    conditions = {
        item["type"]: item["status"] for item in (pod.get("status") or {}).get("conditions") or []
    }
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    return [gate for gate in gates if conditions.get(gate) != "True"]
