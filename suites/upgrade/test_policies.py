"""Before an upgrade: NetworkPolicies that will mean something else, or cut pods off from DNS."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="upgrade.policies-allow-local-dns",
    feature="upgrade",
    severity="major",
    needs=("all-policies",),
)
def test_policies_allow_local_dns(inventory: Inventory) -> None:
    """Policies that let pods ask cluster DNS let them ask LocalDNS on their node as well.

    Why: With LocalDNS, which AKS turns on by itself from Kubernetes 1.36 on, pods ask 169.254.10.11
    instead of the Service kube-dns; a policy that allows only the pods of CoreDNS then blocks all
    names.

    When: Where somebody wrote a NetworkPolicy, and an engine enforces it.

    Remedy: Add `to: [{ipBlock: {cidr: 169.254.10.0/24}}]` with port 53 for UDP and TCP; with Cilium
    a CiliumNetworkPolicy with the entity host.
    """
    inventory.assert_policies_allow_local_dns()


@pytest.mark.aksnet(
    id="upgrade.policies-mean-the-same",
    feature="upgrade",
    severity="major",
    needs=("all-policies",),
)
def test_policies_mean_the_same(inventory: Inventory) -> None:
    """No NetworkPolicy names pods or nodes by their addresses, which Cilium ignores.

    Why: With Azure Network Policy Manager an ipBlock matches pods and nodes, with Cilium never: the
    same policy closes what it opened, on the day of the migration.

    When: Where somebody wrote a NetworkPolicy, and its engine is or becomes Cilium.

    Remedy: Name pods by podSelector and namespaceSelector, nodes by a CiliumNetworkPolicy with the
    entities host and remote-node.
    """
    inventory.assert_policies_mean_the_same()
