"""Healthy clusters of Azure that look unlike the usual one, and are not to be failed for it."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_acceleration import judge_turned_on
from pytest_aksnet.expectations.azure_backends import is_member, judge_inbound_pools
from pytest_aksnet.expectations.azure_balancer_rules import judge_orphans, judge_timeouts
from pytest_aksnet.expectations.azure_egress import judge_required_egress, places_of
from pytest_aksnet.expectations.azure_interfaces import (
    below_machines,
    judge_node_addresses,
    judge_subnet,
)
from pytest_aksnet.expectations.azure_outbound import judge_gateways, subnets_of
from pytest_aksnet.expectations.azure_security import Arrival, judge_arrivals
from pytest_aksnet.model.azure import AzurePool
from pytest_aksnet.model.azure_machines import VmSize
from pytest_aksnet.model.azure_outbound import NatGateway
from pytest_aksnet.model.azure_upgrades import RequiredEndpoint
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.resource_id import shown_by
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_machine_samples import CONFIGURATION, NIC, NODE
from tests.unit.expectations.azure_parts import frontend, internal, node, pool, rule, service
from tests.unit.expectations.azure_samples import CLUSTER, CLUSTER_ID, NETWORK, POOL, SUBNET
from tests.unit.expectations.azure_security_samples import machine
from tests.unit.expectations.azure_security_samples import rule as group_rule

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
_OTHER_UID = "ffffffff-4b5a-4968-8776-655443322110"


# -- AKS Automatic: a network that AKS made, with a subnet of the API server in it -----------


def test_the_subnet_of_the_api_server_needs_no_nat_gateway() -> None:
    gateway = NatGateway(id="gw", sku="standard", addresses=("ip",), prefixes=(), subnets=None)
    nodes = replace(SUBNET, id=f"{NETWORK.id}/subnets/aks-subnet", nat_gateway="gw")
    of_api = replace(
        SUBNET,
        id=f"{NETWORK.id}/subnets/aks-apiserver-subnet",
        delegations=("Microsoft.ContainerService/managedClusters",),
    )
    of_ingress = replace(SUBNET, id=f"{NETWORK.id}/subnets/ingress-appgateway-subnet")
    vnet = replace(NETWORK, subnets=(of_api, nodes, of_ingress))
    pools = [AzurePool(name="system", count=3, max_pods=250)]
    subnets = subnets_of(pools, [vnet], of_nodes=True)
    assert subnets == [nodes]
    found = judge_gateways(subnets, [gateway], seen=(), addresses=())
    assert found.verdict.outcome is PASS
    by_name = replace(vnet, subnets=(of_api, of_ingress))
    assert subnets_of(pools, [by_name]) == [of_ingress]


def test_interfaces_of_machines_of_their_own_are_told_apart() -> None:
    group = "/subscriptions/s/resourcegroups/mc/providers"
    vm = f"{group}/microsoft.compute/virtualmachines/aks-default-x"
    nic = f"{group}/microsoft.network/networkinterfaces/aks-default-x"
    part = f"{nic}/ipconfigurations/one"
    known = [replace(NIC, id=nic, machine=vm)]
    below = f"{vm}/networkinterfaces/aks-default-x/ipconfigurations/one"
    assert below_machines([part, nic], known) == (below, below.partition("/ipconfigurations")[0])
    of_set = NIC.id
    assert below_machines([of_set, nic, "x"], [NIC]) == (of_set, nic, "x")
    alone = replace(node(1), machine=vm)
    members = replace(pool(numbers=[2]), configurations=below_machines([part], known))
    assert is_member(alone, members) is True


# -- load balancers ---------------------------------------------------------------------------


def test_a_frontend_that_another_service_shares_is_no_orphan() -> None:
    shared = frontend(name=f"a{_OTHER_UID.replace('-', '')}"[:32])
    mine = rule(frontend=shared.id)
    balancer = internal(frontends=(shared,), rules=(mine,))
    assert judge_orphans([_own_uid()], [balancer]).verdict.outcome is PASS
    unused = internal(frontends=(shared,), rules=())
    assert judge_orphans([_own_uid()], [unused]).verdict.outcome is FAIL


def _own_uid() -> str:
    return service().uid


def test_the_annotation_of_tcp_says_nothing_of_udp() -> None:
    asks = service(
        annotations={"service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout": "10"}
    )
    udp = rule(protocol="udp", idle_minutes=4)
    assert judge_timeouts([asks], [internal(rules=(udp,))]).verdict.outcome is PASS
    assert judge_timeouts([asks], [internal(rules=(rule(),))]).verdict.outcome is FAIL


def test_the_pool_of_a_service_in_a_namespace_that_begins_like_the_cluster() -> None:
    of_one = pool("kubernetes-dashboard-web", numbers=[1], balancer=internal().id)
    balancer = internal(
        pools=(*(internal().pools or ()), of_one),
        rules=(rule(), rule(id=f"{rule().id}1", pools=(of_one.id,))),
    )
    assert judge_inbound_pools([balancer], [node(1), node(2)]).verdict.outcome is PASS


# -- nodes ------------------------------------------------------------------------------------


def test_an_api_version_without_ipv6_leaves_dual_stack_open() -> None:
    both = replace(NODE, addresses=("10.224.0.4", "fd00:1::4"))
    assert judge_node_addresses(both, [NIC]).verdict.outcome is OPEN
    six = replace(CONFIGURATION, ip="fd00:1::5")
    assert NIC.configurations is not None
    told = replace(NIC, configurations=(*NIC.configurations, six))
    assert judge_node_addresses(both, [told]).verdict.outcome is FAIL


def test_addresses_of_the_pods_subnet_are_in_place() -> None:
    of_pods = f"{NETWORK.id}/subnets/pods"
    own = replace(POOL, node_subnet=CONFIGURATION.subnet, pod_subnet=of_pods)
    nic = replace(NIC, configurations=(CONFIGURATION, replace(CONFIGURATION, subnet=of_pods)))
    assert judge_subnet(NODE, own, nic, node_group="mc").verdict.outcome is PASS
    only = replace(NIC, configurations=(replace(CONFIGURATION, subnet=of_pods),))
    assert judge_subnet(NODE, own, only, node_group="mc").verdict.outcome is FAIL


def test_windows_without_accelerated_networking_is_a_warning() -> None:
    sizes = {"d": VmSize(name="d", accelerates=True, most_interfaces=2, cpus=2)}
    slow = [replace(NIC, accelerated=False)]
    windows = replace(NODE, is_windows=True)
    found = judge_turned_on(windows, slow, "d", sizes, shows_vf=None)
    assert (found.verdict.outcome, bool(found.verdict.warning)) == (PASS, True)
    linux = judge_turned_on(NODE, slow, "d", sizes, shows_vf=None)
    assert linux.verdict.outcome is FAIL


# -- what must be reached ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "outcome"),
    [("ubuntu-optional", PASS), ("gpu", PASS), ("windows", PASS), ("images", FAIL)],
)
def test_a_firewall_may_close_what_not_every_cluster_needs(category: str, outcome: Outcome) -> None:
    endpoint = RequiredEndpoint(
        category=category, domain="security.ubuntu.com", protocol="Http", port=80
    )
    places, _ = places_of([endpoint], CLUSTER)
    silent = Answer(Finding.TIMEOUT, 1.0, 1.0, {})
    answers = {"n": dict.fromkeys(places, silent)}
    found = judge_required_egress(answers, places, resource=CLUSTER_ID)
    assert found.verdict.outcome is outcome
    assert bool(found.verdict.warning) == (outcome is PASS)


def test_the_tunnel_of_former_clusters_is_not_looked_at() -> None:
    tunnel = RequiredEndpoint(
        category="tunnel-classic", domain="*.azmk8s.io", protocol="TCP", port=9000
    )
    places, left_out = places_of([tunnel], CLUSTER)
    assert (places, len(left_out)) == ({}, 1)


# -- security groups --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("let_in", "is_example", "outcome"),
    [
        ("AzureFrontDoor.Backend", True, PASS),
        ("198.51.100.0/24", True, PASS),
        ("AzureFrontDoor.Backend", False, OPEN),
        ("198.51.100.0/24", False, FAIL),  # the Service names this source itself
        ("VirtualNetwork", True, FAIL),
        ("AzureLoadBalancer", True, FAIL),
        ("10.0.0.0/8", True, FAIL),
    ],
)
def test_a_group_that_lets_in_a_gateway_alone_is_on_purpose(
    let_in: str, is_example: bool, outcome: Outcome
) -> None:
    some = group_rule("some", 100, "Allow", sources=(let_in,), ports=("443",))
    others = group_rule("others", 4096, "Deny")
    client = Arrival(
        why="clients",
        source="192.0.2.9",
        protocol="tcp",
        destination="203.0.113.9",
        port=443,
        is_example=is_example,
    )
    found = judge_arrivals([machine("a", "10.224.0.4", some, others)], [client], "s")
    assert found.verdict.outcome is outcome
    assert bool(found.verdict.warning) == (outcome is PASS)


# -- commands ---------------------------------------------------------------------------------


def test_the_managed_cluster_is_shown_by_its_name() -> None:
    assert "--ids" not in shown_by(CLUSTER_ID)
    assert shown_by(CLUSTER_ID)[:3] == ("az", "aks", "show")
