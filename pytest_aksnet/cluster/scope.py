"""What belongs to a run: its id, its namespaces, its labels; and how they go away again.

Owns every namespace that the plugin makes. Deletes only what carries the labels of a run of ours.
"""

import datetime
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.owner import has_ended, owner, process_mark
from pytest_aksnet.cluster.rest import Json, path_of
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "pytest-aksnet"
RUN_LABEL = "aksnet.io/run"
WORKER_LABEL = "aksnet.io/worker"
CREATED_ANNOTATION = "aksnet.io/created"
OWNER_ANNOTATION = "aksnet.io/owner"
PROCESS_ANNOTATION = "aksnet.io/process"
_ENFORCE_LABEL = "pod-security.kubernetes.io/enforce"
_NAMESPACES = "/api/v1/namespaces"
CLOSE_TIMEOUT_S = 60.0
_POLL_S = 0.2


def new_run_id(now: datetime.datetime | None = None) -> str:
    """A run id that sorts by time and is no other's: fit for labels and namespace names."""
    moment = now or datetime.datetime.now(datetime.UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """What became of namespaces of ours: gone, too young to touch, or still there (and why)."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    left: Mapping[str, str]


class RunScope:
    """The namespaces of one run, or of one worker of it. Safe to share between threads.

    `worker` keeps parallel workers of one run apart; empty is the run itself. `host_network` is
    whether its pods may use the node's network: only then do its namespaces allow privileged pods.
    """

    def __init__(
        self, cluster: Cluster, *, run_id: str = "", worker: str = "", host_network: bool
    ) -> None:
        self.run_id = run_id or new_run_id()
        self._cluster = cluster
        self._worker = worker
        self._host_network = host_network
        self._lock = threading.Lock()
        self._count = 0
        self._main = ""

    def labels(self) -> dict[str, str]:
        """What every object of this run carries."""
        labels = {MANAGED_BY_LABEL: MANAGED_BY, RUN_LABEL: self.run_id}
        return {**labels, WORKER_LABEL: self._worker} if self._worker else labels

    def annotations(self) -> dict[str, str]:
        """When (UTC) and by whom, for people; and by which process, for `cleanup_stale`."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        said = {CREATED_ANNOTATION: now, OWNER_ANNOTATION: owner()}
        mark = process_mark()
        return {**said, PROCESS_ANNOTATION: mark} if mark else said

    def unique_name(self, purpose: str) -> str:
        """A name for an object of this run that no other has: a DNS label of at most 63 signs."""
        return f"{purpose[:40]}-{secrets.token_hex(4)}"

    def namespace(self) -> str:
        """The main namespace, created when first asked for. Raises EnvironmentProblem."""
        with self._lock:
            if not self._main:
                self._main = self._create("", {}, self._host_network)
            return self._main

    def new_namespace(
        self, labels: Mapping[str, str] | None = None, *, host_network: bool = False
    ) -> str:
        """One more namespace of this run with these labels. Raises EnvironmentProblem."""
        with self._lock:
            self._count += 1
            number = self._count
        return self._create(f"-{number}", labels or {}, host_network)

    def delete_namespace(self, name: str) -> None:
        """Ask for the end of a namespace of this run. Does not wait."""
        _delete(self._cluster, name)

    def close(self, *, timeout_s: float = CLOSE_TIMEOUT_S) -> Cleanup:
        """Delete every namespace of this run (of this worker, if it is one's) and wait for it.

        What is left after `timeout_s` seconds is named, never raised: a run that ends has nobody
        left to handle it. The API server may be lost meanwhile.
        """
        try:
            found = _of_runs(self._cluster, self.labels())
        except EnvironmentProblem as problem:
            return Cleanup(removed=(), kept=(), left={f"run {self.run_id}": str(problem)})
        names = [namespace["metadata"]["name"] for namespace in found]
        with self._lock:
            self._main = ""
        removed, left = _remove(self._cluster, names, timeout_s)
        return Cleanup(removed=removed, kept=(), left=left)

    def _create(self, suffix: str, labels: Mapping[str, str], host_network: bool) -> str:
        worker = f"-{self._worker}" if self._worker else ""
        name = f"aksnet-{self.run_id}{worker}{suffix}"
        level = "privileged" if host_network else "baseline"
        manifest = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {_ENFORCE_LABEL: level, **labels, **self.labels()},
                "annotations": self.annotations(),
            },
        }
        try:
            self._cluster.rest.create(_NAMESPACES, manifest)
        except ApiRefused as refused:
            if refused.status != 403:
                raise
            raise EnvironmentProblem(
                f"the namespace {name} may not be created ({refused}); grant this user create, "
                "delete and list on namespaces, or choose another with --aksnet-context"
            ) from refused
        return name


