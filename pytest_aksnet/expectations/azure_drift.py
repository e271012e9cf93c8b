"""Settings of a cluster in Azure, against those that the site file wants; and how they are written.

Pure. Source of the promise: the site file itself.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure import AzurePool, ManagedCluster
from pytest_aksnet.model.azure_profile import Path, Setting, path_text
from pytest_aksnet.model.azure_routes import RouteTable, UserRoute
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule
from pytest_aksnet.model.azure_vnet import PublicAddress, VirtualNetwork
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.resource_id import shown_by

SITE = "the section [azure_profile] of the site file; MCSB NS-7"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A setting as ARM has it: None where its answer lacks it. `resource` is whose it is."""

    value: Setting | None
    resource: str


Settings = Mapping[Path, Live]


def of_cluster(cluster: ManagedCluster) -> dict[Path, Live]:
    """Settings of the managed cluster itself."""
    plan = cluster.network
    said: dict[str, Setting | None] = {
        "outbound_type": plan.outbound_type if plan else None,
        "network_policy": plan.policy if plan else None,
        "data_plane": plan.data_plane if plan else None,
        "load_balancer_sku": plan.balancer_sku if plan else None,
        "private_cluster": cluster.is_private,
        "authorized_ranges": cluster.authorized_ranges,
        "upgrade_channel": cluster.upgrade_channel,
        "node_os_channel": cluster.node_os_channel,
    }
    return {(key,): _live(value, cluster.id) for key, value in said.items()}


def of_pools(pools: Iterable[AzurePool]) -> dict[Path, Live]:
    """Settings of agent pools."""
    return {
        ("pools", pool.name, key): _live(value, pool.id)
        for pool in pools
        for key, value in (
            ("vm_size", pool.vm_size),
            ("os_sku", pool.os_sku),
            ("max_pods", pool.max_pods or None),
            ("max_surge", pool.max_surge),
            ("max_unavailable", pool.max_unavailable),
            ("subnet", _name(pool.node_subnet)),
            ("pod_subnet", _name(pool.pod_subnet)),
        )
    }


def of_networks(
    vnets: Sequence[VirtualNetwork],
    groups: Iterable[SecurityGroup] | None,
    tables: Iterable[RouteTable] | None,
) -> dict[Path, Live]:
    """The virtual network's own DNS servers, and what is attached to subnets.

    `groups` and `tables` name their subnets too: what neither side names is not attached. They are
    None where they are not known.
    """
    by_group = None if groups is None else {one for group in groups for one in group.subnets}
    by_table = None if tables is None else {one for table in tables for one in table.subnets}
    found: dict[Path, Live] = {}
    for vnet in vnets:
        servers = vnet.dns_servers or None
        found.setdefault(("dns_servers",), Live(value=servers, resource=vnet.id))
        for subnet in vnet.subnets:
            name = _name(subnet.id)
            for key, attached, users in (
                ("security_group", subnet.security_group, by_group),
                ("route_table", subnet.route_table, by_table),
                ("nat_gateway", subnet.nat_gateway, None),
            ):
                is_free = users is not None and subnet.id not in users
                value = _name(attached) or ("" if is_free else None)
                found["subnets", name, key] = Live(value=value, resource=subnet.id)
    return found


def of_outbound(cluster: ManagedCluster, addresses: Iterable[PublicAddress]) -> dict[Path, Live]:
    """The public addresses that the cluster leaves with."""
    known = {one.id: one.ip for one in addresses}
    plan = cluster.network
    ips = [known.get(one, "") for one in plan.outbound_ids] if plan else []
    value = tuple(sorted(ips)) if plan and all(ips) else None
    return {("outbound_ips",): Live(value=value, resource=cluster.id)}


def of_groups(groups: Iterable[SecurityGroup]) -> dict[Path, Live]:
    """The own rules of each security group, a line for each."""
    return {
        ("security_groups", group.name): Live(
            value=tuple(_rule(one) for one in _in_order(group.rules)), resource=group.id
        )
        for group in groups
    }


def of_tables(tables: Iterable[RouteTable]) -> dict[Path, Live]:
    """The routes of each route table, a line for each."""
    return {
        ("route_tables", table.name): Live(
            value=tuple(sorted(map(_route, table.routes))), resource=table.id
        )
        for table in tables
    }


