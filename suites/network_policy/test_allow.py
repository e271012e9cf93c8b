"""What a policy names is let in, and nothing else, on every node."""

import pytest

from pytest_aksnet.factories import NamespaceFactory, NetshootFactory, NetworkPolicyFactory
from pytest_aksnet.model.peers import NodeRef

pytestmark = pytest.mark.usefixtures("policy_engine")

_ONLY_FRIENDS = {
    "podSelector": {"matchLabels": {"role": "target"}},
    "policyTypes": ["Ingress"],
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}]}],
}


@pytest.mark.aksnet(
    id="network-policy.allow-by-pod",
    feature="network-policy",
    severity="major",
)
def test_allow_by_pod(
    node_pair: tuple[NodeRef, NodeRef],
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """A policy that lets in pods by label lets these in and keeps other pods out.

    Why: A policy that opens too much or too little is noticed only by an attacker or by an
    outage.

    Remedy: compare the labels of the pods with the selectors (`kubectl describe
    networkpolicy`), then look at the policy engine on the nodes that the message names.
    """
    here = namespace()
    source_node, target_node = node_pair
    friend = netshoot(on=source_node, namespace=here, labels={"role": "friend"})
    stranger = netshoot(on=source_node, namespace=here, labels={"role": "stranger"})
    target = netshoot(on=target_node, namespace=here, labels={"role": "target"})
    stranger.assert_policy_allows(target)
    network_policy(_ONLY_FRIENDS, namespace=here)
    stranger.assert_policy_blocks(target, direction="ingress")
    friend.assert_policy_allows(target)


@pytest.mark.aksnet(
    id="network-policy.allow-by-namespace",
    feature="network-policy",
    severity="major",
)
def test_allow_by_namespace(
    node_pair: tuple[NodeRef, NodeRef],
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """A policy that lets in a namespace by label lets its pods in and keeps others out.

    Why: Tenants are kept apart by their namespaces; an engine that takes every namespace for
    the same one keeps nobody apart.

    Remedy: compare the labels of the namespaces with the selector (`kubectl get ns
    --show-labels`), then look at the policy engine on the nodes that the message names.
    """
    source_node, target_node = node_pair
    locked = namespace()
    trusted = namespace(labels={"trust": locked})
    friend, stranger = netshoot(on=source_node, namespace=trusted), netshoot(on=source_node)
    target = netshoot(on=target_node, namespace=locked)
    stranger.assert_policy_allows(target)
    trust = {"namespaceSelector": {"matchLabels": {"trust": locked}}}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [trust]}]}
    network_policy(spec, namespace=locked)
    stranger.assert_policy_blocks(target, direction="ingress")
    friend.assert_policy_allows(target)
