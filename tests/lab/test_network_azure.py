"""Azure's resources in packets: security groups, routes, load balancers, peering, tunnel."""

from collections.abc import Iterator

import pytest

from pytest_aksnet.lab.azure.resources import Route, SecurityRule
from pytest_aksnet.lab.azure.state import (
    NODE_SUBNET,
    PEERED_NETWORK,
    SECURITY_GROUP,
    VM_SUBNET,
    AzureState,
)
from pytest_aksnet.lab.faults.of_azure import put_route, restore_route
from tests.lab.network_bench import Bench, Probe
from tests.lab.network_views import NODE_PORT, PORT, service

SILENT = 0.3
INTERNAL_IP, PUBLIC_IP = "10.224.200.9", "198.51.100.20"
DENY = ("DenyAll", 300, "Deny", "*", "*")  # name, priority, access, source, destination


@pytest.fixture(
    scope="module",
    params=[
        "overlay",
        *(
            pytest.param(mode, marks=pytest.mark.thorough)
            for mode in ("node-subnet", "pod-subnet", "kubenet")
        ),
    ],
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    for name, node in (("pod", 0), ("web1", 1)):
        made.add_pod(name, node)
    yield made
    made.close()


def set_rules(azure: AzureState, direction: str, *rules: tuple[str, int, str, str, str]) -> None:
    """Have exactly these in the nodes' group: name, priority, access, source, destination."""
    azure.security_groups[SECURITY_GROUP].rules[:] = [
        SecurityRule(
            name=name,
            priority=priority,
            direction=direction,
            access=access,
            sources=(source,),
            destinations=(destination,),
        )
        for name, priority, access, source, destination in rules
    ]


def set_route(azure: AzureState, subnet: str, prefix: str, kind: str, hop: str = "") -> None:
    put_route(azure, subnet, Route(name="test", prefix=prefix, next_hop_type=kind, next_hop_ip=hop))


def drop_routes(azure: AzureState, subnet: str, prefix: str) -> None:
    restore_route(azure, subnet, prefix)


def use_remote_gateway(azure: AzureState, used: bool) -> None:
    for peering in azure.networks[PEERED_NETWORK].peerings:
        peering.use_remote_gateways = used


def test_the_first_rule_that_fits_decides_and_known_flows_go_on(bench: Bench) -> None:
    node = bench.nodes[1]
    from_vm = Probe(start="vm", ip=bench.ips[node], port=8000, timeout=SILENT)
    held = bench.hold("vm", node, 8000)
    bench.change(set_rules, "Inbound", DENY)
    assert bench.look_many([from_vm])[0].outcome == "timeout"
    assert bench.talk(held) == "ok"
    allow = ("AllowVm", 200, "Allow", f"{bench.ips['vm']}/32", "VirtualNetwork")
    bench.change(set_rules, "Inbound", DENY, allow)
    assert bench.look_many([from_vm])[0].ok
    assert bench.look("peered-vm", node, 8000, timeout=SILENT).outcome == "timeout"
    bench.change(set_rules, "Inbound")
    assert bench.look("peered-vm", node, 8000).ok
    bench.release()


def test_outbound_rules_judge_what_leaves(bench: Bench) -> None:
    bench.change(set_rules, "Outbound", ("DenyInternet", 300, "Deny", "*", "Internet"))
    node = bench.nodes[0]
    assert bench.look(node, "internet", timeout=SILENT).outcome == "timeout"
    assert bench.look(node, "vm").ok
    # Pods of a pod subnet are not in the nodes' subnet, whose group this is.
    pods_are_judged = bench.spec.mode != "pod-subnet"
    assert bench.look("pod", "internet", timeout=SILENT).ok is not pods_are_judged
    bench.change(set_rules, "Outbound")
    assert bench.look(node, "internet").ok
    assert bench.look("pod", "internet").ok


def test_a_service_opens_the_group_for_its_frontend_alone(bench: Bench) -> None:
    view = service(bench, {"web1": 1}, node_port=NODE_PORT, load_balancer_ip=PUBLIC_IP)
    bench.services(view)
    assert bench.look("runner", PUBLIC_IP, PORT).ok
    bench.change(set_rules, "Inbound", ("DenyInternet", 100, "Deny", "Internet", "*"))
    assert bench.look("runner", PUBLIC_IP, PORT, timeout=SILENT).outcome == "timeout"
    # The cloud provider puts back what is its own, and leaves the rules of others.
    bench.services()
    bench.services(view)
    assert bench.look("runner", PUBLIC_IP, PORT, timeout=SILENT).outcome == "timeout"
    bench.change(set_rules, "Inbound")
    assert bench.look("runner", PUBLIC_IP, PORT, timeout=SILENT).outcome == "timeout"
    bench.services()
    bench.services(view)
    assert bench.look("runner", PUBLIC_IP, PORT).ok
    bench.services()


def test_internal_frontends_are_for_connected_networks(bench: Bench) -> None:
    bench.services(
        service(
            bench,
            {"web1": 1},
            node_port=NODE_PORT,
            load_balancer_ip=INTERNAL_IP,
            external_local=True,
        )
    )
    starts = ("vm", "peered-vm", "on-prem")
    seen = bench.look_many([Probe(start=start, ip=INTERNAL_IP, port=PORT) for start in starts])
    assert [one.source for one in seen] == [bench.ips[start] for start in starts]
    assert bench.look("runner", INTERNAL_IP, PORT, timeout=SILENT).outcome == "timeout"
    for fault, start in (
        ("peering-disconnected", "peered-vm"),
        ("on-prem-gateway-down", "on-prem"),
    ):
        bench.inject(fault)
        assert bench.look(start, INTERNAL_IP, PORT, timeout=SILENT).outcome == "timeout"
        bench.heal(fault)
    bench.services()


def test_a_backend_that_is_mapped_to_itself_gets_no_answer(bench: Bench) -> None:
    bench.services(service(bench, {"web1": 1}, node_port=NODE_PORT, load_balancer_ip=INTERNAL_IP))
    node = bench.nodes[0]
    bench.bend(service_proxy_absent={node})  # which would answer for the frontend itself
    probes = [Probe(start=node, ip=INTERNAL_IP, port=PORT, timeout=SILENT) for _ in range(60)]
    outcomes = {one.outcome for one in bench.look_many(probes)}
    assert outcomes == {"ok", "timeout"}
    bench.bend(service_proxy_absent=set())
    bench.services()


def test_the_longest_prefix_wins_and_a_users_route_beats_azures(bench: Bench) -> None:
    vm = f"{bench.ips['vm']}/32"
    bench.change(set_route, NODE_SUBNET, vm, "None")
    assert bench.look(bench.nodes[0], "vm", timeout=SILENT).outcome == "timeout"
    assert bench.look(bench.nodes[0], "storage-endpoint").ok
    bench.change(set_route, NODE_SUBNET, vm, "VnetLocal")
    assert bench.look(bench.nodes[0], "vm").ok
    bench.change(drop_routes, NODE_SUBNET, vm)
    whole = bench.spec.vnet_cidr
    bench.change(set_route, VM_SUBNET, whole, "None")
    assert bench.look("vm", bench.nodes[0], 8000, timeout=SILENT).outcome == "timeout"
    # A private endpoint has a route of its own, which is longer.
    assert bench.look("vm", "storage-endpoint").ok
    bench.change(drop_routes, VM_SUBNET, whole)
    assert bench.look("vm", bench.nodes[0], 8000).ok


def test_an_appliance_that_does_not_forward_swallows_packets(bench: Bench) -> None:
    prefix = bench.spec.peered_vnet_cidr
    for hop in (bench.ips["vm"], "10.225.0.99"):
        bench.change(set_route, NODE_SUBNET, prefix, "VirtualAppliance", hop)
        assert bench.look(bench.nodes[0], "peered-vm", timeout=SILENT).outcome == "timeout"
    bench.change(drop_routes, NODE_SUBNET, prefix)
    assert bench.look(bench.nodes[0], "peered-vm").ok


def test_a_site_reaches_the_peered_network_by_gateway_transit_only(bench: Bench) -> None:
    assert bench.look("on-prem", "peered-vm", timeout=SILENT).outcome == "timeout"
    bench.change(use_remote_gateway, True)
    assert bench.look("on-prem", "peered-vm").source == bench.ips["on-prem"]
    assert bench.look("peered-vm", "on-prem").source == bench.ips["peered-vm"]
    bench.change(use_remote_gateway, False)
    assert bench.look("on-prem", "peered-vm", timeout=SILENT).outcome == "timeout"


def test_the_tunnel_says_that_packets_are_too_long(bench: Bench) -> None:
    def ping(size: int) -> str:
        argv = ("ping", "-M", "do", "-c1", "-W1", "-s", str(size - 28), bench.ips["on-prem"])
        return bench.run("pod", *argv)

    assert "1 received" in ping(1400)
    assert "Frag needed" in ping(1401) or "message too long, mtu=1400" in ping(1401)
    assert "1 received" in bench.run(
        "pod", "ping", "-M", "do", "-c1", "-W1", "-s", "1472", bench.ips["vm"]
    )


def test_other_machines_do_not_answer_for_networks_that_nobody_routes(bench: Bench) -> None:
    nobody = ("10.65.0.4", "192.168.11.4", "172.16.0.4", "100.64.0.4")
    probes = [
        Probe(start=start, ip=ip, timeout=SILENT)
        for ip in nobody
        for start in ("vm", "peered-vm", "on-prem", bench.nodes[0])
    ]
    assert {one.outcome for one in bench.look_many(probes)} == {"timeout"}


def test_a_node_reaches_public_frontends_by_its_way_out(bench: Bench) -> None:
    bench.services(
        service(
            bench,
            {"web1": 1},
            node_port=NODE_PORT,
            load_balancer_ip=PUBLIC_IP,
            external_local=True,
        )
    )
    node = bench.nodes[0]
    bench.bend(service_proxy_absent={node})  # which would answer for the frontend itself
    assert bench.look(node, PUBLIC_IP, PORT).source == bench.spec.egress_ip
    assert bench.look("vm", PUBLIC_IP, PORT, timeout=SILENT).outcome == "timeout"
    bench.bend(service_proxy_absent=set())
    bench.services()
