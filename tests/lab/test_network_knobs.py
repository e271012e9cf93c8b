"""The knobs that faults turn: healthy, then bent, then healed, seen in packets."""

import json
from collections.abc import Iterator

import pytest

from pytest_aksnet.lab.network_knobs import ProxyDefect
from tests.lab.network_bench import Bench
from tests.lab.network_views import CLUSTER_IP, NODE_PORT, PORT, namespace, pod, policy, service

SILENT = 0.25


@pytest.fixture(scope="module", params=["overlay", "node-subnet"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    for name, node in (("client0", 0), ("client1", 1), ("web1", 1), ("web2", 2)):
        made.add_pod(name, node)
    yield made
    made.close()


def test_service_proxy_absent_on_one_node_breaks_services_there_only(bench: Bench) -> None:
    bench.services(service(bench, {"web2": 2}))
    bench.bend(service_proxy_absent={bench.nodes[0]})
    assert bench.look("client0", CLUSTER_IP, PORT, timeout=SILENT).outcome == "timeout"
    assert bench.look("client0", "web2").ok
    assert bench.look("client1", CLUSTER_IP, PORT).ok
    bench.services(service(bench, {"web1": 1}))
    bench.bend(service_proxy_absent=set())
    assert bench.look("client0", CLUSTER_IP, PORT).by == "web1"


def test_policy_absent_on_one_node_opens_its_pods_only(bench: Bench) -> None:
    pods = [pod(bench, "web1", 1, {"app": "web"}), pod(bench, "web2", 2, {"app": "web"})]
    deny = policy({"podSelector": {}})
    bench.policies([deny], pods, [namespace("shop")])
    bench.bend(policy_absent={bench.nodes[1]})
    assert bench.look("client0", "web1").ok
    assert bench.look("client0", "web2", timeout=SILENT).outcome == "timeout"
    bench.bend(policy_absent=set())
    assert bench.look("client0", "web1", timeout=SILENT).outcome == "timeout"
    bench.policies([])
    assert bench.look("client0", "web1").ok


def test_non_masquerade_ranges_decide_who_is_seen(bench: Bench) -> None:
    healthy = bench.look("client0", "vm").source
    bench.bend(non_masquerade_cidrs=())
    # Also the node of the target masquerades then: for it a pod is no local destination.
    assert bench.look("client0", "web2").source == bench.ips[bench.nodes[2]]
    assert bench.look("client0", "vm").source == bench.ips[bench.nodes[0]]
    bench.bend(non_masquerade_cidrs=("0.0.0.0/0",))
    assert bench.look("client0", "internet", timeout=SILENT).outcome == "timeout"
    if bench.spec.mode == "overlay":
        assert bench.look("client0", "vm", timeout=SILENT).outcome == "timeout"
    bench.bend(non_masquerade_cidrs=None)
    assert bench.look("client0", "vm").source == healthy
    assert bench.look("client0", "internet").source == bench.spec.egress_ip


def test_external_local_masqueraded_hides_the_client(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT, external_local=True))
    assert bench.look("vm", bench.nodes[1], NODE_PORT).source == bench.ips["vm"]
    lost = {ProxyDefect.EXTERNAL_LOCAL_MASQUERADED: set(bench.nodes)}
    bench.bend(proxy_defects=lost)
    assert bench.look("vm", bench.nodes[1], NODE_PORT).source == bench.ips[bench.nodes[1]]
    bench.bend(proxy_defects={})
    assert bench.look("vm", bench.nodes[1], NODE_PORT).source == bench.ips["vm"]
    bench.services()


def test_a_node_sends_what_its_size_allows_and_a_limit_holds_in_both_directions(
    bench: Bench,
) -> None:
    def rates(place: str, link: str) -> list[int]:
        shown = json.loads(bench.run(place, "tc", "-j", "qdisc", "show", "dev", link))
        return [one["options"].get("rate", 0) for one in shown]

    places = ((bench.nodes[1], "eth0"), ("fabric", "node1"))
    assert [rates(*place) for place in places] == [[625_000_000], [0]]
    bench.bend(rate_gbps={bench.nodes[1]: 1.5})
    assert [rates(*place) for place in places] == [[187_500_000], [187_500_000]]
    bench.bend(rate_gbps={bench.nodes[1]: 0.5})
    assert bench.look("client0", "web1").ok
    bench.bend(rate_gbps={})
    assert [rates(*place) for place in places] == [[625_000_000], [0]]
