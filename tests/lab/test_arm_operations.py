"""Long-running operations of ARM: health, effective routes and rules, Network Watcher."""

from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError

from pytest_aksnet.lab.azure.resources import SecurityRule
from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import Clients, walk
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

WATCHER = ("NetworkWatcherRG", "NetworkWatcher_westeurope")


def _machine(clients: Clients, name: str) -> str:
    return f"{_group(clients, GROUP)}/Microsoft.Compute/virtualMachines/{name}"


def _node(arm: RunningArm, clients: Clients) -> str:
    node = arm.world.spec.nodes[1]
    return (
        f"{_group(clients, NODE_GROUP)}/Microsoft.Compute/virtualMachineScaleSets/{node.vmss}"
        f"/virtualMachines/{node.instance}"
    )


def _group(clients: Clients, group: str) -> str:
    return f"/subscriptions/{clients.subscription}/resourceGroups/{group}/providers"


def test_health_is_what_the_probes_say(arm: RunningArm, clients: Clients) -> None:
    nodes = arm.world.spec.nodes
    arm.add_service("web", "198.51.100.17", up=[nodes[0].name, nodes[1].name])
    arm.add_service("local", "198.51.100.18", local=True, up=[nodes[2].name])
    arm.add_service("dns", "198.51.100.19", protocol="UDP", port=53)
    rules = clients.network.load_balancer_load_balancing_rules
    for rule in rules.list(NODE_GROUP, "kubernetes"):
        if rule.protocol == "Udp":
            with pytest.raises(HttpResponseError):
                rules.begin_health(NODE_GROUP, "kubernetes", rule.name).result()
            continue
        health = rules.begin_health(NODE_GROUP, "kubernetes", rule.name).result()
        walk(health)
        states = {
            one.ip_address: (one.state, one.reason)
            for one in health.load_balancer_backend_addresses
        }
        up = ("Up", "Up_Probe_Success")
        if rule.probe and (health.up, health.down) == (2, 1):
            down = ("Down", "Down_Probe_TcpProbeTimeout")
            assert states == {nodes[0].ip: up, nodes[1].ip: up, nodes[2].ip: down}
        else:
            assert (health.up, health.down) == (1, 2)
            # They answer with 503: they have no endpoint, as is right for Local.
            down = ("Down", "Down_Probe_HttpStatusCodeError")
            assert states == {nodes[0].ip: down, nodes[1].ip: down, nodes[2].ip: up}


def test_effective_routes_of_a_machine(clients: Clients) -> None:
    poller = clients.network.network_interfaces.begin_get_effective_route_table(GROUP, "vm-nic")
    routes = {route.address_prefix[0]: route for route in poller.result().value}
    for route in routes.values():
        walk(route)
    assert routes["10.224.0.0/12"].next_hop_type == "VnetLocal"
    assert routes["10.64.0.0/16"].next_hop_type == "VNetPeering"
    assert routes["192.168.10.0/24"].source == "VirtualNetworkGateway"
    assert routes["10.226.0.5/32"].next_hop_type == "InterfaceEndpoint"
    assert routes["0.0.0.0/0"].next_hop_type == "Internet"
    assert {route.state for route in routes.values()} == {"Active"}


def test_effective_rules_follow_the_group(arm: RunningArm, clients: Clients) -> None:
    subnet = arm.world.azure.cluster_network.subnet("vms")
    begin = clients.network.network_interfaces.begin_list_effective_network_security_groups
    assert begin(GROUP, "vm-nic").result().value == []
    subnet.security_group = "aks-agentpool-31337042-nsg"
    try:
        [found] = begin(GROUP, "vm-nic").result().value
        walk(found)
        names = {rule.name for rule in found.effective_security_rules}
        assert "defaultSecurityRules/DenyAllInBound" in names
        assert found.association.subnet.id.endswith("/subnets/vms")
        assert "10.224.0.0/12" in found["tagMap"]["VirtualNetwork"]
    finally:
        subnet.security_group = ""


def test_next_hop_takes_the_longest_route(tmp_path: Path) -> None:
    with arm_server(tmp_path, LabOptions(egress="firewall")) as arm:
        _check_next_hops(arm, arm.clients)


def _check_next_hops(arm: RunningArm, clients: Clients) -> None:
    def hop(target: str, source: str, destination: str) -> tuple[str, str | None, str]:
        answer = clients.network.network_watchers.begin_get_next_hop(
            *WATCHER,
            {
                "targetResourceId": target,
                "sourceIPAddress": source,
                "destinationIPAddress": destination,
            },
        ).result()
        return answer.next_hop_type, answer.next_hop_ip_address, answer.route_table_id

    node = (_node(arm, clients), arm.world.spec.nodes[1].ip)
    kind, address, table = hop(*node, "203.0.113.80")
    assert (kind, address) == ("VirtualAppliance", "10.227.0.4")
    assert table.endswith("/routeTables/aks-agentpool-31337042-routetable")
    assert hop(*node, "10.225.0.4") == ("VnetLocal", None, "System Route")
    machine = (_machine(clients, "vm"), "10.225.0.4")
    assert hop(*machine, "203.0.113.80") == ("Internet", None, "System Route")
    assert hop(*machine, "10.99.0.1") == ("None", None, "System Route")


