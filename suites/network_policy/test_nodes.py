"""Policies between pods and nodes, and what they are to pods of the host network.

Engines differ here, so what is expected is what the documents of the cluster's engine say.
"""

import pytest

from pytest_aksnet.factories import Aks, NamespaceFactory, NetshootFactory, NetworkPolicyFactory

pytestmark = pytest.mark.usefixtures("policy_engine")

_NO_EGRESS = {"podSelector": {}, "policyTypes": ["Egress"]}
_NO_INGRESS = {"podSelector": {}, "policyTypes": ["Ingress"]}
_NOTHING = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.aksnet(
    id="network-policy.nodes-under-egress-deny",
    feature="network-policy",
    severity="critical",
)
def test_nodes_under_egress_deny(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """With egress denied, pods reach no other node, and their own only where the engine says so.

    Why: Kubelets and other agents of nodes listen on the nodes' addresses: a pod that was broken
    into asks them first. Azure NPM always lets a pod reach its own node; Calico and Cilium do not.

    Remedy: look at the policy engine on the node of the pod that the message names. What must reach
    its own node under Cilium needs a CiliumNetworkPolicy with the entity host (AKS docs:
    migrate-from-npm-to-cilium-network-policy).
    """
    locked = namespace()
    first, *others = netshoot.on_each(aks.nodes, namespace=locked)
    witness = netshoot()
    ways = first.policy_ways(others, witness=witness).to_nodes(aks.nodes).to_pods([witness])
    ways.assert_open()
    ways.assert_judged(network_policy(_NO_EGRESS, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.host-network-sources",
    feature="network-policy",
    severity="critical",
    needs=("host-network",),
)
def test_host_network_sources(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """With ingress denied, nodes reach pods of their own, as for probes, and none of other nodes.

    Why: A pod of the host network is its node to policies. The kubelet must get to its pods, or
    every probe fails; any other node must not.

    Remedy: look at the policy engine on the node of the target, and at the rules that accept what
    comes from nodes; under Cilium the entities host and remote-node are those.
    """
    locked = namespace()
    first, *others = netshoot.on_each(aks.nodes, host_network=True)
    targets = netshoot.on_each(aks.nodes, namespace=locked)
    ways = first.policy_ways([*others, netshoot()]).to_pods(targets).assert_open()
    ways.assert_judged(network_policy(_NO_INGRESS, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.host-network-targets",
    feature="network-policy",
    severity="major",
    needs=("host-network",),
)
def test_host_network_targets(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """A default deny closes the pods of a namespace, and not its pods of the host network.

    Why: Agents of nodes, such as exporters and DNS caches, run in the host's network: an engine
    that took them for pods would cut off whole nodes with one policy.

    Remedy: policies do not cover them, so guard their ports otherwise: by security groups, by
    binding to 127.0.0.1, by authentication. If one is closed, look at the policy engine there.
    """
    locked, node = namespace(), aks.nodes[-1]
    agent = netshoot(on=node, namespace=locked, host_network=True)
    pod = netshoot(on=node, namespace=locked)
    ways = netshoot().policy_ways().to_pods([agent, pod]).assert_open()
    ways.assert_judged(network_policy(_NOTHING, namespace=locked))
