"""Microsoft.Network: network security groups and route tables, and changes of what is in them."""

import ipaddress
from collections.abc import Iterable, Sequence

from aiohttp import web

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.bodies import choice, properties_of, text, texts
from pytest_aksnet.lab.arm.documents import Document, part, resource
from pytest_aksnet.lab.arm.ids import guid, resource_id, same
from pytest_aksnet.lab.arm.kinds import Call, Provider, embedded
from pytest_aksnet.lab.arm.network_vnets import references_to_subnets
from pytest_aksnet.lab.arm.security import GROUPS, group_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import Route, RouteTable, SecurityGroup, SecurityRule
from pytest_aksnet.lab.azure.security_rules import (
    DEFAULT_RULES,
    INTERNET,
    LOAD_BALANCER,
    PLATFORM_TAGS,
    VIRTUAL_NETWORK,
)

TABLES = "Microsoft.Network/routeTables"
_RULES = f"{GROUPS}/securityRules"
_ROUTES = f"{TABLES}/routes"
_TAGS = (VIRTUAL_NETWORK, LOAD_BALANCER, INTERNET, *PLATFORM_TAGS)
_PRIORITIES = range(100, 4097)
_NEXT_HOPS = ("VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None")


def table_id(table: RouteTable) -> str:
    """The id of a route table."""
    return resource_id(table.resource_group, TABLES, table.name)


# -- security groups -------------------------------------------------------------------------


def _groups(world: World) -> Iterable[Document]:
    for group in world.azure.security_groups.values():
        here = group_id(group)
        yield resource(
            group.resource_group,
            GROUPS,
            group.name,
            {
                "resourceGuid": guid(here),
                "securityRules": [_rule(here, rule) for rule in group.rules],
                "defaultSecurityRules": [_default_rule(here, rule) for rule in DEFAULT_RULES],
                "subnets": references_to_subnets(world, lambda one: one.security_group, group.name),
                "flushConnection": False,
            },
            tags={},
        )


def _rule(group: str, rule: SecurityRule) -> Document:
    return part(group, _RULES, rule.name, rule_properties(rule))


def _default_rule(group: str, rule: SecurityRule) -> Document:
    return part(group, f"{GROUPS}/defaultSecurityRules", rule.name, rule_properties(rule))


def rule_properties(rule: SecurityRule) -> Document:
    """A rule as ARM writes it: one value in the singular field, several in the plural one."""
    return {
        "protocol": rule.protocol,
        **_one_or_more("sourcePortRange", rule.source_ports),
        **_one_or_more("destinationPortRange", rule.destination_ports),
        **_one_or_more("sourceAddressPrefix", rule.sources),
        **_one_or_more("destinationAddressPrefix", rule.destinations),
        "access": rule.access,
        "priority": rule.priority,
        "direction": rule.direction,
    }


def _one_or_more(name: str, values: Sequence[str]) -> Document:
    plural = f"{name}es" if name.endswith("x") else f"{name}s"
    if len(values) == 1:
        return {name: values[0], plural: []}
    return {plural: list(values)}


def _put_rule(call: Call) -> web.Response:
    group = call.world.azure.security_groups[call.parent["name"]]
    rule = _read_rule(call)
    for other in group.rules:
        if (
            not same(other.name, rule.name)
            and other.priority == rule.priority
            and other.direction == rule.direction
        ):
            raise errors.bad_request(
                "SecurityRuleConflict",
                f"Security rule {rule.name} conflicts with rule {other.name}. Rules cannot have "
                "the same Priority and Direction.",
            )
    group.rules[:] = [*(one for one in group.rules if not same(one.name, rule.name)), rule]
    call.world.azure.changed()
    return call.begin(_nothing(), _rule(group_id(group), rule))


def _read_rule(call: Call) -> SecurityRule:
    body = properties_of(call.body)
    name = call.target.names[-1]
    priority = body.get("priority")
    if not isinstance(priority, int) or priority not in _PRIORITIES:
        raise errors.bad_request(
            "SecurityRuleInvalidPriority",
            f"Security rule has invalid Priority. Value provided: {priority}. Allowed range "
            f"{_PRIORITIES.start}-{_PRIORITIES.stop - 1}.",
        )
    rule = SecurityRule(
        name=name,
        priority=priority,
        direction=choice(body, "direction", ("Inbound", "Outbound")),
        access=choice(body, "access", ("Allow", "Deny")),
        protocol=choice(body, "protocol", ("*", "Tcp", "Udp", "Icmp")),
        sources=texts(body, "sourceAddressPrefix", "sourceAddressPrefixes"),
        source_ports=texts(body, "sourcePortRange", "sourcePortRanges"),
        destinations=texts(body, "destinationAddressPrefix", "destinationAddressPrefixes"),
        destination_ports=texts(body, "destinationPortRange", "destinationPortRanges"),
    )
    for prefix in (*rule.sources, *rule.destinations):
        _check_prefix(name, prefix)
    for port in (*rule.source_ports, *rule.destination_ports):
        _check_port(name, port)
    return rule


