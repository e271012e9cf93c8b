"""Services as kube-proxy in each of its modes and Cilium serve them, with real packets.

What the three do differently on purpose is said here: kube-proxy masquerades what pods send to node
ports and load balancers, Cilium translates it at the pod.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from pytest_aksnet.lab.options import MODES
from tests.lab.network_bench import Bench, Probe
from tests.lab.network_views import CLUSTER_IP, HEALTH_PORT, NODE_PORT, PORT, service

LB_IP = "198.51.100.20"
SILENT = 0.25


QUICK = [("overlay", "iptables"), ("node-subnet", "nftables"), ("overlay", "cilium")]
REST = [
    (mode, proxy)
    for mode in MODES
    for proxy in ("iptables", "nftables", "cilium")
    if (mode, proxy) not in (*QUICK, ("kubenet", "cilium"))
]


@pytest.fixture(
    scope="module",
    params=[*QUICK, *(pytest.param(one, marks=pytest.mark.thorough) for one in REST)],
    ids=lambda param: "-".join(param),
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    mode, proxy = request.param
    if proxy == "cilium":
        made = Bench(mode, "cilium")
    else:
        made = Bench(mode, settings=[f"service-proxy={proxy}"])
    for name, node in (("client", 0), ("web0", 0), ("web1", 1), ("client2", 2)):
        made.add_pod(name, node)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_services_left(bench: Bench) -> Iterator[None]:
    yield
    bench.services()


def _of_node(bench: Bench, number: int) -> set[str]:
    """What a node may masquerade with: its address, or that of its bridge (kubenet)."""
    node = bench.spec.nodes[number]
    bridge = {str(next(ip_network(node.pod_cidr).hosts()))} if node.pod_cidr else set()
    return {node.ip} | (bridge if bench.spec.mode == "kubenet" else set())


def _by_socket(bench: Bench) -> bool:
    """Whether clients in the cluster are translated where they connect, without masquerade."""
    return bench.spec.engine == "cilium"


def _many(bench: Bench, start: str, ip: str, port: int, count: int = 24) -> Counter[str]:
    probes = [Probe(start=start, ip=ip, port=port) for _ in range(count)]
    return Counter(answer.by for answer in bench.look_many(probes))


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_cluster_ip_spreads_over_endpoints_and_keeps_the_pods_address(
    bench: Bench, protocol: str
) -> None:
    bench.services(service(bench, {"web0": 0, "web1": 1}, protocol=protocol.upper()))
    seen = bench.look_many(
        [Probe(start="client", ip=CLUSTER_IP, port=PORT, protocol=protocol) for _ in range(24)]
    )
    assert {one.by for one in seen} == {"web0", "web1"}
    assert {one.source for one in seen} == {bench.ips["client"]}


def test_cluster_ip_serves_nodes(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}))
    for node in (0, 1):
        seen = bench.look(bench.nodes[node], CLUSTER_IP, PORT)
        assert seen.by == "web1"
        assert seen.source in _of_node(bench, node)


def test_pod_reaches_itself_through_a_service_with_its_nodes_address(bench: Bench) -> None:
    bench.services(service(bench, {"web0": 0}))
    seen = bench.look("web0", CLUSTER_IP, PORT)
    assert seen.by == "web0"
    assert seen.source in _of_node(bench, 0)


def test_service_without_endpoints_refuses(bench: Bench) -> None:
    bench.services(service(bench, {}, node_port=NODE_PORT, load_balancer_ip=LB_IP))
    for start in ("client", bench.nodes[1]):
        assert bench.look(start, CLUSTER_IP, PORT).outcome == "refused"
        assert bench.look(start, bench.nodes[0], NODE_PORT).outcome == "refused"
    assert bench.look("client", LB_IP, PORT).outcome == "refused"
    # In iptables mode nothing in OUTPUT leads to KUBE-EXTERNAL-SERVICES: Azure's balancer decides.
    of_node = bench.look(bench.nodes[1], LB_IP, PORT, timeout=SILENT).outcome
    assert of_node == ("timeout" if bench.spec.kube_proxy == "iptables" else "refused")


def test_unknown_service_address_is_silent(bench: Bench) -> None:
    assert bench.look("client", "10.0.200.1", PORT, timeout=SILENT).outcome == "timeout"


def test_internal_local_serves_from_the_clients_node_only(bench: Bench) -> None:
    bench.services(service(bench, {"web0": 0, "web1": 1}, internal_local=True))
    assert _many(bench, "client", CLUSTER_IP, PORT) == {"web0": 24}
    assert bench.look("client2", CLUSTER_IP, PORT, timeout=SILENT).outcome == "timeout"


def test_affinity_keeps_a_client_at_its_endpoint(bench: Bench) -> None:
    bench.services(service(bench, {"web0": 0, "web1": 1}, affinity_seconds=600))
    first = bench.look("client", CLUSTER_IP, PORT).by
    assert _many(bench, "client", CLUSTER_IP, PORT) == {first: 24}
    bench.services(service(bench, {"web0": 0, "web1": 1, "client2": 2}, affinity_seconds=600))
    assert _many(bench, "client", CLUSTER_IP, PORT) == {first: 24}


def test_node_port_cluster_shows_the_node_that_received_the_packet(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT))
    for number, node in enumerate(bench.nodes):
        seen = bench.look("vm", node, NODE_PORT)
        assert seen.by == "web1"
        assert seen.source in _of_node(bench, number)
    for start in ("client", bench.nodes[0]):
        seen = bench.look(start, bench.nodes[2], NODE_PORT)
        translated_there = {bench.ips[start]} if _by_socket(bench) else _of_node(bench, 2)
        assert seen.source in translated_there


def test_node_port_local_keeps_the_client_and_is_silent_without_endpoint(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT, external_local=True))
    assert bench.look("vm", bench.nodes[1], NODE_PORT).source == bench.ips["vm"]
    assert bench.look("vm", bench.nodes[0], NODE_PORT, timeout=SILENT).outcome == "timeout"
    other = bench.look(bench.nodes[0], bench.nodes[1], NODE_PORT)
    assert other.source == bench.ips[bench.nodes[0]]


def test_node_port_local_serves_the_node_itself_from_anywhere(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT, external_local=True))
    seen = bench.look(bench.nodes[0], bench.nodes[0], NODE_PORT)
    assert (seen.by, seen.source) == ("web1", bench.ips[bench.nodes[0]])


def test_node_port_local_of_own_node_serves_pods_from_anywhere(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT, external_local=True))
    seen = bench.look("client", bench.nodes[0], NODE_PORT)
    assert (seen.by, seen.source) == ("web1", bench.ips["client"])
    other = bench.look("client", bench.nodes[2], NODE_PORT, timeout=SILENT).outcome
    assert other == ("ok" if _by_socket(bench) else "timeout")


@pytest.mark.parametrize(("local", "source"), [(False, "node"), (True, "client")])
def test_pods_use_load_balancer_addresses_without_leaving_the_cluster(
    bench: Bench, local: bool, source: str
) -> None:
    bench.services(
        service(
            bench,
            {"web1": 1},
            node_port=NODE_PORT,
            load_balancer_ip=LB_IP,
            external_local=local,
        )
    )
    masqueraded = source == "node" and not _by_socket(bench)
    expected = bench.ips[bench.nodes[0]] if masqueraded else bench.ips["client"]
    seen = bench.look("client", LB_IP, PORT)
    assert (seen.by, seen.source) == ("web1", expected)


def test_health_check_node_port_counts_local_endpoints(bench: Bench) -> None:
    bench.services(
        service(
            bench,
            {"web1": 1},
            node_port=NODE_PORT,
            load_balancer_ip=LB_IP,
            external_local=True,
        )
    )
    answers = [
        bench.run("vm", "curl", "-si", f"http://{bench.ips[node]}:{HEALTH_PORT}/healthz")
        for node in bench.nodes
    ]
    assert [one.split()[1] for one in answers] == ["503", "200", "503"]
    assert '"localEndpoints": 1' in answers[1]
    assert "X-Load-Balancing-Endpoint-Weight: 1" in answers[1]
    bench.services()
    assert bench.look("vm", bench.nodes[1], HEALTH_PORT).outcome == "refused"


def test_service_proxy_says_that_it_is_healthy(bench: Bench) -> None:
    answer = bench.run(
        bench.nodes[0], "curl", "-si", f"http://{bench.ips[bench.nodes[0]]}:10256/healthz"
    )
    assert answer.startswith("HTTP/1.1 200")
    assert "lastUpdated" in answer


def test_udp_client_does_not_stick_to_an_endpoint_that_went(bench: Bench) -> None:
    bench.services(service(bench, {"web0": 0}, protocol="UDP"))
    probe = Probe(start="client", ip=CLUSTER_IP, protocol="udp", port=PORT, source_port=40001)
    assert bench.look_many([probe])[0].by == "web0"
    bench.services(service(bench, {"web1": 1}, protocol="UDP"))
    assert bench.look_many([probe])[0].by == "web1"


def test_udp_client_gets_the_first_endpoint_that_comes(bench: Bench) -> None:
    bench.services(service(bench, {}, protocol="UDP"))
    probe = Probe(
        start="client", ip=CLUSTER_IP, protocol="udp", port=PORT, source_port=40002, timeout=SILENT
    )
    assert bench.look_many([probe])[0].outcome == "refused"
    bench.services(service(bench, {"web1": 1}, protocol="UDP"))
    assert bench.look_many([probe])[0].by == "web1"


def test_other_ports_of_a_cluster_ip_are_refused_in_nftables_mode_only(bench: Bench) -> None:
    bench.services(service(bench, {"web0": 0}))
    seen = bench.look("client", CLUSTER_IP, PORT + 1, timeout=SILENT).outcome
    assert seen == ("refused" if bench.spec.kube_proxy == "nftables" else "timeout")


def test_node_ports_are_on_loopback_in_iptables_mode_only(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT))
    seen = bench.look(bench.nodes[0], "127.0.0.1", NODE_PORT, timeout=SILENT)
    assert seen.by == ("web1" if bench.spec.kube_proxy == "iptables" else "")


def test_endpoints_that_end_serve_while_no_other_is_ready(bench: Bench) -> None:
    ready = service(bench, {"web1": 1}, node_port=NODE_PORT, external_local=True)
    draining = replace(service(bench, {}), draining=ready.endpoints)
    bench.services(draining)
    assert _many(bench, "client", CLUSTER_IP, PORT) == {"web1": 24}
    bench.services(replace(draining, endpoints=service(bench, {"web0": 0}).endpoints))
    assert _many(bench, "client", CLUSTER_IP, PORT) == {"web0": 24}
    bench.services(replace(ready, endpoints=(), draining=ready.endpoints))
    assert bench.look("vm", bench.nodes[1], NODE_PORT).source == bench.ips["vm"]


def test_hints_choose_the_endpoints_of_a_zone_or_a_node(bench: Bench) -> None:
    zones = [node.zone for node in bench.spec.nodes]
    assert len({zones[0], zones[2]}) == 2
    plain = service(bench, {"web0": 0, "client2": 2})
    zoned = replace(
        plain,
        endpoints=tuple(
            replace(one, for_zones=(zones[bench.nodes.index(one.node)],)) for one in plain.endpoints
        ),
    )
    bench.services(zoned)
    assert _many(bench, "client", CLUSTER_IP, PORT) == {"web0": 24}
    assert _many(bench, "client2", CLUSTER_IP, PORT) == {"client2": 24}
    # One endpoint without a hint, and hints say nothing.
    bench.services(replace(zoned, endpoints=(zoned.endpoints[0], plain.endpoints[1])))
    assert set(_many(bench, "client", CLUSTER_IP, PORT)) == {"web0", "client2"}
    noded = tuple(replace(one, for_nodes=(one.node,)) for one in plain.endpoints)
    bench.services(replace(plain, endpoints=noded))
    assert _many(bench, "client2", CLUSTER_IP, PORT) == {"client2": 24}
    assert set(_many(bench, bench.nodes[1], CLUSTER_IP, PORT)) == {"web0", "client2"}


def test_hundreds_of_services_are_swapped_in_at_once(bench: Bench) -> None:
    many = [
        service(bench, {"web0": 0, "web1": 1}, cluster_ip=f"10.0.{n // 200 + 50}.{n % 200 + 1}")
        for n in range(400)
    ]
    bench.services(*many)
    assert bench.look("client", "10.0.51.200", PORT).ok
    bench.services(*many[:399], service(bench, {"web1": 1}))
    assert bench.look("client", "10.0.51.200", PORT, timeout=SILENT).outcome == "timeout"
    assert _many(bench, "client", CLUSTER_IP, PORT) == {"web1": 24}
