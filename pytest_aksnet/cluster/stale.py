"""What earlier runs left, and which of it may go: what is ours and known to be nobody's any more.

A run is alive while it renews its Lease, and dead once that has expired. Of other runs, what was
made by a process of this machine goes when that has ended, the rest by its age.
"""

import datetime
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.lease import LEASES, Watched
from pytest_aksnet.cluster.marks import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    age_s,
    is_ours,
    process_of,
    selector,
)
from pytest_aksnet.cluster.owner import has_ended
from pytest_aksnet.cluster.patience import Patience
from pytest_aksnet.cluster.removal import (
    EVERYWHERE,
    Cleanup,
    Removal,
    Thing,
    find_namespaces,
    find_outside,
)
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem
from pytest_aksnet.model.marks import RUN_LABEL

CLEANUP_TIMEOUT_S = 120.0
_OURS = {MANAGED_BY_LABEL: MANAGED_BY}
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """Runs whose Lease tells, and their Leases: those to remove, and those of runs that live."""

    alive: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    stale: list[Thing] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)


def cleanup_stale(
    cluster: Cluster,
    *,
    older_than_s: float,
    lease_namespace: str,
    run_lease: str,
    say: Callable[[str], None],
    now: datetime.datetime | None = None,
    timeout_s: float = CLEANUP_TIMEOUT_S,
    hurry: threading.Event | None = None,
) -> Cleanup:
    """Remove what earlier runs left in the cluster: namespaces, objects elsewhere, Leases.

    Goes what is of a run whose Lease (`run_lease` in `lease_namespace`) has expired, what a process
    of this machine made that has ended, and what was made `older_than_s` seconds ago; nothing of a
    run that renews its Lease, nor what does not carry all our labels and annotations. Without a
    readable time of our own nothing goes by its age. `say` is told why it takes time. Raises
    EnvironmentProblem where the API server stays away or namespaces cannot be listed.
    """
    moment = now or datetime.datetime.now(datetime.UTC)
    patience = Patience(timeout_s, hurry or threading.Event())
    removal = Removal(cluster, patience)
    unlisted: dict[str, str] = {}

    def find() -> list[Thing]:
        unlisted.clear()
        namespaces = find_namespaces(cluster, _OURS)
        own = {str(thing.found["metadata"]["name"]) for thing in namespaces}
        things, problems = find_outside(cluster, _OURS, EVERYWHERE, own)
        unlisted.update(problems)
        return [*namespaces, *things]

    def find_leases() -> list[Thing]:
        found = cluster.rest.items(
            path_of(*LEASES, "namespaces", lease_namespace, "leases"),
            {"labelSelector": selector(_OURS)},
        )
        return [_lease_thing(one) for one in found if is_ours(one)]

    try:
        runs = _watch_leases(removal, patience, find_leases, run_lease, say)
    except ApiRefused as refused:
        runs = _Runs()
        unseen = {f"leases in namespace {lease_namespace}": f"cannot be looked for: {refused}"}
    else:
        unseen = {}
    stale: list[Thing] = []
    kept = dict(runs.held)
    for thing in removal.look(find):
        why = _why_kept(thing, runs, moment, older_than_s)
        if why:
            kept[thing.name] = why
        else:
            stale.append(thing)
    removed, left = removal.remove(stale, find)
    # Last, so that a cleanup that is itself killed can be repeated: they tell which runs are dead.
    leases, leases_left = _remove_leases(cluster, runs.stale)
    return Cleanup(
        removed=(*removed, *leases),
        kept=kept,
        left={**left, **leases_left, **unlisted, **unseen},
    )


def _watch_leases(
    removal: Removal,
    patience: Patience,
    find_leases: Callable[[], list[Thing]],
    run_lease: str,
    say: Callable[[str], None],
) -> _Runs:
    """Watch the Leases that are held until each has been renewed, or let expire."""
    watched: dict[str, Watched] = {}
    told = False
    while True:
        runs = _Runs()
        undecided: list[str] = []
        for thing in removal.look(find_leases):
            watch = watched.setdefault(thing.path, Watched())
            run = str(thing.found["metadata"]["labels"][RUN_LABEL])
            holder = str((thing.found.get("spec") or {}).get("holderIdentity") or "")
            if not holder or watch.has_gone(thing.found):
                runs.stale.append(thing)
                # A worker that was lost says nothing about its run.
                if thing.found["metadata"]["name"] == run_lease:
                    runs.dead.add(run)
                continue
            runs.alive.add(run)
            runs.held[thing.name] = f"{holder} renews it"
            if not watch.changed:
                runs.held[thing.name] = f"{holder} may still renew it"
                undecided.append(holder)
        if not undecided or patience.over:
            return replace(runs, dead=runs.dead - runs.alive)
        if not told:
            told = True
            say(f"looking whether it still renews its Lease: {', '.join(undecided)}")
        patience.pause(_LOOK_EVERY_S)


def _remove_leases(
    cluster: Cluster, leases: Sequence[Thing]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Delete Leases that nobody has taken meanwhile: which are gone, and why others are not."""
    removed, left = [], {}
    for lease in leases:
        version = str(lease.found["metadata"].get("resourceVersion") or "")
        try:
            if cluster.rest.delete(lease.path, uid=lease.uid, version=version):
                removed.append(lease.name)
        except EnvironmentProblem as problem:
            left[lease.name] = str(problem)
    return tuple(removed), left


def _why_kept(thing: Thing, runs: _Runs, now: datetime.datetime, older_than_s: float) -> str:
    """Why something of ours stays; empty where it is to go."""
    run = str(thing.found["metadata"]["labels"][RUN_LABEL])
    if run in runs.alive:
        return f"its run {run} goes on"
    if run in runs.dead or has_ended(process_of(thing.found)):
        return ""
    age = age_s(thing.found, now)
    if age is None:
        return f"it does not say when it was made; if its run has ended: {thing.kubectl}"
    if age >= older_than_s:
        return ""
    return (
        f"it is younger than {older_than_s / 3600:.0f} h and its run may go on; "
        f"if that has ended: {thing.kubectl}"
    )


def _lease_thing(found: Json) -> Thing:
    """A Lease."""
    metadata = found["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    path = path_of(*LEASES, "namespaces", namespace, "leases", name)
    return Thing(kind="lease", path=path, found=found)
