"""Reads private endpoints of the cluster's virtual networks and of their peers, with zone groups.

A private endpoint is in the subscription of its virtual network ("Azure docs:
private-endpoint-overview"), so that all of a network's are found there. Its names are told by
itself while it has no zone group, else by its network interface.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.security import groups_of
from pytest_aksnet.arm.subscriptions import read_in
from pytest_aksnet.arm.values import id_of, ids_of, text, texts
from pytest_aksnet.model.azure_private import (
    ENDPOINT_GROUPS,
    PRIVATE_ENDPOINTS,
    ZONE_GROUPS,
    EndpointName,
    Found,
    PrivateEndpoint,
    ZoneGroup,
)
from pytest_aksnet.model.azure_security import SecurityGroup
from pytest_aksnet.model.azure_vnet import VNETS
from pytest_aksnet.model.resource_id import resource_id

# A reading per endpoint: what a cluster uses are some dozens.
MOST_ENDPOINTS = 60


def networks_near(look: Look) -> set[str]:
    """The ids of the cluster's virtual networks and of their peers."""
    vnets = look.read(VNETS)
    peers = {one.remote_vnet for vnet in vnets for one in vnet.peerings if one.remote_vnet}
    return {vnet.id for vnet in vnets} | peers


def _read_endpoints(look: Look) -> Found[PrivateEndpoint]:
    near = networks_near(look)
    subscriptions = {resource_id(vnet).subscription for vnet in near}
    return read_in(look, subscriptions, partial(_endpoints, look, near), PRIVATE_ENDPOINTS)


def _endpoints(look: Look, near: set[str], door: Door) -> list[PrivateEndpoint]:
    found = [
        one
        for one in door.network.private_endpoints.list_by_subscription()
        # One that does not tell its subnet may be of these networks.
        if id_of(one.subnet).partition("/subnets/")[0] in {*near, ""}
    ]
    # An interface is made in its endpoint's group: one list says all of a group.
    wanted = {nic for one in found for nic in ids_of(one.network_interfaces)}
    groups = sorted({resource_id(nic).group for nic in wanted})
    lists = look.together(partial(_interfaces, door, group) for group in groups)
    interfaces = {id_of(one): one for listed in lists for one in listed}
    return [_endpoint(one, interfaces) for one in found]


def _interfaces(door: Door, group: str) -> list[Any]:
    return list(door.network.network_interfaces.list(group))


def _endpoint(found: Any, interfaces: dict[str, Any]) -> PrivateEndpoint:
    # Either list may have the one connection: the second where its owner has to approve by hand.
    connections = [
        *(found.private_link_service_connections or ()),
        *(found.manual_private_link_service_connections or ()),
    ]
    connection = connections[0] if connections else None
    state = connection.private_link_service_connection_state if connection else None
    nics = ids_of(found.network_interfaces)
    told = [interfaces[nic] for nic in nics if nic in interfaces]
    configurations = [one for nic in told for one in nic.ip_configurations or ()]
    addresses = [text(one.private_ip_address) for one in configurations]
    known = bool(addresses) and all(addresses) and len(told) == len(nics)
    return PrivateEndpoint(
        id=id_of(found),
        subnet=id_of(found.subnet),
        target=id_of(connection.private_link_service_id if connection else None),
        groups=texts(connection.group_ids if connection else None),
        state=text(state.status if state else None),
        description=text(state.description if state else None),
        provisioning_state=text(found.provisioning_state),
        names=_names(found.custom_dns_configs or (), configurations),
        addresses=tuple(addresses) if known else None,
    )


def _names(configs: Sequence[Any], configurations: Iterable[Any]) -> tuple[EndpointName, ...]:
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for config in configs:
        if config.fqdn:
            names[_plain(config.fqdn)] |= dict.fromkeys(texts(config.ip_addresses))
    for one in configurations:
        link = one.private_link_connection_properties
        for name in texts(link.fqdns if link else None):
            if one.private_ip_address:
                names[_plain(name)][text(one.private_ip_address)] = None
    return tuple(EndpointName(name=name, addresses=tuple(ips)) for name, ips in names.items())


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _read_groups(look: Look) -> Found[ZoneGroup]:
    endpoints = look.read(PRIVATE_ENDPOINTS)
    asked = endpoints.items[:MOST_ENDPOINTS]
    lists = look.together(partial(_groups, look, one.id) for one in asked)
    return Found(
        items=tuple(group for groups in lists for group in groups),
        subscriptions=endpoints.subscriptions,
        unread=endpoints.unread,
        left_out=len(endpoints.items) - len(asked),
    )


def _groups(look: Look, endpoint: str) -> list[ZoneGroup]:
    place = resource_id(endpoint)
    groups = look.door_of(place.subscription).network.private_dns_zone_groups
    # Unlike everywhere else in this client the resource group comes second.
    found = groups.list(private_endpoint_name=place.name, resource_group_name=place.group)
    return [_group(one, endpoint) for one in found]


def _group(found: Any, endpoint: str) -> ZoneGroup:
    zones = [one.private_dns_zone_id for one in found.private_dns_zone_configs or ()]
    return ZoneGroup(
        id=id_of(found),
        endpoint=endpoint,
        zones=tuple(id_of(one) for one in zones if one),
        provisioning_state=text(found.provisioning_state),
    )


def _read_security(look: Look) -> tuple[SecurityGroup, ...]:
    """Those of the endpoints' subnets in the cluster's own networks."""
    endpoints, vnets = look.read(PRIVATE_ENDPOINTS), look.read(VNETS)
    with_endpoints = {one.subnet for one in endpoints.items}
    subnets = [one for vnet in vnets for one in vnet.subnets if one.id in with_endpoints]
    return groups_of(look, {one.security_group for one in subnets if one.security_group})


READERS = (
    TopicReader(PRIVATE_ENDPOINTS, _read_endpoints),
    TopicReader(ZONE_GROUPS, _read_groups),
    TopicReader(ENDPOINT_GROUPS, _read_security),
)
