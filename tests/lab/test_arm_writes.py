"""What ARM may change: rules, routes, links, records, connections; all in the state of the lab."""

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import Clients
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

_NSG = (NODE_GROUP, "aks-agentpool-31337042-nsg")
_TABLE = (NODE_GROUP, "aks-agentpool-31337042-routetable")
_ZONE = (GROUP, "privatelink.blob.core.windows.net")
_RULE = {
    "priority": 300,
    "direction": "Inbound",
    "access": "Allow",
    "protocol": "Tcp",
    "sourceAddressPrefix": "Internet",
    "sourcePortRange": "*",
    "destinationAddressPrefixes": ["10.224.0.4", "10.224.0.5"],
    "destinationPortRange": "8080",
}


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions(mode="kubenet")) as running:
        yield running


@pytest.fixture
def changes(arm: RunningArm) -> list[None]:
    """One entry for every change of the state that its listeners heard of."""
    heard: list[None] = []
    arm.world.azure.subscribe(lambda: heard.append(None))
    return heard


def test_a_security_rule(arm: RunningArm, clients: Clients, changes: list[None]) -> None:
    rules = clients.network.security_rules
    made = rules.begin_create_or_update(*_NSG, "web", {"properties": _RULE}).result()
    assert (made.name, made.priority, made.provisioning_state) == ("web", 300, "Succeeded")
    assert made.destination_address_prefixes == ["10.224.0.4", "10.224.0.5"]
    [rule] = [one for one in arm.world.azure.security_groups[_NSG[1]].rules if one.name == "web"]
    assert rule.destinations == ("10.224.0.4", "10.224.0.5")
    assert rule.destination_ports == ("8080",)
    assert len(changes) == 1
    assert "web" in [one.name for one in rules.list(*_NSG)]
    changed = {**_RULE, "access": "Deny"}
    rules.begin_create_or_update(*_NSG, "WEB", {"properties": changed}).result()
    assert rules.get(*_NSG, "web").access == "Deny"
    rules.begin_delete(*_NSG, "web").result()
    with pytest.raises(ResourceNotFoundError):
        rules.get(*_NSG, "web")
    assert len(changes) == 3
    rules.begin_delete(*_NSG, "web").result()  # what is gone already


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"priority": 99}, "SecurityRuleInvalidPriority"),
        ({"priority": "x"}, "SecurityRuleInvalidPriority"),
        ({"sourceAddressPrefix": "10.0.0.300"}, "SecurityRuleInvalidAddressPrefix"),
        ({"destinationPortRange": "90-80"}, "SecurityRuleInvalidPortRange"),
        ({"destinationPortRange": "99999"}, "SecurityRuleInvalidPortRange"),
        ({"direction": "Sideways"}, "InvalidRequestFormat"),
        ({"protocol": None}, "InvalidRequestFormat"),
        ({"destinationAddressPrefixes": "10.0.0.0/8"}, "InvalidRequestFormat"),
    ],
)
def test_a_bad_security_rule(
    changed: dict[str, object], code: str, arm: RunningArm, clients: Clients
) -> None:
    before = list(arm.world.azure.security_groups[_NSG[1]].rules)
    with pytest.raises(HttpResponseError) as refused:
        clients.network.security_rules.begin_create_or_update(
            *_NSG, "bad", {"properties": {**_RULE, **changed}}
        )
    assert (refused.value.status_code, refused.value.error.code) == (400, code)
    assert arm.world.azure.security_groups[_NSG[1]].rules == before


def test_two_rules_of_one_priority(clients: Clients) -> None:
    rules = clients.network.security_rules
    rules.begin_create_or_update(*_NSG, "one", {"properties": _RULE}).result()
    with pytest.raises(HttpResponseError) as refused:
        rules.begin_create_or_update(*_NSG, "two", {"properties": _RULE})
    assert refused.value.error.code == "SecurityRuleConflict"
    rules.begin_delete(*_NSG, "one").result()


def test_a_route(arm: RunningArm, clients: Clients, changes: list[None]) -> None:
    routes = clients.network.routes
    properties = {
        "addressPrefix": "203.0.113.0/24",
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.225.0.4",
    }
    made = routes.begin_create_or_update(*_TABLE, "away", {"properties": properties}).result()
    assert (made.address_prefix, made.next_hop_ip_address) == ("203.0.113.0/24", "10.225.0.4")
    [route] = [one for one in arm.world.azure.route_tables[_TABLE[1]].routes if one.name == "away"]
    assert (route.next_hop_type, route.next_hop_ip) == ("VirtualAppliance", "10.225.0.4")
    for wrong in ({"addressPrefix": "203.0.113.1/24"}, {"nextHopIpAddress": ""}):
        with pytest.raises(HttpResponseError):
            routes.begin_create_or_update(*_TABLE, "away", {"properties": {**properties, **wrong}})
    routes.begin_delete(*_TABLE, "away").result()
    assert "away" not in [one.name for one in routes.list(*_TABLE)]
    assert len(changes) == 2


