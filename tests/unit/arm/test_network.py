"""Facts of the network profile from readings: those that are there, and why the others are not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.arm.network import network_of
from pytest_aksnet.model.arm import Reading, Refusal, Sort, Topic
from pytest_aksnet.model.azure import (
    CLUSTER,
    POOLS,
    AzureNetwork,
    AzurePool,
    ManagedCluster,
)
from pytest_aksnet.model.azure_vnet import (
    PUBLIC_ADDRESSES,
    SUBNET_USAGE,
    VNETS,
    PublicAddress,
    Subnet,
    SubnetUsage,
    VirtualNetwork,
)
from tests.unit.expectations import azure_samples as samples

_VNET = (
    "/subscriptions/s/resourcegroups/mc_g/providers/microsoft.network/virtualnetworks/aks-vnet-1"
)
_REFUSED = Refusal(sort=Sort.FORBIDDEN, why="it needs the action x", action="x")


class Told:
    """Readings as a test tells them; what it does not tell is refused."""

    def __init__(self, told: Mapping[Topic[Any], Any]) -> None:
        self._told = {topic.name: value for topic, value in told.items()}

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        if topic not in self._told:
            return Reading(topic=topic, taken=1.0, refusal=_REFUSED)
        return Reading(topic=topic, taken=1.0, value=self._told[topic])


def _cluster(**changed: Any) -> ManagedCluster:
    told: dict[str, Any] = {
        **dict.fromkeys(("version", "support_plan", "provisioning_state", "power_state"), ""),
        **dict.fromkeys(("fqdn", "private_fqdn", "private_zone", "upgrade_channel"), ""),
        "node_os_channel": "",
        "id": "/subscriptions/s/c",
        "region": "westeurope",
        "node_group": "MC_g",
        "is_private": None,
        "has_public_fqdn": None,
        "authorized_ranges": None,
        "addons": (),
        "network": None,
        **changed,
    }
    return ManagedCluster(**told)


def _subnet(name: str, cidr: str, *delegations: str) -> Subnet:
    return replace(
        samples.SUBNET, id=f"{_VNET}/subnets/{name}", cidrs=(cidr,), delegations=delegations
    )


def _vnet(*subnets: Subnet) -> VirtualNetwork:
    return replace(samples.NETWORK, id=_VNET, subnets=subnets)


def _network(told: Mapping[Topic[Any], Any]) -> AzureNetwork:
    found = network_of(Told(told))
    assert isinstance(found, AzureNetwork)
    return found


_POOLS = tuple(AzurePool(name=name, count=1, max_pods=30) for name in ("system", "user"))
_NODES = _subnet("aks-subnet", "10.224.0.0/16")
_API = _subnet("aks-apiserver", "10.226.0.0/28", "Microsoft.ContainerService/managedClusters")


@pytest.mark.parametrize(
    "subnets", [(_NODES,), (_API, _NODES), (_NODES, _subnet("x", "10.9.0.0/24"))]
)
def test_pools_of_a_virtual_network_that_aks_made_are_in_its_subnet(
    subnets: tuple[Subnet, ...],
) -> None:
    usage = (SubnetUsage(subnet=_NODES.id, limit=65531, used=31),)
    network = _network(
        {CLUSTER: _cluster(), POOLS: _POOLS, VNETS: (_vnet(*subnets),), SUBNET_USAGE: usage}
    )
    assert network.facts["node-cidrs"] == ("10.224.0.0/16", "ARM: subnets of the agent pools")
    assert {pool.node_subnet for pool in network.pools} == {_NODES.id}
    subnet = network.subnet(_NODES.id)
    assert subnet is not None
    assert subnet.free == 65500


@pytest.mark.parametrize(
    ("pools", "vnets"),
    [
        (_POOLS, ()),
        (_POOLS, (_vnet(_subnet("a", "10.1.0.0/16"), _subnet("b", "10.2.0.0/16")),)),
        ((AzurePool(name="half", count=1, max_pods=30), AzurePool(
            name="whole", count=1, max_pods=30, node_subnet=_NODES.id)), (_vnet(_NODES),)),
    ],
    ids=["no network", "two that may be it", "an answer that lacks one"],
)  # fmt: skip
def test_where_nothing_says_which_subnet_it_is_the_ranges_are_not_known(
    pools: tuple[AzurePool, ...], vnets: tuple[VirtualNetwork, ...]
) -> None:
    network = _network({CLUSTER: _cluster(), POOLS: pools, VNETS: vnets, SUBNET_USAGE: ()})
    assert "node-cidrs" not in network.facts


def test_what_is_refused_is_said_and_the_rest_is_there() -> None:
    network = _network({CLUSTER: _cluster(is_private=True)})
    assert network.facts == {
        "region": ("westeurope", "ARM: location"),
        "api-server": ("private", "ARM: apiServerAccessProfile.enablePrivateCluster"),
    }
    assert set(network.unknown) == {
        *("networkProfile", "agent pools", "virtual networks", "usage of subnets"),
    }
    assert network_of(Told({})) == _REFUSED


def test_egress_addresses_are_said_only_where_all_are_known() -> None:
    plan = replace(samples.PLAN, policy="", outbound_type="loadBalancer", outbound_ids=("/a", "/b"))
    one = PublicAddress(id="/a", ip="198.51.100.1", sku="Standard", allocation="Static",
                        attached_to="", idle_minutes=4)  # fmt: skip
    two = PublicAddress(id="/b", ip="198.51.100.2", sku="Standard", allocation="Static",
                        attached_to="", idle_minutes=4)  # fmt: skip
    told: dict[Topic[Any], Any] = {
        CLUSTER: _cluster(network=plan),
        POOLS: (),
        VNETS: (),
        SUBNET_USAGE: (),
    }
    assert "egress-ips" not in _network({**told, PUBLIC_ADDRESSES: (one,)}).facts
    known = _network({**told, PUBLIC_ADDRESSES: (one, two)}).facts
    assert known["egress-ips"][0] == "198.51.100.1,198.51.100.2"
    assert known["mode"][0] == "overlay"
    assert known["policy-engine"][0] == "none"
