"""The live objects that a judgement or a diagnosis asks for: `model.view`, `model.api`.

Reads when asked and keeps nothing: a diagnosis wants what is true now.
"""

from collections.abc import Mapping

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.fate import read_fate
from pytest_aksnet.cluster.nodes import every_node
from pytest_aksnet.cluster.objects import read_endpoints
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused
from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.view import ServiceEndpoint

_NOT_SERVED = 404


class LiveView:
    """`model.view.ClusterView` of a connected cluster; safe to call from many threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def nodes(self) -> tuple[NodeRef, ...]:
        """Every node with an address, sorted by name."""
        return every_node(self._cluster)

    def coredns_ips(self) -> tuple[str, ...]:
        """The ready replicas behind the Service kube-dns, each address once."""
        endpoints = read_endpoints(self._cluster, "kube-system", "kube-dns")
        return tuple(dict.fromkeys(endpoint.ip for endpoint in endpoints))

    def ended(self, pod: PodRef) -> str:
        """What has become of the pod; empty while it runs."""
        fate = read_fate(self._cluster.rest, pod)
        return fate.text if fate is not None else ""

    def endpoints(self, service: ServiceRef) -> tuple[ServiceEndpoint, ...]:
        """The ready endpoints of a Service."""
        return read_endpoints(self._cluster, service.namespace, service.name)


class LiveApi:
    """`model.api.ApiReader` of a connected cluster; safe to call from many threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._rest = cluster.rest

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """Every item of a list; empty where the kind is not served (404)."""
        try:
            return self._rest.items(path, query)
        except ApiRefused as refused:
            if refused.status == _NOT_SERVED:
                return []
            raise

    def get(self, path: str) -> Json | None:
        """One object, or None where there is none."""
        return self._rest.get_or_none(path)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """What is no JSON object."""
        return self._rest.text(path, query)
