"""Default deny, as every hardened namespace has it, enforced on every node."""

import pytest

from pytest_aksnet.factories import (
    Aks,
    NamespaceFactory,
    NetshootFactory,
    NetworkPolicyFactory,
)
from pytest_aksnet.model.peers import NodeRef

pytestmark = pytest.mark.usefixtures("policy_engine")

# Pods ask CoreDNS, or LocalDNS on their node (AKS docs: localdns-custom).
_TO_CLUSTER_DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": "169.254.10.0/24"}},
    ],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}
_ONLY_DNS = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [_TO_CLUSTER_DNS]}


@pytest.mark.aksnet(
    id="network-policy.default-deny-ingress",
    feature="network-policy",
    severity="critical",
)
def test_default_deny_ingress(
    node: NodeRef,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """Default deny of ingress keeps pods of other namespaces out, on every node.

    Why: Default deny is the base of every segmentation; a node that does not enforce it lets
    any pod in.

    Remedy: look at the policy engine on the node that the message names: `kubectl get pods -n
    kube-system -o wide`, its logs, and whether the node was left out of an update.
    """
    locked = namespace()
    source, target = netshoot(), netshoot(on=node, namespace=locked)
    source.assert_policy_allows(target)
    policy = network_policy({"podSelector": {}, "policyTypes": ["Ingress"]}, namespace=locked)
    source.assert_policy_blocks(target, direction="ingress")
    policy.delete()
    source.assert_policy_allows(target)


@pytest.mark.aksnet(
    id="network-policy.default-deny-egress",
    feature="network-policy",
    severity="critical",
)
def test_default_deny_egress(
    node: NodeRef,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """Default deny of egress keeps pods in, on every node.

    Why: A pod that was broken into calls out; egress rules are what stops it.

    Remedy: look at the policy engine on the node that the message names, and whether it
    enforces egress at all (`az aks show --query networkProfile.networkPolicy`).
    """
    locked = namespace()
    source, target = netshoot(on=node, namespace=locked), netshoot()
    source.assert_policy_allows(target)
    policy = network_policy({"podSelector": {}, "policyTypes": ["Egress"]}, namespace=locked)
    source.assert_policy_blocks(target, direction="egress")
    policy.delete()
    source.assert_policy_allows(target)


@pytest.mark.aksnet(
    id="network-policy.dns-under-egress-deny",
    feature="network-policy",
    severity="major",
    needs=("kubernetes-service",),
)
def test_dns_under_egress_deny(
    node: NodeRef,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """With egress denied but for the cluster's DNS, names resolve and all else is blocked.

    Why: Egress rules that forget DNS break every application, and those that cannot name it are
    switched off again.

    When: A NetworkPolicy can name the cluster's DNS, which it cannot with LocalDNS under Cilium.

    Remedy: allow UDP and TCP 53 to the pods with k8s-app=kube-dns in kube-system, and to
    169.254.10.0/24 where LocalDNS is on.
    """
    aks.need_policies_for_dns()
    locked = namespace()
    source, target = netshoot(on=node, namespace=locked), netshoot()
    source.assert_policy_allows(target)
    network_policy(_ONLY_DNS, namespace=locked)
    source.assert_policy_blocks(target, direction="egress")
    api = aks.service("default", "kubernetes")
    source.assert_resolves(api.fqdn, to=api)
