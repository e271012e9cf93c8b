"""Reads private DNS zones that concern the cluster, with their A records and links.

Zones are global, and may be in any subscription: they are looked for in those of the cluster, of
its virtual networks and their peers, and where zone groups say. Source: the REST API of
Microsoft.Network/privateDnsZones (2024-06-01).
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from azure.core.exceptions import AzureError

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.private_link import networks_near
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.refusals import Refused, refusal_of
from pytest_aksnet.arm.subscriptions import read_in
from pytest_aksnet.arm.values import id_of, text
from pytest_aksnet.model.arm import Sort
from pytest_aksnet.model.azure import CLUSTER
from pytest_aksnet.model.azure_private import (
    PRIVATE_ZONES,
    ZONE_GROUPS,
    ZONE_LINKS,
    ZONE_RECORDS,
    Found,
    PrivateZone,
    Unread,
    ZoneLink,
    ZoneRecord,
)
from pytest_aksnet.model.resource_id import resource_id

# Two readings per zone: a hub has one for each service of Azure that somebody uses.
MOST_ZONES = 60
_LINKED = "/privatednszones/"


def _read_zones(look: Look) -> Found[PrivateZone]:
    named = set(_named_zones(look))
    subscriptions = {resource_id(one).subscription for one in (*networks_near(look), *named)}
    found = read_in(look, subscriptions, partial(_zones, named), PRIVATE_ZONES)
    found = _with_named(look, found, named)
    # What is named by zone groups first, then by its kind: the others are only of interest for
    # the state of their links.
    ordered = sorted(found.items, key=lambda one: (one.id not in named, not one.is_of_endpoints))
    kept = tuple(ordered[:MOST_ZONES])
    return Found(
        items=kept,
        subscriptions=found.subscriptions,
        unread=found.unread,
        left_out=len(ordered) - len(kept),
    )


def _named_zones(look: Look) -> Iterator[str]:
    """Ids of zones that zone groups and the managed cluster name."""
    try:
        groups = look.read(ZONE_GROUPS).items
    except Refused:
        groups = ()  # that is a topic of its own: checks that need it ask for it
    yield from (zone for group in groups for zone in group.zones)
    own = look.read(CLUSTER).private_zone.lower()
    if _LINKED in own:
        yield own


def _with_named(look: Look, found: Found[PrivateZone], named: set[str]) -> Found[PrivateZone]:
    """The zones with those that are named and that a list lacks.

    A list has what may be read: of a subscription in which only some groups may be, it is not all.
    What is not there when it is asked for by name is gone.
    """
    listed = {one.id for one in found.items}
    asked = [
        one
        for one in sorted(named - listed)
        if resource_id(one).subscription in found.subscriptions
    ]
    answers = look.together(partial(_zone, look, one) for one in asked)
    unread = tuple(answer for answer in answers if isinstance(answer, Unread))
    partly = {one.subscription for one in unread}
    return Found(
        items=(*found.items, *(one for one in answers if isinstance(one, PrivateZone))),
        subscriptions=tuple(one for one in found.subscriptions if one not in partly),
        unread=(*found.unread, *unread),
    )


def _zone(look: Look, zone: str) -> PrivateZone | Unread | None:
    """A zone by its id; None where there is no such zone."""
    place = resource_id(zone)
    zones = look.door_of(place.subscription).private_dns.private_zones
    try:
        found = zones.get(place.group, place.name)
    except AzureError as error:
        refusal = refusal_of(error, PRIVATE_ZONES.actions)
        if refusal.sort is Sort.MISSING:
            return None
        if refusal.sort is not Sort.FORBIDDEN:
            raise
        return Unread(subscription=place.subscription, why=refusal.why, action=refusal.action)
    return PrivateZone(id=id_of(found), name=text(found.name).lower())


def _zones(named: set[str], door: Door) -> list[PrivateZone]:
    found = [
        (
            PrivateZone(id=id_of(one), name=text(one.name).lower()),
            one.number_of_virtual_network_links,
        )
        for one in door.private_dns.private_zones.list()
    ]
    return [zone for zone, links in found if zone.is_of_endpoints or links != 0 or zone.id in named]


def _read_records(look: Look) -> Found[ZoneRecord]:
    zones = look.read(PRIVATE_ZONES)
    api_server = look.read(CLUSTER).private_fqdn.rstrip(".").lower()
    wanted = [zone for zone in zones.items if zone.is_of_endpoints or zone.holds(api_server)]
    lists = look.together(partial(_records, look, zone) for zone in wanted)
    return Found(
        items=tuple(record for records in lists for record in records),
        subscriptions=zones.subscriptions,
        unread=zones.unread,
        left_out=zones.left_out,
    )


def _records(look: Look, zone: PrivateZone) -> list[ZoneRecord]:
    place = resource_id(zone.id)
    sets = look.door_of(place.subscription).private_dns.record_sets
    found = sets.list_by_type(place.group, place.name, "A")
    # A set may be empty, which is as if it was not there.
    return [_record(one, zone) for one in found if one.a_records is None or len(one.a_records)]


def _record(found: Any, zone: PrivateZone) -> ZoneRecord:
    addresses = [text(one.ipv4_address) for one in found.a_records or ()]
    own = text(found.name).lower()
    return ZoneRecord(
        id=id_of(found),
        zone=zone.id,
        name=zone.name if own == "@" else f"{own}.{zone.name}",
        addresses=tuple(addresses) if addresses and all(addresses) else None,
    )


def _read_links(look: Look) -> Found[ZoneLink]:
    zones = look.read(PRIVATE_ZONES)
    lists = look.together(partial(_links, look, zone.id) for zone in zones.items)
    return Found(
        items=tuple(link for links in lists for link in links),
        subscriptions=zones.subscriptions,
        unread=zones.unread,
        left_out=zones.left_out,
    )


def _links(look: Look, zone: str) -> list[ZoneLink]:
    place = resource_id(zone)
    links = look.door_of(place.subscription).private_dns.virtual_network_links
    return [_link(one, zone) for one in links.list(place.group, place.name)]


def _link(found: Any, zone: str) -> ZoneLink:
    return ZoneLink(
        id=id_of(found),
        zone=zone,
        vnet=id_of(found.virtual_network),
        state=text(found.virtual_network_link_state),
        provisioning_state=text(found.provisioning_state),
        policy=text(found.resolution_policy),
    )


READERS = (
    TopicReader(PRIVATE_ZONES, _read_zones),
    TopicReader(ZONE_RECORDS, _read_records),
    TopicReader(ZONE_LINKS, _read_links),
)
