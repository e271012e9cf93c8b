"""ARM of a running lab: what it says and changes is what packets do."""

import datetime
import re
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.lab.azure.state import SECURITY_GROUP
from tests.lab.arm_clients import Clients, walk
from tests.lab.arm_server import GROUP, NODE_GROUP, read_environment
from tests.lab.running_lab import RunningLab
from tests.lab.user import User

_ZONE = (GROUP, "privatelink.blob.core.windows.net")
_CONNECT = """
import socket
for _ in range(25):
    with socket.create_connection(("203.0.113.80", 80), 3):
        pass
"""


@pytest.fixture(scope="module")
def clients(lab: RunningLab) -> Iterator[Clients]:
    made = Clients(read_environment(lab.azure))
    yield made
    made.close()


def test_it_is_found_by_its_files(lab: RunningLab, clients: Clients) -> None:
    for path in (lab.azure, *lab.azure.parent.glob("azure-*")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status = lab.tool("status").stdout
    assert str(lab.azure) in status
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+", clients.url)


def test_the_lab_says_what_it_was_asked(lab: RunningLab, clients: Clients) -> None:
    def asked(kind: str) -> int:
        [line] = [one for one in lab.tool("status").stdout.splitlines() if "azure asked:" in one]
        found = re.search(rf"GET {re.escape(kind)}: (\d+)", line)
        return int(found[1]) if found else 0

    before = asked("Microsoft.Network/routeTables")
    for _ in range(3):
        list(clients.network.route_tables.list(NODE_GROUP))
    assert asked("Microsoft.Network/routeTables") == before + 3


def test_every_node_is_an_instance_of_its_scale_set(user: User, clients: Clients) -> None:
    ids = set()
    for scale_set in clients.compute.virtual_machine_scale_sets.list(NODE_GROUP):
        for one in clients.compute.virtual_machine_scale_set_vms.list(NODE_GROUP, scale_set.name):
            ids.add(one.id.lower())
    providers = {
        node.spec.provider_id.removeprefix("azure://").lower()
        for node in user.core.list_node().items
    }
    assert ids == providers


def test_rules_close_and_open_a_frontend(user: User, lab: RunningLab, clients: Clients) -> None:
    user.create_reflector("web", labels={"app": "web"})
    user.ready("web")
    ip = _frontend(user, "web")
    _eventually_reached(user, ip, True)
    rules = clients.network.security_rules
    denied = {
        "priority": 110,
        "direction": "Inbound",
        "access": "Deny",
        "protocol": "Tcp",
        "sourceAddressPrefix": "Internet",
        "sourcePortRange": "*",
        "destinationAddressPrefix": ip,
        "destinationPortRange": "80",
    }
    where = (NODE_GROUP, SECURITY_GROUP)
    rules.begin_create_or_update(*where, "closed", {"properties": denied}).result()
    try:
        _eventually_reached(user, ip, False)
        shown = {one.name: one for one in rules.list(*where)}
        assert shown["closed"].destination_address_prefix == ip
        assert any(name.startswith("k8s-azure-lb") for name in shown)
    finally:
        rules.begin_delete(*where, "closed").result()
    _eventually_reached(user, ip, True)


def test_health_is_that_of_the_prober(user: User, lab: RunningLab, clients: Clients) -> None:
    last = user.nodes()[-1]
    user.create_reflector("local", labels={"app": "local"}, node=last)
    user.ready("local")
    ip = _frontend(user, "local", externalTrafficPolicy="Local")
    rules = clients.network.load_balancer_load_balancing_rules

    def only_one_is_up() -> bool:
        rule = _rule_of(clients, ip)
        if rule is None:
            return False
        health = rules.begin_health(NODE_GROUP, "kubernetes", rule).result()
        walk(health)
        up = [one for one in health.load_balancer_backend_addresses if one.state == "Up"]
        return [one.ip_address for one in up] == [user.node_ip(last)]

    user.eventually(only_one_is_up, "only the node with the pod is up")


def _rule_of(clients: Clients, ip: str) -> str | None:
    """The rule of the frontend with that address; None while there is none."""
    addresses = {
        one.id: one.ip_address for one in clients.network.public_ip_addresses.list(NODE_GROUP)
    }
    balancer = clients.network.load_balancers.get(NODE_GROUP, "kubernetes")
    for one in balancer.frontend_ip_configurations:
        if addresses.get(one.public_ip_address.id) == ip and one.load_balancing_rules:
            return str(one.load_balancing_rules[0].id.rpartition("/")[2])
    return None


def test_translated_flows_are_counted(user: User, lab: RunningLab, clients: Clients) -> None:
    node = user.nodes()[0]
    before = _used_ports(clients, user.node_ip(node))
    done = lab.tool("exec", f"node/{node}", "--", "python3", "-c", _CONNECT)
    assert done.returncode == 0, done.stderr
    assert _used_ports(clients, user.node_ip(node)) >= before + 25


def _used_ports(clients: Clients, ip: str) -> float:
    now = datetime.datetime.now(datetime.UTC)
    start, end = now - datetime.timedelta(minutes=1), now + datetime.timedelta(minutes=1)
    answer = clients.monitor.metrics.list(
        f"/subscriptions/{clients.subscription}/resourceGroups/{NODE_GROUP}/providers"
        "/Microsoft.Network/loadBalancers/kubernetes",
        timespan=f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
        metricnames="UsedSnatPorts",
        aggregation="Maximum",
        filter=f"BackendIPAddress eq '{ip}' and ProtocolType eq 'TCP'",
    )
    [series] = answer.value[0].timeseries
    return max(float(point.maximum) for point in series.data if point.maximum is not None)


def test_a_connectivity_check_sends_packets(clients: Clients) -> None:
    machine = (
        f"/subscriptions/{clients.subscription}/resourceGroups/{GROUP}/providers"
        "/Microsoft.Compute/virtualMachines/vm"
    )

    def status(address: str, port: int) -> Any:
        return clients.network.network_watchers.begin_check_connectivity(
            "NetworkWatcherRG",
            "NetworkWatcher_westeurope",
            {
                "source": {"resourceId": machine},
                "destination": {"address": address, "port": port},
            },
        ).result()["connectionStatus"]

    assert status("10.64.0.4", 80) == "Reachable"
    assert status("10.64.0.4", 81) == "Unreachable"


def test_a_zone_without_its_link_answers_no_more(
    user: User, lab: RunningLab, clients: Clients
) -> None:
    [link] = clients.dns.virtual_network_links.list(*_ZONE)
    assert _resolved(user) == "10.226.0.5"
    clients.dns.virtual_network_links.begin_delete(*_ZONE, link.name).result()
    try:
        assert _resolved(user) == "203.0.113.90"
    finally:
        again = {
            "location": "global",
            "properties": {"virtualNetwork": {"id": link.virtual_network.id}},
        }
        clients.dns.virtual_network_links.begin_create_or_update(*_ZONE, link.name, again).result()
    assert _resolved(user) == "10.226.0.5"


def _resolved(user: User) -> str:
    """What Azure DNS says to a node."""
    name = "aksnetlab.blob.core.windows.net"
    ended = user.at(f"node/{user.nodes()[0]}", "dig", "+short", "@168.63.129.16", name)
    return ended.stdout.split()[-1]


def _frontend(user: User, name: str, **options: Any) -> str:
    """The address of a new Service of type LoadBalancer for the pod of that name."""
    user.create_service(name, kind="LoadBalancer", **options)
    found: list[str] = []

    def has_address() -> bool:
        status = user.core.read_namespaced_service(name, user.namespace).status
        found[:] = [one.ip for one in status.load_balancer.ingress or []]
        return bool(found)

    user.eventually(has_address, f"{name} has an address")
    return found[0]


def _eventually_reached(user: User, ip: str, wanted: bool) -> None:
    def holds() -> bool:
        ended = user.at("host/runner", "curl", "-s", "-m", "1", f"http://{ip}/")
        return (ended.code == 0) is wanted

    user.eventually(holds, f"{ip} is {'' if wanted else 'not '}reached")
