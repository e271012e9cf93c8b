"""What Azure makes of its resources: effective routes, tags, rules for Services, ways out. Pure."""

import dataclasses

import pytest

from pytest_aksnet.lab.azure.resources import SecurityGroup, SecurityRule
from pytest_aksnet.lab.azure.routes import EffectiveRoute, effective_routes, next_hop
from pytest_aksnet.lab.azure.security_rules import ordered_rules, tag_values
from pytest_aksnet.lab.azure.service_rules import write_service_rules
from pytest_aksnet.lab.azure.state import (
    CLUSTER_NETWORK,
    NODE_SUBNET,
    PEERED_NETWORK,
    SECURITY_GROUP,
    AzureState,
)
from pytest_aksnet.lab.controllers.network_feed import service_views
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network.ports import fabric_ports
from pytest_aksnet.lab.network.security import rule_lines
from pytest_aksnet.lab.network.translation import exits, ports_per_node
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.options import LabOptions, PoolOptions

VIEW = ServicePortView(
    namespace="shop",
    service="web",
    port_name="",
    protocol="TCP",
    cluster_ip="10.0.0.7",
    port=80,
    node_port=30080,
    load_balancer_ips=("198.51.100.20",),
    external_local=False,
    internal_local=False,
    affinity_seconds=0,
    health_check_node_port=0,
    source_ranges=(),
    endpoints=(),
)


def state(**options: object) -> AzureState:
    return AzureState(make_spec(LabOptions(**options)))  # type: ignore[arg-type]


def routes_of(azure: AzureState, subnet: str = NODE_SUBNET) -> list[EffectiveRoute]:
    network = azure.networks[CLUSTER_NETWORK]
    return effective_routes(azure, network, network.subnet(subnet))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("10.224.0.4", "VnetLocal"),
        ("10.64.0.4", "VNetPeering"),
        ("192.168.10.4", "VirtualNetworkGateway"),
        ("192.168.11.4", "None"),
        ("10.244.0.4", "None"),
        ("203.0.113.80", "Internet"),
        ("10.226.0.5", "InterfaceEndpoint"),
    ],
)
def test_system_routes(address: str, kind: str) -> None:
    found = next_hop(routes_of(state()), address)
    assert found is not None
    assert found.next_hop_type == kind


def test_kubenet_has_a_route_for_the_pods_of_each_node() -> None:
    azure = state(mode="kubenet")
    for node in azure.spec.nodes:
        found = next_hop(routes_of(azure), node.pod_addresses()[0])
        assert found is not None
        assert (found.source, found.next_hop_ip) == ("User", node.ip)


def test_a_users_route_makes_the_same_prefix_of_azure_invalid() -> None:
    azure = state(egress="firewall")
    defaults = [route for route in routes_of(azure) if route.prefix == "0.0.0.0/0"]
    assert [(one.source, one.state) for one in defaults] == [
        ("User", "Active"),
        ("Default", "Invalid"),
    ]


def test_what_is_not_connected_or_approved_has_no_route() -> None:
    azure = state()
    azure.networks[PEERED_NETWORK].peerings[0].state = "Disconnected"
    azure.sites["on-prem"].connected = False
    for endpoint in azure.private_endpoints.values():
        endpoint.status = "Rejected"
    kinds = {route.next_hop_type for route in routes_of(azure)}
    assert kinds == {"VnetLocal", "Internet", "None"}


def test_the_tag_of_the_virtual_network_holds_routed_prefixes() -> None:
    azure = state(mode="kubenet", egress="firewall")
    network = azure.networks[CLUSTER_NETWORK]
    tags = tag_values(azure, network, network.subnet(NODE_SUBNET))
    own = tags["VirtualNetwork"].networks
    assert {"10.224.0.0/12", "10.64.0.0/16", "192.168.10.0/24", "10.244.1.0/24"} <= set(own)
    assert "0.0.0.0/0" in own
    assert "0.0.0.0/0" not in tags["Internet"].networks


