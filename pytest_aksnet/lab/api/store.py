"""The objects of the cluster, in memory, with the rules that the API server keeps for all kinds.

Used by the HTTP handlers and, in the same process, by controllers. Synchronous, one thread. Owns
the order of things in a write: identity, conflicts, generation, deletion. Defaults, validation and
allocation are admission's, where states are kept is `Storage`'s; HTTP is the handlers'.
"""

from collections.abc import Callable, Iterable, Mapping

from pytest_aksnet.lab.api import deletion, errors, namespace_rules, parts, selectors
from pytest_aksnet.lab.api.admission import Admission
from pytest_aksnet.lab.api.journal import ADDED, Change, Journal, Revision, Subscription
from pytest_aksnet.lab.api.namespace_rules import NamespaceRules
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import (
    NAMESPACES,
    PODS,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from pytest_aksnet.lab.api.storage import Storage
from pytest_aksnet.lab.spec import LabSpec


class Store:
    """All objects. Every method returns a copy that the caller may change.

    Errors are `ApiError`: 404 NotFound, 409 AlreadyExists or Conflict, 403 while a namespace
    terminates, 422 Invalid. Objects of cluster-wide resources have the namespace "".
    """

    def __init__(self, spec: LabSpec) -> None:
        self._admission = Admission(spec)
        self._rules = NamespaceRules(self.revisions)
        self._storage = Storage()
        self.mutate_pod: Callable[[JsonObject], None] | None = None
        """What a mutating webhook of the cluster does to a new pod; None where there is none."""

    @property
    def version(self) -> int:
        """The resourceVersion of the newest change."""
        return self._storage.version

    @property
    def journal(self) -> Journal:
        """What has changed, in order."""
        return self._storage.journal

    # -- reading ---------------------------------------------------------------------------

    def revision(self, resource: Resource, name: str, namespace: str = "") -> Revision:
        """The current state, shared, not to be changed. Raises ApiError 404."""
        found = self._storage.find(resource, name, namespace)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def get(self, resource: Resource, name: str, namespace: str = "") -> JsonObject:
        """The object. Raises ApiError 404."""
        return clone(self.revision(resource, name, namespace).value)

    def find(self, resource: Resource, name: str, namespace: str = "") -> JsonObject | None:
        """The object, or None."""
        found = self._storage.find(resource, name, namespace)
        return None if found is None else clone(found.value)

    def revisions(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        matcher: selectors.Matcher | None = None,
    ) -> list[Revision]:
        """Current states in the order of namespace and name; shared, not to be changed."""
        return [
            revision
            for revision in self._storage.ordered(resource, namespace)
            if matcher is None or matcher(revision.value)
        ]

    def controlled(self, resource: Resource, uid: str, namespace: str) -> "list[Revision]":
        """Current states of what the object with this uid controls, by name; shared.

        With the uid "" of what nobody controls.
        """
        return self._storage.controlled(resource, uid, namespace)

    def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> list[JsonObject]:
        """The objects of one namespace, or of all, that both selectors select."""
        matcher = selectors.compile_selector(resource, labels, fields)
        return [clone(item.value) for item in self.revisions(resource, namespace, matcher=matcher)]

    def subscribe(self, *resources: Resource) -> Subscription:
        """Every object that is there as ADDED, in order, then every change as it happens."""
        initial = [
            Change(ADDED, revision) for item in resources for revision in self.revisions(item)
        ]
        return self.journal.subscribe(resources, initial)

    # -- writing ---------------------------------------------------------------------------

    def create(
        self,
        resource: Resource,
        value: Mapping[str, object],
        namespace: str = "",
        *,
        dry_run: bool = False,
    ) -> JsonObject:
        """Store a new object. `namespace` may be left out where the object names it.

        Fills in defaults, name (from generateName), uid, times and generation.
        """
        new = parts.normal_form(resource, dict(value))
        metadata = new["metadata"]
        if metadata.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            metadata["namespace"] = namespace or metadata.get("namespace") or "default"
        else:
            metadata.pop("namespace", None)
        place = metadata.get("namespace", "")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._storage.free_name(resource, metadata["generateName"], place)
        parts.begin(resource, new)
        if resource.namespaced:
            found = self.revision(NAMESPACES, place).value
            namespace_rules.require_open(found, resource, metadata.get("name", ""))
        if resource is PODS and self.mutate_pod is not None:
            self.mutate_pod(new)
        self._admission.default(resource, new)
        self._rules.default(resource, new)
        self._admission.validate(resource, new)
        charged = self._rules.admit(resource, new)
        present = self._storage.find(resource, metadata["name"], place)
        if present is not None:
            going = "deletionTimestamp" in present.value["metadata"]
            raise errors.already_exists(resource, metadata["name"], going=going)
        self._admission.allocate(resource, new)
        if dry_run:
            self._admission.release(resource, new)
            return new
        self._write_quotas(charged)
        return clone(self._storage.put(resource, new, None).value)

    def update(
        self,
        resource: Resource,
        value: Mapping[str, object],
        namespace: str = "",
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> JsonObject:
        """Replace an object, or with `subresource` ("status", "finalize") only that part of it.

        With metadata.resourceVersion or uid given, raises ApiError 409 where they are not those
        of the stored object. Nothing happens where nothing differs.
        """
        new = parts.normal_form(resource, dict(value))
        metadata = new["metadata"]
        place = (namespace or metadata.get("namespace", "")) if resource.namespaced else ""
        current = self.revision(resource, metadata.get("name", ""), place)
        old = current.value
        self._check_preconditions(
            resource,
            old,
            uid=metadata.get("uid", ""),
            version=metadata.get("resourceVersion", ""),
        )
        charged: tuple[JsonObject, ...] = ()
        if subresource:
            new = parts.with_part(old, new, subresource)
            self._admission.validate_part(resource, new, old, subresource)
        else:
            parts.keep(resource, old, new)
            self._admission.default(resource, new, old)
            self._admission.validate(resource, new, old)
            if resource is SERVICES:
                charged = self._rules.admit_change(resource, new, old)
            self._admission.allocate(resource, new, old)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old:
            return clone(old)
        counts = resource.counts_generation and subresource in ("", "ephemeralcontainers")
        if counts and new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if dry_run:
            self._admission.restore(resource, new, old)
            return new
        self._write_quotas(charged)
        return clone(self._commit(resource, new, current).value)

    def mutate(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        change: Callable[[JsonObject], None],
        subresource: str = "",
    ) -> JsonObject:
        """Read, let `change` edit the object in place, and update it."""
        value = self.get(resource, name, namespace)
        change(value)
        return self.update(resource, value, namespace, subresource=subresource)

    def bind(self, name: str, namespace: str, node: str) -> JsonObject:
        """Assign a pod to a node (pods/binding). Raises ApiError 409 where it has one already."""
        current = self.revision(PODS, name, namespace)
        assigned = current.value["spec"].get("nodeName")
        if assigned:
            why = f'pod {name} is already assigned to node "{assigned}"'
            raise errors.conflict(PODS, name, why)
        return clone(self._commit(PODS, parts.bound(current.value, node), current).value)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_seconds: int | None = None,
        orphan: bool = False,
        foreground: bool = False,
        uid: str = "",
        version: str = "",
        dry_run: bool = False,
    ) -> JsonObject:
        """Delete an object, or mark it for deletion, and return its last or marked state.

        A pod on a node is marked and stays until somebody deletes it with `grace_seconds=0` (its
        kubelet). An object with finalizers stays until the last is taken away; a namespace until
        its spec.finalizers are empty (`update(..., subresource="finalize")`). `uid` and `version`
        are preconditions (409). With `orphan`, dependents lose their owner reference; with
        `foreground` the object waits for them (the garbage collector's finalizer).
        """
        current = self.revision(resource, name, namespace)
        self._check_preconditions(resource, current.value, uid=uid, version=version)
        marked, waits = deletion.marked(
            resource, current.value, grace_seconds, foreground=foreground
        )
        if dry_run:
            return marked
        if orphan:
            self._orphan(marked["metadata"]["uid"])
        if not waits and resource is PODS:
            self._remove(self._storage.put(resource, marked, current), marked)
            return clone(marked)
        if not waits:
            self._remove(current, clone(current.value))
            return clone(current.value)
        if marked != current.value:
            return clone(self._commit(resource, marked, current).value)
        return marked

    def restrict_services(self, cidr: str) -> None:
        """Give new Services cluster IPs of this range only."""
        self._admission.restrict_services(cidr)

    # -- inside ----------------------------------------------------------------------------

    def _write_quotas(self, charged: Iterable[JsonObject]) -> None:
        for quota in charged:
            place = quota["metadata"]["namespace"]
            self.update(RESOURCE_QUOTAS, quota, place, subresource="status")

    def _check_preconditions(
        self, resource: Resource, old: JsonObject, *, uid: str, version: str
    ) -> None:
        metadata = old["metadata"]
        if uid and uid != metadata["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
                f"{metadata['uid']}"
            )
            raise errors.conflict(resource, metadata["name"], why)
        if version and version != metadata["resourceVersion"]:
            raise errors.conflict(resource, metadata["name"])

    def _commit(self, resource: Resource, new: JsonObject, current: Revision) -> Revision:
        if deletion.may_go(new):
            self._remove(current, current.value)  # what was stored last; `new` never is
            return Revision(resource, new, self.version)
        return self._storage.put(resource, new, current)

    def _remove(self, current: Revision, last: JsonObject) -> None:
        self._admission.release(current.resource, current.value)
        self._storage.remove(current, last)

    def _orphan(self, uid: str) -> None:
        for revision in self._storage.owned(uid):
            value = deletion.without_owner(revision.value, uid)
            self._commit(revision.resource, value, revision)
