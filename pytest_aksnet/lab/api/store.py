"""The objects of the cluster, in memory, with the rules that the API server keeps for all kinds.

Used by the HTTP handlers and, in the same process, by controllers. Synchronous, one thread. Owns
identity (uid, names), resourceVersion, generation, deletion (grace, finalizers) and conflicts.
Defaults, validation and allocation are admission's; HTTP is the handlers'.
"""

import random
import uuid
from collections.abc import Callable, Iterable, Mapping

from pytest_aksnet.lab.api import errors, lifecycle, selectors
from pytest_aksnet.lab.api.admission import Admission
from pytest_aksnet.lab.api.journal import (
    ADDED,
    DELETED,
    MODIFIED,
    Change,
    Journal,
    Revision,
    Subscription,
)
from pytest_aksnet.lab.api.namespace_rules import NamespaceRules
from pytest_aksnet.lab.api.objects import JsonObject, clone, controller_uid, timestamp
from pytest_aksnet.lab.api.resources import (
    NAMESPACES,
    PODS,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from pytest_aksnet.lab.spec import LabSpec

_FIRST_VERSION = 500  # so that "1" is too old for a watch, as on a cluster with a history
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # apimachinery util/rand
_SUFFIX_LENGTH = 5
_KEPT_ON_UPDATE = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
)
_STATUS_OWNED_BY_CREATOR = ("nodes", "namespaces", "services")


