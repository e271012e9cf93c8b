"""Microsoft.Network: private endpoints and their DNS zone groups."""

from collections.abc import Iterable

from pytest_aksnet.lab.arm.documents import Document, part, reference, references, resource
from pytest_aksnet.lab.arm.endpoints import endpoints
from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.arm.interfaces import interfaces
from pytest_aksnet.lab.arm.kinds import Provider
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.private_dns import zone_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import PrivateEndpoint

ENDPOINTS = "Microsoft.Network/privateEndpoints"
_ZONE_GROUPS = f"{ENDPOINTS}/privateDnsZoneGroups"


def endpoint_id(endpoint: PrivateEndpoint) -> str:
    """The id of a private endpoint."""
    return resource_id(endpoint.resource_group, ENDPOINTS, endpoint.name)


def connection_state(endpoint: PrivateEndpoint) -> Document:
    """The state of its connection."""
    descriptions = {"Approved": "Auto-Approved", "Pending": "Please approve my connection."}
    return {
        "status": endpoint.status,
        "description": descriptions.get(endpoint.status, endpoint.status),
        "actionsRequired": "None",
    }


def _endpoints(world: World) -> Iterable[Document]:
    mine = {one.endpoint: one for one in interfaces(world) if one.endpoint}
    for endpoint in endpoints(world):
        here = endpoint_id(endpoint)
        place = locate(world, endpoint.ip)
        interface = mine.get(here)
        yield resource(
            endpoint.resource_group,
            ENDPOINTS,
            endpoint.name,
            {
                "privateLinkServiceConnections": [
                    part(
                        here,
                        f"{ENDPOINTS}/privateLinkServiceConnections",
                        endpoint.name,
                        {
                            "privateLinkServiceId": endpoint.target,
                            "groupIds": [endpoint.group_id],
                            "privateLinkServiceConnectionState": connection_state(endpoint),
                        },
                    )
                ],
                "manualPrivateLinkServiceConnections": [],
                "networkInterfaces": references([interface.id] if interface else []),
                # Empty while a zone group says it all; the interface has the names always.
                "customDnsConfigs": []
                if endpoint.zone in world.azure.private_zones
                else [{"fqdn": endpoint.fqdn, "ipAddresses": [endpoint.ip]}],
                "ipConfigurations": [],
                "applicationSecurityGroups": [],
                "customNetworkInterfaceName": "",
                **_subnet(world, place),
            },
        )


def _subnet(world: World, place: tuple[str, str] | None) -> Document:
    if place is None:
        return {}
    network, subnet = place
    return {"subnet": reference(subnet_id(world.azure.networks[network], subnet))}


def _zone_groups(world: World, parent: Document) -> Iterable[Document]:
    endpoint = next(one for one in endpoints(world) if endpoint_id(one) == parent["id"])
    zone = world.azure.private_zones.get(endpoint.zone)
    if zone is None:
        return
    records = [
        {
            "recordType": record.kind,
            "recordSetName": record.name,
            "fqdn": f"{record.name}.{zone.name}",
            "ttl": record.ttl,
            "ipAddresses": list(record.values),
            "provisioningState": "Succeeded",
        }
        for record in zone.records
        if endpoint.ip in record.values
    ]
    yield part(
        parent["id"],
        _ZONE_GROUPS,
        "default",
        {
            "privateDnsZoneConfigs": [
                {
                    "name": zone.name.replace(".", "-"),
                    "properties": {
                        "privateDnsZoneId": zone_id(zone),
                        "recordSets": records,
                    },
                }
            ]
        },
    )


PROVIDER = Provider(tops={ENDPOINTS: _endpoints}, parts={_ZONE_GROUPS: _zone_groups})
