"""What must be reached outside the cluster, and what must not."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory

# Names are resolved as nodes do: the cluster's own DNS has checks of its own.
_NODES_DNS = {"dnsPolicy": "Default"}


@pytest.mark.aksnet(
    id="egress.required-from-nodes",
    feature="egress",
    severity="critical",
    needs=("host-network",),
)
def test_required_from_nodes(netshoot: NetshootFactory, aks: Aks) -> None:
    """Every node reaches over TLS what AKS, or the site file, says that it must.

    Why: without the registry, Azure's API and the package sources nodes cannot be added, repaired
    or upgraded, which shows only when that is tried.

    Remedy: allow the named host on port 443 in the firewall (AKS docs:
    outbound-rules-control-egress; the FQDN tag AzureKubernetesService of Azure Firewall has most).
    """
    for pod in netshoot.on_each(aks.nodes, host_network=True, spec=_NODES_DNS):
        pod.assert_reaches_required()


@pytest.mark.aksnet(id="egress.required-from-pods", feature="egress", severity="major")
def test_required_from_pods(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods of every node reach over TLS what AKS, or the site file, says must be reached.

    Why: cluster components run as pods too, and what filters by source may let nodes pass only.

    Remedy: allow the pods' ranges for the named host on port 443 in firewall and security groups.
    """
    for pod in netshoot.on_each(aks.nodes, spec=_NODES_DNS):
        pod.assert_reaches_required()


@pytest.mark.aksnet(id="egress.tls-not-intercepted", feature="egress", severity="major")
def test_tls_not_intercepted(netshoot: NetshootFactory) -> None:
    """What is required shows certificates of authorities that the site trusts for it.

    Why: nodes and system pods trust public authorities alone: behind a firewall that inspects TLS
    image pulls and calls to Azure fail, or somebody reads them.

    Remedy: exempt the required names from TLS inspection, or name the inspecting authority as
    trusted_ca in the site file where it is meant to be there.
    """
    netshoot(spec=_NODES_DNS).assert_tls_not_intercepted()


@pytest.mark.aksnet(id="egress.reachable", feature="egress", severity="major")
def test_reachable(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods of every node reach the destinations of the site file that they must.

    Why: the applications depend on them.

    When: the site file lists reachable.

    Remedy: follow the way of the named destination: route table of the pods' subnet, network
    security groups, firewall, peering or gateway (`az network nic show-effective-route-table`).
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_reaches_places(aks.site.need_reachable())


@pytest.mark.aksnet(
    id="egress.unreachable",
    feature="egress",
    severity="critical",
)
def test_unreachable(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods of every node do not reach the destinations of the site file that they must not.

    Why: a way that is open by mistake lets data out, or an intruder further in.

    When: the site file lists unreachable.

    Remedy: close the named destination in the firewall, the network security group, or the rules
    of the node that the message names.
    """
    control = netshoot()
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_cannot_reach(aks.site.need_unreachable(), control)
