"""Rows of the faults of private endpoints and zones: what Azure DNS says, and what answers."""

from typing import Any

from pytest_aksnet.lab.faults.private_link import FORMER_ADDRESS
from tests.lab.fault_rows import FaultRow, Scene
from tests.lab.fault_rows_arm import clients
from tests.lab.fault_rows_fabric import the_endpoint_answers, the_endpoint_is_silent

_GROUP = "rg-aksnet-lab"
_ONE_MODE = ("overlay",)


def _says(scene: Scene, name: str) -> str:
    """What Azure DNS says to a node; the status where it has no address."""
    look = scene.dns(scene.node(0), name, server=scene.spec.azure_dns_ip)
    return look.text.split()[-1] if look.outcome == "noerror" else look.outcome


def _resolves(scene: Scene) -> str:
    return _says(scene, scene.spec.private_endpoints[0].fqdn)


def _right(scene: Scene) -> None:
    assert _resolves(scene) == scene.spec.private_endpoints[0].ip
    assert _states(scene) == ["Completed"]
    assert _groups(scene) == ["default"]
    assert _zones(scene) == 1


def _approved(scene: Scene) -> None:
    assert _status(scene) == "Approved"
    the_endpoint_answers(scene)


def _rejected(scene: Scene) -> None:
    assert _status(scene) == "Rejected"
    the_endpoint_is_silent(scene)


def _closed(scene: Scene) -> None:
    subnet = clients(scene).network.subnets.get(_GROUP, "vnet-aksnet-lab", "private-endpoints")
    assert subnet.private_endpoint_network_policies == "NetworkSecurityGroupEnabled"
    assert subnet.network_security_group is not None
    the_endpoint_is_silent(scene)


def _status(scene: Scene) -> str:
    endpoint = clients(scene).network.private_endpoints.get(_GROUP, "pe-aksnetlab")
    [connection] = endpoint.private_link_service_connections or []
    state = connection.private_link_service_connection_state
    assert state is not None
    return str(state.status)


def _groups(scene: Scene) -> list[str | None]:
    groups = clients(scene).network.private_dns_zone_groups
    return [one.name for one in groups.list("pe-aksnetlab", _GROUP)]


def _states(scene: Scene) -> list[Any]:
    zone = scene.spec.private_endpoints[0].zone
    links = clients(scene).dns.virtual_network_links.list(_GROUP, zone)
    return [one.virtual_network_link_state for one in links]


def _zones(scene: Scene) -> int:
    name = scene.spec.private_endpoints[0].zone
    return sum(one.name == name for one in clients(scene).dns.private_zones.list())


def _nobody_keeps_the_record(scene: Scene) -> None:
    assert _groups(scene) == []
    assert _resolves(scene) == FORMER_ADDRESS


def _links_are_without_effect(scene: Scene) -> None:
    assert _states(scene) == ["InProgress"]
    assert _resolves(scene) == scene.spec.private_endpoints[0].public_ip


def _the_other_zone_has_the_record(scene: Scene) -> None:
    assert _zones(scene) == 2
    assert _resolves(scene) == "nxdomain"


def _a_former_name(scene: Scene) -> str:
    return _says(scene, f"formeraccount.{scene.spec.private_endpoints[0].zone}")


def _no_former_name(scene: Scene) -> None:
    assert _a_former_name(scene) == "nxdomain"


def _former_name_is_there(scene: Scene) -> None:
    assert _a_former_name(scene) == FORMER_ADDRESS


ROWS = [
    FaultRow(
        fault="nsg-blocks-private-endpoints", healthy=_approved, broken=_closed, modes=_ONE_MODE
    ),
    FaultRow(
        fault="private-endpoint-rejected", healthy=_approved, broken=_rejected, modes=_ONE_MODE
    ),
    FaultRow(
        fault="private-zone-group-missing",
        healthy=_right,
        broken=_nobody_keeps_the_record,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="private-record-dangling",
        healthy=_no_former_name,
        broken=_former_name_is_there,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="private-zone-split",
        healthy=_right,
        broken=_the_other_zone_has_the_record,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="private-link-in-progress",
        healthy=_right,
        broken=_links_are_without_effect,
        modes=_ONE_MODE,
    ),
]
