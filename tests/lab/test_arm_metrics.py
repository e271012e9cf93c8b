"""Metrics by the unmodified clients: what they count, and what they refuse."""

import dataclasses
import datetime
from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError

from pytest_aksnet.lab.kernel.conntrack_table import Flow
from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import Clients, walk
from tests.lab.arm_server import NODE_GROUP, RunningArm, arm_server

_PUBLIC = "198.51.100.1"


@pytest.fixture
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions(outbound_ports=2048)) as running:
        yield running


def _flow(source: str, port: int, destination: str, protocol: int = 6) -> Flow:
    return Flow(
        protocol=protocol,
        source=source,
        source_port=port,
        destination=destination,
        destination_port=443,
        reply_source=destination,
        reply_destination=_PUBLIC,
        reply_destination_port=port,
    )


def _balancer(clients: Clients) -> str:
    return (
        f"/subscriptions/{clients.subscription}/resourceGroups/{NODE_GROUP}/providers"
        "/Microsoft.Network/loadBalancers/kubernetes"
    )


def _span() -> str:
    now = datetime.datetime.now(datetime.UTC)
    start, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=1)
    return f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"


def _last(points: list[object], aggregation: str) -> float:
    values = [getattr(point, aggregation) for point in points]
    return next(float(value) for value in reversed(values) if value is not None)


def test_used_and_allocated_ports_per_node(arm: RunningArm) -> None:
    clients, nodes = arm.clients, arm.world.spec.nodes
    arm.network.flows = [
        _flow(nodes[0].ip, 1024, "203.0.113.80"),
        _flow(nodes[0].ip, 1025, "203.0.113.80"),
        _flow(nodes[0].ip, 1025, "203.0.113.81"),  # the same port again
        _flow(nodes[0].ip, 1026, "203.0.113.80", protocol=17),
        _flow(nodes[1].ip, 3072, "203.0.113.80"),
    ]
    answer = clients.monitor.metrics.list(
        _balancer(clients),
        timespan=_span(),
        interval="PT1M",
        metricnames="AllocatedSnatPorts,UsedSnatPorts",
        aggregation="Maximum",
        filter="BackendIPAddress eq '*' and ProtocolType eq 'TCP'",
    )
    walk(answer)
    found: dict[str, dict[str, float]] = {}
    for metric in answer.value:
        assert metric.error_code == "Success"
        for series in metric.timeseries:
            named = {one.name.value: one.value for one in series.metadatavalues}
            assert named["protocoltype"] == "TCP"
            found.setdefault(metric.name.value, {})[named["backendipaddress"]] = _last(
                series.data, "maximum"
            )
    assert found["AllocatedSnatPorts"] == {node.ip: 2048.0 for node in nodes}
    assert found["UsedSnatPorts"] == {nodes[0].ip: 2.0, nodes[1].ip: 1.0, nodes[2].ip: 0.0}


def test_points_before_the_lab_have_no_value(arm: RunningArm) -> None:
    clients = arm.clients
    answer = clients.monitor.metrics.list(_balancer(clients), timespan=_span())
    [metric] = answer.value  # the first one, where none is named
    [series] = metric.timeseries
    assert 5 <= len(series.data) <= 7
    assert series.data[0].average is None
    assert _last(series.data, "average") == 2048.0


def test_probes_are_metrics_too(arm: RunningArm) -> None:
    clients, nodes = arm.clients, arm.world.spec.nodes
    arm.add_service("web", "198.51.100.17", up=[nodes[0].name])
    answer = clients.monitor.metrics.list(
        _balancer(clients),
        timespan=_span(),
        metricnames="DipAvailability",
        filter="BackendIPAddress eq '*'",
    )
    by_node = {
        series.metadatavalues[0].value: _last(series.data, "average")
        for series in answer.value[0].timeseries
    }
    assert by_node == {nodes[0].ip: 100.0, nodes[1].ip: 0.0, nodes[2].ip: 0.0}
    names = {one.name.value for one in clients.monitor.metric_definitions.list(_balancer(clients))}
    assert names >= {"AllocatedSnatPorts", "UsedSnatPorts", "DipAvailability", "VipAvailability"}


def test_probes_of_ipv6_frontends_are_of_ipv6_backends(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("arm")
    with arm_server(folder, LabOptions(dual_stack=True)) as arm:
        nodes = arm.world.spec.nodes
        arm.add_service("web", "2001:db8:100::101", up=[nodes[0].name])
        answer = arm.clients.monitor.metrics.list(
            _balancer(arm.clients),
            timespan=_span(),
            metricnames="DipAvailability",
            filter="BackendIPAddress eq '*'",
        )
        found = {series.metadatavalues[0].value for series in answer.value[0].timeseries}
        assert found == {node.ip6 for node in nodes}


def test_the_data_plane_says_the_same(arm: RunningArm) -> None:
    clients, nodes = arm.clients, arm.world.spec.nodes
    arm.network.flows = [_flow(nodes[0].ip, 1024, "203.0.113.80")]
    [result] = clients.metrics.query_resources(
        resource_ids=[_balancer(clients)],
        metric_namespace="Microsoft.Network/loadBalancers",
        metric_names=["UsedSnatPorts"],
        timespan=datetime.timedelta(minutes=5),
        granularity=datetime.timedelta(minutes=1),
        aggregations=["Maximum"],
        filter="BackendIPAddress eq '*'",
    )
    [metric] = result.metrics
    used = {
        series.metadata_values["backendipaddress"]: _last(series.data, "maximum")
        for series in metric.timeseries
    }
    assert used == {nodes[0].ip: 1.0, nodes[1].ip: 0.0, nodes[2].ip: 0.0}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"metricnames": "Nothing"}, "Valid metrics: AllocatedSnatPorts"),
        ({"interval": "soon"}, "interval"),
        ({"timespan": "yesterday/today"}, "time"),
        ({"aggregation": "Median"}, "aggregation"),
        ({"filter": "Colour eq 'red'"}, "dimension"),
        ({"filter": "nonsense"}, "filter"),
    ],
)
def test_what_is_no_metric(wrong: dict[str, str], words: str, arm: RunningArm) -> None:
    asked = {"timespan": _span(), "metricnames": "UsedSnatPorts", **wrong}
    with pytest.raises(HttpResponseError, match=words) as refused:
        arm.clients.monitor.metrics.list(_balancer(arm.clients), **asked)
    assert refused.value.status_code == 400


def test_a_nat_gateway_counts_its_connections(tmp_path_factory: pytest.TempPathFactory) -> None:
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions(egress="nat-gateway")) as arm:
        node = arm.world.spec.nodes[0].ip
        flow = _flow(node, 1024, "203.0.113.80")
        public = arm.world.spec.nat_gateway_ip
        arm.network.flows = [dataclasses.replace(flow, reply_destination=public)]
        gateway = _balancer(arm.clients).partition("loadBalancers/")[0] + "natGateways/aks-natgw"
        answer = arm.clients.monitor.metrics.list(
            gateway, timespan=_span(), aggregation="Maximum", filter="Protocol eq 'TCP'"
        )
        assert _last(answer.value[0].timeseries[0].data, "maximum") == 1.0
