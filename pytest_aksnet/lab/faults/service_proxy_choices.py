"""Faults of kube-proxy, or of Cilium in its place, about what a node serves, to whom, and when."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.service_proxy import DefectiveProxy
from pytest_aksnet.lab.network_knobs import ProxyDefect


class UdpServicesUnserved(DefectiveProxy):
    """UDP ports of Services are not served on a node."""

    name = "udp-services-unserved"
    describes = (
        "The service proxy of one node serves no UDP port of a Service, but those of kube-system, "
        "as after an upgrade that lost the rules of one protocol (Kubernetes docs: debug-service)."
    )
    defect = ProxyDefect.UDP_UNSERVED


class EndpointPreferred(DefectiveProxy):
    """One endpoint gets everything."""

    name = "endpoint-preferred"
    describes = (
        "The service proxy of one node sends all connections to the first endpoint of a Service, "
        "so the others idle (Kubernetes docs: virtual-ips; kubernetes/kubernetes#37932)."
    )
    defect = ProxyDefect.ONE_ENDPOINT_PREFERRED


class DeletedServiceServed(DefectiveProxy):
    """Services stay in the rules of a node when they are gone."""

    name = "deleted-service-served"
    describes = (
        "The service proxy of one node goes on serving Services that were deleted, so their "
        "addresses answer with the old pods (Kubernetes docs: virtual-ips)."
    )
    defect = ProxyDefect.KEEPS_SERVICES


class ClusterIpOpenPorts(DefectiveProxy):
    """Cluster IPs answer at ports that their Service has not."""

    name = "cluster-ip-open-ports"
    describes = (
        "The service proxy of one node serves ports of cluster IPs that the Service does not have, "
        "here the next one and the node port, as kube-proxy in IPVS mode let in what the node "
        "listens on (kubernetes/kubernetes#72236)."
    )
    defect = ProxyDefect.SERVES_OTHER_PORTS


class UnservedServiceSilent(DefectiveProxy):
    """A Service without endpoints is not rejected."""

    name = "unserved-service-silent"
    describes = (
        "The service proxy of one node has no rules that reject Services without endpoints, so "
        "their clients hang (Kubernetes end-to-end tests: Services should be rejected when no "
        "endpoints exist)."
    )
    defect = ProxyDefect.SILENT_WITHOUT_ENDPOINTS


class SecondPortUnserved(DefectiveProxy):
    """Only the first port of a Service is served."""

    name = "second-port-unserved"
    describes = (
        "The service proxy of one node serves only the first port of each Service (Kubernetes "
        "docs: service, multi-port Services)."
    )
    defect = ProxyDefect.FIRST_PORT_ONLY


class TopologyHintsStrict(DefectiveProxy):
    """Hints cut off clients whose zone has no endpoint."""

    name = "topology-hints-strict"
    describes = (
        "The service proxy of one node takes topology hints for a filter, so a Service without an "
        "endpoint in the node's zone is not served there (Kubernetes docs: topology-aware-routing, "
        "safeguards)."
    )
    defect = ProxyDefect.HINTS_STRICT


class KubeProxyStopped(DefectiveProxy):
    """The service proxy of a node does not run; what it wrote stays."""

    name = "kube-proxy-stopped"
    describes = (
        "The service proxy of one node does not run: its rules stay as they are, and nothing "
        "answers at port 10256 and at healthCheckNodePorts (Kubernetes docs: kube-proxy, "
        "--healthz-bind-address; debug-service)."
    )
    defect = ProxyDefect.FROZEN

    async def inject(self, lab: FaultableLab) -> None:
        """Stop it."""
        lab.network.knobs.service_proxy_stopped.add(self.node)
        await super().inject(lab)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it run again."""
        lab.network.knobs.service_proxy_stopped.discard(self.node)
        await super().heal(lab)