def test_a_link_of_a_private_zone(arm: RunningArm, clients: Clients, changes: list[None]) -> None:
    links = clients.dns.virtual_network_links
    [present] = links.list(*_ZONE)
    hub = present.virtual_network.id.replace("vnet-aksnet-lab", "vnet-hub")
    wanted = {
        "location": "global",
        "properties": {
            "virtualNetwork": {"id": hub},
            "registrationEnabled": False,
            "resolutionPolicy": "NxDomainRedirect",
        },
    }
    made = links.begin_create_or_update(*_ZONE, "to-hub", wanted).result()
    assert made.virtual_network_link_state == "Completed"
    assert made.resolution_policy == "NxDomainRedirect"
    zone = arm.world.azure.private_zones[_ZONE[1]]
    assert [(link.network, link.fallback) for link in zone.links] == [
        ("vnet-aksnet-lab", False),
        ("vnet-hub", True),
    ]
    assert clients.dns.private_zones.get(*_ZONE).number_of_virtual_network_links == 2
    with pytest.raises(ResourceExistsError):
        links.begin_create_or_update(*_ZONE, "again", wanted)
    links.begin_delete(*_ZONE, "to-hub").result()
    assert [link.name for link in links.list(*_ZONE)] == [present.name]
    assert len(changes) == 2


@pytest.mark.parametrize(
    ("kind", "properties", "values"),
    [
        ("A", {"aRecords": [{"ipv4Address": "10.1.2.3"}]}, ["10.1.2.3"]),
        ("AAAA", {"aaaaRecords": [{"ipv6Address": "fd00::1"}]}, ["fd00::1"]),
        ("CNAME", {"cnameRecord": {"cname": "other.example.com"}}, ["other.example.com"]),
        ("TXT", {"txtRecords": [{"value": ["some ", "text"]}]}, ["some text"]),
        ("PTR", {"ptrRecords": [{"ptrdname": "a.example.com"}]}, ["a.example.com"]),
        (
            "MX",
            {"mxRecords": [{"preference": 5, "exchange": "m.example.com"}]},
            ["5 m.example.com"],
        ),
        (
            "SRV",
            {"srvRecords": [{"priority": 1, "weight": 2, "port": 3, "target": "t.example.com"}]},
            ["1 2 3 t.example.com"],
        ),
    ],
)
def test_a_record(
    kind: str,
    properties: dict[str, object],
    values: list[str],
    arm: RunningArm,
    clients: Clients,
    changes: list[None],
) -> None:
    records = clients.dns.record_sets
    body = {"properties": {"ttl": 30, **properties}}
    records.create_or_update(*_ZONE, kind, f"new-{kind}", body)
    [record] = [
        one for one in arm.world.azure.private_zones[_ZONE[1]].records if one.name == f"new-{kind}"
    ]
    assert (record.kind, record.values, record.ttl) == (kind, values, 30)
    shown = records.get(*_ZONE, kind, f"new-{kind}")
    assert shown.fqdn == f"new-{kind}.{_ZONE[1]}."
    assert shown["properties"].items() >= {"ttl": 30}.items()
    assert f"new-{kind}" in [one.name for one in records.list(*_ZONE)]
    records.delete(*_ZONE, kind, f"new-{kind}")
    assert f"new-{kind}" not in [one.name for one in records.list_by_type(*_ZONE, kind)]
    assert len(changes) == 2
    for bad in ({"ttl": 0, **properties}, {"ttl": 30}):
        with pytest.raises(HttpResponseError):
            records.create_or_update(*_ZONE, kind, "bad", {"properties": bad})


def test_a_private_endpoint_connection(
    arm: RunningArm, clients: Clients, changes: list[None]
) -> None:
    [endpoint] = clients.network.private_endpoints.list(GROUP)
    account = endpoint.private_link_service_connections[0].private_link_service_id
    version = "api-version=2024-01-01"
    listed = clients.send("GET", f"{account}/privateEndpointConnections?{version}").json()
    [connection] = listed["value"]
    assert connection["properties"]["privateEndpoint"]["id"] == endpoint.id
    for status in ("Rejected", "Approved"):
        state = {"status": status, "description": "by hand"}
        answer = clients.send(
            "PUT",
            f"{connection['id']}?{version}",
            {"properties": {"privateLinkServiceConnectionState": state}},
        )
        assert answer.status_code == 200
        assert arm.world.azure.private_endpoints["pe-aksnetlab"].status == status
        shown = clients.network.private_endpoints.get(GROUP, "pe-aksnetlab")
        [one] = shown.private_link_service_connections
        assert one.private_link_service_connection_state.status == status
    assert len(changes) == 2
    missing = clients.send("PUT", f"{connection['id']}-no?{version}", {"properties": {}})
    assert missing.status_code == 404