class Store:
    """All objects. Every method returns a copy that the caller may change.

    Errors are `ApiError`: 404 NotFound, 409 AlreadyExists or Conflict, 403 while a namespace
    terminates, 422 Invalid. Objects of cluster-wide resources have the namespace "".
    """

    def __init__(self, spec: LabSpec) -> None:
        self._admission = Admission(spec)
        self._rules = NamespaceRules(self.revisions)
        self._objects: dict[str, dict[tuple[str, str], Revision]] = {}
        self._by_controller: dict[tuple[str, str], dict[tuple[str, str], Revision]] = {}
        self._version = _FIRST_VERSION
        self.journal = Journal(_FIRST_VERSION)

    @property
    def version(self) -> int:
        """The resourceVersion of the newest change."""
        return self._version

    # -- reading ---------------------------------------------------------------------------

    def revision(self, resource: Resource, name: str, namespace: str = "") -> Revision:
        """The current state, shared, not to be changed. Raises ApiError 404."""
        found = self._objects.get(resource.key, {}).get((namespace, name))
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def get(self, resource: Resource, name: str, namespace: str = "") -> JsonObject:
        """The object. Raises ApiError 404."""
        return clone(self.revision(resource, name, namespace).value)

    def find(self, resource: Resource, name: str, namespace: str = "") -> JsonObject | None:
        """The object, or None."""
        found = self._objects.get(resource.key, {}).get((namespace, name))
        return None if found is None else clone(found.value)

    def revisions(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        matcher: selectors.Matcher | None = None,
    ) -> list[Revision]:
        """Current states in the order of namespace and name; shared, not to be changed."""
        table = self._objects.get(resource.key, {})
        return [
            table[key]
            for key in sorted(key for key in table if not namespace or key[0] == namespace)
            if matcher is None or matcher(table[key].value)
        ]

    def controlled(self, resource: Resource, uid: str, namespace: str) -> "list[Revision]":
        """Current states of what the object with this uid controls, by name; shared.

        With the uid "" of what nobody controls.
        """
        table = self._by_controller.get((resource.key, uid), {})
        return [table[key] for key in sorted(key for key in table if key[0] == namespace)]

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
        new = lifecycle.normal_form(resource, dict(value))
        metadata = new["metadata"]
        if metadata.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            metadata["namespace"] = namespace or metadata.get("namespace") or "default"
        else:
            metadata.pop("namespace", None)
        place = metadata.get("namespace", "")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._free_name(resource, metadata["generateName"], place)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp()
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        if resource.counts_generation:
            metadata["generation"] = 1
        if "status" in resource.subresources and resource.plural not in _STATUS_OWNED_BY_CREATOR:
            new.pop("status", None)
        if resource.namespaced:
            self._require_open_namespace(resource, place, metadata.get("name", ""))
        self._admission.default(resource, new)
        self._rules.default(resource, new)
        self._admission.validate(resource, new)
        charged = self._rules.admit(resource, new)
        present = self._objects.get(resource.key, {}).get((place, metadata["name"]))
        if present is not None:
            going = "deletionTimestamp" in present.value["metadata"]
            raise errors.already_exists(resource, metadata["name"], going=going)
        self._admission.allocate(resource, new)
        if dry_run:
            self._admission.release(resource, new)
            return new
        self._write_quotas(charged)
        return clone(self._commit(resource, new, None).value)

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
        new = lifecycle.normal_form(resource, dict(value))
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
            new = lifecycle.with_part(old, new, subresource)
            self._admission.validate_part(resource, new, old, subresource)
        else:
            for field in _KEPT_ON_UPDATE:
                if field in old["metadata"]:
                    metadata[field] = old["metadata"][field]
                else:
                    metadata.pop(field, None)
            if resource.namespaced:
                metadata["namespace"] = place
            if "status" in resource.subresources:
                new.pop("status", None)
                if "status" in old:
                    new["status"] = clone({"status": old["status"]})["status"]
            if "managedFields" in old["metadata"]:
                metadata.setdefault("managedFields", old["metadata"]["managedFields"])
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
        value = clone(current.value)
        assigned = value["spec"].get("nodeName")
        if assigned:
            why = f'pod {name} is already assigned to node "{assigned}"'
            raise errors.conflict(PODS, name, why)
        value["spec"]["nodeName"] = node
        conditions = value.setdefault("status", {}).setdefault("conditions", [])
        conditions[:] = [item for item in conditions if item["type"] != "PodScheduled"]
        conditions.append(
            {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": timestamp(),
            }
        )
        return clone(self._commit(PODS, value, current).value)

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
        marked = clone(current.value)
        metadata = marked["metadata"]
        if foreground and lifecycle.FOREGROUND not in metadata.get("finalizers", []):
            metadata["finalizers"] = [*metadata.get("finalizers", []), lifecycle.FOREGROUND]
        grace = lifecycle.grace(resource, marked, grace_seconds)
        waits = grace > 0 or metadata.get("finalizers") or marked.get("spec", {}).get("finalizers")
        already = "deletionTimestamp" in metadata
        shorter = not already or grace < metadata.get("deletionGracePeriodSeconds", 0)
        if shorter:
            metadata["deletionTimestamp"] = timestamp(grace)
            if resource is not NAMESPACES:
                metadata["deletionGracePeriodSeconds"] = grace
            if resource.counts_generation and not already:
                metadata["generation"] = metadata.get("generation", 0) + 1
        if resource is NAMESPACES:
            marked.setdefault("status", {})["phase"] = "Terminating"
        if dry_run:
            return marked
        if orphan:
            self._orphan(metadata["uid"])
        if not waits and resource is PODS:
            self._remove(self._put(resource, marked, current), marked)
            return clone(marked)
        if not waits:
            self._remove(current, clone(current.value))
            return clone(current.value)
        if marked != current.value:
            return clone(self._commit(resource, marked, current).value)
        return marked

    # -- inside ----------------------------------------------------------------------------

    def _free_name(self, resource: Resource, prefix: str, namespace: str) -> str:
        while True:
            name = prefix + "".join(random.choices(_SUFFIX_ALPHABET, k=_SUFFIX_LENGTH))
            if (namespace, name) not in self._objects.get(resource.key, {}):
                return name

    def _require_open_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        found = self.revision(NAMESPACES, namespace).value
        if "deletionTimestamp" in found["metadata"]:
            raise errors.forbidden(
                resource,
                name,
                f"unable to create new content in namespace {namespace} because it is being "
                "terminated",
                causes=[
                    errors.Cause(
                        "metadata.namespace",
                        "NamespaceTerminating",
                        f"namespace {namespace} is being terminated",
                    )
                ],
            )

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

    def _commit(self, resource: Resource, new: JsonObject, current: Revision | None) -> Revision:
        if current is not None and lifecycle.may_go(resource, new):
            self._remove(current, current.value)  # what was stored last; `new` never is
            return Revision(resource, new, self._version)
        return self._put(resource, new, current)

    def _put(self, resource: Resource, new: JsonObject, current: Revision | None) -> Revision:
        """Store a state and tell of it."""
        metadata = new["metadata"]
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        revision = Revision(resource, new, self._version)
        key = (metadata.get("namespace", ""), metadata["name"])
        self._objects.setdefault(resource.key, {})[key] = revision
        if current is not None:
            self._drop_from_controller(current, key)
        controller = (resource.key, controller_uid(new))
        self._by_controller.setdefault(controller, {})[key] = revision
        kind = ADDED if current is None else MODIFIED
        self.journal.record(Change(kind, revision, current))
        return revision

    def _remove(self, current: Revision, last: JsonObject) -> None:
        resource = current.resource
        metadata = last["metadata"]
        self._version += 1
        final = clone(last)
        final["metadata"]["resourceVersion"] = str(self._version)
        key = (metadata.get("namespace", ""), metadata["name"])
        del self._objects[resource.key][key]
        self._drop_from_controller(current, key)
        self._admission.release(resource, current.value)
        revision = Revision(resource, final, self._version)
        self.journal.record(Change(DELETED, revision, current))

    def _drop_from_controller(self, revision: Revision, key: tuple[str, str]) -> None:
        controller = (revision.resource.key, controller_uid(revision.value))
        members = self._by_controller[controller]
        members.pop(key, None)
        if not members:
            del self._by_controller[controller]

    def _orphan(self, uid: str) -> None:
        for table in list(self._objects.values()):
            for revision in list(table.values()):
                owners = revision.value["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == uid for owner in owners):
                    value = clone(revision.value)
                    value["metadata"]["ownerReferences"] = [
                        owner for owner in owners if owner["uid"] != uid
                    ]
                    self._commit(revision.resource, value, revision)
