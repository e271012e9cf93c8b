"""Reads NAT gateways, and from Azure Monitor how many SNAT ports each machine has and uses.

Sources: the REST API of Microsoft.Network (2026-03-01) and of Microsoft.Insights (Metrics - List,
2024-02-01); the supported metrics of Microsoft.Network/loadBalancers.
"""

import datetime
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, ids_of, text
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_balancers import LOAD_BALANCERS, Balancer
from pytest_aksnet.model.azure_outbound import (
    NAT_GATEWAYS,
    OUTBOUND_ADDRESSES,
    SNAT_METRICS,
    NatGateway,
    OutboundAddress,
    SnatPorts,
)
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES, VNETS
from pytest_aksnet.model.resource_id import resource_id

# Samples come some minutes late; a frontend that is gone has none of the newest ones.
_SPAN_S = 15 * 60
_SAME_TIME_S = 3 * 60
_ALLOCATED, _USED = "AllocatedSnatPorts", "UsedSnatPorts"
# Without a filter values of addresses and protocols are averaged.
_DIMENSIONS = ("FrontendIPAddress", "BackendIPAddress", "ProtocolType")
# Series of a metric: 10 unless one asks for more.
_MOST_SERIES = 5000


def _read_gateways(look: Look) -> tuple[NatGateway, ...]:
    """Those of the nodes' group, and those of the pools' subnets wherever they are."""
    network = look.door.network
    there = list(network.nat_gateways.list(node_group_of(look)))
    known = {id_of(one) for one in there}
    pools = look.read(POOLS)
    used = {one for pool in pools for one in (pool.node_subnet, pool.pod_subnet) if one}
    attached = {
        subnet.nat_gateway
        for vnet in look.read(VNETS)
        for subnet in vnet.subnets
        if subnet.nat_gateway and (subnet.id in used or not used)
    }
    there += look.together(partial(_get_gateway, look, one) for one in sorted(attached - known))
    return tuple(map(_gateway, there))


def _get_gateway(look: Look, gateway: str) -> Any:
    place = resource_id(gateway)
    door = look.door_of(place.subscription)
    return door.network.nat_gateways.get(place.group, place.name)


def _gateway(found: Any) -> NatGateway:
    return NatGateway(
        id=id_of(found),
        sku=text(found.sku.name if found.sku else None).lower(),
        addresses=_both(found.public_ip_addresses, found.public_ip_addresses_v6),
        prefixes=_both(found.public_ip_prefixes, found.public_ip_prefixes_v6),
        subnets=None if found.subnets is None else ids_of(found.subnets),
    )


def _both(v4: Any, v6: Any) -> tuple[str, ...] | None:
    return None if v4 is None and v6 is None else (*ids_of(v4), *ids_of(v6))


def _read_addresses(look: Look) -> tuple[OutboundAddress, ...]:
    """Of the managed cluster, NAT gateways and outbound rules, wherever they are."""
    network = look.read(CLUSTER).network
    gateways = look.read(NAT_GATEWAYS)
    of_rules = (
        one
        for balancer in look.read(LOAD_BALANCERS)
        for frontend in balancer.frontends or ()
        if frontend.id in _outbound_frontends(balancer)
        for one in (frontend.public_address, frontend.public_prefix)
    )
    wanted = dict.fromkeys(
        (
            *(network.outbound_ids if network else ()),
            *(one for gateway in gateways for one in gateway.addresses or ()),
            *(one for gateway in gateways for one in gateway.prefixes or ()),
            *filter(None, of_rules),
        )
    )
    known = {
        one.id: OutboundAddress(id=one.id, range=one.ip, owner=one.attached_to)
        for one in look.read(PUBLIC_ADDRESSES)
    }
    elsewhere = [one for one in wanted if one not in known]
    found = look.together(partial(_get_address, look, one) for one in elsewhere)
    known |= {one.id: one for one in found}
    return tuple(known[one] for one in wanted)


def _outbound_frontends(balancer: Balancer) -> set[str]:
    return {one for rule in balancer.outbound_rules or () for one in rule.frontends or ()}


def _get_address(look: Look, address: str) -> OutboundAddress:
    place = resource_id(address)
    network = look.door_of(place.subscription).network
    if place.kind == "microsoft.network/publicipprefixes":
        prefix = network.public_ip_prefixes.get(place.group, place.name)
        return OutboundAddress(id=address, range=text(prefix.ip_prefix), owner="")
    found = network.public_ip_addresses.get(place.group, place.name)
    owner = id_of(found.ip_configuration or found.nat_gateway)
    return OutboundAddress(id=address, range=text(found.ip_address), owner=owner)


# -- metrics ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sample:
    """The newest value of one series, and when it was taken."""

    value: float
    at: float


def _read_ports(look: Look) -> tuple[SnatPorts, ...]:
    """Of each load balancer with an outbound rule."""
    balancers = [one.id for one in look.read(LOAD_BALANCERS) if one.outbound_rules]
    found = look.together(partial(_ask, look, one) for one in balancers)
    return tuple(
        one
        for balancer, metrics in zip(balancers, found, strict=True)
        for one in _ports(balancer, metrics)
    )


def _ask(look: Look, balancer: str) -> Mapping[str, Any]:
    now = time.time()
    answer = look.door.monitor.metrics.list(
        balancer,
        timespan=f"{_iso(now - _SPAN_S)}/{_iso(now)}",
        interval="PT1M",
        metricnames=f"{_ALLOCATED},{_USED}",
        aggregation="Average",
        filter=" and ".join(f"{one} eq '*'" for one in _DIMENSIONS),
        top=_MOST_SERIES,
    )
    return {text(metric.name.value): metric for metric in answer.value}


def _iso(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _ports(balancer: str, metrics: Mapping[str, Any]) -> Iterator[SnatPorts]:
    allocated = _newest(metrics[_ALLOCATED].timeseries) if _ALLOCATED in metrics else {}
    used = _newest(metrics[_USED].timeseries) if _USED in metrics else {}
    for ip, protocol in sorted({key[1:] for key in (*allocated, *used)}):
        shares, _ = _together(allocated, ip, protocol)
        taken, at = _together(used, ip, protocol)
        yield SnatPorts(
            balancer=balancer, ip=ip, protocol=protocol, allocated=shares, used=taken, at=at
        )


def _together(
    found: Mapping[tuple[str, ...], _Sample], ip: str, protocol: str
) -> tuple[float | None, float]:
    """The sum over all frontends, and the time of the newest."""
    mine = [sample for key, sample in found.items() if key[1:] == (ip, protocol)]
    if not mine:
        return None, 0.0
    newest = max(sample.at for sample in mine)
    return sum(one.value for one in mine if newest - one.at < _SAME_TIME_S), newest


def _newest(series: Iterable[Any] | None) -> dict[tuple[str, ...], _Sample]:
    """By frontend, backend and protocol; names of dimensions come back in lower case."""
    found: dict[tuple[str, ...], _Sample] = {}
    for one in series or ():
        dimensions = {
            text(part.name.value).lower(): text(part.value) for part in one.metadatavalues or ()
        }
        key = tuple(dimensions.get(name.lower(), "") for name in _DIMENSIONS)
        points = [
            _Sample(float(point.average), point.time_stamp.timestamp())
            for point in one.data or ()
            if point.average is not None
        ]
        if points:
            found[key] = max(points, key=lambda sample: sample.at)
    return found


READERS = (
    TopicReader(NAT_GATEWAYS, _read_gateways),
    TopicReader(OUTBOUND_ADDRESSES, _read_addresses),
    TopicReader(SNAT_METRICS, _read_ports),
)
