"""Before an upgrade: nodes can be drained, and what runs there comes back."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="upgrade.budgets",
    feature="upgrade",
    severity="major",
    needs=("disruption-budgets", "all-policies"),
)
def test_budgets(inventory: Inventory) -> None:
    """Every PodDisruptionBudget lets a pod go, so that nodes can be drained.

    Why: An upgrade waits for a budget that allows nothing until it gives up with
    UnsatisfiablePDB or PodDrainFailure, with nodes of two versions left behind.

    When: Where a budget covers pods.

    Remedy: `kubectl get poddisruptionbudgets -A` shows ALLOWED DISRUPTIONS. Add replicas, or lower
    minAvailable for the time of the upgrade.
    """
    inventory.assert_budgets_let_drain()


@pytest.mark.aksnet(
    id="upgrade.webhooks",
    feature="upgrade",
    severity="major",
    needs=("admission-webhooks", "all-endpoints"),
)
def test_webhooks(inventory: Inventory) -> None:
    """Every admission webhook with failurePolicy Fail has a ready endpoint.

    Why: Without an answer the API server refuses what the webhook covers: pods of new nodes, and so
    the upgrade, do not start.

    When: Where a Service of the cluster answers such a webhook.

    Remedy: `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations` lists them.
    Bring the Service's pods back, or delete a configuration that nobody serves any more.
    """
    inventory.assert_webhooks_answered()


@pytest.mark.aksnet(
    id="upgrade.lone-pods",
    feature="upgrade",
    severity="minor",
    needs=("all-pods", "all-endpoints", "all-policies"),
)
def test_lone_pods(inventory: Inventory) -> None:
    """No Service is served only by pods that no controller starts again.

    Why: A drain deletes a pod without a controller for good, and with it the Service's only
    endpoint.

    Remedy: Make a Deployment of the pods that the message names.
    """
    inventory.assert_services_outlive_drain()


@pytest.mark.aksnet(
    id="upgrade.dns-replicas",
    feature="upgrade",
    severity="major",
    needs=("all-pods", "all-deployments"),
)
def test_dns_replicas(inventory: Inventory) -> None:
    """Cluster DNS has two ready replicas, so that it outlives the drain of a node.

    Why: With one replica names stop resolving in the whole cluster while its node is drained.

    Remedy: `kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide` shows them. On AKS look at
    ConfigMap coredns-autoscaler, elsewhere at the Deployment's replicas.
    """
    inventory.assert_dns_outlives_drain()


@pytest.mark.aksnet(id="upgrade.pools-alike", feature="upgrade", severity="minor")
def test_pools_alike(inventory: Inventory) -> None:
    """The nodes of each agent pool have one version, operating system and node image.

    Why: Different nodes of one pool are an upgrade that stopped halfway: the next one starts from a
    state that nobody chose, and faults show on some nodes only.

    When: Where an agent pool has two nodes or more.

    Remedy: `kubectl get nodes -L kubernetes.azure.com/node-image-version` shows them. Finish it
    with `az aks nodepool upgrade --node-image-only`.
    """
    inventory.assert_pools_alike()


@pytest.mark.aksnet(id="upgrade.snat-ports", feature="upgrade", severity="minor")
def test_snat_ports(inventory: Inventory) -> None:
    """Every node has its SNAT ports during an upgrade too, and running nodes keep theirs.

    Why: Nodes that an upgrade adds take ports as well: with a fixed number new nodes get none and
    have no way out, and by pool size the ports of running nodes are halved at 51, 101, 201 nodes.

    Remedy: Give the load balancer more addresses or nodes fewer ports
    (`az aks update --load-balancer-managed-outbound-ip-count`), or go to a NAT gateway.
    """
    inventory.assert_snat_ports_for_upgrade()
