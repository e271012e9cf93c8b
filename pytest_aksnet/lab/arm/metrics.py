"""Microsoft.Insights: metrics of load balancers and NAT gateways, told from the lab's readings.

"Azure REST API reference: Metrics - List", and "Metrics Batch". The lab has the metrics that it can
count; asking for another one is answered as Azure answers for one that does not exist.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.arm import catalogue, errors
from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.filters import terms
from pytest_aksnet.lab.arm.ids import same
from pytest_aksnet.lab.arm.metric_kinds import AGGREGATIONS, METRICS, Metric, definition
from pytest_aksnet.lab.arm.metric_times import seconds_of, timestamp, unix_time
from pytest_aksnet.lab.arm.requests import Target, parse_path
from pytest_aksnet.lab.arm.samples import Samples, Series
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.spec import REGION

_MOST_POINTS = 11_000
_MOST_SERIES = 10  # unless one asks for more with `top`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """What is asked of a resource's metrics. Times are Unix seconds, `interval` too."""

    kind: str
    resource: str
    identifier: str
    metrics: Sequence[Metric]
    aggregations: Sequence[str]
    filters: Sequence[tuple[str, str]]
    start: int
    end: int
    interval: int
    top: int


def of_resource(
    world: World,
    samples: Samples,
    target: Target,
    kind: tuple[str, ...],
    query: Mapping[str, str],
) -> Document:
    """The answer to {resource}/providers/Microsoft.Insights/KIND. Raises ArmError."""
    about = parse_path(target.scope)
    if about is None or not about.is_one:
        raise errors.bad_request("BadRequest", f"{target.scope} is no resource.")
    identifier = catalogue.found(world, about)["id"]
    if kind == ("metricdefinitions",):
        metrics = METRICS.get(about.kind.casefold(), ())
        return {"value": [definition(identifier, about.kind, one) for one in metrics]}
    if kind != ("metrics",):
        raise errors.type_not_found(target.namespace, "/".join(target.types), "")
    now = samples.clock()
    span = query.get("timespan", "")
    first, _, last = span.partition("/")
    start = unix_time(first) if first else now - 3600
    end = unix_time(last) if last else now
    asked = _query(about, identifier, query, query.get("$filter"), start, end)
    samples.take()
    return {
        "cost": (asked.end - asked.start) // 60,
        "timespan": f"{timestamp(asked.start)}/{timestamp(asked.end)}",
        "interval": query.get("interval", "PT1M"),
        "value": [_answer(samples, asked, metric) for metric in asked.metrics],
        "namespace": about.kind,
        "resourceregion": REGION,
    }


def batch(world: World, samples: Samples, query: Mapping[str, str], body: Document) -> Document:
    """The answer to metrics:getBatch. Raises ArmError."""
    samples.take()
    now = samples.clock()
    start = unix_time(query["starttime"]) if "starttime" in query else now - 3600
    end = unix_time(query["endtime"]) if "endtime" in query else now
    values = []
    for identifier in body.get("resourceids") or ():
        about = parse_path(str(identifier))
        if about is None or not about.is_one:
            raise errors.bad_request("BadRequest", f"{identifier} is no resource.")
        found = catalogue.found(world, about)["id"]
        asked = _query(about, found, query, query.get("filter"), start, end)
        values.append(
            {
                "starttime": timestamp(asked.start),
                "endtime": timestamp(asked.end),
                "interval": query.get("interval", "PT1M"),
                "namespace": query.get("metricnamespace", about.kind),
                "resourceregion": REGION,
                "resourceid": found,
                "value": [_answer(samples, asked, metric) for metric in asked.metrics],
            }
        )
    return {"values": values}


