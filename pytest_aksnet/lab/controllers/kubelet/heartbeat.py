"""The heartbeats of all kubelets: the Lease of each node, and its conditions after a silence.

Source: Kubernetes docs, "Nodes": heartbeats. A kubelet renews its Lease every 10 s; the lab's do
every 1.5 s, so that what follows from silence can be seen in seconds (see `node_lifecycle`).
"""

import asyncio
import datetime
from collections.abc import Mapping

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.resources import LEASES, NODES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.kubelet.link import NodeLink

LEASE_NAMESPACE = "kube-node-lease"
RENEW_SECONDS = 1.5
_DURATION_SECONDS = 40


class Heartbeats:
    """Renews the Leases of the nodes whose `links` are up.

    What the nodes say of themselves when it is made is what their kubelets know.
    """

    def __init__(self, store: Store, links: Mapping[str, NodeLink]) -> None:
        self._store = store
        self._links = links
        self._conditions: dict[str, list[JsonObject]] = {
            revision.value["metadata"]["name"]: clone(revision.value["status"])["conditions"]
            for revision in store.revisions(NODES)
        }
        self._was_down: set[str] = set()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            for name, link in self._links.items():
                if not link.up:
                    self._was_down.add(name)
                    continue
                self._beat(name)
            await asyncio.sleep(RENEW_SECONDS)

    def _beat(self, name: str) -> None:
        try:
            node = self._store.revision(NODES, name).value
        except ApiError:
            return  # somebody deleted it
        if name in self._was_down:
            self._was_down.discard(name)
            self.post_status(name)
        moment = datetime.datetime.now(datetime.UTC)
        moment += datetime.timedelta(seconds=self._links[name].clock_ahead)
        now = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": _DURATION_SECONDS,
            "renewTime": now,
        }
        lease = self._store.find(LEASES, name, LEASE_NAMESPACE)
        try:
            if lease is not None:
                lease["spec"] = spec
                self._store.update(LEASES, lease, LEASE_NAMESPACE)
                return
            owner = {
                "apiVersion": "v1",
                "kind": "Node",
                "name": name,
                "uid": node["metadata"]["uid"],
            }
            metadata = {"name": name, "ownerReferences": [owner]}
            self._store.create(LEASES, {"metadata": metadata, "spec": spec}, LEASE_NAMESPACE)
        except ApiError as error:
            if error.code not in (403, 404, 409):
                raise

    def post_status(self, name: str) -> None:
        """Write the node's own view of its conditions, as a kubelet does that is heard again."""
        known = self._conditions.get(name)
        if known is None:
            return
        now = timestamp(self._links[name].clock_ahead)

        def change(node: JsonObject) -> None:
            old = {item["type"]: item for item in node["status"].get("conditions") or []}
            posted = []
            for item in known:
                before = old.get(item["type"], {})
                same = before.get("status") == item["status"]
                since = before["lastTransitionTime"] if same else now
                posted.append({**item, "lastHeartbeatTime": now, "lastTransitionTime": since})
            node["status"]["conditions"] = posted

        self._store.mutate(NODES, name, change=change, subresource="status")
