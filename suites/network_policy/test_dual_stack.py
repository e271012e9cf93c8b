"""Policies over both address families: what is denied is denied over IPv6 too."""

import pytest

from pytest_aksnet.factories import Aks, NamespaceFactory, NetshootFactory, NetworkPolicyFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.fixture(autouse=True)
def dual_stack(policy_engine: None, aks: Aks) -> None:
    """Skips where pods are known to have one family of addresses only."""
    aks.need_dual_stack()


@pytest.mark.aksnet(
    id="network-policy.dual-stack-deny",
    feature="network-policy",
    severity="critical",
)
def test_dual_stack_deny(
    node: NodeRef,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """A default deny closes the IPv6 addresses of pods as it does the IPv4 ones, both ways.

    Why: Pods of a dual-stack cluster have two addresses; a deny that holds for one of them is
    none. Azure NPM knows no IPv6.

    Remedy: look at the policy engine on the node that the message names: its IPv6 rules
    (`ip6tables-save`), and whether it was set up before the cluster got IPv6.
    """
    locked = namespace()
    here, there = netshoot(on=node, namespace=locked), netshoot()
    both = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ways_out = here.policy_ways().to_pods([there]).to_pods([there], version=6)
    ways_in = there.policy_ways().to_pods([here]).to_pods([here], version=6)
    ways_out.assert_open()
    ways_in.assert_open()
    policy = network_policy(both, namespace=locked)
    ways_out.and_those_of(ways_in).assert_judged(policy)


@pytest.mark.aksnet(
    id="network-policy.dual-stack-allow",
    feature="network-policy",
    severity="major",
)
def test_dual_stack_allow(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """An ipBlock of one address family opens nothing in the other one.

    Why: An allow list of IPv4 ranges says nothing about IPv6; an engine that takes it for "all of
    IPv6" opens the pods to everybody who has an IPv6 address.

    Remedy: look at the policy engine on the node that the message names, and name ranges of both
    families in policies.
    """
    locked = namespace()
    here, there = netshoot(on=aks.nodes[-1], namespace=locked), netshoot()
    ways = there.policy_ways().to_pods([here]).to_pods([here], version=6).assert_open()
    for everybody in ("0.0.0.0/0", "::/0"):
        ingress = [{"from": [{"ipBlock": {"cidr": everybody}}]}]
        spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}
        policy = network_policy(spec, namespace=locked)
        ways.assert_judged(policy)
        policy.delete()
