"""Reads from Azure Monitor how many SNAT ports each machine has and uses.

Sources: the REST API of Microsoft.Insights (Metrics - List, 2024-02-01); the supported metrics of
Microsoft.Network/loadBalancers.
"""

import datetime
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import text
from pytest_aksnet.model.azure_balancers import LOAD_BALANCERS
from pytest_aksnet.model.azure_outbound import SNAT_METRICS, SnatPorts

# Samples come some minutes late; a frontend that is gone has none of the newest ones.
_SPAN_S = 15 * 60
_SAME_TIME_S = 3 * 60
_ALLOCATED, _USED = "AllocatedSnatPorts", "UsedSnatPorts"
# Without a filter values of addresses and protocols are averaged.
_DIMENSIONS = ("FrontendIPAddress", "BackendIPAddress", "ProtocolType")
# Series of a metric: 10 unless one asks for more.
_MOST_SERIES = 5000


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


READERS = (TopicReader(SNAT_METRICS, _read_ports),)