def _check_prefix(rule: str, prefix: str) -> None:
    if prefix in ("*", *_TAGS):
        return
    try:
        ipaddress.ip_network(prefix, strict=False)
    except ValueError as error:
        raise errors.bad_request(
            "SecurityRuleInvalidAddressPrefix",
            f"Security rule {rule} has invalid Address prefix. Value provided: {prefix}.",
        ) from error


def _check_port(rule: str, ports: str) -> None:
    first, _, last = ports.partition("-")
    numbers = [first, last or first]
    good = all(one.isdecimal() and int(one) <= 65535 for one in numbers)
    if ports != "*" and not (good and int(numbers[0]) <= int(numbers[1])):
        raise errors.bad_request(
            "SecurityRuleInvalidPortRange",
            f"Security rule {rule} has invalid Port range. Value provided: {ports}.",
        )


def _delete_rule(call: Call) -> web.Response:
    groups = call.world.azure.security_groups
    group: SecurityGroup = next(
        one for one in groups.values() if call.parent["id"].startswith(f"{group_id(one)}/")
    )
    group.rules[:] = [one for one in group.rules if one.name != call.parent["name"]]
    call.world.azure.changed()
    return call.begin(_nothing())


# -- route tables ----------------------------------------------------------------------------


def _tables(world: World) -> Iterable[Document]:
    for table in world.azure.route_tables.values():
        here = table_id(table)
        yield resource(
            table.resource_group,
            TABLES,
            table.name,
            {
                "resourceGuid": guid(here),
                "disableBgpRoutePropagation": False,
                "routes": [_route(here, route) for route in table.routes],
                "subnets": references_to_subnets(world, lambda one: one.route_table, table.name),
            },
            tags={},
        )


def _route(table: str, route: Route) -> Document:
    hop = {"nextHopIpAddress": route.next_hop_ip} if route.next_hop_ip else {}
    return part(
        table,
        _ROUTES,
        route.name,
        {
            "addressPrefix": route.prefix,
            "nextHopType": route.next_hop_type,
            **hop,
            "hasBgpOverride": False,
        },
    )


def _put_route(call: Call) -> web.Response:
    table = call.world.azure.route_tables[call.parent["name"]]
    body = properties_of(call.body)
    name, prefix = call.target.names[-1], text(body, "addressPrefix")
    try:
        ipaddress.ip_network(prefix)
    except ValueError as error:
        raise errors.bad_request(
            "InvalidAddressPrefixFormat",
            f"Address prefix {prefix} of resource {name} is not formatted correctly.",
        ) from error
    hop = choice(body, "nextHopType", _NEXT_HOPS)
    hop_ip = text(body, "nextHopIpAddress") if hop == "VirtualAppliance" else ""
    route = Route(name=name, prefix=prefix, next_hop_type=hop, next_hop_ip=hop_ip)
    table.routes[:] = [*(one for one in table.routes if not same(one.name, name)), route]
    call.world.azure.changed()
    return call.begin(_nothing(), _route(table_id(table), route))


def _delete_route(call: Call) -> web.Response:
    tables = call.world.azure.route_tables
    table = next(
        one for one in tables.values() if call.parent["id"].startswith(f"{table_id(one)}/")
    )
    table.routes[:] = [one for one in table.routes if one.name != call.parent["name"]]
    call.world.azure.changed()
    return call.begin(_nothing())


async def _nothing() -> None:
    """What an operation gives that was done when it began."""


PROVIDER = Provider(
    tops={GROUPS: _groups, TABLES: _tables},
    parts={
        _RULES: embedded("securityRules"),
        f"{GROUPS}/defaultSecurityRules": embedded("defaultSecurityRules"),
        _ROUTES: embedded("routes"),
    },
    puts={_RULES: _put_rule, _ROUTES: _put_route},
    deletes={_RULES: _delete_rule, _ROUTES: _delete_route},
)
