"""Nodes and the network's agents on them, as the API server knows them."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="node-health.nodes-ready",
    feature="node-health",
    severity="critical",
)
def test_nodes_ready(inventory: Inventory) -> None:
    """Every node is Ready, has its network, and is short of neither memory, disk nor processes.

    Why: pods of a node that is not Ready leave the Services, and every other check leaves out the
    node, so that a run could pass without having looked at it.

    Remedy: `kubectl describe node NAME` has reason and message of the condition; then the kubelet's
    log (`journalctl -u kubelet` by `kubectl debug node/NAME`), or restart the VM with az vmss.
    """
    inventory.assert_nodes_ready()


@pytest.mark.aksnet(
    id="node-health.leases-renewed",
    feature="node-health",
    severity="major",
    needs=("node-leases",),
)
def test_leases_renewed(inventory: Inventory) -> None:
    """The kubelet of every node renews its Lease before it runs out.

    Why: a kubelet that is late, because its node is starved or its way to the API server is bad,
    makes its node NotReady now and then, and pods are moved away.

    Remedy: look at the load of the node and at the way from the node to the API server, port 443;
    `kubectl get leases -n kube-node-lease` shows when each was renewed last.
    """
    inventory.assert_leases_renewed()


@pytest.mark.aksnet(
    id="node-health.addresses-unique",
    feature="node-health",
    severity="critical",
)
def test_addresses_unique(inventory: Inventory) -> None:
    """Every node has an address of its own, in the subnets of the nodes.

    Why: what is for one of two nodes with the same address reaches the other, so exec, logs, node
    ports and pods behind it fail at random.

    Remedy: compare `kubectl get nodes -o wide` with the network interfaces in the node resource
    group; a kubelet with a wrong --node-ip, or a Node object of a VM that is gone, has to go.
    """
    inventory.assert_node_addresses_unique()


@pytest.mark.aksnet(
    id="node-health.kubelet-versions",
    feature="node-health",
    severity="major",
)
def test_kubelet_versions(inventory: Inventory) -> None:
    """Kubelets are of one version in each pool, and of none that the API server rules out.

    Why: a pool with two versions is one whose upgrade stopped half way; older kubelets than the
    skew policy allows may miss what new objects say.

    Remedy: `az aks nodepool show` has provisioningState and versions; run the upgrade of the pool
    again with `az aks nodepool upgrade`.
    """
    inventory.assert_kubelet_versions()


@pytest.mark.aksnet(
    id="node-health.agents-ready",
    feature="node-health",
    severity="critical",
    needs=("daemonsets",),
)
def test_agents_ready(inventory: Inventory) -> None:
    """The agents of the network that this mode has run, and are ready, on every node.

    Why: without kube-proxy, azure-cns, the policy engine's or the masquerade agent a node keeps the
    rules that it has, and new pods and Services do not work there.

    Remedy: `kubectl get daemonsets -A`, then `kubectl describe pod` and `kubectl logs` of the pod
    on the node that lacks it.
    """
    inventory.assert_agents_ready()


@pytest.mark.aksnet(
    id="node-health.agents-same-version",
    feature="node-health",
    severity="minor",
    needs=("daemonsets", "all-pods"),
)
def test_agents_same_version(inventory: Inventory) -> None:
    """The agents of the network run the same images on all nodes.

    Why: an agent that was not replaced behaves in the way of its old version on one node only,
    which is the hardest kind of failure to find.

    Remedy: `kubectl rollout status daemonset/NAME -n NAMESPACE` says what its update waits for; a
    pod that is stuck may be deleted, and comes back with the image of now.
    """
    inventory.assert_agents_same_version()
