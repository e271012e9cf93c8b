"""One pod on its way to ready, and the waiting for many of them.

Owns the waiting: one watch per namespace, and the first reason of scheduler or kubelet that makes
waiting pointless ends it for that pod.
"""

import contextlib
import time
from collections.abc import Callable, Sequence

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential
from tenacity.stop import stop_base

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pod_progress import progress
from pytest_aksnet.cluster.pods import delete_pods, pod_ref, pods_path
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import (
    AksnetError,
    ApiRefused,
    EnvironmentProblem,
    ImageRefused,
    ToolMissing,
)
from pytest_aksnet.model.peers import PodRef

UNSCHEDULABLE_GRACE_S = 5.0  # ports and resources of pods that are just ending become free
_SERVICE_ACCOUNT_TIMEOUT_S = 15.0
_WATCH_S = 30.0
_UNSCHEDULABLE_POLL_S = 1.0
_POLL_S = 0.1
_NO_FREE_PORT = "free ports"  # "node(s) didn't have free ports for the requested pod ports"


class PodStart:
    """One request on its way to a ready pod."""

    def __init__(self, cluster: Cluster, request: ProbePodRequest) -> None:
        self.request = request
        self.name = request.name
        self.pod: Json | None = None
        self.unschedulable_since: float | None = None
        self._cluster = cluster
        self._port, *self._ports = [request.port, *request.host_port_choices]
        self._image_refused = False

    def create(self) -> None:
        """Create the pod. Raises EnvironmentProblem."""
        manifest = pod_manifest(self.request, self.name, self._port)
        retrying = Retrying(
            stop=_NotAdmittedForLong(),
            wait=wait_exponential(multiplier=0.05, max=1.0),
            retry=retry_if_exception(_may_be_admitted_yet),
            reraise=True,
        )
        try:
            self.pod = retrying(
                self._cluster.rest.create, pods_path(self.request.namespace), manifest
            )
        except ApiRefused as refused:
            raise self.problem(f"it is not admitted ({refused})") from refused

    def see(self, pod: Json) -> bool:
        """Take in the pod's present state; True when it is ready.

        Raises EnvironmentProblem or ToolMissing.
        """
        self.pod = pod
        seen = progress(pod, self.request.readiness)
        port_taken = seen.ended or _NO_FREE_PORT in seen.unschedulable
        another_port = self.request.host_network and port_taken and bool(self._ports)
        failed = seen.failed
        if seen.unschedulable:
            self.unschedulable_since = self.unschedulable_since or time.monotonic()
            waited_s = time.monotonic() - self.unschedulable_since
            if another_port or waited_s > UNSCHEDULABLE_GRACE_S:
                failed = seen.unschedulable
        if not failed:
            return seen.ready
        if seen.no_image:
            if self._image_refused or not seen.pull_failed:
                raise ImageRefused(str(self.problem(failed)))
            # Registries have bad moments. A new pod asks again at once, where the kubelet would
            # wait longer each time.
            self._image_refused = True
            self._replace("again")
            return False
        if seen.no_program:
            program = self.request.command(self.request.port)[0]
            raise ToolMissing(f"{program} cannot be run in the pod: {self.problem(failed)}")
        if not another_port:
            raise self.problem(failed)
        # A pod or a process of somebody else has this port of the node.
        self._port, *self._ports = self._ports
        self._replace(f"p{self._port}")
        return False

    def _replace(self, suffix: str) -> None:
        """Try with another pod. Raises EnvironmentProblem."""
        delete_pods(self._cluster, [self.ref()], quiet=True)
        self.name = f"{self.request.name}-{suffix}"
        self.unschedulable_since = None
        self.create()

    def give_up(self) -> EnvironmentProblem:
        """The error at the deadline, with the last warning that the cluster recorded."""
        phase = (self.pod or {}).get("status", {}).get("phase", "unknown")
        why = _last_warning(self._cluster, self.request.namespace, self.name)
        return self.problem(f"it is not ready in time (phase {phase}){f': {why}' if why else ''}")

    def ref(self) -> PodRef:
        """The pod as the other layers see it."""
        assert self.pod is not None
        return pod_ref(self.pod)

    def problem(self, why: str) -> EnvironmentProblem:
        """An error that names pod and node."""
        return EnvironmentProblem(
            f"the probe pod {self.request.namespace}/{self.name} for node {self.request.node} "
            f"does not start: {why} (image {self.request.image})"
        )


