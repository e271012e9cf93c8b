"""One Lease of coordination.k8s.io/v1: taken, renewed in the background, lost, given back.

By the rules of client-go's leader election: a holder is judged by when this process saw its record
change last, never by comparing clocks; every write names the state that it replaces, and a 409 is a
race that was lost. One rule more: a holder that was a process of this machine and has ended is
succeeded at once. A Lease that does not carry our label is never touched.
"""

import datetime
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Callable

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.marks import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PROCESS_ANNOTATION,
    marks,
    process_of,
)
from pytest_aksnet.cluster.owner import has_ended, owner
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem

DURATION_S = 40
RENEW_S = 10.0
LEASES = ("apis", "coordination.k8s.io", "v1")
_RACES = 4
_REQUEST_S = 5.0  # a renewal that hangs must leave time for the next
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_GONE, _CONFLICT, _FORBIDDEN = 404, 409, 403
_PASSING = frozenset({429, 500, 502, 503, 504})
_NUMBERS = itertools.count(1)  # tells the Leases of one process apart


class NotOurs(EnvironmentProblem):
    """There is such a Lease, and it is of others."""


class Lease:
    """One Lease as one process sees it. Safe to share between threads once it is held.

    `run_id` is the run that wants it. Others may succeed a holder that has not renewed for
    `duration_s` (whole seconds); a renewal comes every `renew_s` seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        name: str,
        run_id: str,
        duration_s: int = DURATION_S,
        renew_s: float = RENEW_S,
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.holder = f"{owner()} run {run_id} pid {os.getpid()}.{next(_NUMBERS)}"
        self._rest = cluster.rest
        self._run_id = run_id
        self._duration_s = duration_s
        self._renew_s = renew_s
        self._watched = Watched()
        self._held: Json | None = None
        self._renewed_at = 0.0
        self._lost = ""
        self._succeeded = False
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None

    @property
    def lost(self) -> str:
        """Why a Lease that was taken is not ours any more, or was not for a while; else empty."""
        return self._lost

    def try_take(self) -> str:
        """Take it if it is free. Empty if it is ours now, else who holds it.

        Raises EnvironmentProblem: no rights, no such namespace, no answer, a Lease of others.
        """
        holder = ""
        for _ in range(_RACES):
            asked = time.monotonic()
            found = self._rest.get_or_none(self._path)
            if found is None:
                taken = self._create()
            else:
                holder = self._holder_of(found)
                if holder and holder != self.holder and not self._watched.has_gone(found):
                    return holder
                taken = self._replace(found)
            if taken is not None:
                self._begin(taken, asked)
                return ""
        return holder or "another run"

    def ask(self) -> str:
        """Like `try_take`, but waits up to the duration for an API server that is away."""
        until, pause_s = time.monotonic() + self._duration_s, _FIRST_PAUSE_S
        while True:
            try:
                return self.try_take()
            except EnvironmentProblem as problem:
                lasting = isinstance(problem, ApiRefused) and problem.status not in _PASSING
                if lasting or isinstance(problem, NotOurs) or time.monotonic() >= until:
                    raise
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def take(self, waiting: Callable[[str], None]) -> None:
        """Wait until it is ours; `waiting` is told of each holder that is waited for.

        Raises EnvironmentProblem as `ask` does.
        """
        told, pause_s = "", _FIRST_PAUSE_S
        while holder := self.ask():
            if holder != told:
                waiting(holder)
                told = holder
            time.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def release(self) -> str:
        """Give it back if it is ours; what stands against that, in words. Never raises."""
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join(3 * _REQUEST_S)
            self._renewer = None
        held, self._held = self._held, None
        if held is None or self._succeeded:
            return ""
        try:
            self._delete(held)
        except EnvironmentProblem as problem:
            return (
                f"the Lease {self.namespace}/{self.name} still names this run, for which others "
                f"wait {self._duration_s} s: {problem}"
            )
        return ""

    def remove_forsaken(self) -> str:
        """Remove it if a process of this run has left it; what stands against that, in words.

        Only for when all processes of the run that could hold it have ended. Never raises.
        """
        try:
            found = self._rest.get_or_none(self._path)
            labels = found["metadata"].get("labels") or {} if found is not None else {}
            if found is not None and labels == {**labels, **marks(self._run_id)[0]}:
                self._delete(found)
        except EnvironmentProblem as problem:
            if isinstance(problem, ApiRefused) and problem.status == _FORBIDDEN:
                return ""  # who may not read it has not made it
            return f"the Lease {self.namespace}/{self.name} may still name this run: {problem}"
        return ""

    @property
    def _path(self) -> str:
        return path_of(*LEASES, "namespaces", self.namespace, "leases", self.name)

    def _holder_of(self, found: Json) -> str:
        """Who holds this Lease; empty if nobody. Raises EnvironmentProblem if it is not ours."""
        labels = found["metadata"].get("labels") or {}
        if labels.get(MANAGED_BY_LABEL) != MANAGED_BY:
            raise NotOurs(
                f"the Lease {self.namespace}/{self.name} exists and was not made by {MANAGED_BY}; "
                "choose another namespace with --aksnet-lease-namespace"
            )
        return str((found.get("spec") or {}).get("holderIdentity") or "")

    def _create(self) -> Json | None:
        path = path_of(*LEASES, "namespaces", self.namespace, "leases")
        try:
            made = self._rest.create(path, self._manifest(None))
        except ApiRefused as refused:
            if refused.status == _CONFLICT:
                return None
            raise
        # After an answer that was lost this may be what another run has created meanwhile.
        return made if self._holder_of(made) == self.holder else None

    def _replace(self, found: Json, *, attempts: int = 2) -> Json | None:
        try:
            return self._rest.replace(
                self._path, self._manifest(found), attempts=attempts, read_timeout_s=_REQUEST_S
            )
        except ApiRefused as refused:
            if refused.status in (_CONFLICT, _GONE):
                return None
            raise

    def _manifest(self, found: Json | None) -> Json:
        """This Lease as held by us, in the place of `found`."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        labels, annotations = marks(self._run_id)
        metadata: Json = {"name": self.name, "namespace": self.namespace}
        acquired, transitions = now, 0
        if found is not None:
            before, spec = found["metadata"], found.get("spec") or {}
            metadata["resourceVersion"] = before["resourceVersion"]
            labels = {**(before.get("labels") or {}), **labels}
            others = dict(before.get("annotations") or {})
            others.pop(PROCESS_ANNOTATION, None)  # the last holder's, where we have none
            annotations = {**others, **annotations}
            transitions = int(spec.get("leaseTransitions") or 0)
            if spec.get("holderIdentity") == self.holder:
                acquired = spec.get("acquireTime") or now
            else:
                transitions += 1
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**metadata, "labels": labels, "annotations": annotations},
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": self._duration_s,
                "acquireTime": acquired,
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }

    def _begin(self, taken: Json, asked: float) -> None:
        self._held, self._renewed_at = taken, asked
        self._lost, self._succeeded = "", False
        self._stop.clear()
        self._renewer = threading.Thread(
            target=self._renew_on, name=f"aksnet-lease-{self.name}", daemon=True
        )
        self._renewer.start()

    def _renew_on(self) -> None:
        """Renew until it is given back, or another has it. Whoever may not renew tries on."""
        pause_s = self._renew_s
        while not self._succeeded and not self._stop.wait(pause_s):
            pause_s = self._renew_s
            try:
                self._renew(time.monotonic())
            except EnvironmentProblem as trouble:
                pause_s = self._renew_s / 5
                if time.monotonic() - self._renewed_at >= self._duration_s and not self._lost:
                    self._lost = f"it could not be renewed for {self._duration_s} s: {trouble}"

    def _renew(self, asked: float) -> None:
        """Renew once. Raises EnvironmentProblem where that does not work out."""
        assert self._held is not None
        held = self._replace(self._held, attempts=1)
        if held is None:  # its state is another: by a renewal whose answer was lost, or by others
            found = self._rest.get_or_none(self._path)
            if found is not None and self._holder_of(found) not in ("", self.holder):
                self._succeeded = True
                self._lost = f"{self._holder_of(found)} has taken it over"
                return
            held = self._create() if found is None else self._replace(found, attempts=1)
        if held is None:
            raise EnvironmentProblem("others write to it at the same time")
        self._held, self._renewed_at = held, asked

    def _delete(self, held: Json) -> None:
        for _ in range(_RACES):
            metadata = held["metadata"]
            try:
                if self._rest.delete(
                    self._path, uid=metadata["uid"], version=metadata["resourceVersion"], attempts=2
                ):
                    return
            except ApiRefused as refused:
                if refused.status != _FORBIDDEN:
                    raise
                cleared = self._manifest(held)
                cleared["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                self._rest.replace(self._path, cleared, attempts=2, read_timeout_s=_REQUEST_S)
                return
            found = self._rest.get_or_none(self._path)
            if found is None or self._holder_of(found) != self._holder_of(held):
                return
            held = found


class Watched:
    """When this process has seen a Lease's record change last, which tells whether it is alive.

    `changed` is whether it has seen that at all.
    """

    def __init__(self) -> None:
        self.changed = False
        self._record = ""
        self._since = 0.0

    def has_gone(self, lease: Json) -> bool:
        """Take in its present state: whether its holder has ended, or has let it expire."""
        if has_ended(process_of(lease)):
            return True
        spec = lease.get("spec") or {}
        record = json.dumps(spec, sort_keys=True)
        now = time.monotonic()
        if record != self._record:
            self.changed = self._record != ""
            self._record, self._since = record, now
        return now - self._since >= float(spec.get("leaseDurationSeconds") or DURATION_S)
