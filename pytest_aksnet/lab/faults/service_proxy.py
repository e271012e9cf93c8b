"""Faults of kube-proxy, or of Cilium in its place: Services that are served wrongly."""

from typing import ClassVar

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network_knobs import NetworkKnobs, ProxyDefect
from pytest_aksnet.lab.spec import LabSpec


class DefectiveProxy(NamedNode):
    """A service proxy with a defect on one node."""

    defect: ClassVar[ProxyDefect]

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes whose proxy has the defect."""
        return knobs.proxy_defects.setdefault(self.defect, set())


class DefectiveProxies:
    """Service proxies with a defect on every node."""

    node = ""
    defect: ClassVar[ProxyDefect]

    async def inject(self, lab: FaultableLab) -> None:
        """Let all nodes' proxies have the defect."""
        nodes = {node.name for node in lab.spec.nodes}
        lab.network.knobs.proxy_defects[self.defect] = nodes
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Let none have it."""
        lab.network.knobs.proxy_defects.pop(self.defect, None)
        lab.network.resync()


class StaleEndpoint(DefectiveProxy):
    """Endpoints that went stay in the rules of a node."""

    name = "stale-endpoint"
    describes = (
        "The service proxy of one node keeps sending to endpoints that are gone, so a share of the "
        "connections to a Service fails from there (Kubernetes docs: debug-service, 'Is kube-proxy "
        "working?')."
    )
    defect = ProxyDefect.KEEPS_ENDPOINTS


class StaleUdpConntrack(DefectiveProxy):
    """UDP flows keep the endpoint that they had."""

    name = "stale-udp-conntrack"
    describes = (
        "kube-proxy of one node does not delete tracked UDP flows when endpoints change, so a "
        "client with a steady source port keeps talking to an old one (kubernetes/kubernetes#19029;"
        " pkg/proxy/conntrack)."
    )
    defect = ProxyDefect.KEEPS_UDP_FLOWS


class HairpinBroken(DefectiveProxy):
    """A pod cannot reach itself through a Service."""

    name = "hairpin-broken"
    describes = (
        "Pods of one node do not reach themselves through their own Service, because the packet "
        "keeps its source (Kubernetes docs: debug-service, 'A Pod fails to reach itself via the "
        "Service IP')."
    )
    defect = ProxyDefect.NOT_HAIRPIN


class SessionAffinityLost(DefectiveProxy):
    """A client changes its endpoint although it should not."""

    name = "session-affinity-lost"
    describes = (
        "The service proxy of one node ignores sessionAffinity ClientIP, so a client's connections "
        "spread over all endpoints (Kubernetes docs: virtual-ips, session affinity)."
    )
    defect = ProxyDefect.AFFINITY_LOST


class KubeProxyStale(DefectiveProxy):
    """A node's rules stay as they are."""

    name = "kube-proxy-stale"
    describes = (
        "The service proxy of one node hears of no change any more: Services that come later are "
        "unknown there, and those that change keep their old endpoints (Kubernetes docs: "
        "debug-service)."
    )
    defect = ProxyDefect.FROZEN


class NodePortNotOpened(DefectiveProxy):
    """Node ports are not served on a node."""

    name = "node-port-not-opened"
    describes = (
        "One node refuses connections to node ports, so load balancers take it out and clients of "
        "the port fail there (Kubernetes docs: service, type NodePort)."
    )
    defect = ProxyDefect.NODE_PORTS_UNSERVED


class InternalPolicyIgnored(DefectiveProxy):
    """internalTrafficPolicy Local leaves the node."""

    name = "internal-policy-ignored"
    describes = (
        "The service proxy of one node serves internalTrafficPolicy Local from all nodes, so "
        "traffic that should stay on the node leaves it (KEP-2086)."
    )
    defect = ProxyDefect.INTERNAL_LOCAL_IGNORED


class SourceRangesIgnored(DefectiveProxies):
    """Everybody gets in."""

    name = "source-ranges-ignored"
    describes = (
        "The service proxies do not enforce loadBalancerSourceRanges, so whoever has a way to a "
        "frontend gets in (Kubernetes docs: Service, loadBalancerSourceRanges; Cilium docs: "
        "kube-proxy-free, LoadBalancer source ranges checking)."
    )
    defect = ProxyDefect.SOURCE_RANGES_IGNORED


class HealthCheckStuck(NamedNode):
    """A node says that it has endpoints when it has none."""

    name = "health-check-stuck"
    describes = (
        "The health check ports of one node answer 200 although no pod of the Service is left "
        "there, so load balancers keep sending to it and what they send is dropped (KEP-1669; "
        "kubernetes: pkg/proxy/healthcheck)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes that say so."""
        return knobs.health_check_stuck


class MasqueradeAll(DefectiveProxies):
    """Traffic to cluster IPs loses its source."""

    name = "masquerade-all"
    describes = (
        "kube-proxy runs with --masquerade-all, so pods behind a Service see nodes as their "
        "clients and network policies by pod do not match (Kubernetes docs: kube-proxy)."
    )
    defect = ProxyDefect.MASQUERADES_ALL

    def unfit(self, spec: LabSpec) -> str:
        """Cilium has no such choice."""
        if spec.kube_proxy:
            return ""
        return "cilium serves Services without kube-proxy: set engine to calico, azure or none"


class EndpointSliceEmpty:
    """Services have no endpoints although their pods are ready."""

    name = "endpoint-slice-empty"
    describes = (
        "EndpointSlices of Services outside kube-system are empty although pods are ready, so "
        "Services refuse, as where a selector matches nothing (Kubernetes docs: debug-service, "
        "'Does the Service have any EndpointSlices?')."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Empty them, and those of later Services."""
        lab.control.endpoints.withhold(True)

    async def heal(self, lab: FaultableLab) -> None:
        """List the endpoints again."""
        lab.control.endpoints.withhold(False)
