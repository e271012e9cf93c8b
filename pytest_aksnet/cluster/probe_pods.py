"""Starts probe pods many at a time, waits until they are ready, and deletes them.

Owns the waiting: one watch per namespace, and the first reason of scheduler or kubelet that makes
waiting pointless ends it. Does not know what the pods are for.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pod_progress import progress
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.rest import Json, path_of
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem, ToolMissing
from pytest_aksnet.model.peers import PodRef

READY_TIMEOUT_S = 120.0
UNSCHEDULABLE_GRACE_S = 5.0  # ports and resources of pods that are just ending become free
_SERVICE_ACCOUNT_TIMEOUT_S = 15.0
_WATCH_S = 30.0
_UNSCHEDULABLE_POLL_S = 1.0
_POLL_S = 0.1
_NO_FREE_PORT = "free ports"  # "node(s) didn't have free ports for the requested pod ports"
_PARALLEL = 8


def start_pods(
    cluster: Cluster, requests: Sequence[ProbePodRequest], *, timeout_s: float = READY_TIMEOUT_S
) -> tuple[PodRef, ...]:
    """Start these pods at once and wait until all are ready; in the order of the requests.

    Raises EnvironmentProblem naming pod, node and the cluster's own reason, or ToolMissing where
    the image lacks a main process; then all of these pods are deleted again. `timeout_s` is in
    seconds, for all together.
    """
    if not requests:
        return ()
    deadline = time.monotonic() + timeout_s
    waits = [_Wait(cluster, request) for request in requests]
    try:
        with ThreadPoolExecutor(_PARALLEL, "aksnet-pods") as pool:
            list(pool.map(_Wait.create, waits))
            namespaces: dict[str, list[_Wait]] = {}
            for wait in waits:
                namespaces.setdefault(wait.request.namespace, []).append(wait)
            awaiting = [
                pool.submit(_await_namespace, cluster, namespace, members, deadline)
                for namespace, members in namespaces.items()
            ]
            for future in awaiting:
                future.result()
    except BaseException:
        delete_pods(cluster, [wait.ref() for wait in waits if wait.pod], quiet=True)
        raise
    return tuple(wait.ref() for wait in waits)


def delete_pods(cluster: Cluster, pods: Iterable[PodRef], *, quiet: bool = False) -> None:
    """Ask for the end of these pods, each only if it is still that very pod. Does not wait.

    With `quiet` what cannot be deleted is left to the end of its namespace.
    """

    def delete(pod: PodRef) -> None:
        path = path_of("api", "v1", "namespaces", pod.namespace, "pods", pod.name)
        try:
            cluster.rest.delete(path, uid=pod.uid)
        except EnvironmentProblem:
            if not quiet:
                raise

    with ThreadPoolExecutor(_PARALLEL, "aksnet-pods") as pool:
        list(pool.map(delete, pods))


def list_pods(cluster: Cluster, namespace: str, selector: str) -> tuple[PodRef, ...]:
    """The running pods of a namespace that a label selector matches, sorted by name."""
    found = cluster.rest.items(
        path_of("api", "v1", "namespaces", namespace, "pods"), {"labelSelector": selector}
    )
    running = [
        pod
        for pod in found
        if pod["status"].get("phase") == "Running"
        and pod["status"].get("podIP")
        and not pod["metadata"].get("deletionTimestamp")
    ]
    return tuple(sorted(map(pod_ref, running), key=lambda pod: pod.name))


def pod_ref(pod: Json) -> PodRef:
    """A pod of the API as the other layers see it; port is its first container's first TCP port."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    container = spec["containers"][0]
    ports = [
        int(port["containerPort"])
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]
    return PodRef(
        namespace=metadata["namespace"],
        name=metadata["name"],
        container=container["name"],
        node=spec.get("nodeName") or "",
        ip=status.get("podIP") or "",
        uid=metadata.get("uid") or "",
        host_network=bool(spec.get("hostNetwork")),
        port=ports[0] if ports else 0,
        labels=dict(metadata.get("labels") or {}),
    )


class _Wait:
    """One request on its way to a ready pod."""

    def __init__(self, cluster: Cluster, request: ProbePodRequest) -> None:
        self.request = request
        self.name = request.name
        self.pod: Json | None = None
        self.unschedulable_since: float | None = None
        self._cluster = cluster
        self._ports = [request.port, *request.host_port_choices]

    def create(self) -> None:
        """Create the pod with the next port. Raises EnvironmentProblem."""
        manifest = pod_manifest(self.request, self.name, self._ports.pop(0))
        retrying = Retrying(
            stop=stop_after_delay(_SERVICE_ACCOUNT_TIMEOUT_S),
            wait=wait_exponential(multiplier=0.05, max=1.0),
            retry=retry_if_exception(_no_service_account_yet),
            reraise=True,
        )
        try:
            self.pod = retrying(
                self._cluster.rest.create, _pods_path(self.request.namespace), manifest
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
        if seen.no_program:
            program = self.request.command(self.request.port)[0]
            raise ToolMissing(f"{program} cannot be run in the pod: {self.problem(failed)}")
        if not another_port:
            raise self.problem(failed)
        # A pod or a process of somebody else has this port of the node.
        delete_pods(self._cluster, [self.ref()], quiet=True)
        self.name = f"{self.request.name}-p{self._ports[0]}"
        self.unschedulable_since = None
        self.create()
        return False

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


def _await_namespace(
    cluster: Cluster, namespace: str, waits: Sequence[_Wait], deadline: float
) -> None:
    """Wait for all of these pods of one namespace: list, watch from there, list again."""
    path = _pods_path(namespace)
    left = list(waits)
    while True:
        listed = cluster.rest.get(path)
        pods = {pod["metadata"]["name"]: pod for pod in listed.get("items") or ()}
        for wait in list(left):
            if wait.name not in pods:
                raise wait.problem("somebody else has deleted it")
            if wait.see(pods[wait.name]):
                left.remove(wait)
        if not left:
            return
        if time.monotonic() >= deadline:
            raise left[0].give_up()
        _follow(cluster, path, listed["metadata"]["resourceVersion"], left, deadline)
        if not left:
            return


def _follow(cluster: Cluster, path: str, version: str, left: list[_Wait], deadline: float) -> None:
    """Take in the events of one watch; returns when a new list is needed or nothing is left."""
    opened = time.monotonic()
    held = any(wait.unschedulable_since is not None for wait in left)
    limit = min(_UNSCHEDULABLE_POLL_S if held else _WATCH_S, deadline - opened)
    events = cluster.rest.watch(path, {"resourceVersion": version}, timeout_s=max(limit, 0.05))
    with contextlib.closing(events):
        for kind, pod in events:
            if kind not in ("ADDED", "MODIFIED"):
                break
            for wait in left:
                if wait.name == pod["metadata"]["name"]:
                    if wait.see(pod):
                        left.remove(wait)
                    break
            if not left or (not held and any(w.unschedulable_since is not None for w in left)):
                return
    if time.monotonic() - opened < _POLL_S:
        time.sleep(_POLL_S)  # a watch that fails at once must not become a flood of lists


def _pods_path(namespace: str) -> str:
    return path_of("api", "v1", "namespaces", namespace, "pods")


def _no_service_account_yet(error: BaseException) -> bool:
    # A new namespace gets its default service account a moment later.
    return (
        isinstance(error, ApiRefused)
        and error.status == 403
        and "service account" in str(error).replace("serviceaccount", "service account")
        and "not found" in str(error)
    )


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
