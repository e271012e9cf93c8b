"""What the readers make of virtual networks, security groups and routes, against the stand-in."""

from collections.abc import Iterator

import pytest

from pytest_aksnet.lab.azure.resources import SecurityRule
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.model.azure_routes import APPLIANCE, ROUTE_TABLES
from pytest_aksnet.model.azure_security import SECURITY_GROUPS
from pytest_aksnet.model.azure_vnet import PEERED_NETWORKS, SUBNET_USAGE, VNETS
from tests.lab.arm_readings import readings_of, value_of
from tests.lab.arm_server import RunningArm, arm_server

_OPTIONS = {
    "kubenet": LabOptions(mode="kubenet", dual_stack=True, egress="firewall"),
    "pod-subnet": LabOptions(mode="pod-subnet", custom_dns=True, egress="none"),
}
_TOPICS = (VNETS, PEERED_NETWORKS, SUBNET_USAGE, SECURITY_GROUPS, ROUTE_TABLES)


@pytest.fixture(scope="module", params=sorted(_OPTIONS))
def arm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), _OPTIONS[request.param]) as running:
        yield running


def test_networks_with_their_subnets_and_peers(arm: RunningArm) -> None:
    spec = arm.world.spec
    with readings_of(arm) as readings:
        [vnet] = value_of(readings, VNETS)
        [hub] = value_of(readings, PEERED_NETWORKS)
        usage = {one.subnet: one for one in value_of(readings, SUBNET_USAGE)}
    two = spec.dual_stack
    assert vnet.ranges == ((spec.vnet_cidr, spec.vnet_cidr6) if two else (spec.vnet_cidr,))
    assert vnet.dns_servers == tuple(host.ip for host in spec.hosts if host.role == "dns")
    nodes = next(one for one in vnet.subnets if one.name == "aks-nodes")
    assert nodes.cidrs == ((spec.node_subnet, spec.node_subnet6) if two else (spec.node_subnet,))
    assert (nodes.provisioning_state, nodes.default_outbound) == ("Succeeded", False)
    assert usage[nodes.id].used >= len(spec.nodes)
    [near], [back] = vnet.peerings, hub.peerings
    assert (near.remote_vnet, back.remote_vnet) == (hub.id, vnet.id)
    assert (near.state, near.in_sync, near.allows_access) == ("Connected", "FullyInSync", True)
    assert near.remote_ranges == hub.ranges == (spec.peered_vnet_cidr,)


def test_groups_of_all_subnets_with_all_rules(arm: RunningArm) -> None:
    arm.world.azure.security_groups["aks-agentpool-31337042-nsg"].rules[:] = [
        SecurityRule(
            name="Several",
            priority=120,
            direction="Inbound",
            access="Deny",
            protocol="Udp",
            sources=("10.1.0.0/16", "10.2.0.0/16"),
            destination_ports=("53",),
        )
    ]
    with readings_of(arm) as readings:
        [vnet] = value_of(readings, VNETS)
        groups = value_of(readings, SECURITY_GROUPS)
    used = {one.security_group for one in vnet.subnets if one.security_group}
    assert used == {one.id for one in groups}
    assert len(used) == (2 if arm.world.spec.mode == "pod-subnet" else 1)
    nodes = next(one for one in groups if "agentpool" in one.id)
    assert nodes.is_whole
    assert [one.rpartition("/")[2] for one in nodes.subnets] == ["aks-nodes"]
    several = next(one for one in nodes.rules if not one.is_default)
    assert several.sources == ("10.1.0.0/16", "10.2.0.0/16")
    assert (several.destinations, several.destination_ports) == (("*",), ("53",))
    assert (several.protocol, several.priority, several.access) == ("Udp", 120, "Deny")
    assert len([one for one in nodes.rules if one.is_default]) == 6


def test_route_tables(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        tables = value_of(readings, ROUTE_TABLES)
    if arm.world.spec.mode != "kubenet":
        assert tables == ()
        return
    [table] = tables
    hops = {one.prefix: (one.next_hop, one.next_hop_ip) for one in table.routes}
    for node in arm.world.spec.nodes:
        assert hops[node.pod_cidr or ""] == (APPLIANCE, node.ip)
    assert hops["0.0.0.0/0"][0] == APPLIANCE
    assert table.has_gateway_routes is True


def test_half_broken_answers_are_values_or_refusals(arm: RunningArm) -> None:
    arm.trouble.fields_missing = 1.0
    try:
        for _ in range(4):
            with readings_of(arm) as readings:
                for topic in _TOPICS:
                    reading = readings.reading(topic.name)
                    assert (reading.value is None) == (reading.refusal is not None)
    finally:
        arm.trouble.fields_missing = 0.0
