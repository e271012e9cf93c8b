"""Which source address a destination sees, per network mode, with real packets."""

from collections.abc import Iterator

import pytest

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.network.translation import ports_per_node
from tests.lab.network_bench import Bench, Probe
from tests.lab.source_bench import each_mode, source_bench


@pytest.fixture(scope="module", params=each_mode("overlay", "kubenet"))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with source_bench(request.param) as made:
        yield made


def test_pods_see_each_other_untranslated(bench: Bench) -> None:
    for target in ("neighbour", "remote"):
        for protocol in ("tcp", "udp"):
            seen = bench.look("pod", target, protocol=protocol)
            assert (seen.by, seen.source) == (target, bench.ips["pod"])


def test_own_node_sees_the_pod(bench: Bench) -> None:
    assert bench.look("pod", bench.nodes[0], 8000).source == bench.ips["pod"]


def test_vnet_sees_the_pod_where_pods_have_addresses_of_the_vnet(bench: Bench) -> None:
    expected = bench.ips[bench.nodes[0] if bench.spec.pods_have_cidr else "pod"]
    seen = bench.look_many(
        [
            Probe(start="pod", ip=bench.ips["vm"]),
            Probe(start="pod", ip=bench.ips["storage-endpoint"]),
            Probe(start="pod", ip=bench.ips[bench.nodes[1]], port=8000),
        ]
    )
    assert [one.source for one in seen] == [expected] * 3


def test_internet_sees_the_egress_address_with_a_port_of_the_node(bench: Bench) -> None:
    ports = ports_per_node(AzureState(bench.spec))
    for node, start in ((0, "pod"), (1, "remote"), (1, bench.nodes[1])):
        seen = bench.look(start, "internet")
        assert seen.source == bench.spec.egress_ip
        assert 1024 + node * ports <= seen.source_port < 1024 + (node + 1) * ports


def test_nodes_show_their_own_address(bench: Bench) -> None:
    node = bench.nodes[0]
    for target, port in ((bench.nodes[1], 8000), ("vm", 80), ("remote", 80)):
        assert bench.look(node, target, port).source == bench.ips[node]
    # Its own pods see the address of the link by which they are reached.
    bridge = "10.244.0.1" if bench.spec.mode == "kubenet" else bench.ips[node]
    assert bench.look(node, "pod").source == bridge


def test_vm_reaches_pods_only_where_they_have_addresses_of_the_vnet(bench: Bench) -> None:
    seen = bench.look("vm", "pod", timeout=0.4)
    if bench.spec.pods_have_cidr:
        assert seen.outcome == "timeout"
    else:
        assert seen.source == bench.ips["vm"]


def test_what_has_no_owner_is_dropped_silently(bench: Bench) -> None:
    nobody = ("10.224.0.250", "10.99.0.1", "192.168.7.7", "203.0.113.99", bench.spec.gateway_ip)
    probes = [
        Probe(start=start, ip=ip, timeout=0.4) for ip in nobody for start in ("pod", bench.nodes[0])
    ]
    assert {one.outcome for one in bench.look_many(probes)} == {"timeout"}


def test_internet_does_not_reach_in_and_a_vm_does_not_reach_out(bench: Bench) -> None:
    probes = [
        Probe(start="runner", ip=bench.ips["pod"], timeout=0.4),
        Probe(start="runner", ip=bench.ips[bench.nodes[0]], port=8000, timeout=0.4),
        Probe(start="runner", ip=bench.spec.load_balancer_ip, timeout=0.4),
        Probe(start="vm", ip=bench.ips["internet"], timeout=0.4),
    ]
    assert {one.outcome for one in bench.look_many(probes)} == {"timeout"}


def test_azure_addresses_are_there_for_pods_nodes_and_machines(bench: Bench) -> None:
    # Nothing listens there in this bench, so the fabric refuses; where it is absent, silence.
    for ip in (bench.spec.azure_dns_ip, bench.spec.imds_ip):
        for start in ("pod", bench.nodes[2], "vm"):
            assert bench.look(start, ip, 9999).outcome == "refused"
    assert bench.look("runner", bench.spec.imds_ip, timeout=0.3).outcome == "timeout"


def test_pod_is_wired_as_its_network_plugin_does(bench: Bench) -> None:
    if bench.spec.mode == "kubenet":
        assert "default via 10.244.0.1 dev eth0" in bench.run("pod", "ip", "route")
        assert f"{bench.ips['pod']}/24" in bench.run("pod", "ip", "address")
        node = bench.nodes[0]
        assert "10.244.0.0/24 dev cbr0" in bench.run(node, "ip", "route")
        assert "master cbr0 state forwarding" in bench.run(node, "bridge", "link")
        assert "hairpin on" in bench.run(node, "bridge", "-d", "link")
        assert "mtu 1500" in bench.run("pod", "ip", "link", "show", "eth0")
        return
    routes = bench.run("pod", "ip", "route")
    assert "default via 169.254.1.1 dev eth0" in routes
    assert "169.254.1.1 dev eth0" in routes
    neighbours = bench.run("pod", "ip", "neigh", "show")
    assert "169.254.1.1 dev eth0 lladdr aa:aa:aa:aa:aa:aa PERMANENT" in neighbours
    assert "mtu 1500" in bench.run("pod", "ip", "link", "show", "eth0")
    host_route = bench.run(bench.nodes[0], "ip", "route", "show", f"{bench.ips['pod']}/32")
    assert "dev azv" in host_route


def test_removed_pod_leaves_nothing_and_its_address_can_be_given_again(bench: Bench) -> None:
    bench.add_pod("short-lived", 2)
    ip = bench.ips["short-lived"]
    assert bench.look("pod", "short-lived").ok
    assert f"dst={ip} " in bench.run(bench.nodes[0], "conntrack", "-L")
    bench.remove_pod("short-lived")
    assert f"dst={ip} " not in bench.run("fabric", "conntrack", "-L")
    assert ip not in bench.run(bench.nodes[2], "ip", "route")
    assert bench.look("pod", ip, timeout=0.3).outcome == "timeout"
    assert f"dst={ip} " in bench.run(bench.nodes[0], "conntrack", "-L")  # as real nodes
    bench.free[bench.nodes[2]].insert(0, ip)
    assert bench.add_pod("next", 2) == ip
    for node in bench.nodes:
        assert f"dst={ip} " not in bench.run(node, "conntrack", "-L")
    assert bench.look("pod", "next").ok


def test_outbound_ports_of_a_node_run_out_for_one_destination() -> None:
    bench = Bench("overlay", snat_ports=16)
    try:
        bench.add_pod("pod", 0)
        bench.add_pod("remote", 1)
        for _ in range(16):
            bench.hold("pod", "internet")
        assert bench.look("pod", "internet", timeout=0.4).outcome == "timeout"
        assert bench.look("remote", "internet").ok
        assert bench.look("pod", "storage-public").ok
        bench.release()
        assert bench.look("pod", "internet").ok
    finally:
        bench.close()