def cleanup_stale(
    cluster: Cluster,
    *,
    older_than_s: float,
    now: datetime.datetime | None = None,
    timeout_s: float = CLOSE_TIMEOUT_S,
) -> Cleanup:
    """Remove namespaces that earlier runs left: ours by label.

    They go if the process that made them was one of this machine and has ended, or if they were
    created `older_than_s` seconds ago. Without a readable time of our own none goes by its age.
    """
    moment = now or datetime.datetime.now(datetime.UTC)
    stale: list[str] = []
    kept: list[str] = []
    for namespace in _of_runs(cluster, {MANAGED_BY_LABEL: MANAGED_BY}):
        name = namespace["metadata"]["name"]
        age_s = _age_s(namespace, moment)
        aged = age_s is not None and age_s >= older_than_s
        (stale if aged or has_ended(_mark(namespace)) else kept).append(name)
    removed, left = _remove(cluster, stale, timeout_s)
    return Cleanup(removed=removed, kept=tuple(kept), left=left)


def _of_runs(cluster: Cluster, labels: Mapping[str, str]) -> list[Json]:
    """Namespaces with these labels and the label of some run, as the API server selects them."""
    terms = [f"{key}={value}" for key, value in labels.items()]
    if RUN_LABEL not in labels:
        terms.append(RUN_LABEL)
    return cluster.rest.items(_NAMESPACES, {"labelSelector": ",".join(terms)})


def _mark(namespace: Json) -> str:
    annotations = namespace["metadata"].get("annotations") or {}
    return str(annotations.get(PROCESS_ANNOTATION, ""))


def _age_s(namespace: Json, now: datetime.datetime) -> float | None:
    stamp = (namespace["metadata"].get("annotations") or {}).get(CREATED_ANNOTATION, "")
    try:
        return (now - datetime.datetime.fromisoformat(stamp)).total_seconds()
    except (ValueError, TypeError):
        return None


def _delete(cluster: Cluster, name: str) -> None:
    try:
        cluster.rest.delete(path_of("api", "v1", "namespaces", name))
    except ApiRefused as refused:
        if refused.status != 409:  # it is being deleted already
            raise


def _remove(
    cluster: Cluster, names: Sequence[str], timeout_s: float
) -> tuple[tuple[str, ...], dict[str, str]]:
    left: dict[str, str] = {}
    for name in names:
        try:
            _delete(cluster, name)
        except EnvironmentProblem as problem:
            left[name] = str(problem)
    removed: list[str] = []
    waiting = [name for name in names if name not in left]
    deadline = time.monotonic() + timeout_s
    while waiting:
        for name in list(waiting):
            try:
                namespace = cluster.rest.get_or_none(path_of("api", "v1", "namespaces", name))
            except EnvironmentProblem as problem:
                left[name] = str(problem)
                waiting.remove(name)
                continue
            if namespace is None:
                removed.append(name)
                waiting.remove(name)
            elif time.monotonic() >= deadline:
                left[name] = f"still there after {timeout_s:.0f} s: {_why_stuck(namespace)}"
                waiting.remove(name)
        if waiting:
            time.sleep(_POLL_S)
    return tuple(removed), left


def _why_stuck(namespace: Json) -> str:
    """What the namespace controller says, which names leftovers and finalizers."""
    status = namespace.get("status") or {}
    said = [
        f"{condition.get('reason')}: {condition.get('message')}"
        for condition in status.get("conditions") or ()
        if condition.get("status") == "True"
    ]
    return "; ".join(said) or f"phase {status.get('phase')}"
