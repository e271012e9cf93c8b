"""The metrics that the lab can count, and how Azure Monitor describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.samples import BALANCER, GATEWAY

AGGREGATIONS = ("Average", "Minimum", "Maximum", "Total", "Count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: the aggregation that it has by default, its unit and dimensions."""

    name: str
    title: str
    unit: str
    aggregation: str
    dimensions: tuple[str, ...]


_SNAT = ("FrontendIPAddress", "BackendIPAddress", "ProtocolType", "IsAwaitingRemoval")
_FRONT = ("FrontendIPAddress", "FrontendPort")
METRICS: Mapping[str, Sequence[Metric]] = {
    BALANCER: (
        Metric(
            name="AllocatedSnatPorts",
            title="Allocated SNAT Ports",
            unit="Count",
            aggregation="Average",
            dimensions=_SNAT,
        ),
        Metric(
            name="UsedSnatPorts",
            title="Used SNAT Ports",
            unit="Count",
            aggregation="Average",
            dimensions=_SNAT,
        ),
        Metric(
            name="SnatConnectionCount",
            title="SNAT Connection Count",
            unit="Count",
            aggregation="Total",
            dimensions=("FrontendIPAddress", "BackendIPAddress", "ConnectionState"),
        ),
        Metric(
            name="VipAvailability",
            title="Data Path Availability",
            unit="Count",
            aggregation="Average",
            dimensions=_FRONT,
        ),
        Metric(
            name="DipAvailability",
            title="Health Probe Status",
            unit="Count",
            aggregation="Average",
            dimensions=(*_FRONT, "BackendIPAddress", "BackendPort", "ProtocolType"),
        ),
    ),
    GATEWAY: (
        Metric(
            name="TotalConnectionCount",
            title="Total SNAT Connection Count",
            unit="Count",
            aggregation="Total",
            dimensions=("Protocol",),
        ),
    ),
}


def definition(identifier: str, namespace: str, metric: Metric) -> Document:
    """The definition of a metric of the resource `identifier` of type `namespace`."""
    return {
        "id": f"{identifier}/providers/microsoft.insights/metricdefinitions/{metric.name}",
        "resourceId": identifier,
        "namespace": namespace,
        "name": {"value": metric.name, "localizedValue": metric.title},
        "isDimensionRequired": False,
        "unit": metric.unit,
        "primaryAggregationType": metric.aggregation,
        "supportedAggregationTypes": list(AGGREGATIONS),
        "metricAvailabilities": [{"timeGrain": "PT1M", "retention": "P1D"}],
        "dimensions": [{"value": one, "localizedValue": one} for one in metric.dimensions],
    }
