"""Private DNS zones in Azure Resource Manager, beside what pods, nodes and DNS servers say."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="azure.zones-linked",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_zones_linked(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """The private zone of every endpoint is linked to the network whose Azure DNS pods rest on.

    Why: Without the link the public chain answers: data goes over the internet, or to a door that
    is closed. With custom DNS servers the link of their network counts, not the cluster's.

    Remedy: `az network private-dns link vnet create` for the zone and the network that are named.
    """
    host = netshoot(on=aks.nodes[0], host_network=True)
    arm.assert_zones_linked(netshoot.on_each(aks.nodes), host)


@pytest.mark.aksnet(
    id="azure.custom-dns-in-the-way",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_custom_dns_in_the_way(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods and the VNet's own DNS servers get the private addresses that Azure DNS gives a node.

    Why: Zone, link and record may all be right, and a DNS server between that does not forward to
    Azure still gives public answers, or none, and often only now and then.

    Remedy: `az network vnet show --query dhcpOptions` has the servers; each needs a conditional
    forwarder of the public zone to 168.63.129.16. Else look at ConfigMap coredns-custom.
    """
    host = netshoot(on=aks.nodes[0], host_network=True)
    arm.assert_nothing_before_azure_dns(netshoot.on_each(aks.nodes), host)


@pytest.mark.aksnet(id="azure.records-are-endpoints", feature="azure", severity="critical")
def test_records_are_endpoints(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """The A record of every private endpoint is there, and is the address that the endpoint has.

    Why: A linked zone without the record denies a name that resolved before, and a record of a
    former endpoint leads to an address where nobody answers, or somebody else.

    Remedy: `az network private-dns record-set a show` beside `az network private-endpoint show`; a
    zone group keeps them the same.
    """
    arm.assert_records_are_endpoints(netshoot.on_each(aks.nodes))


@pytest.mark.aksnet(id="azure.one-zone-per-name", feature="azure", severity="major")
def test_one_zone_per_name(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """No two private zones of one name share the records of the endpoints out between them.

    Why: A network can be linked to one zone of a name only: what a template wrote into its own copy
    of it is invisible there, though zone, record and endpoint look right.

    Remedy: `az network private-dns zone list` by name; move the records into one zone, link that
    one, and have zone groups name it.
    """
    arm.assert_one_zone_per_name(netshoot.on_each(aks.nodes))


@pytest.mark.aksnet(id="azure.links-completed", feature="azure", severity="major")
def test_links_completed(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Every link of a private zone to the cluster's networks is completed and in effect.

    Why: A link that hangs looks like one and does nothing. One that falls back to the internet
    (NxDomainRedirect) hides a lacking record behind a public answer: that is a warning.

    Remedy: `az network private-dns link vnet show` has state and resolution policy; delete a link
    that hangs, and make it anew.
    """
    arm.assert_links_completed(netshoot.on_each(aks.nodes))
