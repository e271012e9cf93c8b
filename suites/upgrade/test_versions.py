"""Before an upgrade: versions are supported, go together, and nothing in use has been retired."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="upgrade.retirements",
    feature="upgrade",
    severity="major",
    needs=("daemonsets", "all-deployments", "ingress-classes"),
)
def test_retirements(inventory: Inventory) -> None:
    """Nothing in use has been retired by AKS: network plugin, policy engine, node images, ingress.

    Why: What is retired gets no fixes, and cannot be scaled or upgraded once its images are gone.
    What ends within a year is a warning.

    Remedy: The message names what to go to. `as_of` in the site file judges by the day of a planned
    upgrade instead of today.
    """
    inventory.assert_nothing_retired()


@pytest.mark.aksnet(id="upgrade.kubernetes-supported", feature="upgrade", severity="major")
def test_kubernetes_supported(inventory: Inventory) -> None:
    """AKS supports the cluster's minor version of Kubernetes.

    Why: Without support there are no fixes, and AKS may upgrade the cluster by itself at a time
    that nobody chose.

    Remedy: `az aks get-upgrades` lists the versions to go to; one minor version at a time.
    """
    inventory.assert_version_supported()


@pytest.mark.aksnet(id="upgrade.version-skew", feature="upgrade", severity="major")
def test_version_skew(inventory: Inventory) -> None:
    """No kubelet is newer than the API server, nor more than three minor versions older.

    Why: Beyond that skew nobody tests the two together, and the API server cannot be upgraded.

    Remedy: `kubectl get nodes` shows the versions. Upgrade the pool:
    `az aks nodepool upgrade --kubernetes-version`.
    """
    inventory.assert_versions_within_skew()


@pytest.mark.aksnet(
    id="upgrade.engine-and-version", feature="upgrade", severity="major", needs=("daemonsets",)
)
def test_engine_and_version(inventory: Inventory) -> None:
    """Service proxy, policy engine and Cilium go with this version of Kubernetes and together.

    Why: IPVS with Azure Network Policy Manager, nftables before 1.33, or a Cilium older than AKS
    has with this version drop or misroute packets in ways that nobody supports.

    Remedy: `kubectl get daemonsets -n kube-system -o wide` shows the images. Reconcile with
    `az aks update`, or change kube-proxy's mode.
    """
    inventory.assert_parts_go_together()


@pytest.mark.aksnet(
    id="upgrade.leftovers",
    feature="upgrade",
    severity="major",
    needs=("daemonsets", "own-masquerade-config"),
)
def test_leftovers(inventory: Inventory) -> None:
    """Nothing of an older network set-up works against the present one.

    Why: A masquerade list of one's own, a second policy engine or a kube-proxy beside Cilium go on
    programming nodes after a migration, and break what the new parts do.

    Remedy: Delete what the message names, such as
    `kubectl -n kube-system delete configmap azure-ip-masq-agent-config`.
    """
    inventory.assert_nothing_left_over()


@pytest.mark.aksnet(
    id="upgrade.deprecated-apis", feature="upgrade", severity="major", needs=("api-metrics",)
)
def test_deprecated_apis(inventory: Inventory) -> None:
    """No client asks for an API that the next minor version of Kubernetes does not serve.

    Why: Such a client fails at the moment of the upgrade; controllers and pipelines then stand
    still.

    Remedy: `kubectl get --raw /metrics | grep apiserver_requested_deprecated_apis` shows them, the
    audit log who asks. Go to the API's newer version.
    """
    inventory.assert_no_removed_api_asked()
