"""Starts probe pods many at a time and waits until they are ready: all together or each for itself.

Does not know what the pods are for.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pod_start import PodStart, Waiting
from pytest_aksnet.cluster.pods import PARALLEL, delete_pods
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.room import require_room
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import AksnetError, EnvironmentProblem
from pytest_aksnet.model.peers import PodRef

READY_TIMEOUT_S = 120.0


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
    require_room(cluster, [_manifest(request) for request in requests])
    starts = [PodStart(cluster, request) for request in requests]
    try:
        with ThreadPoolExecutor(PARALLEL, "aksnet-pods") as pool:
            list(pool.map(PodStart.create, starts))
            namespaces: dict[str, list[PodStart]] = {}
            for start in starts:
                namespaces.setdefault(start.request.namespace, []).append(start)
            awaiting = [
                pool.submit(
                    Waiting(cluster, members, ready=lambda start: None, failed=_raise).until,
                    deadline,
                )
                for members in namespaces.values()
            ]
            for future in awaiting:
                future.result()
    except BaseException:
        delete_pods(cluster, [start.ref() for start in starts if start.pod], quiet=True)
        raise
    return tuple(start.ref() for start in starts)


def start_each(
    cluster: Cluster,
    requests: Sequence[ProbePodRequest],
    ended: Callable[[int, PodRef | AksnetError], None],
    *,
    timeout_s: float = READY_TIMEOUT_S,
) -> None:
    """Start these pods of one namespace at once, each for itself; returns when all have ended.

    `ended` is told of each, by its index, as soon as it is ready or has failed: what `start_pods`
    would raise. One that failed is deleted again, the others go on. `timeout_s` is in seconds.
    Raises EnvironmentProblem where the namespace has room for none of them.
    """
    if not requests:
        return
    deadline = time.monotonic() + timeout_s
    require_room(cluster, [_manifest(requests[0])])
    starts = [PodStart(cluster, request) for request in requests]
    numbers = {start: number for number, start in enumerate(starts)}

    def failed(start: PodStart, error: AksnetError) -> None:
        if start.pod:
            delete_pods(cluster, [start.ref()], quiet=True)
        ended(numbers[start], error)

    def create(start: PodStart) -> bool:
        try:
            start.create()
        except AksnetError as error:
            failed(start, error)
        return start.pod is not None

    with ThreadPoolExecutor(PARALLEL, "aksnet-pods") as pool:
        created = [
            start for start, made in zip(starts, pool.map(create, starts), strict=True) if made
        ]
    if not created:
        return
    waiting = Waiting(
        cluster, created, ready=lambda start: ended(numbers[start], start.ref()), failed=failed
    )
    try:
        waiting.until(deadline)
    except EnvironmentProblem as problem:  # the API server does not tell how they are
        waiting.give_up(problem)


def _manifest(request: ProbePodRequest) -> Json:
    return pod_manifest(request, request.name, request.port)


def _raise(start: PodStart, error: AksnetError) -> None:
    raise error
