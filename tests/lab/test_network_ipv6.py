"""Dual stack: what Azure does with IPv6 packets."""

import dataclasses
import time
from collections.abc import Iterator

import pytest

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.network.translation import ports_per_node
from pytest_aksnet.lab.network_views import EndpointView
from tests.lab.network_bench import Bench, Probe
from tests.lab.network_views import PORT, service
from tests.lab.test_network_azure import set_rules

SILENT = 0.3
ANSWERED = 5.0
DEADLINE_SECONDS = 10.0
PUBLIC6, INTERNAL6 = "2001:db8:100::110", "fd9a:6b1f:e000::c805"


@pytest.fixture(
    scope="module", params=["overlay", pytest.param("kubenet", marks=pytest.mark.thorough)]
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param, settings=("dual-stack=true",))
    for name, node in (("pod", 0), ("neighbour", 0), ("remote", 1)):
        made.add_pod(name, node)
    yield made
    made.close()


def test_source_addresses(bench: Bench) -> None:
    ips, node = bench.ips6, bench.nodes[0]
    expected = {
        ("pod", "neighbour", 80): ips["pod"],
        ("pod", "remote", 80): ips["pod"],
        ("pod", node, 8000): ips["pod"],
        ("pod", bench.nodes[1], 8000): ips[node],
        ("pod", "vm", 80): ips[node],
        ("pod", "internet", 80): bench.spec.load_balancer_ip6,
        (node, "internet", 80): bench.spec.load_balancer_ip6,
        (node, "remote", 80): ips[node],
        ("vm", node, 8000): ips["vm"],
    }
    # A UDP server that is bound to no address answers kubenet's pods with that of the bridge.
    answers_otherwise = ("udp", "pod", node)
    seen = bench.look_many(
        [
            Probe(start=start, ip=ips[target], port=port, protocol=protocol, timeout=ANSWERED)
            for protocol in ("tcp", "udp")
            for start, target, port in expected
            if (protocol, start, target) != answers_otherwise
        ]
    )
    wanted = [*expected.values(), *(ip for key, ip in expected.items() if key[:2] != ("pod", node))]
    assert [one.source for one in seen] == wanted


def test_who_has_no_way_has_none(bench: Bench) -> None:
    ips = bench.ips6
    looks = [
        *(("vm", ips["pod"]), ("vm", ips["internet"]), ("runner", ips[bench.nodes[0]])),
        *((bench.nodes[0], "2001:db8:80::99"), ("pod", "fd9a:6b1f:e000::99")),
    ]
    probes = [Probe(start=start, ip=ip, timeout=SILENT) for start, ip in looks]
    assert {one.outcome for one in bench.look_many(probes)} == {"timeout"}


def test_each_node_has_ports_of_its_own(bench: Bench) -> None:
    ports = ports_per_node(AzureState(bench.spec))
    for node, start in ((0, "pod"), (1, "remote")):
        seen = bench.look(start, bench.ips6["internet"])
        assert 1024 + node * ports <= seen.source_port < 1024 + (node + 1) * ports


def deny_vm(azure: AzureState, address: str) -> None:
    set_rules(azure, "Inbound", ("DenyVm", 300, "Deny", f"{address}/128", "*"))


def test_security_groups_judge_ipv6(bench: Bench) -> None:
    node = bench.nodes[0]
    bench.change(deny_vm, bench.ips6["vm"])
    assert bench.look("vm", bench.ips6[node], 8000, timeout=SILENT).outcome == "timeout"
    assert bench.look("vm", node, 8000).ok
    bench.change(set_rules, "Inbound")
    assert bench.look("vm", bench.ips6[node], 8000).ok


def test_a_lost_route_cuts_off_the_pods_of_one_node(bench: Bench) -> None:
    last = bench.nodes[1]
    bench.inject(f"pod-route-missing@{last}")
    for ip in (bench.ips6["remote"], bench.ips["remote"]):
        assert bench.look("pod", ip, timeout=SILENT).outcome == "timeout"
    bench.heal(f"pod-route-missing@{last}")
    for ip in (bench.ips6["remote"], bench.ips["remote"]):
        assert bench.look("pod", ip).ok


@pytest.mark.parametrize(("frontend", "start"), [(PUBLIC6, "runner"), (INTERNAL6, "vm")])
def test_frontends_keep_the_client_where_the_policy_is_local(
    bench: Bench, frontend: str, start: str
) -> None:
    ip4 = service(bench, {"remote": 1}, cluster_ip="10.0.44.9")
    bench.services(
        dataclasses.replace(
            ip4,
            cluster_ip="fd9a:6b1f:5e00::77",
            node_port=30081,
            load_balancer_ips=(frontend,),
            external_local=True,
            health_check_node_port=32111,
            endpoints=(EndpointView(ip=bench.ips6["remote"], port=80, node=bench.nodes[1]),),
        )
    )
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen: set[str] = set()
    while seen != {bench.ips6[start]} and time.monotonic() < deadline:
        probes = [Probe(start=start, ip=frontend, port=PORT, timeout=SILENT) for _ in range(20)]
        seen = {one.source for one in bench.look_many(probes)}
    assert seen == {bench.ips6[start]}
    other = "runner" if start == "vm" else "vm"  # neither inside from outside, nor the reverse
    assert bench.look(other, frontend, PORT, timeout=SILENT).outcome == "timeout"
    bench.services()


def test_flows_of_a_removed_pod_end_in_the_fabric_and_where_its_address_is_given_again(
    bench: Bench,
) -> None:
    ip4 = bench.add_pod("short-lived", 1)
    ip = bench.ips6["short-lived"]
    assert bench.look("pod", ip).ok
    places = ("fabric", *bench.nodes)
    flows = [bench.run(place, "conntrack", "-L", "-f", "ipv6") for place in places]
    assert any(f"dst={ip} " in text for text in flows)
    bench.remove_pod("short-lived")
    assert f"dst={ip} " not in bench.run("fabric", "conntrack", "-L", "-f", "ipv6")
    bench.free[bench.nodes[1]].insert(0, ip4)
    bench.free6[bench.nodes[1]].insert(0, ip)
    bench.add_pod("heir", 1)
    for place in places:
        assert f"dst={ip} " not in bench.run(place, "conntrack", "-L", "-f", "ipv6")
    bench.remove_pod("heir")
