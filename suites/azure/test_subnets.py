"""Virtual networks and subnets of the cluster: peerings, ranges, room, DNS servers, state."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory

_NODES_DNS = {"dnsPolicy": "Default"}


@pytest.mark.aksnet(
    id="azure.peerings-connected",
    feature="azure",
    severity="major",
)
def test_peerings_connected(arm: Arm, netshoot: NetshootFactory) -> None:
    """Peerings of the cluster's network are connected on both sides and in sync.

    Why: A peering of which one side was deleted or extended passes nothing, or not to all ranges.

    When: the network has peerings; a host in a peered network is asked where peered_vm names one.

    Remedy: `az network vnet peering sync`; a Disconnected one is deleted on both sides and created
    again.
    """
    arm.assert_peerings_connected(netshoot())


@pytest.mark.aksnet(
    id="azure.peerings-do-not-overlap",
    feature="azure",
    severity="major",
)
def test_peerings_do_not_overlap(arm: Arm) -> None:
    """No range of a peered network is one of the cluster's pods or Services.

    Why: For pods such an address is another pod's or a Service's: machines there are never reached,
    although the peering is well.

    Remedy: the ranges of the cluster cannot be changed: give the peered network another one
    (`az network vnet update --address-prefixes`), or make the cluster anew.
    """
    arm.assert_peerings_do_not_overlap()


@pytest.mark.aksnet(
    id="azure.subnet-room-for-surge",
    feature="azure",
    severity="major",
)
def test_subnet_room_for_surge(arm: Arm) -> None:
    """Each subnet has, by Azure's own count, the addresses for the surge of all its pools.

    Why: An upgrade adds nodes before it takes old ones away, and ends with SubnetIsFull where there
    is no room; `az network vnet list-usage` is what the resource provider goes by.

    Remedy: lower the surge (`az aks nodepool update --max-surge`), extend the subnet
    (`az network vnet subnet update --address-prefixes`), or give a pool a subnet of its own.
    """
    arm.assert_subnets_have_room_for_surge()


@pytest.mark.aksnet(
    id="azure.dns-servers-agree",
    feature="azure",
    severity="major",
    needs=("host-network",),
)
def test_dns_servers_agree(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Nodes ask the DNS servers that their virtual network has now.

    Why: Nodes take changed servers only when they start anew: old ones go on asking servers that
    are to be switched off, and new ones resolve other answers.

    When: the resolvers of nodes are seen, so not with LocalDNS.

    Remedy: restart the nodes, or `az aks nodepool upgrade --node-image-only`, after `az network
    vnet show --query dhcpOptions`.
    """
    arm.assert_dns_servers_agree(netshoot.on_each(aks.nodes, host_network=True, spec=_NODES_DNS))


@pytest.mark.aksnet(
    id="azure.subnets-succeeded",
    feature="azure",
    severity="minor",
)
def test_subnets_succeeded(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Subnets of the cluster are in the state that was asked for, isolated ones without a way out.

    Why: In a subnet whose last change failed the next scale-out may fail; default outbound access
    gives machines of an isolated cluster a way to the internet that nobody asked for.

    Remedy: repeat the update (`az network vnet subnet update`), for isolation with
    --default-outbound-access false.
    """
    arm.assert_subnets_succeeded(netshoot.on_each(aks.nodes))
