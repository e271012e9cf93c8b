"""The life of namespaces: what each gets at birth, and how it is emptied when it goes.

Source: Kubernetes docs, "Namespaces"; condition texts as recorded.
"""

from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change, Revision
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    RESOURCES,
    SERVICE_ACCOUNTS,
    Resource,
)
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import namespace_conditions
from pytest_aksnet.lab.controllers.loop import ControlLoop

_CONTENT = tuple(
    item for item in RESOURCES if item.namespaced and "list" in item.verbs and not item.stored_as
)
_CA_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)


class NamespaceController(ControlLoop):
    """Fills new namespaces and empties terminating ones. `ca_pem` is the cluster's CA."""

    watched = (NAMESPACES, *_CONTENT)

    def __init__(self, store: Store, ca_pem: str) -> None:
        super().__init__(store)
        self._ca_pem = ca_pem
        self._terminating: set[str] = set()

    def handle(self, changes: Sequence[Change]) -> None:
        """Fill what is new, empty what goes."""
        touched: set[str] = set()
        for change in changes:
            metadata = change.value["metadata"]
            if change.resource is not NAMESPACES:
                if metadata["namespace"] in self._terminating:
                    touched.add(metadata["namespace"])
            elif change.kind == DELETED:
                self._terminating.discard(metadata["name"])
            elif "deletionTimestamp" in metadata:
                self._terminating.add(metadata["name"])
                touched.add(metadata["name"])
            else:
                self._fill(metadata["name"])
        for name in touched & self._terminating:
            self._empty(name)

    def _fill(self, name: str) -> None:
        account: JsonObject = {"metadata": {"name": "default"}}
        certificate: JsonObject = {
            "metadata": {
                "name": "kube-root-ca.crt",
                "annotations": {"kubernetes.io/description": _CA_NOTE},
            },
            "data": {"ca.crt": self._ca_pem},
        }
        for resource, value in ((SERVICE_ACCOUNTS, account), (CONFIG_MAPS, certificate)):
            if self.store.find(resource, value["metadata"]["name"], name) is None:
                try:
                    self.store.create(resource, value, name)
                except ApiError as error:
                    if error.code not in (403, 404):  # it is going away already
                        raise

    def _empty(self, name: str) -> None:
        """Delete what is in it; without content, let it go."""
        for resource in _CONTENT:
            for revision in self.store.revisions(resource, name):
                self._delete(resource, revision.value)
        left = [
            revision for resource in _CONTENT for revision in self.store.revisions(resource, name)
        ]
        self._report(name, left)
        if left:
            return

        def let_go(value: JsonObject) -> None:
            value["spec"]["finalizers"] = []

        self._terminating.discard(name)
        self.store.mutate(NAMESPACES, name, change=let_go, subresource="finalize")

    def _delete(self, resource: Resource, value: JsonObject) -> None:
        metadata = value["metadata"]
        if "deletionTimestamp" in metadata:
            return
        try:
            self.store.delete(resource, metadata["name"], metadata["namespace"])
        except ApiError as error:
            if error.code != 404:
                raise

    def _report(self, name: str, left: Sequence[Revision]) -> None:
        """Write into the status what keeps the namespace; nothing where nothing differs."""
        wanted = namespace_conditions.of_content(left)

        def mark(value: JsonObject) -> None:
            old = value["status"].get("conditions") or []
            value["status"]["conditions"] = namespace_conditions.merge(old, wanted)

        self.store.mutate(NAMESPACES, name, change=mark, subresource="status")
