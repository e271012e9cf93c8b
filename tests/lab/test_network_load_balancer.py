"""The Azure load balancer: direct server return, health probes, source ranges."""

import time
from collections.abc import Callable, Iterator

import pytest

from pytest_aksnet.lab.network_views import ServicePortView
from tests.lab.network_bench import Bench, Probe
from tests.lab.network_views import NODE_PORT, PORT, service

PUBLIC_IP = "198.51.100.20"
INTERNAL_IP = "10.224.200.9"
DEADLINE_SECONDS = 5.0


@pytest.fixture(scope="module", params=["overlay", "node-subnet"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    for name, node in (("client", 0), ("web0", 0), ("web1", 1), ("web2", 2)):
        made.add_pod(name, node)
    yield made
    made.close()


def _balanced(
    bench: Bench,
    backends: dict[str, int],
    *,
    ip: str = PUBLIC_IP,
    local: bool = False,
    ranges: tuple[str, ...] = (),
) -> ServicePortView:
    return service(
        bench,
        backends,
        node_port=NODE_PORT,
        load_balancer_ip=ip,
        external_local=local,
        source_ranges=ranges,
    )


def _sources(bench: Bench, start: str, ip: str) -> set[tuple[str, str, str]]:
    probes = [Probe(start=start, ip=ip, port=PORT, timeout=0.5) for _ in range(60)]
    return {(one.outcome, one.by, one.source) for one in bench.look_many(probes)}


def _eventually(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if claim():
            return True
    return False


def test_cluster_shows_the_address_of_the_node_that_received_the_packet(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web1": 1}))
    assert _sources(bench, "runner", PUBLIC_IP) == {
        ("ok", "web1", bench.ips[node]) for node in bench.nodes
    }


def test_local_keeps_the_client_and_uses_only_nodes_with_endpoints(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web1": 1, "web2": 2}, local=True))
    runner = bench.ips["runner"]
    assert _sources(bench, "runner", PUBLIC_IP) == {
        ("ok", "web1", runner),
        ("ok", "web2", runner),
    }


@pytest.mark.parametrize("local", [False, True])
def test_internal_frontend_serves_machines_of_the_vnet(bench: Bench, local: bool) -> None:
    bench.services(_balanced(bench, {"web1": 1}, ip=INTERNAL_IP, local=local))
    seen = _sources(bench, "vm", INTERNAL_IP)
    assert {outcome for outcome, _, _ in seen} == {"ok"}
    assert ({source for _, _, source in seen} == {bench.ips["vm"]}) is local


def test_node_sees_the_frontend_address_and_the_client(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web1": 1}, local=True))
    assert bench.look("runner", PUBLIC_IP, PORT).ok
    flows = bench.run(bench.nodes[1], "conntrack", "-L", "--orig-src", bench.ips["runner"])
    assert f"src={bench.ips['runner']} dst={PUBLIC_IP} " in flows
    assert f"dport={PORT} " in flows


def test_frontend_without_service_is_silent(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web1": 1}))
    assert bench.look("runner", PUBLIC_IP, PORT + 1, timeout=0.3).outcome == "timeout"
    assert bench.look("runner", "198.51.100.29", PORT, timeout=0.3).outcome == "timeout"


def test_moved_endpoint_moves_the_rotation(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web1": 1}, local=True))
    assert _sources(bench, "runner", PUBLIC_IP) == {("ok", "web1", bench.ips["runner"])}
    bench.services(_balanced(bench, {"web2": 2}, local=True))
    expected = {("ok", "web2", bench.ips["runner"])}
    assert _eventually(lambda: _sources(bench, "runner", PUBLIC_IP) == expected)


def test_node_that_stops_answering_leaves_the_rotation_and_comes_back(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web0": 0, "web1": 1}))
    out, others = bench.ips[bench.nodes[2]], {bench.ips[node] for node in bench.nodes[:2]}
    bench.run(bench.nodes[2], "nft", "add", "table", "ip", "deaf")
    bench.run(
        bench.nodes[2],
        "nft",
        "add chain ip deaf silence { type filter hook prerouting priority -300; policy drop; }",
    )
    assert _eventually(
        lambda: {source for _, _, source in _sources(bench, "runner", PUBLIC_IP)} == others
    )
    bench.run(bench.nodes[2], "nft", "delete", "table", "ip", "deaf")
    assert _eventually(lambda: out in {one[2] for one in _sources(bench, "runner", PUBLIC_IP)})


def test_source_ranges_admit_nobody_else(bench: Bench) -> None:
    bench.services(_balanced(bench, {"web1": 1}, ranges=(f"{bench.ips['runner']}/32",)))
    assert bench.look("runner", PUBLIC_IP, PORT).ok
    assert bench.look("internet", PUBLIC_IP, PORT, timeout=0.3).outcome == "timeout"
    assert bench.look("client", PUBLIC_IP, PORT, timeout=0.3).outcome == "timeout"


def test_udp_frontend_needs_no_probe(bench: Bench) -> None:
    bench.services(
        service(
            bench,
            {"web1": 1},
            protocol="UDP",
            node_port=NODE_PORT,
            load_balancer_ip=PUBLIC_IP,
            external_local=False,
        )
    )
    probes = [
        Probe(start="runner", ip=PUBLIC_IP, port=PORT, protocol="udp", timeout=0.5)
        for _ in range(60)  # each node is missed by all of them once in 10^10 runs
    ]
    seen = bench.look_many(probes)
    assert {one.source for one in seen} == {bench.ips[node] for node in bench.nodes}
