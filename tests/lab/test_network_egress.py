"""Which address and which ports the internet sees, for each mode and each way out."""

from collections.abc import Callable, Iterator

import pytest

from pytest_aksnet.lab.options import EGRESSES, MODES
from tests.lab.network_bench import Bench, Probe
from tests.lab.network_views import NODE_PORT, PORT, service

SILENT = 0.3
ANSWERED = 3.0


@pytest.fixture(scope="module")
def bench_of() -> Iterator[Callable[[str, str], Bench]]:
    made: dict[tuple[str, str], Bench] = {}

    def of(mode: str, egress: str) -> Bench:
        if (mode, egress) not in made:
            bench = made[mode, egress] = Bench(mode, snat_ports=0, settings=(f"egress={egress}",))
            bench.add_pod("pod", 0)
            bench.add_pod("remote", 1)
        return made[mode, egress]

    yield of
    for bench in made.values():
        bench.close()


# One lab for each mode and each way out in every run; the other twelve are thorough.
QUICK = (
    *(("overlay", "firewall"), ("node-subnet", "nat-gateway")),
    *(("kubenet", "none"), ("pod-subnet", "load-balancer")),
)


def _matrix() -> list[object]:
    return [
        pytest.param(mode, egress, marks=[] if (mode, egress) in QUICK else [pytest.mark.thorough])
        for mode in MODES
        for egress in EGRESSES
    ]


@pytest.mark.parametrize(("mode", "egress"), _matrix())
def test_the_internet_sees_the_egress_address(
    bench_of: Callable[[str, str], Bench], mode: str, egress: str
) -> None:
    bench = bench_of(mode, egress)
    starts = ("pod", "remote", bench.nodes[0], bench.nodes[1])
    # What must answer may take its time on a busy machine; only what must not is cut short.
    wait = SILENT if bench.spec.egress_ip is None else ANSWERED
    probes = [
        Probe(start=start, ip=bench.ips["internet"], protocol=protocol, timeout=wait)
        for start in starts
        for protocol in ("tcp", "udp")
    ]
    seen = bench.look_many(probes)
    if bench.spec.egress_ip is None:
        assert {one.outcome for one in seen} == {"timeout"}
    else:
        assert {one.source for one in seen} == {bench.spec.egress_ip}


@pytest.mark.parametrize(("mode", "egress"), _matrix())
def test_the_way_out_changes_nothing_inside(
    bench_of: Callable[[str, str], Bench], mode: str, egress: str
) -> None:
    bench = bench_of(mode, egress)
    pod, node = bench.ips["pod"], bench.ips[bench.nodes[0]]
    in_vnet = node if mode in ("overlay", "kubenet") else pod
    beyond = pod if mode == "pod-subnet" else node
    expected = {
        "remote": pod,
        "vm": in_vnet,
        "storage-endpoint": in_vnet,
        "peered-vm": beyond,
        "on-prem": beyond,
    }
    seen = bench.look_many([Probe(start="pod", ip=bench.ips[name]) for name in expected])
    assert dict(zip(expected, (one.source for one in seen), strict=True)) == expected
    outside = ("peered-vm", "on-prem", "vm")
    reached = bench.look_many(
        [Probe(start=start, ip=bench.ips["pod"], timeout=SILENT) for start in outside]
    )
    if mode in ("overlay", "kubenet"):
        assert {one.outcome for one in reached} == {"timeout"}
    else:
        assert [one.source for one in reached] == [bench.ips[name] for name in outside]
    nodes = [Probe(start=start, ip=node, port=8000) for start in outside]
    assert [one.source for one in bench.look_many(nodes)] == [bench.ips[name] for name in outside]


def test_a_nat_gateway_has_one_supply_of_ports_for_all_nodes(
    bench_of: Callable[[str, str], Bench],
) -> None:
    bench = bench_of("node-subnet", "nat-gateway")
    for port in (50_000, 60_000):  # no node of three has these from a load balancer
        for start in ("pod", "remote"):
            seen = bench.look(start, "internet", source_port=port)
            assert (seen.source, seen.ok) == (bench.spec.nat_gateway_ip, True)


def test_the_firewall_sees_what_leaves_and_nothing_else(
    bench_of: Callable[[str, str], Bench],
) -> None:
    bench = bench_of("overlay", "firewall")
    assert bench.look("pod", "internet").ok
    assert bench.look("pod", "vm").ok
    flows = bench.run("firewall", "conntrack", "-L")
    assert f"dst={bench.ips['internet']} " in flows
    assert f"dst={bench.ips['vm']} " not in flows


def test_public_frontends_break_where_answers_go_through_the_firewall(
    bench_of: Callable[[str, str], Bench],
) -> None:
    """AKS docs: limit-egress-traffic: ingress needs a DNAT rule of the firewall instead."""
    bench = bench_of("overlay", "firewall")
    frontend = "198.51.100.20"
    bench.services(service(bench, {"remote": 1}, node_port=NODE_PORT, load_balancer_ip=frontend))
    assert bench.look("runner", frontend, PORT, timeout=SILENT).outcome == "timeout"
    # Answers within the virtual network do not take the default route.
    internal = "10.224.200.9"
    bench.services(service(bench, {"remote": 1}, node_port=NODE_PORT, load_balancer_ip=internal))
    assert bench.look("vm", internal, PORT).ok
    bench.services()
