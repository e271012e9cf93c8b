"""What a policy names is let in, and nothing else, on every node."""

import pytest

from pytest_aksnet.factories import NamespaceFactory, NetshootFactory, NetworkPolicyFactory
from pytest_aksnet.model.peers import NodeRef

_CONTROLS = ("CIS AKS 5.4.4", "MCSB NS-1")


@pytest.mark.aksnet(
    id="network-policy.allow-by-pod",
    feature="network-policy",
    severity="major",
    controls=_CONTROLS,
)
def test_allow_by_pod(
    node_pair: tuple[NodeRef, NodeRef],
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """A policy that lets in pods by label lets these in and keeps other pods out."""
    here = namespace()
    source_node, target_node = node_pair
    friend = netshoot(on=source_node, namespace=here, labels={"role": "friend"})
    stranger = netshoot(on=source_node, namespace=here, labels={"role": "stranger"})
    target = netshoot(on=target_node, namespace=here, labels={"role": "target"})
    stranger.assert_policy_allows(target)
    network_policy(
        {
            "podSelector": {"matchLabels": {"role": "target"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}]}],
        },
        namespace=here,
    )
    stranger.assert_policy_blocks(target, direction="ingress")
    friend.assert_policy_allows(target)


@pytest.mark.aksnet(
    id="network-policy.allow-by-namespace",
    feature="network-policy",
    severity="major",
    controls=_CONTROLS,
)
def test_allow_by_namespace(
    node_pair: tuple[NodeRef, NodeRef],
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """A policy that lets in a namespace by label lets its pods in and keeps others out."""
    source_node, target_node = node_pair
    locked = namespace()
    trusted = namespace(labels={"trust": locked})
    friend = netshoot(on=source_node, namespace=trusted)
    stranger = netshoot(on=source_node)
    target = netshoot(on=target_node, namespace=locked)
    stranger.assert_policy_allows(target)
    network_policy(
        {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"trust": locked}}}]}],
        },
        namespace=locked,
    )
    stranger.assert_policy_blocks(target, direction="ingress")
    friend.assert_policy_allows(target)