def test_ip_flow_is_judged_by_the_rules(arm: RunningArm, clients: Clients) -> None:
    def flow(direction: str, remote: str, port: int) -> tuple[str, str]:
        answer = clients.network.network_watchers.begin_verify_ip_flow(
            *WATCHER,
            {
                "targetResourceId": _node(arm, clients),
                "direction": direction,
                "protocol": "TCP",
                "localIPAddress": arm.world.spec.nodes[1].ip,
                "localPort": str(port) if direction == "Inbound" else "40000",
                "remoteIPAddress": remote,
                "remotePort": "40000" if direction == "Inbound" else str(port),
            },
        ).result()
        return answer.access, answer.rule_name

    assert flow("Inbound", "203.0.113.9", 22) == ("Deny", "defaultSecurityRules/DenyAllInBound")
    assert flow("Inbound", "10.64.0.4", 22) == ("Allow", "defaultSecurityRules/AllowVnetInBound")
    assert flow("Outbound", "203.0.113.9", 443)[0] == "Allow"
    group = arm.world.azure.security_groups["aks-agentpool-31337042-nsg"]
    group.rules.append(
        SecurityRule(
            name="ssh",
            priority=200,
            direction="Inbound",
            access="Allow",
            protocol="Tcp",
            sources=("Internet",),
            destination_ports=("20-25", "2222"),
        )
    )
    try:
        assert flow("Inbound", "203.0.113.9", 22) == ("Allow", "securityRules/ssh")
        assert flow("Inbound", "203.0.113.9", 26)[0] == "Deny"
    finally:
        group.rules.clear()


def test_connectivity_is_checked_from_machines_but_not_from_nodes(
    arm: RunningArm, clients: Clients
) -> None:
    def check(source: str, address: str, port: int) -> dict[str, object]:
        answer = clients.network.network_watchers.begin_check_connectivity(
            *WATCHER,
            {
                "source": {"resourceId": source},
                "destination": {"address": address, "port": port},
            },
        ).result()
        walk(answer)
        return dict(answer)

    arm.network.reachable.add(("vm", "203.0.113.80", 443))
    machine = _machine(clients, "vm")
    good = check(machine, "203.0.113.80", 443)
    assert good["connectionStatus"] == "Reachable"
    assert good["probesFailed"] == 0
    assert good["avgLatencyInMs"] == 2
    bad = check(machine, "203.0.113.80", 444)
    assert bad["connectionStatus"] == "Unreachable"
    assert bad["probesFailed"] == bad["probesSent"]
    with pytest.raises(HttpResponseError) as refused:
        check(_node(arm, clients), "203.0.113.80", 443)
    assert "extension is not installed" in refused.value.message


def test_a_failed_operation_raises_its_error(arm: RunningArm, clients: Clients) -> None:
    arm.trouble.operations_fail = True
    try:
        poller = clients.network.network_interfaces.begin_get_effective_route_table(GROUP, "vm-nic")
        with pytest.raises(HttpResponseError) as failed:
            poller.result()
        assert failed.value.error.code == "OperationNotAllowed"
        assert failed.value.status_code == 200
    finally:
        arm.trouble.operations_fail = False


def test_an_ipv6_frontend_has_a_pool_and_health_of_its_own(tmp_path: Path) -> None:
    with arm_server(tmp_path, LabOptions(dual_stack=True)) as arm:
        nodes, network = arm.world.spec.nodes, arm.clients.network
        arm.add_service("web", "2001:db8:100::101", up=[nodes[0].name])
        [rule] = network.load_balancer_load_balancing_rules.list(NODE_GROUP, "kubernetes")
        assert rule.name.endswith("-IPv6")
        assert rule.backend_address_pool.id.endswith("/kubernetes-IPv6")
        health = network.load_balancer_load_balancing_rules.begin_health(
            NODE_GROUP, "kubernetes", rule.name
        ).result()
        states = {one.ip_address: one.state for one in health.load_balancer_backend_addresses}
        assert states == {nodes[0].ip6: "Up", nodes[1].ip6: "Down", nodes[2].ip6: "Down"}
        pool = network.load_balancer_backend_address_pools.get(
            NODE_GROUP, "kubernetes", "kubernetes-IPv6"
        )
        six = [one.id for one in pool.backend_ip_configurations]
        assert all(one.endswith("/ipConfigurations/ipconfig2") for one in six)