def test_default_rules_come_last() -> None:
    rule = SecurityRule(name="own", priority=4096, direction="Inbound", access="Deny")
    group = SecurityGroup(name="g", resource_group="r", rules=[rule])
    assert [one.name for one in ordered_rules(group, "Inbound")] == [
        "own",
        "AllowVnetInBound",
        "AllowAzureLoadBalancerInBound",
        "DenyAllInBound",
    ]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "drop"),
        ({"access": "Allow"}, "return"),
        ({"protocol": "Icmp"}, "meta l4proto icmp drop"),
        (
            {"protocol": "Tcp", "destination_ports": ("80", "90-99")},
            "meta l4proto { tcp } th dport { 80, 90-99 } drop",
        ),
        ({"destination_ports": ("53",)}, "meta l4proto { tcp, udp } th dport { 53 } drop"),
        ({"sources": ("10.1.0.0/16", "10.2.0.4")}, "ip saddr { 10.1.0.0/16, 10.2.0.4/32 } drop"),
        ({"destinations": ("AzurePlatformDNS",)}, "ip daddr { 168.63.129.16/32 } drop"),
    ],
)
def test_a_rule_is_a_line_of_nftables(fields: dict[str, object], line: str) -> None:
    azure = state()
    network = azure.networks[CLUSTER_NETWORK]
    tags = tag_values(azure, network, network.subnet(NODE_SUBNET))
    base = SecurityRule(name="r", priority=100, direction="Inbound", access="Deny")
    rule = dataclasses.replace(base, **fields)  # type: ignore[arg-type]
    assert rule_lines(rule, tags, 4) == [line]


def test_a_rule_with_addresses_of_one_family_says_nothing_of_the_other() -> None:
    rule = SecurityRule(
        name="r", priority=100, direction="Inbound", access="Deny", sources=("fd00::/8",)
    )
    assert rule_lines(rule, {}, 4) == []
    assert rule_lines(rule, {}, 6) == ["ip6 saddr { fd00::/8 } drop"]


def test_services_have_rules_and_keep_their_priorities() -> None:
    group = state().security_groups[SECURITY_GROUP]
    other = SecurityRule(name="mine", priority=500, direction="Inbound", access="Deny")
    group.rules.append(other)
    second = dataclasses.replace(VIEW, port=443, load_balancer_ips=("198.51.100.21",))
    assert write_service_rules(group, [VIEW], [])
    assert not write_service_rules(group, [VIEW], [])
    first = next(rule for rule in group.rules if rule is not other)
    assert (first.priority, first.sources) == (501, ("Internet",))
    assert (first.destinations, first.destination_ports) == (("198.51.100.20",), ("80",))
    assert write_service_rules(group, [second, VIEW], [])
    assert [rule.priority for rule in group.rules] == [500, 501, 502]
    assert group.rules[1] == first
    assert write_service_rules(group, [], [])
    assert group.rules == [other]


def test_ranges_of_a_service_are_the_sources_of_its_rule() -> None:
    group = SecurityGroup(name="g", resource_group="r")
    view = dataclasses.replace(
        VIEW, source_ranges=("203.0.113.0/24",), security_group_ranges=("192.0.2.0/24",)
    )
    write_service_rules(group, [view], [])
    assert group.rules[0].sources == ("192.0.2.0/24", "203.0.113.0/24")


def test_an_internal_frontend_needs_no_rule_unless_it_has_ranges() -> None:
    group = SecurityGroup(name="g", resource_group="r")
    internal = dataclasses.replace(VIEW, load_balancer_ips=("10.224.200.4",))
    assert not write_service_rules(group, [internal], ["10.224.200.4"])
    ranged = dataclasses.replace(internal, source_ranges=("10.64.0.0/16",))
    assert write_service_rules(group, [ranged], ["10.224.200.4"])


def test_ports_go_by_the_size_of_the_pool_and_run_out() -> None:
    pools = (
        PoolOptions(name="system", mode="System", count=1),
        PoolOptions(name="user", count=50),
    )
    azure = state(pools=pools)
    assert ports_per_node(azure) == 512
    assert azure.outbound_rule is not None
    azure.outbound_rule.ports = 16_000
    with_ports = [bool(exits(azure, port, 4)) for port in fabric_ports(azure)[:51]]
    assert with_ports == [True] * 4 + [False] * 47


def test_a_fresh_state_is_the_same_every_time() -> None:
    one, other = state(egress="nat-gateway"), state(egress="nat-gateway")
    assert one.networks == other.networks
    assert one.route_tables == other.route_tables


def test_changes_are_told_and_counted() -> None:
    azure = state()
    heard: list[int] = []
    azure.subscribe(lambda: heard.append(azure.revision))
    azure.changed()
    azure.changed()
    assert heard == [1, 2]


def test_allowed_ranges_of_an_annotation_are_for_the_security_group_alone() -> None:
    annotation = "service.beta.kubernetes.io/azure-allowed-ip-ranges"
    views = service_views(
        {
            "metadata": {
                "namespace": "shop",
                "name": "web",
                "annotations": {annotation: "203.0.113.0/24, 2001:db8::/32"},
            },
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.0.0.7",
                "clusterIPs": ["10.0.0.7"],
                "ports": [{"port": 80, "nodePort": 30080}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.20"}]}},
        },
        [],
    )
    assert [view.security_group_ranges for view in views] == [("203.0.113.0/24",)]
    assert [view.source_ranges for view in views] == [()]
