"""Verbs about draining nodes: budgets, webhooks, pods that nobody starts again, replicas, pools."""

from collections import Counter

from pytest_aksnet.assertions.cluster_state import (
    NodeState,
    PodState,
    nodes_of,
    of_others,
    own_namespaces,
    pods_of,
)
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.sheets import judge_sheet
from pytest_aksnet.expectations import upgrade_workloads as promises
from pytest_aksnet.expectations.upgrade_workloads import Budget, Webhook
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet

_WEBHOOK_KINDS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_SERVICE_NAME = "kubernetes.io/service-name"
_DNS_LABELS = ("kube-dns", "coredns")
_IMAGE_LABEL = "kubernetes.azure.com/node-image-version"


class UpgradeWorkloadVerbs(Reader):
    """What `Inventory` says of workloads that an upgrade drains."""

    def assert_budgets_let_drain(self) -> FactSheet:
        """Every PodDisruptionBudget that covers pods lets one of them go.

        Raises NotApplicable where none does.
        """
        api = self._engine.api
        found = of_others(api.items("/apis/policy/v1/poddisruptionbudgets"), own_namespaces(api))
        budgets = [budget for budget in map(_budget, found) if budget.pods]
        if not budgets:
            raise NotApplicable("no PodDisruptionBudget of the cluster covers a pod")
        facts = {one.name: f"{one.allowed} of {one.pods} pods may go" for one in budgets}
        return judge_sheet(
            self._engine,
            "PodDisruptionBudgets",
            facts,
            promises.judge_budgets(budgets),
            ("kubectl", "get", "poddisruptionbudgets", "--all-namespaces"),
        )

    def assert_webhooks_answered(self) -> FactSheet:
        """Every admission webhook that fails closed has a ready endpoint.

        Raises NotApplicable where none is answered inside of the cluster.
        """
        api = self._engine.api
        ready = Counter[str]()
        for one in api.items("/apis/discovery.k8s.io/v1/endpointslices"):
            metadata = one["metadata"]
            service = (metadata.get("labels") or {}).get(_SERVICE_NAME, "")
            ready[f"{metadata['namespace']}/{service}"] += sum(
                (endpoint.get("conditions") or {}).get("ready", True) is not False
                for endpoint in one.get("endpoints") or ()
            )
        webhooks = [
            webhook
            for kind in _WEBHOOK_KINDS
            for one in api.items(f"{_ADMISSION}/{kind}")
            for webhook in _webhooks(one, ready)
        ]
        if not any(one.fails_closed for one in webhooks):
            raise NotApplicable("no admission webhook fails closed and is answered by a Service")
        facts = {one.name: f"Service {one.service}: {one.ready} ready" for one in webhooks}
        return judge_sheet(
            self._engine,
            "admission webhooks",
            facts,
            promises.judge_webhooks(webhooks),
            ("kubectl", "get", ",".join(_WEBHOOK_KINDS), "--output=wide"),
        )

    def assert_services_outlive_drain(self) -> FactSheet:
        """No Service is served only by pods without a controller.

        Raises FactUnknown where no EndpointSlice names a pod, as that of the cluster's DNS does.
        """
        api = self._engine.api
        own = own_namespaces(api)
        pods = {pod.key: pod for pod in pods_of(api) if pod.namespace not in own}
        behind: dict[str, set[str]] = {}
        for one in of_others(api.items("/apis/discovery.k8s.io/v1/endpointslices"), own):
            service = (one["metadata"].get("labels") or {}).get(_SERVICE_NAME, "")
            namespace = one["metadata"]["namespace"]
            for endpoint in one.get("endpoints") or ():
                target = endpoint.get("targetRef") or {}
                if service and target.get("kind") == "Pod":
                    name = f"{target.get('namespace') or namespace}/{target.get('name')}"
                    behind.setdefault(f"{namespace}/{service}", set()).add(name)
        if not behind:
            raise FactUnknown("no EndpointSlice of the cluster names a pod")
        lone = {key for key, pod in pods.items() if _is_lone(pod)}
        served = {
            service: sorted(names)
            for service, names in sorted(behind.items())
            if names and names <= lone
        }
        serving = {name for names in served.values() for name in names}
        facts = {
            "Services behind pods": str(len(behind)),
            "pods without a controller": ", ".join(sorted(lone)) or "none",
        }
        return judge_sheet(
            self._engine,
            "pods without a controller",
            facts,
            promises.judge_lone_pods(served, sorted(lone - serving)),
            ("kubectl", "get", "pods", "--all-namespaces", "--output=wide"),
        )

    def assert_dns_outlives_drain(self) -> FactSheet:
        """Cluster DNS has two ready replicas. Raises NotApplicable where it is no Deployment."""
        api = self._engine.api
        deployments = [
            one
            for one in api.items("/apis/apps/v1/namespaces/kube-system/deployments")
            if _is_dns(one["metadata"].get("labels") or {})
        ]
        if not deployments:
            raise NotApplicable("no Deployment of kube-system has the label k8s-app=kube-dns")
        wanted = sum(int((one.get("spec") or {}).get("replicas", 1)) for one in deployments)
        ready = Counter(
            pod.node
            for pod in pods_of(api)
            if pod.namespace == "kube-system" and _is_dns(pod.labels) and pod.is_ready
        )
        facts = {node: f"{count} ready" for node, count in ready.items()}
        return judge_sheet(
            self._engine,
            "replicas of CoreDNS",
            {"wanted": str(wanted), **facts},
            promises.judge_dns_replicas(wanted, ready, len(nodes_of(api))),
            ("kubectl", "--namespace=kube-system", "get", "pods", "--selector=k8s-app=kube-dns"),
        )

    def assert_pools_alike(self) -> FactSheet:
        """The nodes of each agent pool have one version, system and image.

        Raises NotApplicable where no node has a pool, or none shares its pool with another.
        """
        pools: dict[str, dict[str, list[str]]] = {}
        for node in nodes_of(self._engine.api):
            if node.pool:
                pools.setdefault(node.pool, {}).setdefault(_make(node), []).append(node.name)
        if not pools:
            raise NotApplicable("no node has the label kubernetes.azure.com/agentpool")
        if all(sum(map(len, found.values())) < 2 for found in pools.values()):
            raise NotApplicable("no agent pool has two nodes that could differ")
        facts = {pool: "; ".join(found) for pool, found in pools.items()}
        return judge_sheet(
            self._engine,
            "agent pools",
            facts,
            promises.judge_pool_images(pools),
            ("kubectl", "get", "nodes", f"--label-columns={_IMAGE_LABEL}", "--output=wide"),
        )


