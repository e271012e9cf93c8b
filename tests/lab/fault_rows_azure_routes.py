"""Rows of faults of virtual networks: what ARM says of them, and packets where they are touched."""

from typing import Any

from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, NODE_SUBNET, SECURITY_GROUP
from pytest_aksnet.lab.faults.azure_network import GONE_APPLIANCE, NEW_DNS_SERVER
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, RESOURCE_GROUP
from tests.lab.fault_rows import FaultRow, Scene
from tests.lab.fault_rows_arm import clients

_ONE_MODE = ("overlay",)
_INTERNET = "203.0.113.80"
_SILENT = 1.0


def _network(scene: Scene) -> Any:
    return clients(scene).network.virtual_networks.get(RESOURCE_GROUP, CLUSTER_NETWORK)


def _subnet(scene: Scene) -> Any:
    return clients(scene).network.subnets.get(RESOURCE_GROUP, CLUSTER_NETWORK, NODE_SUBNET)


def _rule_names(scene: Scene) -> set[str]:
    group = clients(scene).network.network_security_groups.get(NODE_RESOURCE_GROUP, SECURITY_GROUP)
    return {one.name for one in group.security_rules}


def _reaches(scene: Scene, port: int) -> bool:
    return scene.tcp(scene.node(0), _INTERNET, port, seconds=_SILENT).ok


def https_gets_out(scene: Scene) -> None:
    assert _reaches(scene, 443)
    assert _reaches(scene, 80)
    assert "DenyHttpsOut" not in _rule_names(scene)


def https_is_denied(scene: Scene) -> None:
    assert not _reaches(scene, 443)
    assert _reaches(scene, 80)
    assert "DenyHttpsOut" in _rule_names(scene)


def no_login_from_outside(scene: Scene) -> None:
    assert "AllowLogin" not in _rule_names(scene)


def login_from_outside(scene: Scene) -> None:
    assert "AllowLogin" in _rule_names(scene)


def the_subnet_has_its_group(scene: Scene) -> None:
    assert _subnet(scene).network_security_group.id.endswith(SECURITY_GROUP)


def the_subnet_has_no_group(scene: Scene) -> None:
    assert _subnet(scene).network_security_group is None


def _default_hops(scene: Scene) -> list[str]:
    table = _subnet(scene).route_table
    if table is None:
        return []
    name = table.id.rpartition("/")[2]
    routes = clients(scene).network.routes.list(NODE_RESOURCE_GROUP, name)
    return [one.next_hop_ip_address for one in routes if one.address_prefix == "0.0.0.0/0"]


def _gets_out(scene: Scene) -> list[bool]:
    places = (scene.pod(0), scene.node(0))
    return [scene.tcp(one, _INTERNET, 80, seconds=_SILENT).ok for one in places]


def the_default_way_works(scene: Scene) -> None:
    assert all(_gets_out(scene))
    assert GONE_APPLIANCE not in _default_hops(scene)


def the_default_way_ends(scene: Scene) -> None:
    assert not any(_gets_out(scene))
    assert _default_hops(scene) == [GONE_APPLIANCE]
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1)), 8080).ok


def _peered_ranges(scene: Scene) -> list[str]:
    [peering] = clients(scene).network.virtual_network_peerings.list(
        RESOURCE_GROUP, CLUSTER_NETWORK
    )
    ranges: list[str] = peering.remote_virtual_network_address_space.address_prefixes
    return ranges


def services_are_nowhere_else(scene: Scene) -> None:
    assert scene.spec.service_cidr not in _peered_ranges(scene)


def services_are_in_the_peered_network(scene: Scene) -> None:
    assert scene.spec.service_cidr in _peered_ranges(scene)


def _resolvers(scene: Scene) -> str:
    return scene.run(scene.node(0), "cat", "/etc/resolv.conf").stdout


def nodes_ask_the_networks_servers(scene: Scene) -> None:
    assert NEW_DNS_SERVER not in _network(scene).dhcp_options.dns_servers


def nodes_ask_others(scene: Scene) -> None:
    assert _network(scene).dhcp_options.dns_servers == [NEW_DNS_SERVER]
    assert NEW_DNS_SERVER not in _resolvers(scene)


def the_subnet_is_well(scene: Scene) -> None:
    assert _subnet(scene).provisioning_state == "Succeeded"


def the_subnet_failed(scene: Scene) -> None:
    assert _subnet(scene).provisioning_state == "Failed"
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1)), 8080).ok


def _free(scene: Scene) -> float:
    [one] = [
        one
        for one in clients(scene).network.virtual_networks.list_usage(
            RESOURCE_GROUP, CLUSTER_NETWORK
        )
        if one.id.endswith(f"/{NODE_SUBNET}")
    ]
    return float(one.limit - one.current_value)


def a_machine_finds_room(scene: Scene) -> None:
    assert _free(scene) > 0


def no_machine_finds_room(scene: Scene) -> None:
    assert _free(scene) == 0
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1)), 8080).ok


ROWS = (
    FaultRow(
        fault="node-subnet-crowded",
        healthy=a_machine_finds_room,
        broken=no_machine_finds_room,
        modes=_ONE_MODE,
    ),
    FaultRow(fault="nsg-blocks-https-out", healthy=https_gets_out, broken=https_is_denied),
    FaultRow(
        fault="route-to-gone-appliance",
        healthy=the_default_way_works,
        broken=the_default_way_ends,
    ),
    FaultRow(
        fault="route-to-gone-appliance",
        healthy=the_default_way_works,
        broken=the_default_way_ends,
        settings=("egress=firewall",),
        modes=_ONE_MODE,
        slow=True,
    ),
    FaultRow(
        fault="nsg-opens-management-ports",
        healthy=no_login_from_outside,
        broken=login_from_outside,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="subnet-without-security-group",
        healthy=the_subnet_has_its_group,
        broken=the_subnet_has_no_group,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="peered-range-overlaps",
        healthy=services_are_nowhere_else,
        broken=services_are_in_the_peered_network,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="vnet-dns-changed",
        healthy=nodes_ask_the_networks_servers,
        broken=nodes_ask_others,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="subnet-update-failed",
        healthy=the_subnet_is_well,
        broken=the_subnet_failed,
        modes=_ONE_MODE,
    ),
)
