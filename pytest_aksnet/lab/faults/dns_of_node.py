"""Faults of DNS on nodes: LocalDNS, and what kubelets write into resolv.conf of new pods."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

WRONG_CLUSTER_DNS = "10.0.255.53"
"""An address of the service range that no Service has."""


class LocalDnsDown:
    """LocalDNS has ended on a node, its interface is still there."""

    name = "localdns-down"
    describes = (
        "LocalDNS does not run on one node while the interface with its addresses stays, so they "
        "refuse, and no pod of the node resolves anything (AKS docs: localdns-custom; "
        "Azure/AgentBaker: localdns.sh)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """It needs LocalDNS."""
        return "" if spec.options.local_dns else "the nodes have no LocalDNS: set local-dns=true"

    async def inject(self, lab: FaultableLab) -> None:
        """End it."""
        await lab.dns.local[self.node].stop()

    async def heal(self, lab: FaultableLab) -> None:
        """Start it."""
        await lab.dns.local[self.node].start()


class DnsWrongServiceIp:
    """New pods of a node ask an address that is not that of the cluster's DNS."""

    name = "dns-wrong-service-ip"
    describes = (
        "The kubelet of one node has another clusterDNS than the Service kube-dns, so pods that "
        "start there ask nobody (Kubernetes docs: KubeletConfiguration clusterDNS)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let the kubelet write the wrong address."""
        lab.resolver.cluster_dns[self.node] = WRONG_CLUSTER_DNS

    async def heal(self, lab: FaultableLab) -> None:
        """Let it write the right one."""
        lab.resolver.cluster_dns.pop(self.node, None)


class NodeResolverStub:
    """New pods of dnsPolicy Default get the address of the node's stub resolver."""

    name = "node-resolver-stub"
    describes = (
        "The kubelet of one node has resolvConf /etc/resolv.conf, where systemd-resolved names its "
        "stub 127.0.0.53, so pods with dnsPolicy Default ask themselves (Kubernetes docs: "
        "dns-debugging-resolution, known issues)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let the kubelet write the stub's address."""
        lab.resolver.stub_nodes.add(self.node)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it write the node's DNS servers."""
        lab.resolver.stub_nodes.discard(self.node)


class DnsConfigIgnored:
    """New pods get no dnsConfig."""

    name = "dns-config-ignored"
    describes = (
        "New pods are given the cluster's DNS whatever their dnsPolicy and dnsConfig say, as by an "
        "admission webhook that makes all pods alike (Kubernetes docs: dns-pod-service, Pod's DNS "
        "Config)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Ignore it."""
        lab.resolver.config_ignored = True

    async def heal(self, lab: FaultableLab) -> None:
        """Write what it says."""
        lab.resolver.config_ignored = False


class SearchDomainBroken:
    """New pods have no search list."""

    name = "search-domain-broken"
    describes = (
        "New pods get a resolv.conf without a search list, so short names of Services do not "
        "resolve (Kubernetes docs: dns-pod-service; Azure/AKS#964)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Leave it out."""
        lab.resolver.no_search = True

    async def heal(self, lab: FaultableLab) -> None:
        """Write it."""
        lab.resolver.no_search = False


class NdotsOne:
    """New pods try names with a dot as they are first."""

    name = "ndots-one"
    describes = (
        "New pods get ndots:1, as by an admission webhook that is to save look-ups: names such as "
        "web.shop go out of the cluster before the search list is tried, and musl never tries it "
        "(Kubernetes docs: dns-pod-service; resolv.conf(5))."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Write 1."""
        lab.resolver.ndots = 1

    async def heal(self, lab: FaultableLab) -> None:
        """Write 5."""
        lab.resolver.ndots = None
