"""Objects that stand in the way of an upgrade, and harm nobody until then."""

from abc import abstractmethod
from collections.abc import Sequence

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from pytest_aksnet.lab.controllers.cluster import COREDNS_REPLICAS
from pytest_aksnet.lab.faults.cluster_objects import Made, ObjectsFault
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

_SYSTEM, _SHOP, _DEFAULT = "kube-system", "shop", "default"
_DNS_LABELS = {"k8s-app": "kube-dns"}
_DNS_PORTS = ({"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"})


class BudgetBlocksDrain(ObjectsFault):
    """A PodDisruptionBudget that lets no pod go."""

    name = "budget-blocks-drain"
    describes = (
        "A PodDisruptionBudget wants all replicas of CoreDNS to be there at all times, so no node "
        "with one of them can be drained (AKS docs: error-code-poddrainfailure)."
    )

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """The budget."""
        metadata = {"name": "coredns-always", "namespace": _SYSTEM}
        selector = {"matchLabels": _DNS_LABELS}
        spec = {"minAvailable": COREDNS_REPLICAS, "selector": selector}
        return ((POD_DISRUPTION_BUDGETS, {"metadata": metadata, "spec": spec}),)


class WebhookUnanswered(ObjectsFault):
    """An admission webhook that nobody answers, and without which nothing is admitted."""

    name = "webhook-unanswered"
    describes = (
        "A validating webhook with failurePolicy Fail names a Service that has no endpoint, as "
        "after an uninstalled policy agent; it covers a custom resource, and the lab calls no "
        "webhook (Kubernetes docs: Dynamic Admission Control)."
    )

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """The configuration, and its Service without pods."""
        name = "orders-policy"
        service = {
            "metadata": {"name": name, "namespace": _DEFAULT},
            "spec": {"selector": {"app": name}, "ports": [{"port": 443}]},
        }
        webhook = {
            "name": "orders.shop.example.com",
            "clientConfig": {"service": {"namespace": _DEFAULT, "name": name}},
            "rules": [
                {
                    "apiGroups": ["shop.example.com"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["orders"],
                }
            ],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        configuration = {"metadata": {"name": name}, "webhooks": [webhook]}
        return ((SERVICES, service), (VALIDATING_WEBHOOKS, configuration))


class LonePodServes(ObjectsFault):
    """A Service whose only pod nobody starts again."""

    name = "lone-pod-serves"
    describes = (
        "The only pod behind a Service has no controller, so a drain deletes it for good "
        "(Kubernetes docs: Safely Drain a Node)."
    )

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """Pod and Service."""
        labels = {"app": "legacy"}
        pod = {
            "metadata": {"name": "legacy", "namespace": _DEFAULT, "labels": labels},
            "spec": {"containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}]},
        }
        service = {
            "metadata": {"name": "legacy", "namespace": _DEFAULT},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        }
        return ((PODS, pod), (SERVICES, service))


class MasqueradeLeftover(ObjectsFault):
    """A masquerade list of one's own, from before the migration to overlay."""

    name = "masquerade-leftover"
    describes = (
        "ConfigMap azure-ip-masq-agent-config still lists the network on premises, so pods of the "
        "overlay go there with addresses that nothing can answer (AKS docs: update-azure-cni)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """In the other modes such a list is a choice."""
        return "" if spec.mode == "overlay" else "set mode=overlay"

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """The ConfigMap."""
        text = f"nonMasqueradeCIDRs:\n  - {lab.spec.on_prem_cidr}\nmasqLinkLocal: true\n"
        metadata = {"name": "azure-ip-masq-agent-config", "namespace": _SYSTEM}
        return ((CONFIG_MAPS, {"metadata": metadata, "data": {"ip-masq-agent": text}}),)

    async def inject(self, lab: FaultableLab) -> None:
        """Put it there; the agents merge it with their own."""
        await super().inject(lab)
        both = (*lab.spec.non_masquerade_cidrs, lab.spec.on_prem_cidr)
        lab.network.knobs.non_masquerade_cidrs = both
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Remove it."""
        await super().heal(lab)
        lab.network.knobs.non_masquerade_cidrs = None
        lab.network.resync()


class _PolicyFault(ObjectsFault):
    """A policy in a namespace of its own, where nothing runs."""

    @abstractmethod
    def egress(self, spec: LabSpec) -> list[JsonObject]:
        """The rules of the policy."""

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """Namespace and policy."""
        policy = {
            "metadata": {"name": self.name, "namespace": _SHOP},
            "spec": {
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": self.egress(lab.spec),
            },
        }
        return ((NAMESPACES, {"metadata": {"name": _SHOP}}), (NETWORK_POLICIES, policy))

    async def heal(self, lab: FaultableLab) -> None:
        """Delete the policy; its namespace stays."""
        if lab.store.find(NETWORK_POLICIES, self.name, _SHOP) is not None:
            lab.store.delete(NETWORK_POLICIES, self.name, _SHOP)


class PolicyForgetsLocalDns(_PolicyFault):
    """A policy that allows DNS at CoreDNS only."""

    name = "policy-forgets-local-dns"
    describes = (
        "A NetworkPolicy lets pods ask the pods of CoreDNS and nobody else, so with LocalDNS, "
        "which answers on 169.254.10.11, no name resolves (AKS docs: localdns-custom)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It needs LocalDNS to matter, and an engine."""
        if spec.engine == "none":
            return "nothing enforces policies: set engine=calico, azure or cilium"
        return "" if spec.options.local_dns else "set local-dns=true"

    def egress(self, spec: LabSpec) -> list[JsonObject]:
        """DNS at CoreDNS."""
        system = {"matchLabels": {"kubernetes.io/metadata.name": _SYSTEM}}
        peer = {"namespaceSelector": system, "podSelector": {"matchLabels": _DNS_LABELS}}
        return [{"to": [peer], "ports": list(_DNS_PORTS)}]


class PolicyNamesNodes(_PolicyFault):
    """A policy that names nodes by address."""

    name = "policy-names-nodes"
    describes = (
        "A NetworkPolicy allows the address of a node in an ipBlock, which Azure NPM takes for the "
        "node and Cilium never does (AKS docs: migrate-from-npm-to-cilium-network-policy)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It is the difference of two engines."""
        return "" if spec.engine in ("azure", "cilium") else "set engine=azure or cilium"

    def egress(self, spec: LabSpec) -> list[JsonObject]:
        """The first node."""
        return [{"to": [{"ipBlock": {"cidr": f"{spec.nodes[0].ip}/32"}}]}]


OBSTACLES = (
    BudgetBlocksDrain,
    WebhookUnanswered,
    LonePodServes,
    MasqueradeLeftover,
    PolicyForgetsLocalDns,
    PolicyNamesNodes,
)
