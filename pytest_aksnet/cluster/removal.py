"""What of ours is in the cluster, and how it goes away: all at once, waited for, or named.

Ours are namespaces, and pods, Services and NetworkPolicies in namespaces of others. Each is deleted
only if it is still the very object that was found (uid).
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.marks import is_ours, selector
from pytest_aksnet.cluster.patience import Patience
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem

NAMESPACES = "/api/v1/namespaces"
EVERYWHERE: None = None
_KINDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "pod": (("api", "v1"), "pods"),
    "service": (("api", "v1"), "services"),
    "networkpolicy": (("apis", "networking.k8s.io", "v1"), "networkpolicies"),
}
_NAMESPACE = "namespace"
_CONFLICT = 409
_LASTING = frozenset({400, 401, 403, 404, 405, 422})
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_NO_ANSWER_S = 30.0  # an API server that restarts is back by then
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """What became of what is ours: gone, kept on purpose and why, or still there and why."""

    removed: tuple[str, ...] = ()
    kept: Mapping[str, str]
    left: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object of ours: its kind as kubectl knows it, its path, and itself as it was found."""

    kind: str
    path: str
    found: Json

    @property
    def name(self) -> str:
        """As people know it: a namespace by its bare name."""
        metadata = self.found["metadata"]
        if self.kind == _NAMESPACE:
            return str(metadata["name"])
        return f"{self.kind} {metadata['namespace']}/{metadata['name']}"

    @property
    def kubectl(self) -> str:
        """The command that removes it by hand."""
        metadata = self.found["metadata"]
        if self.kind == _NAMESPACE:
            return f"kubectl delete namespace {metadata['name']}"
        place = metadata["namespace"]
        return f"kubectl delete --namespace={place} {self.kind} {metadata['name']}"

    @property
    def uid(self) -> str:
        """The uid, empty where a server gave none."""
        return str(self.found["metadata"].get("uid") or "")


Find = Callable[[], list[Thing]]


def namespace_thing(found: Json) -> Thing:
    """A namespace."""
    path = f"{NAMESPACES}{path_of(str(found['metadata']['name']))}"
    return Thing(kind=_NAMESPACE, path=path, found=found)


def find_namespaces(cluster: Cluster, labels: Mapping[str, str]) -> list[Thing]:
    """The namespaces of runs that carry these labels. Raises EnvironmentProblem."""
    found = cluster.rest.items(NAMESPACES, {"labelSelector": selector(labels)})
    return [namespace_thing(one) for one in found if is_ours(one)]


def find_outside(
    cluster: Cluster,
    labels: Mapping[str, str],
    namespaces: Collection[str] | None,
    own: Collection[str],
) -> tuple[list[Thing], dict[str, str]]:
    """Objects of runs with these labels in namespaces of others, and what could not be listed.

    `namespaces` are those to look into, EVERYWHERE for all; `own` are those of runs, whose content
    goes with them. Raises ApiUnreachable.
    """
    things: list[Thing] = []
    unlisted: dict[str, str] = {}
    for kind, (group, plural) in _KINDS.items():
        places = [()] if namespaces is None else [("namespaces", name) for name in namespaces]
        for place in places:
            try:
                found = cluster.rest.items(
                    path_of(*group, *place, plural), {"labelSelector": selector(labels)}
                )
            except ApiRefused as refused:
                where = f"in namespace {place[1]}" if place else "in namespaces of others"
                unlisted[f"{plural} {where}"] = f"cannot be looked for: {refused}"
                continue
            things += [
                _outside_thing(kind, group, plural, one)
                for one in found
                if is_ours(one) and one["metadata"]["namespace"] not in own
            ]
    return things, unlisted


def _outside_thing(kind: str, group: tuple[str, ...], plural: str, found: Json) -> Thing:
    namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
    path = path_of(*group, "namespaces", namespace, plural, name)
    return Thing(kind=kind, path=path, found=found)


class Removal:
    """Removes things and waits for their end, with patience. Nothing is raised by `remove`."""

    def __init__(self, cluster: Cluster, patience: Patience) -> None:
        self._cluster = cluster
        self._patience = patience

    def look(self, find: Find) -> list[Thing]:
        """What `find` finds, although the API server may be away for a while.

        Raises EnvironmentProblem where it stays away or refuses.
        """
        until = time.monotonic() + _NO_ANSWER_S
        pause_s = _FIRST_PAUSE_S
        while True:
            [found] = self._patience.each(lambda find: find(), [find])
            if not isinstance(found, EnvironmentProblem):
                return found
            if _is_lasting(found) or self._patience.over or time.monotonic() >= until:
                raise found
            self._patience.pause(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def remove(self, things: Sequence[Thing], find: Find) -> tuple[tuple[str, ...], dict[str, str]]:
        """Delete all at once and wait until `find` finds none of them any more.

        Gives the names of what is gone, and why the rest is not. What an API server that was away
        has not heard is asked again.
        """
        removed: list[str] = []
        left = {thing.name: thing for thing in things}
        refused: dict[str, EnvironmentProblem] = {}
        asking: Sequence[Thing] = things
        pause_s = _FIRST_PAUSE_S
        while True:
            for thing, answer in zip(
                asking, self._patience.each(self._delete, asking), strict=True
            ):
                refused.pop(thing.name, None)
                if isinstance(answer, EnvironmentProblem):
                    refused[thing.name] = answer
            try:
                present = {(thing.path, thing.uid): thing for thing in self.look(find)}
            except EnvironmentProblem as problem:
                return tuple(removed), {
                    name: str(refused.get(name) or f"deleted, but not known to be gone: {problem}")
                    for name in left
                }
            still = {name: present.get((left[name].path, left[name].uid)) for name in left}
            removed += [name for name, thing in still.items() if thing is None]
            left = {name: thing for name, thing in still.items() if thing is not None}
            hopeless = all(_is_lasting(refused.get(name)) for name in left)
            if hopeless or self._patience.over:
                return tuple(removed), {
                    name: str(refused.get(name) or self._why_there(thing))
                    for name, thing in left.items()
                }
            asking = [thing for name, thing in left.items() if name in refused]
            self._patience.pause(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def _delete(self, thing: Thing) -> None:
        try:
            self._cluster.rest.delete(thing.path, uid=thing.uid, attempts=_ATTEMPTS)
        except ApiRefused as refused:
            if refused.status != _CONFLICT:  # it is being deleted already
                raise

    def _why_there(self, thing: Thing) -> str:
        why = _why_stuck(thing.found)
        if self._patience.hurry.is_set():
            return f"deleted, but not gone when the wait was interrupted: {why}"
        return f"still there after {self._patience.timeout_s:.0f} s: {why}"


def _is_lasting(problem: EnvironmentProblem | None) -> bool:
    """Whether asking again is of no use."""
    return isinstance(problem, ApiRefused) and problem.status in _LASTING


def _why_stuck(found: Json) -> str:
    """What the namespace controller says, which names leftovers and finalizers."""
    status, metadata = found.get("status") or {}, found["metadata"]
    said = [
        f"{condition.get('reason')}: {condition.get('message')}"
        for condition in status.get("conditions") or ()
        if condition.get("status") == "True" and condition.get("message")
    ]
    if metadata.get("finalizers"):
        said.append(f"finalizers {', '.join(metadata['finalizers'])}")
    return "; ".join(said) or f"phase {status.get('phase', 'unknown')}"
