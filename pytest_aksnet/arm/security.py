"""Reads the network security groups of the cluster's subnets and of the nodes' resource group.

Source: the REST API of Microsoft.Network (2026-03-01), Network Security Groups.
"""

from collections.abc import Iterable
from typing import Any

from pytest_aksnet.arm.by_id import get_each
from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, ids_of, text, texts
from pytest_aksnet.arm.vnet import subnets_of_pools
from pytest_aksnet.model.azure_security import SECURITY_GROUPS, SecurityGroup, SecurityRule


def _read_groups(look: Look) -> tuple[SecurityGroup, ...]:
    """Those of the nodes' group are on its interfaces; a subnet's may be anywhere."""
    subnets = subnets_of_pools(look)
    group = node_group_of(look)
    there = list(look.door.network.network_security_groups.list(group))
    known = {id_of(one) for one in there}
    wanted = {one.security_group for one in subnets if one.security_group} - known
    return (*map(_group, there), *groups_of(look, wanted))


def groups_of(look: Look, wanted: Iterable[str]) -> tuple[SecurityGroup, ...]:
    """The security groups with these ids."""
    found = get_each(look, sorted(wanted), lambda door: door.network.network_security_groups)
    return tuple(map(_group, found))


def _group(found: Any) -> SecurityGroup:
    lists = (found.security_rules, found.default_security_rules)
    return SecurityGroup(
        id=id_of(found),
        is_whole=None not in lists and bool(found.default_security_rules),
        rules=(
            *(_rule(one, is_default=False) for one in found.security_rules or ()),
            *(_rule(one, is_default=True) for one in found.default_security_rules or ()),
        ),
        subnets=ids_of(found.subnets),
        interfaces=ids_of(found.network_interfaces),
    )


def _rule(found: Any, *, is_default: bool) -> SecurityRule:
    members = (
        found.source_application_security_groups,
        found.destination_application_security_groups,
    )
    return SecurityRule(
        id=id_of(found),
        name=text(found.name),
        priority=found.priority,
        direction=text(found.direction),
        access=text(found.access),
        protocol=text(found.protocol),
        sources=_one_or_more(found.source_address_prefix, found.source_address_prefixes),
        source_ports=_one_or_more(found.source_port_range, found.source_port_ranges),
        destinations=_one_or_more(
            found.destination_address_prefix, found.destination_address_prefixes
        ),
        destination_ports=_one_or_more(found.destination_port_range, found.destination_port_ranges),
        is_default=is_default,
        is_by_members=any(members),
    )


def _one_or_more(one: Any, more: Any) -> tuple[str, ...]:
    """ARM has one value in the singular field and several in the plural one."""
    return tuple(dict.fromkeys([*((text(one),) if one else ()), *texts(more)]))


READERS = (TopicReader(SECURITY_GROUPS, _read_groups),)
