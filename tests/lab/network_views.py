"""Short ways to write the views that a lab network is told: Services, policies, pods."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.network_views import (
    EndpointView,
    NamespaceView,
    PodView,
    PolicyView,
    ServicePortView,
)
from tests.lab.network_bench import Bench

CLUSTER_IP = "10.0.44.7"
PORT = 8081
NODE_PORT = 30080
HEALTH_PORT = 32100


def service(
    bench: Bench,
    backends: Mapping[str, int],
    *,
    protocol: str = "TCP",
    cluster_ip: str = CLUSTER_IP,
    node_port: int = 0,
    load_balancer_ip: str = "",
    external_local: bool = False,
    internal_local: bool = False,
    affinity_seconds: int = 0,
    source_ranges: Sequence[str] = (),
    target_port: int = 80,
) -> ServicePortView:
    """A Service whose endpoints are these pods, each on the node of that number."""
    return ServicePortView(
        namespace="shop",
        service=f"web-{cluster_ip}",
        port_name="http",
        protocol=protocol,
        cluster_ip=cluster_ip,
        port=PORT,
        node_port=node_port,
        load_balancer_ips=(load_balancer_ip,) if load_balancer_ip else (),
        external_local=external_local,
        internal_local=internal_local,
        affinity_seconds=affinity_seconds,
        health_check_node_port=HEALTH_PORT if external_local and load_balancer_ip else 0,
        source_ranges=tuple(source_ranges),
        endpoints=tuple(
            EndpointView(ip=bench.ips[name], port=target_port, node=bench.nodes[node])
            for name, node in backends.items()
        ),
    )


def pod(
    bench: Bench,
    name: str,
    node: int,
    labels: Mapping[str, str],
    *,
    namespace: str = "shop",
    named_ports: Mapping[tuple[str, str], int] | None = None,
) -> PodView:
    return PodView(
        namespace=namespace,
        name=name,
        node=bench.nodes[node],
        ip=bench.ips[name],
        labels=labels,
        named_ports=named_ports or {},
    )


def policy(spec: Mapping[str, object], *, namespace: str = "shop", name: str = "one") -> PolicyView:
    return PolicyView(namespace=namespace, name=name, spec=spec)


def namespace(name: str, **labels: str) -> NamespaceView:
    return NamespaceView(name=name, labels={"kubernetes.io/metadata.name": name, **labels})
