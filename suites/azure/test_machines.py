"""The nodes' machines, their interfaces and sizes in Azure fit what the nodes show of them."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="azure.machines-are-nodes",
    feature="azure",
    severity="major",
)
def test_machines_are_nodes(arm: Arm) -> None:
    """Every running machine of the agent pools is a node of the cluster, and every node has one.

    Why: A machine that never joined is paid for and serves nobody; mostly it could not reach what
    it needs for its bootstrap, and the next one will not either.

    Remedy: `az vmss run-command invoke` shows /var/log/azure/cluster-provision.log of the machine
    that did not join; `az vmss delete-instances` or a reimage ends it.
    """
    arm.assert_machines_are_nodes()


@pytest.mark.aksnet(
    id="azure.machines-healthy",
    feature="azure",
    severity="major",
)
def test_machines_healthy(arm: Arm) -> None:
    """Azure calls no scale set and no machine of the cluster Failed.

    Why: A node goes on while its machine is Failed, and so nobody sees it before the next upgrade,
    scale-out or repair, which Azure refuses or leaves half done.

    Remedy: `az vmss get-instance-view --instance-id` says what failed; `az vmss reimage`, or an
    update of the pool, has Azure try again.
    """
    arm.assert_machines_healthy()


@pytest.mark.aksnet(
    id="azure.accelerated-networking-shows",
    feature="azure",
    severity="major",
    needs=("host-network",),
)
def test_accelerated_networking_shows(arm: Arm, node: NodeRef, netshoot: NetshootFactory) -> None:
    """A node whose interface has accelerated networking in Azure shows its virtual function.

    Why: Azure's word and the node's kernel are independent: with the driver missing or the adapter
    lost, the portal says "enabled" and every packet takes the slow path.

    Remedy: `dmesg | grep -i hv_netvsc` on the node; `az vmss redeploy` moves the machine to
    another host.
    """
    arm.assert_vf_where_accelerated(netshoot(on=node, host_network=True))


@pytest.mark.aksnet(
    id="azure.accelerated-networking-on",
    feature="azure",
    severity="major",
    needs=("host-network",),
)
def test_accelerated_networking_on(arm: Arm, aks: Aks, netshoot: NetshootFactory) -> None:
    """Every node has accelerated networking in Azure if its size can have it.

    Why: Without it latency is several times as high, and CPU goes into packets; a pool that lost
    the setting once keeps it off with every new node.

    Remedy: `az vmss nic show` has enableAcceleratedNetworking; make the pool anew, or another
    size where the size cannot.
    """
    arm.assert_accelerated_networking_on(netshoot.on_each(aks.nodes, host_network=True))


@pytest.mark.aksnet(
    id="azure.ip-forwarding",
    feature="azure",
    severity="major",
)
def test_ip_forwarding(arm: Arm) -> None:
    """The interfaces of the nodes have IP forwarding in Azure as the network mode needs it.

    Why: With kubenet, packets of pods leave a node with addresses that are not its own: without
    IP forwarding the virtual network drops them, and pods reach only those of their own node.

    Remedy: `az vmss nic show` has enableIPForwarding; `az aks nodepool upgrade
    --node-image-only` makes the nodes anew with the setting of AKS.
    """
    arm.assert_forwarding_as_needed()


@pytest.mark.aksnet(
    id="azure.node-addresses-are-interfaces",
    feature="azure",
    severity="critical",
)
def test_node_addresses_are_interfaces(arm: Arm) -> None:
    """Every address of a node is one of its machine's interface in Azure, and so are its pods'.

    Those of pods are looked at where pods have addresses of the nodes' subnet. Pods in the host
    network have the node's.

    Why: The virtual network knows interfaces alone: what is sent to an address that no interface
    or another one has is lost, or answered by somebody else.

    Remedy: compare `az vmss nic show` with `kubectl get nodes,pods -A -o wide`; reimage the machine
    (`az vmss reimage`), which gives node and pods addresses anew.
    """
    arm.assert_addresses_are_interfaces()


@pytest.mark.aksnet(
    id="azure.interfaces-in-pool-subnets",
    feature="azure",
    severity="major",
)
def test_interfaces_in_pool_subnets(arm: Arm) -> None:
    """The interface of every node is in the subnet that its agent pool names.

    Why: Security groups, routes and the way to the internet are those of the subnet: a node that is
    elsewhere is under other rules than all that is planned for its pool.

    Remedy: `az aks nodepool show` has vnetSubnetID, `az vmss nic show` the subnet of the node;
    make the node anew.
    """
    arm.assert_interfaces_in_pool_subnets()


@pytest.mark.aksnet(
    id="azure.no-public-node-addresses",
    feature="azure",
    severity="major",
)
def test_no_public_node_addresses(arm: Arm) -> None:
    """No agent pool gives public addresses, and no node has one, in Azure and in the cluster.

    Pools of mode Gateway are left out, which have public addresses by design.

    Why: A node with an address of its own can be reached past load balancer and firewall, wherever
    a security group lets it, and leaves with an address that is in nobody's list.

    Remedy: move workloads to a pool without public addresses (`az aks nodepool add`), and delete
    the other one.
    """
    arm.assert_no_public_node_addresses()
