"""Microsoft.Network/privateDnsZones: zones, their links and records, and changes of these."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.bodies import choice, properties_of, text
from pytest_aksnet.lab.arm.documents import Document, part, reference, resource
from pytest_aksnet.lab.arm.ids import resource_id, same
from pytest_aksnet.lab.arm.kinds import Call, Parts, Provider
from pytest_aksnet.lab.arm.network_vnets import network_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import PrivateZone, RecordSet, ZoneLink

ZONES = "Microsoft.Network/privateDnsZones"
_LINKS = f"{ZONES}/virtualNetworkLinks"
_APEX = "@"
_SOA_TTL = 3600


def zone_id(zone: PrivateZone) -> str:
    """The id of a zone. A name may be that of several, in different resource groups."""
    return resource_id(zone.resource_group, ZONES, zone.name)


# -- zones and links -------------------------------------------------------------------------


def _zones(world: World) -> Iterable[Document]:
    for zone in world.azure.private_zones.values():
        yield resource(
            zone.resource_group,
            ZONES,
            zone.name,
            {
                "internalId": "",
                "maxNumberOfRecordSets": 25_000,
                "numberOfRecordSets": len(zone.records) + 1,
                "maxNumberOfVirtualNetworkLinks": 1_000,
                "numberOfVirtualNetworkLinks": len(zone.links),
                "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
                "numberOfVirtualNetworkLinksWithRegistration": sum(
                    link.registration for link in zone.links
                ),
            },
            location="global",
            tags={},
        )


def _links(world: World, parent: Document) -> Iterable[Document]:
    zone = _zone_at(world, parent["id"])
    return [_link(world, parent, link) for link in zone.links]


def _link(world: World, parent: Document, link: ZoneLink) -> Document:
    document = part(
        parent["id"],
        _LINKS,
        link.name,
        {
            "virtualNetwork": reference(network_id(world.azure.networks[link.network])),
            "registrationEnabled": link.registration,
            "resolutionPolicy": "NxDomainRedirect" if link.fallback else "Default",
            "virtualNetworkLinkState": "Completed" if link.completed else "InProgress",
        },
    )
    return {**document, "location": "global", "tags": {}}


def _put_link(call: Call) -> web.Response:
    zone = _zone_at(call.world, call.parent["id"])
    body = properties_of(call.body)
    wanted = text(body.get("virtualNetwork") or {}, "id")
    for network in call.world.azure.networks.values():
        if same(network_id(network), wanted):
            break
    else:
        raise errors.bad_request(
            "BadRequest", f"The virtual network '{wanted}' could not be found."
        )
    name = call.target.names[-1]
    if any(one.network == network.name and not same(one.name, name) for one in zone.links):
        raise errors.ArmError(
            409,
            "Conflict",
            f"A virtual network link to '{wanted}' exists already in the zone '{zone.name}'.",
        )
    policy = body.get("resolutionPolicy")
    link = ZoneLink(
        name=name,
        network=network.name,
        registration=bool(body.get("registrationEnabled")),
        fallback=policy is not None
        and choice(body, "resolutionPolicy", ("Default", "NxDomainRedirect")) == "NxDomainRedirect",
    )
    zone.links[:] = [*(one for one in zone.links if not same(one.name, name)), link]
    call.world.azure.changed()
    return call.begin(_nothing(), _link(call.world, call.parent, link))


def _delete_link(call: Call) -> web.Response:
    zone = _zone_of(call)
    zone.links[:] = [one for one in zone.links if one.name != call.parent["name"]]
    call.world.azure.changed()
    return call.begin(_nothing())


def _zone_of(call: Call) -> PrivateZone:
    return _zone_at(call.world, resource_id(call.target.group, ZONES, call.target.names[0]))


def _zone_at(world: World, wanted: str) -> PrivateZone:
    zones = world.azure.private_zones.values()
    return next(zone for zone in zones if same(zone_id(zone), wanted))


async def _nothing() -> None:
    """What an operation gives that was done when it began."""


# -- records ---------------------------------------------------------------------------------


def _plain(field: str) -> tuple[Callable[[str], Document], Callable[[Mapping[str, Any]], str]]:
    """How a value of one field is written and read."""
    return lambda value: {field: value}, lambda record: text(record, field)


def _write_mx(value: str) -> Document:
    preference, exchange = value.split(" ", 1)
    return {"preference": int(preference), "exchange": exchange}


def _write_srv(value: str) -> Document:
    priority, weight, port, target = value.split(" ", 3)
    return {"priority": int(priority), "weight": int(weight), "port": int(port), "target": target}


_LISTED = {
    "A": ("aRecords", *_plain("ipv4Address")),
    "AAAA": ("aaaaRecords", *_plain("ipv6Address")),
    "PTR": ("ptrRecords", *_plain("ptrdname")),
    "MX": (
        "mxRecords",
        _write_mx,
        lambda record: f"{record.get('preference', 0)} {text(record, 'exchange')}",
    ),
    "SRV": (
        "srvRecords",
        _write_srv,
        lambda record: " ".join(
            [
                *(str(record.get(key, 0)) for key in ("priority", "weight", "port")),
                text(record, "target"),
            ]
        ),
    ),
    "TXT": (
        "txtRecords",
        lambda value: {"value": [value]},
        lambda record: "".join(record.get("value") or ()),
    ),
}
_KINDS = (*_LISTED, "CNAME", "SOA")


def _record(parent: Document, record: RecordSet) -> Document:
    values: Document = {}
    if record.kind == "CNAME":
        values = {"cnameRecord": {"cname": record.values[0]}}
    else:
        field, write, _ = _LISTED[record.kind]
        values = {field: [write(value) for value in record.values]}
    return _record_set(parent, record.kind, record.name, record.ttl, values)


def _soa(parent: Document) -> Document:
    """As Azure makes it for every private zone."""
    values = {
        "soaRecord": {
            "host": "azureprivatedns.net",
            "email": "azureprivatedns-host.microsoft.com",
            "serialNumber": 1,
            "refreshTime": 3600,
            "retryTime": 300,
            "expireTime": 2_419_200,
            "minimumTtl": 10,
        }
    }
    return _record_set(parent, "SOA", _APEX, _SOA_TTL, values)


def _record_set(parent: Document, kind: str, name: str, ttl: int, values: Document) -> Document:
    zone = parent["name"]
    fqdn = f"{zone}." if name == _APEX else f"{name}.{zone}."
    document = part(
        parent["id"],
        f"{ZONES}/{kind}",
        name,
        {"fqdn": fqdn, "ttl": ttl, "isAutoRegistered": False, **values},
    )
    del document["properties"]["provisioningState"]
    return document


def _all_records(world: World, parent: Document) -> Iterable[Document]:
    zone = _zone_at(world, parent["id"])
    return [_soa(parent), *(_record(parent, record) for record in zone.records)]


def _records_of(kind: str, world: World, parent: Document) -> Iterable[Document]:
    return [one for one in _all_records(world, parent) if one["type"] == f"{ZONES}/{kind}"]


def _put_record(kind: str, call: Call) -> web.Response:
    zone = _zone_at(call.world, call.parent["id"])
    body = properties_of(call.body)
    name = call.target.names[-1]
    ttl = body.get("ttl")
    if not isinstance(ttl, int) or ttl < 1:
        raise errors.bad_request("BadRequest", f"The record set {name} has an invalid TTL: {ttl}.")
    if kind == "CNAME":
        values = [text(body.get("cnameRecord") or {}, "cname")]
    else:
        field, _, read = _LISTED[kind]
        values = [read(one) for one in body.get(field) or ()]
    if not values:
        raise errors.bad_request(
            "BadRequest", f"The record set {name} of type {kind} has no records."
        )
    record = RecordSet(name=name, kind=kind, values=values, ttl=ttl)
    kept = [one for one in zone.records if not (same(one.name, name) and one.kind == kind)]
    if any(same(one.name, name) and "CNAME" in (one.kind, kind) for one in kept):
        raise errors.bad_request(
            "BadRequest", f"The record set {name} could not be made: a CNAME must be alone."
        )
    existed = len(kept) < len(zone.records)
    zone.records[:] = [*kept, record]
    call.world.azure.changed()
    return web.json_response(_record(call.parent, record), status=200 if existed else 201)


def _delete_record(kind: str, call: Call) -> web.Response:
    zone = _zone_of(call)
    name = call.parent["name"]
    zone.records[:] = [one for one in zone.records if not (one.name == name and one.kind == kind)]
    call.world.azure.changed()
    return web.Response(status=200)


_RECORD_PARTS: dict[str, Parts] = {f"{ZONES}/{kind}": partial(_records_of, kind) for kind in _KINDS}
_CHANGEABLE = tuple(kind for kind in _KINDS if kind != "SOA")

PROVIDER = Provider(
    tops={ZONES: _zones},
    parts={_LINKS: _links, f"{ZONES}/ALL": _all_records, **_RECORD_PARTS},
    puts={
        _LINKS: _put_link,
        **{f"{ZONES}/{kind}": partial(_put_record, kind) for kind in _CHANGEABLE},
    },
    deletes={
        _LINKS: _delete_link,
        **{f"{ZONES}/{kind}": partial(_delete_record, kind) for kind in _CHANGEABLE},
    },
)
