"""What belongs to a run: its id, its namespaces, its labels; and how they go away again.

Owns every namespace that the plugin makes. Deletes only what carries the labels of a run of ours.
"""

import datetime
import secrets
import threading
from collections.abc import Mapping

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.marks import marks
from pytest_aksnet.cluster.patience import Patience
from pytest_aksnet.cluster.removal import (
    EVERYWHERE,
    NAMESPACES,
    Cleanup,
    Removal,
    Thing,
    find_namespaces,
    find_outside,
    namespace_thing,
)
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem
from pytest_aksnet.model.marks import RUN_LABEL

ENFORCE_LABEL = "pod-security.kubernetes.io/enforce"
CLOSE_TIMEOUT_S = 60.0


def new_run_id(now: datetime.datetime | None = None) -> str:
    """A run id that sorts by time and is no other's: fit for labels and namespace names."""
    moment = now or datetime.datetime.now(datetime.UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


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
        self._lock = threading.RLock()
        self._count = 0
        self._main = ""
        self._made: dict[str, Json] = {}
        self._outside: set[str] = set()

    def labels(self) -> dict[str, str]:
        """What every object of this run carries."""
        return marks(self.run_id, self._worker)[0]

    def annotations(self) -> dict[str, str]:
        """When (UTC) and by whom, for people; and by which process, for `cleanup_stale`."""
        return marks(self.run_id, self._worker)[1]

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

    def uses(self, namespace: str) -> None:
        """Remember that objects of this run are made in this namespace, whoever it belongs to."""
        with self._lock:
            if namespace not in self._made:
                self._outside.add(namespace)

    def delete_namespace(self, name: str) -> None:
        """Ask for the end of a namespace of this run. Does not wait. Raises EnvironmentProblem."""
        with self._lock:
            made = self._made.get(name)
        uid = namespace_thing(made).uid if made is not None else ""
        try:
            self._cluster.rest.delete(f"{NAMESPACES}{path_of(name)}", uid=uid)
        except ApiRefused as refused:
            if refused.status != 409:  # it is being deleted already
                raise
        with self._lock:
            self._made.pop(name, None)

    def close(
        self,
        *,
        timeout_s: float = CLOSE_TIMEOUT_S,
        hurry: threading.Event | None = None,
        everywhere: bool = False,
    ) -> Cleanup:
        """Delete all that is of this run (of this worker, if it is one's) and wait for its end.

        That is its namespaces, and its objects in namespaces that it `uses`: with `everywhere` in
        any, for a run of which a process was lost. What is left after `timeout_s` seconds, or when
        `hurry` is set, is named, never raised: a run that ends has nobody left to handle it. The
        API server may be lost meanwhile.
        """
        with self._lock:
            self._main = ""
            made = {name: namespace_thing(found) for name, found in self._made.items()}
            outside = EVERYWHERE if everywhere else tuple(sorted(self._outside))
        removal = Removal(self._cluster, Patience(timeout_s, hurry or threading.Event()))
        unlisted: dict[str, str] = {}

        def find() -> list[Thing]:
            unlisted.clear()
            try:
                namespaces = find_namespaces(self._cluster, self.labels())
            except ApiRefused as refused:
                unlisted[f"namespaces of run {self.run_id}"] = f"cannot be listed: {refused}"
                namespaces = [thing for thing in made.values() if self._exists(thing)]
            own = {*made, *(str(thing.found["metadata"]["name"]) for thing in namespaces)}
            things, problems = find_outside(self._cluster, self.labels(), outside, own)
            unlisted.update(problems)
            return [*namespaces, *things]

        try:
            things = removal.look(find)
        except EnvironmentProblem as problem:
            all_of_it = f"run {self.run_id} (kubectl get namespaces --selector={RUN_LABEL}="
            named = [*made, f"{all_of_it}{self.run_id})"]
            return Cleanup(kept={}, left=dict.fromkeys(named, str(problem)))
        removed, left = removal.remove(things, find)
        with self._lock:
            self._made = {name: one for name, one in self._made.items() if name not in removed}
        return Cleanup(removed=removed, kept={}, left={**left, **unlisted})

    def _exists(self, thing: Thing) -> bool:
        found = self._cluster.rest.get_or_none(thing.path)
        return found is not None and namespace_thing(found).uid == thing.uid

    def manifest(
        self, suffix: str = "", *, labels: Mapping[str, str] | None = None, level: str
    ) -> Json:
        """The Namespace that a namespace of this run is; `level` is its PodSecurity level."""
        worker = f"-{self._worker}" if self._worker else ""
        return {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": f"aksnet-{self.run_id}{worker}{suffix}",
                "labels": {ENFORCE_LABEL: level, **(labels or {}), **self.labels()},
                "annotations": self.annotations(),
            },
        }

    def _create(self, suffix: str, labels: Mapping[str, str], host_network: bool) -> str:
        level = "privileged" if host_network else "baseline"
        manifest = self.manifest(suffix, labels=labels, level=level)
        name = str(manifest["metadata"]["name"])
        try:
            made = self._cluster.rest.create(NAMESPACES, manifest)
        except ApiRefused as refused:
            if refused.status != 403:
                raise
            raise EnvironmentProblem(
                f"the namespace {name} may not be created ({refused}); grant this user create, "
                "delete and list on namespaces, or choose another with --aksnet-context"
            ) from refused
        with self._lock:
            self._made[name] = made
        return name
