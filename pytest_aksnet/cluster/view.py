"""The few live objects that a judgement or a diagnosis asks for: `model.view.ClusterView`.

Reads when asked and keeps nothing: a diagnosis wants what is true now.
"""

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.fate import read_fate
from pytest_aksnet.cluster.nodes import every_node
from pytest_aksnet.cluster.objects import read_endpoints
from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.view import ServiceEndpoint


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
