"""What must get to nodes for Services of Azure's load balancer, by the Services' own fields."""

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_aksnet.assertions.azure_frontends import (
    clients_of,
    load_balanced,
    probes_of,
    public_name,
)
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.marks import RUN_LABEL
from pytest_aksnet.model.peers import ServiceRef

_INSIDE = "10.224.0.4"


def service(
    name: str = "web",
    *,
    namespace: str = "shop",
    ip: str = "20.1.2.3",
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    port = {"port": 80, "protocol": "TCP", "nodePort": 31080}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": dict(annotations or {}),
            "labels": dict(labels or {}),
        },
        "spec": {"type": "LoadBalancer", "ports": [port], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}] if ip else []}},
    }


class Api:
    """Lists these Services; one namespace is of a run."""

    def __init__(self, *services: Json) -> None:
        self._services = list(services)

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        if path == "/api/v1/services":
            return self._services
        return [{"metadata": {"name": "aksnet-run", "labels": {RUN_LABEL: "r"}}}]

    def get(self, path: str) -> Json | None:
        raise NotImplementedError

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        raise NotImplementedError


def names(found: list[Json]) -> list[str]:
    return [one["metadata"]["name"] for one in found]


def test_services_of_other_runs_and_other_balancers_do_not_count() -> None:
    api = Api(
        service("mine", namespace="aksnet-run"),
        service("theirs", namespace="aksnet-run"),
        service("shop"),
        service("other", loadBalancerClass="example.com/lb"),
        service("early", ip=""),
        service("inner", type="ClusterIP"),
    )
    own = ServiceRef(namespace="aksnet-run", name="mine", cluster_ip="10.0.0.9", port=80)
    assert names(load_balanced(api, (own,))) == ["mine", "shop"]
    assert names(load_balanced(api, ())) == ["shop"]


def test_probes_go_to_node_ports_or_the_health_check() -> None:
    assert [one.port for one in probes_of(service())] == [31080]
    local = service(externalTrafficPolicy="Local", healthCheckNodePort=32000)
    assert [(one.protocol, one.port) for one in probes_of(local)] == [("tcp", 32000)]
    udp = service(ports=[{"port": 53, "protocol": "UDP", "nodePort": 31053}])
    assert list(probes_of(udp)) == []


@pytest.mark.parametrize(
    ("found", "sources"),
    [
        (service(ip="10.224.9.9"), [_INSIDE]),
        (service(loadBalancerSourceRanges=["198.51.100.0/24"]), ["198.51.100.0"]),
        (
            service(
                annotations={
                    "service.beta.kubernetes.io/azure-allowed-ip-ranges": "9.9.9.0/24, 8.8.8.8/32"
                }
            ),
            ["9.9.9.0", "8.8.8.8"],
        ),
        (
            service(
                annotations={"service.beta.kubernetes.io/azure-allowed-service-tags": "AzureCloud"}
            ),
            [],
        ),
        # No client of that family is known.
        (service(ip="10.224.9.9", loadBalancerSourceRanges=["fd00::/64"]), []),
    ],
)
def test_clients_come_from_where_the_service_says(found: Json, sources: list[str]) -> None:
    assert [one.source for one in clients_of(found, _INSIDE)] == sources


def test_a_public_frontend_is_called_from_the_internet() -> None:
    [one] = clients_of(service(), _INSIDE)
    assert (one.destination, one.port, one.protocol) == ("20.1.2.3", 80, "tcp")
    assert not one.source.startswith("10.")
    assert public_name(service()) == "shop/web"
    assert public_name(service(ip="10.224.9.9")) == ""