def _budget(found: Json) -> Budget:
    name = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
    status = found.get("status") or {}
    if "disruptionsAllowed" not in status:
        raise FactUnknown(f"PodDisruptionBudget {name} has no status yet: its controller is late")
    return Budget(
        name=name,
        pods=int(status.get("expectedPods", 0)),
        allowed=int(status["disruptionsAllowed"]),
        healthy=int(status.get("currentHealthy", 0)),
        wanted=int(status.get("desiredHealthy", 0)),
    )


def _webhooks(found: Json, ready: "Counter[str]") -> list[Webhook]:
    result = []
    for webhook in found.get("webhooks") or ():
        service = (webhook.get("clientConfig") or {}).get("service")
        if not service:
            continue  # one outside of the cluster: no object tells whether it answers
        name = f"{service['namespace']}/{service['name']}"
        result.append(
            Webhook(
                name=f"{found['metadata']['name']}/{webhook['name']}",
                service=name,
                fails_closed=webhook.get("failurePolicy", "Fail") == "Fail",
                ready=ready[name],
            )
        )
    return result


def _is_lone(pod: PodState) -> bool:
    return not pod.owner and not pod.is_mirror and bool(pod.node)


def _is_dns(labels: object) -> bool:
    return isinstance(labels, dict) and labels.get("k8s-app") in _DNS_LABELS


def _make(node: NodeState) -> str:
    """What a node is made of, in words."""
    parts = (node.info.get("kubeletVersion"), node.info.get("osImage"))
    image = node.labels.get(_IMAGE_LABEL)
    return ", ".join(part for part in (*parts, image) if part)
