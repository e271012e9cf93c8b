"""The network plugin's own files on every node, read through directories of the node."""

import pytest

from pytest_aksnet.assertions.cni import CONTAINER, POD_SPEC
from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="node-health.cni-config",
    feature="node-health",
    severity="major",
    needs=("privileged", "host-network"),
)
def test_cni_config(aks: Aks, netshoot: NetshootFactory) -> None:
    """Every node is configured for the network plugin that the cluster's mode has.

    Why: containerd loads the first file of /etc/cni/net.d, so a leftover of another plugin gives
    new pods of that node a network that nothing else knows.

    Remedy: `kubectl debug node/NAME -it --image=busybox` and look at /host/etc/cni/net.d; remove
    what is not the mode's, or reimage the node.
    """
    pods = netshoot.on_each(aks.nodes, spec=POD_SPEC, container=CONTAINER)
    pods[0].assert_cni_configured(pods)


@pytest.mark.aksnet(
    id="node-health.cni-state",
    feature="node-health",
    severity="major",
    needs=("privileged", "host-network", "all-pods"),
)
def test_cni_state(aks: Aks, netshoot: NetshootFactory) -> None:
    """The network plugin of no node holds addresses for pods that are gone.

    Why: a pod whose removal the plugin missed keeps its address for ever, until the node has none
    left and new pods stay in ContainerCreating.

    Remedy: compare /var/run/azure-vnet.json of the node with `kubectl get pods -A -o wide`; restart
    azure-cns, or drain and reimage the node.
    """
    pods = netshoot.on_each(aks.nodes, spec=POD_SPEC, container=CONTAINER)
    pods[0].assert_cni_holds_no_leftovers(pods)
