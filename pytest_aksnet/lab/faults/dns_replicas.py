"""Faults of CoreDNS replicas: while they strike, the replicas stay Ready."""

from abc import ABC, abstractmethod

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.dns.defects import Defect
from pytest_aksnet.lab.dns.message import NXDOMAIN, SERVFAIL
from pytest_aksnet.lab.dns.servers import Replica
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import RatedFault
from pytest_aksnet.lab.faults.setting import Setting
from pytest_aksnet.lab.spec import LabSpec


class OneReplica(ABC):
    """One of the replicas is broken; its successor, once the pod is deleted, is not."""

    name: str
    describes: str
    node = ""

    @abstractmethod
    def defect(self, spec: LabSpec) -> Defect:
        """What is wrong with it."""

    async def inject(self, lab: FaultableLab) -> None:
        """Break the one that runs for the longest time, unless one is broken so."""
        defect = self.defect(lab.spec)
        if not any(defect in replica.resolver.defects for replica in lab.dns.replicas):
            lab.dns.replicas[0].resolver.defects.append(defect)

    async def heal(self, lab: FaultableLab) -> None:
        """Mend it."""
        _mend(lab.dns.replicas, self.defect(lab.spec))


class DnsReplicaSilent(OneReplica):
    """One replica takes questions and answers none."""

    name = "dns-replica-silent"
    describes = (
        "One CoreDNS replica hangs: it takes questions and answers none, so about half of them "
        "time out and resolvers that retry are slow by 5 s (Azure/AKS#1326)."
    )

    def defect(self, spec: LabSpec) -> Defect:
        """No answers."""
        return Defect(silent=True)


class DnsReplicaServfail(OneReplica):
    """One replica answers SERVFAIL."""

    name = "dns-replica-servfail"
    describes = (
        "One CoreDNS replica answers SERVFAIL to everything, the others are well, so names resolve "
        "now and then (AKS docs: troubleshoot-dns-failures-across-an-aks-cluster-in-real-time)."
    )

    def defect(self, spec: LabSpec) -> Defect:
        """SERVFAIL."""
        return Defect(rcode=SERVFAIL)


class DnsReplicaLostZone(OneReplica):
    """One replica knows nothing of the cluster."""

    name = "dns-replica-lost-cluster-zone"
    describes = (
        "One CoreDNS replica denies all names of the cluster (NXDOMAIN), as one that started "
        "without its view of the API server (CoreDNS docs: kubernetes, startup_timeout)."
    )

    def defect(self, spec: LabSpec) -> Defect:
        """NXDOMAIN below the cluster domain."""
        return Defect(zone=spec.cluster_domain, rcode=NXDOMAIN)


class DnsSlow(RatedFault):
    """All replicas answer late."""

    name = "dns-slow"
    describes = (
        "Every CoreDNS replica answers late, as under CPU throttling "
        "(Azure/AKS#1326; CoreDNS docs: deployment, scaling)."
    )
    setting = Setting(meaning="seconds per answer", default=1.5, highest=30)

    async def inject(self, lab: FaultableLab) -> None:
        """Delay all answers."""
        await self.heal(lab)
        for replica in lab.dns.replicas:
            replica.resolver.defects.insert(0, Defect(delay_seconds=self.value))

    async def heal(self, lab: FaultableLab) -> None:
        """Delay no more."""
        for replica in lab.dns.replicas:
            resolver = replica.resolver
            resolver.defects = [one for one in resolver.defects if not one.delay_seconds]


class CorednsNoUpstream:
    """What CoreDNS sends to other DNS servers is lost."""

    name = "coredns-no-upstream"
    describes = (
        "A firewall drops what the CoreDNS pods send to the VNet's DNS servers: names of the "
        "cluster resolve, all others end in SERVFAIL after the time-outs of forward (AKS docs: "
        "troubleshoot-dns-failure-from-pod-but-not-from-worker-node)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Drop it."""
        lab.dns.block_upstreams()

    async def heal(self, lab: FaultableLab) -> None:
        """Let it pass."""
        lab.dns.unblock_upstreams()


class DnsDenialsKept:
    """All replicas let denials be kept for an hour."""

    name = "dns-denials-kept"
    describes = (
        "What CoreDNS denies may be kept for an hour, as where another DNS server or a cache with "
        "a negative TTL of its own answers for the cluster's zone: a Service that was asked for "
        "too early stays unknown (RFC 2308, 5; CoreDNS docs: cache, denial)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Say an hour in every denial of the cluster's zone."""
        defect = _kept_long(lab.spec)
        for replica in lab.dns.replicas:
            if defect not in replica.resolver.defects:
                replica.resolver.defects.append(defect)

    async def heal(self, lab: FaultableLab) -> None:
        """Say what the zone says."""
        _mend(lab.dns.replicas, _kept_long(lab.spec))


class CorednsViewStale:
    """The replicas do not hear of changes."""

    name = "coredns-view-stale"
    describes = (
        "CoreDNS has lost its connection to the API server and goes on with what it knew: names of "
        "new Services and pods do not exist, those of deleted ones stay (CoreDNS docs: kubernetes; "
        "AKS docs: troubleshoot-dns-failures-across-an-aks-cluster-in-real-time)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Let nothing get to them."""
        lab.records.pause()

    async def heal(self, lab: FaultableLab) -> None:
        """Let them catch up."""
        lab.records.resume()


class CorednsReplicaPending:
    """A replica for which no node has room."""

    name = "coredns-replica-pending"
    describes = (
        "One more replica of CoreDNS was wanted and no node has room for it, so it stays Pending "
        "and there is nobody left to take over (AKS docs: coredns-custom; Kubernetes docs: "
        "dns-horizontal-autoscaling)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Create the pod that cannot be placed."""
        await self.heal(lab)
        lab.store.create(PODS, _pending_replica(), "kube-system")

    async def heal(self, lab: FaultableLab) -> None:
        """Delete it."""
        if lab.store.find(PODS, _PENDING, "kube-system") is not None:
            lab.store.delete(PODS, _PENDING, "kube-system")


_PENDING = "coredns-5d8b9f7c6d-zz9x7"


def _pending_replica() -> JsonObject:
    """A pod of the Service kube-dns that asks for more CPUs than any node has."""
    container = {
        "name": "coredns",
        "image": "mcr.microsoft.com/oss/v2/kubernetes/coredns:v1.12.1-7",
        "resources": {"requests": {"cpu": "900", "memory": "70Mi"}},
    }
    return {
        "metadata": {"name": _PENDING, "labels": {"k8s-app": "kube-dns"}},
        "spec": {"dnsPolicy": "Default", "containers": [container]},
    }


def _kept_long(spec: LabSpec) -> Defect:
    return Defect(zone=spec.cluster_domain, denial_ttl=3600)


def _mend(replicas: list[Replica], defect: Defect) -> None:
    for replica in replicas:
        replica.resolver.defects = [one for one in replica.resolver.defects if one != defect]