def _in_order(rules: Iterable[SecurityRule]) -> list[SecurityRule]:
    own = [rule for rule in rules if not rule.is_default]
    return sorted(own, key=lambda rule: (rule.direction, rule.priority or 0))


def _rule(rule: SecurityRule) -> str:
    sources, targets = ",".join(rule.sources), ",".join(rule.destinations)
    ports = ",".join(rule.destination_ports)
    return (
        f"{rule.direction} {rule.priority} {rule.access} {rule.protocol} "
        f"{sources} -> {targets} {ports} ({rule.name})"
    )


def _route(route: UserRoute) -> str:
    hop = f"{route.next_hop} {route.next_hop_ip}".strip()
    return f"{route.prefix} -> {hop} ({route.name})"


def _live(value: Setting | None, resource: str) -> Live:
    """A setting of which an empty text means that ARM's answer lacks it."""
    return Live(value=None if value == "" else value, resource=resource)


def _name(resource: str) -> str:
    return resource.rpartition("/")[2]


def judge_drift(wanted: Mapping[Path, Setting], live: Settings) -> Finding:
    """Whether each wanted setting is as wanted; every one that differs is named with both."""
    findings = [_judge(path, value, live) for path, value in wanted.items()]
    unlike = [one for one in findings if one.resource]
    if len(unlike) < 2:
        return together(findings)
    first = unlike[0].resource
    changes = [
        one.change
        if one.resource == first
        else f"{one.change} of {one.resource} ({shell_line(shown_by(one.resource))})"
        for one in unlike
    ]
    return failed(
        "; ".join(one.verdict.sentence for one in unlike),
        resource=first,
        change="; ".join(changes),
        source=SITE,
    )


def _judge(path: Path, value: Setting, live: Settings) -> Finding:
    what = path_text(path)
    # Names of resources differ by more than case, and ids are known in lower case.
    found = live.get(tuple(part.lower() for part in path))
    if found is None:
        return open_(f"{what}: ARM shows no such thing ({_absent(path, live)})", source=SITE)
    if found.value is None and value in ("", ()):
        return passed(f"{what} has no value", source=SITE)
    if found.value is None:
        return open_(f"{what}: ARM's answer does not tell it", source=SITE)
    if _plain(found.value) == _plain(value):
        return passed(f"{what} is {_text(value)}", source=SITE)
    kind = found.resource.rpartition("/")[2]
    return failed(
        f"{what} should be {_text(value)} and is {_text(found.value)} ({kind})",
        resource=found.resource,
        change=f"{what}: {_text(value)}{_difference(value, found.value)}",
        source=SITE,
    )


def _absent(path: Path, live: Settings) -> str:
    names = sorted({one[1] for one in live if len(one) > 1 and one[0] == path[0]})
    return f"{path[0]} are {', '.join(names) or 'none'}"


def _difference(wanted: Setting, found: Setting) -> str:
    if not isinstance(wanted, tuple) or not isinstance(found, tuple):
        return ""
    more = [one for one in wanted if one.lower() not in {two.lower() for two in found}]
    less = [one for one in found if one.lower() not in {two.lower() for two in wanted}]
    parts = (
        f"without {', '.join(less)}" if less else "",
        f"with {', '.join(more)}" if more else "",
    )
    said = " and ".join(filter(None, parts))
    return f", {said}" if said else ""


def _plain(value: Setting) -> object:
    """What is compared: neither case nor the order of a list counts in ARM."""
    if isinstance(value, tuple):
        return sorted(one.lower() for one in value)
    return value.lower() if isinstance(value, str) else value


def _text(value: Setting) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) or "none"


def written(live: Settings) -> str:
    """The section as of now, in TOML, to be pasted into a site file. What is not told is left out.

    The rest of the file must not follow it: what comes after belongs to the last table.
    """
    tables: dict[Path, list[str]] = {("azure_profile",): []}
    for path, one in live.items():
        if one.value is not None:
            place = ("azure_profile", *path[:-1])
            tables.setdefault(place, []).append(f"{_key(path[-1])} = {_toml(one.value)}")
    return "\n\n".join(
        "\n".join([f"[{'.'.join(map(_key, place))}]", *lines]) for place, lines in tables.items()
    )


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else json.dumps(text)


def _toml(value: Setting) -> str:
    """A value of JSON, and of TOML as well: booleans, whole numbers, strings and lists of them."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