def _query(
    about: Target,
    identifier: str,
    query: Mapping[str, str],
    wanted: str | None,
    start: float,
    end: float,
) -> _Query:
    kind = about.kind.casefold()
    known = METRICS.get(kind, ())
    names = [name.strip() for name in query.get("metricnames", "").split(",") if name.strip()]
    metrics = [_named(about, known, name) for name in names] or list(known[:1])
    aggregations = [one.strip() for one in query.get("aggregation", "").split(",") if one.strip()]
    for one in aggregations:
        if not any(same(one, good) for good in AGGREGATIONS):
            raise errors.bad_request("BadRequest", f"Unknown aggregation type: {one}.")
    interval = seconds_of(query.get("interval", "PT1M"))
    if end <= start or (end - start) / interval > _MOST_POINTS:
        raise errors.bad_request(
            "BadRequest", f"The time span {timestamp(start)}/{timestamp(end)} is empty or too long."
        )
    filters = terms(wanted) if wanted else []
    for metric in metrics:
        for name, _ in filters:
            if not any(same(name, dimension) for dimension in metric.dimensions):
                raise errors.bad_request(
                    "BadRequest",
                    f"Metric: {metric.name} does not support requested dimension "
                    f"combination: {name}, supported ones are: {','.join(metric.dimensions)}.",
                )
    return _Query(
        kind=kind,
        resource=about.names[-1],
        identifier=identifier,
        metrics=metrics,
        aggregations=aggregations,
        filters=filters,
        start=int(start) // interval * interval,
        end=int(end),
        interval=interval,
        top=int(query.get("top") or query.get("$top") or _MOST_SERIES),
    )


def _named(about: Target, known: Iterable[Metric], name: str) -> Metric:
    for metric in known:
        if same(metric.name, name):
            return metric
    valid = ",".join(metric.name for metric in known)
    raise errors.bad_request(
        "BadRequest",
        f"Failed to find metric configuration for provider: {about.namespace}, resource Type: "
        f"{'/'.join(about.types)}, metric: {name}, Valid metrics: {valid}",
    )


# -- answers ---------------------------------------------------------------------------------


def _answer(samples: Samples, asked: _Query, metric: Metric) -> Document:
    groups = _groups(samples, asked, metric)
    return {
        "id": f"{asked.identifier}/providers/Microsoft.Insights/metrics/{metric.name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": metric.name, "localizedValue": metric.title},
        "displayDescription": metric.title,
        "unit": metric.unit,
        "timeseries": [
            {
                "metadatavalues": [
                    {
                        "name": {"value": name.lower(), "localizedValue": name.lower()},
                        "value": value,
                    }
                    for name, value in key
                ],
                "data": list(_points(asked, metric, values)),
            }
            for key, values in sorted(groups.items())[: asked.top]
        ],
        "errorCode": "Success",
    }


_Values = dict[int, list[list[float]]]
_Key = tuple[tuple[str, str], ...]


def _groups(samples: Samples, asked: _Query, metric: Metric) -> dict[_Key, _Values]:
    """The readings by the dimensions that are asked for, then by interval, each series' apart."""
    groups: dict[_Key, _Values] = {} if asked.filters else {(): {}}
    for minute, readings in samples.minutes.items():
        if not asked.start <= minute < asked.end:
            continue
        start = asked.start + (minute - asked.start) // asked.interval * asked.interval
        for series, values in readings.items():
            key = _key(asked, metric, series)
            if key is not None:
                groups.setdefault(key, {}).setdefault(start, []).append(values)
    return groups


def _key(asked: _Query, metric: Metric, series: Series) -> _Key | None:
    """The group that a series is in; None for one that is not asked for."""
    here = (series.kind, series.metric)
    if here != (asked.kind, metric.name) or not same(series.resource, asked.resource):
        return None
    key = []
    for name, wanted in asked.filters:
        for dimension, value in series.dimensions:
            if same(dimension, name):
                if wanted != "*" and not same(wanted, value):
                    return None
                key.append((dimension, value))
    return tuple(key)


def _points(asked: _Query, metric: Metric, values: _Values) -> Iterator[Document]:
    aggregations = asked.aggregations or (metric.aggregation,)
    for start in range(asked.start, asked.end, asked.interval):
        point: Document = {"timeStamp": timestamp(start)}
        series = values.get(start)
        if series:
            for aggregation in aggregations:
                point[aggregation.lower()] = _aggregate(aggregation.lower(), series)
        yield point


def _aggregate(kind: str, series: Sequence[Sequence[float]]) -> float:
    every = [value for one in series for value in one]
    if kind == "minimum":
        return min(every)
    if kind == "maximum":
        return max(every)
    if kind == "total":
        return math.fsum(every)
    if kind == "count":
        return float(len(every))
    return math.fsum(every) / len(every)
