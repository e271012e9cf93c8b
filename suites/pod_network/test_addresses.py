"""The addresses of pods: of the right range, each once, given again, and those of host networks."""

import pytest

from pytest_aksnet.assertions.pod_ways import HOST_PORT
from pytest_aksnet.factories import Aks, ManifestFactory, NetshootFactory
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.probes import reflector


@pytest.mark.aksnet(
    id="pod-network.addresses-in-range",
    feature="pod-network",
    severity="critical",
    needs=("all-pods",),
)
def test_addresses_in_range(aks: Aks, netshoot: NetshootFactory, inventory: Inventory) -> None:
    """Every pod has an address of the ranges that the cluster's network mode gives to pods.

    Why: A pod with an address of another range, as of a left-over CNI configuration, looks well and
    is reached by nobody, because no route leads to it.

    Remedy: `kubectl get pods -A -o wide` shows whose node it is; look for a second file in
    /etc/cni/net.d there, and compare with podCidr of `az aks show`.
    """
    netshoot.on_each(aks.nodes)
    inventory.assert_addresses_in_range()


@pytest.mark.aksnet(
    id="pod-network.addresses-unique",
    feature="pod-network",
    severity="critical",
    needs=("all-pods",),
)
def test_addresses_unique(aks: Aks, netshoot: NetshootFactory, inventory: Inventory) -> None:
    """No two running pods have the same address, and no pod has a node's.

    Why: Of two pods with one address each client reaches the one that its own node knows, so that
    requests end in the wrong application.

    Remedy: Delete one of the two pods, then compare the state of the plugin's IPAM on the nodes
    (/var/run/azure-vnet-ipam.json, azure-cns) with the pods that run there.
    """
    netshoot.on_each(aks.nodes)
    inventory.assert_addresses_unique()


@pytest.mark.aksnet(
    id="pod-network.addresses-given-again",
    feature="pod-network",
    severity="major",
    needs=("jobs",),
)
def test_addresses_given_again(
    aks: Aks, netshoot: NetshootFactory, manifest: ManifestFactory, inventory: Inventory
) -> None:
    """More pods than a node has addresses can run on it, one after the other.

    Why: A plugin that loses the addresses of deleted pods works for weeks, until no pod starts on
    the node any more.

    When: In node-subnet mode, where a node has few enough addresses to go through all of them. On a
    node that loses addresses it uses up those that are left.

    Remedy: Compare the IPAM state of the named node with its running pods, delete what is left over
    or reimage the node (`az aks nodepool upgrade --node-image-only`).
    """
    pods = netshoot.on_each(aks.nodes)
    jobs = [pod.short_lived_copies() for pod in pods]
    inventory.assert_addresses_given_again([manifest(job) for job in jobs])


@pytest.mark.aksnet(
    id="pod-network.host-network-pod",
    feature="pod-network",
    severity="major",
    needs=("all-pods", "host-network", "two-nodes"),
)
def test_host_network_pod(aks: Aks, netshoot: NetshootFactory, inventory: Inventory) -> None:
    """Pods of their node's network have its address and are reached there from all nodes.

    Why: Agents such as kube-proxy, CNI and monitoring run like that, and others find them by the
    node's address.

    Remedy: Compare `kubectl get pods -A -o wide` with `kubectl get nodes -o wide`; rules of the
    network security group must let nodes and pods reach nodes on all ports.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    inventory.assert_host_network_addresses()
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_reaches_all(hosts)


@pytest.mark.aksnet(
    id="pod-network.host-port",
    feature="pod-network",
    severity="minor",
    needs=("host-network",),
)
def test_host_port(node_pair: tuple[NodeRef, NodeRef], aks: Aks, netshoot: NetshootFactory) -> None:
    """A pod's hostPort answers at the address of its node, to a pod of another, and at no other.

    Why: Ingress controllers and node agents are published like that where there is no Service.

    When: With the network plugins of AKS; others need not support it.

    Remedy: The configuration in /etc/cni/net.d of the node must name the plugin portmap
    (with Cilium: kube-proxy-replacement or hostPort in cilium-config).
    """
    source, target = node_pair
    ports = [{"containerPort": reflector.PORT, "hostPort": HOST_PORT}]
    served = netshoot(on=target, container={"ports": ports})
    netshoot(on=source).assert_host_port(served, aks.nodes, HOST_PORT)