class Waiting:
    """Waits for pods of one namespace. `ready` and `failed` are told of each, as it comes.

    What `failed` raises ends the waiting.
    """

    def __init__(
        self,
        cluster: Cluster,
        starts: Sequence[PodStart],
        *,
        ready: Callable[[PodStart], None],
        failed: Callable[[PodStart, AksnetError], None],
    ) -> None:
        self._cluster = cluster
        self._path = pods_path(starts[0].request.namespace)
        self._left = list(starts)
        self._ready = ready
        self._failed = failed

    def until(self, deadline: float) -> None:
        """List, watch from there, list again. Raises EnvironmentProblem where neither answers."""
        while True:
            listed = self._cluster.rest.get(self._path)
            pods = {pod["metadata"]["name"]: pod for pod in listed.get("items") or ()}
            for start in list(self._left):
                if start.name in pods:
                    self._see(start, pods[start.name])
                else:
                    self._fail(start, start.problem("somebody else has deleted it"))
            if self._left and time.monotonic() >= deadline:
                for start in list(self._left):
                    self._fail(start, start.give_up())
            if self._left:
                self._follow(listed["metadata"]["resourceVersion"], deadline)
            if not self._left:
                return

    def give_up(self, problem: EnvironmentProblem) -> None:
        """End the waiting for those that are left, for this reason."""
        for start in list(self._left):
            self._fail(start, problem)

    def _see(self, start: PodStart, pod: Json) -> None:
        try:
            ready = start.see(pod)
        except (EnvironmentProblem, ToolMissing) as error:
            self._fail(start, error)
            return
        if ready:
            self._left.remove(start)
            self._ready(start)

    def _fail(self, start: PodStart, error: AksnetError) -> None:
        self._left.remove(start)
        self._failed(start, error)

    def _follow(self, version: str, deadline: float) -> None:
        """Take in the events of one watch; returns when a new list is needed or none is left."""
        opened = time.monotonic()
        held = self._is_held()
        limit = min(_UNSCHEDULABLE_POLL_S if held else _WATCH_S, deadline - opened)
        events = self._cluster.rest.watch(
            self._path, {"resourceVersion": version}, timeout_s=max(limit, 0.05)
        )
        with contextlib.closing(events):
            for kind, pod in events:
                if kind not in ("ADDED", "MODIFIED"):
                    break
                for start in self._left:
                    if start.name == pod["metadata"]["name"]:
                        self._see(start, pod)
                        break
                if not self._left or (not held and self._is_held()):
                    return
        if time.monotonic() - opened < _POLL_S:
            time.sleep(_POLL_S)  # a watch that fails at once must not become a flood of lists

    def _is_held(self) -> bool:
        return any(start.unschedulable_since is not None for start in self._left)


def _may_be_admitted_yet(error: BaseException | None) -> bool:
    return _admission_limit_s(error) > 0


def _admission_limit_s(error: BaseException | None) -> float:
    """How long a refusal of the API server may pass by itself (seconds); 0 where it may not."""
    if not isinstance(error, ApiRefused) or error.status != 403:
        return 0.0
    text = str(error).replace("serviceaccount", "service account")
    if "service account" in text and "not found" in text:
        return _SERVICE_ACCOUNT_TIMEOUT_S  # a new namespace gets its default one a moment later
    if "exceeded quota" in text:
        return UNSCHEDULABLE_GRACE_S  # what pods take that are just ending becomes free
    return 0.0


class _NotAdmittedForLong(stop_base):
    """Stops when the last refusal has had its time."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        waited = retry_state.seconds_since_start or 0.0
        return waited >= _admission_limit_s(error)


def _last_warning(cluster: Cluster, namespace: str, name: str) -> str:
    """The newest warning about a pod; empty where there is none or we may not read events."""
    try:
        events = cluster.rest.items(
            path_of("api", "v1", "namespaces", namespace, "events"),
            {"fieldSelector": f"involvedObject.name={name}"},
        )
    except EnvironmentProblem:
        return ""
    warnings = [event for event in events if event.get("type") == "Warning"]
    warnings.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    if not warnings:
        return ""
    return " ".join(f"{warnings[-1].get('reason')}: {warnings[-1].get('message')}".split())[:600]
