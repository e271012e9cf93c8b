"""Microsoft.Storage: the accounts behind private endpoints, and the approval of connections."""

from collections.abc import Iterable

from aiohttp import web

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.bodies import choice, properties_of
from pytest_aksnet.lab.arm.documents import Document, part, reference, resource
from pytest_aksnet.lab.arm.ids import guid, same
from pytest_aksnet.lab.arm.kinds import Call, Provider
from pytest_aksnet.lab.arm.network_endpoints import connection_state, endpoint_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import PrivateEndpoint

ACCOUNTS = "Microsoft.Storage/storageAccounts"
_CONNECTIONS = f"{ACCOUNTS}/privateEndpointConnections"
_STATES = ("Approved", "Rejected", "Disconnected")


def _accounts(world: World) -> Iterable[Document]:
    for target in dict.fromkeys(one.target for one in world.azure.private_endpoints.values()):
        group, kind, name = (
            target.split("/")[4],
            "/".join(target.split("/")[6:8]),
            target.split("/")[8],
        )
        if not same(kind, ACCOUNTS):
            continue
        yield resource(
            group,
            ACCOUNTS,
            name,
            {
                "publicNetworkAccess": "Enabled",
                "supportsHttpsTrafficOnly": True,
                "privateEndpointConnections": [
                    _connection(target, one) for one in _endpoints(world, target)
                ],
            },
            sku={"name": "Standard_LRS", "tier": "Standard"},
            kind="StorageV2",
        )


def _endpoints(world: World, target: str) -> list[PrivateEndpoint]:
    return [one for one in world.azure.private_endpoints.values() if same(one.target, target)]


def _connection(account: str, endpoint: PrivateEndpoint) -> Document:
    return part(
        account,
        _CONNECTIONS,
        _connection_name(endpoint),
        {
            "privateEndpoint": reference(endpoint_id(endpoint)),
            "groupIds": [endpoint.group_id],
            "privateLinkServiceConnectionState": connection_state(endpoint),
        },
    )


def _connection_name(endpoint: PrivateEndpoint) -> str:
    return f"{endpoint.name}.{guid(endpoint.name)}"


def _connections(world: World, parent: Document) -> Iterable[Document]:
    return parent["properties"]["privateEndpointConnections"]  # type: ignore[no-any-return]


def _put_connection(call: Call) -> web.Response:
    """Approve, reject or disconnect."""
    name = call.target.names[-1]
    for endpoint in _endpoints(call.world, call.parent["id"]):
        if same(_connection_name(endpoint), name):
            state = properties_of(call.body).get("privateLinkServiceConnectionState") or {}
            endpoint.status = choice(state, "status", _STATES)
            call.world.azure.changed()
            return web.json_response(_connection(call.parent["id"], endpoint))
    raise errors.part_not_found(f"{call.parent['id']}/privateEndpointConnections/{name}")


PROVIDER = Provider(
    tops={ACCOUNTS: _accounts},
    parts={_CONNECTIONS: _connections},
    puts={_CONNECTIONS: _put_connection},
)
