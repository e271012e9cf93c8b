"""What the readers make of private endpoints and private zones, against the stand-in."""

from collections.abc import Iterator

import pytest

from pytest_aksnet.lab.azure.resources import PrivateZone, RecordSet
from pytest_aksnet.lab.azure.state import ENDPOINT_SUBNET, SECURITY_GROUP
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.lab.spec import SUBSCRIPTION
from pytest_aksnet.model.arm import Sort
from pytest_aksnet.model.azure_private import (
    ENDPOINT_GROUPS,
    PRIVATE_ENDPOINTS,
    PRIVATE_ZONES,
    ZONE_GROUPS,
    ZONE_LINKS,
    ZONE_RECORDS,
)
from pytest_aksnet.model.azure_vnet import VNETS
from tests.lab.arm_readings import readings_of, values_of
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

_ZONE = "privatelink.blob.core.windows.net"
_NAME = "aksnetlab.blob.core.windows.net"
_NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}/providers/microsoft.network"
_ALL = (PRIVATE_ENDPOINTS, ZONE_GROUPS, PRIVATE_ZONES, ZONE_RECORDS, ZONE_LINKS)


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions(egress="none")) as running:
        yield running


def test_endpoints_have_names_and_addresses_of_their_interfaces(arm: RunningArm) -> None:
    [found] = values_of(arm, PRIVATE_ENDPOINTS)
    assert (found.subscriptions, found.unread, found.left_out) == ((SUBSCRIPTION,), (), 0)
    by_name = {one.short: one for one in found.items}
    assert set(by_name) == {"pe-aksnetlab", "kube-apiserver"}
    blob = by_name["pe-aksnetlab"]
    assert blob.vnet == f"{_NETWORK}/virtualnetworks/vnet-aksnet-lab"
    assert (blob.groups, blob.state, blob.provisioning_state) == (
        ("blob",),
        "Approved",
        "Succeeded",
    )
    assert [(one.name, one.addresses) for one in blob.names] == [(_NAME, ("10.226.0.5",))]
    assert blob.addresses == ("10.226.0.5",)
    assert blob.target.endswith("/microsoft.storage/storageaccounts/aksnetlab")
    api = by_name["kube-apiserver"]
    assert api.target.endswith("/managedclusters/aksnet-lab")
    assert api.addresses == ("10.226.0.4",)


def test_an_endpoint_without_zone_group_tells_its_names_itself(arm: RunningArm) -> None:
    endpoint = arm.world.azure.private_endpoints["pe-aksnetlab"]
    try:
        endpoint.zone = ""
        endpoint.status = "Rejected"
        endpoints, groups = values_of(arm, PRIVATE_ENDPOINTS, ZONE_GROUPS)
        shown = arm.clients.network.private_endpoints.get(GROUP, "pe-aksnetlab")
        assert shown.custom_dns_configs is not None
        assert [one.fqdn for one in shown.custom_dns_configs] == [_NAME]
    finally:
        endpoint.zone, endpoint.status = _ZONE, "Approved"
    assert groups.items == ()
    [blob] = [one for one in endpoints.items if one.short == "pe-aksnetlab"]
    assert (blob.state, [one.name for one in blob.names]) == ("Rejected", [_NAME])
    again = arm.clients.network.private_endpoints.get(GROUP, "pe-aksnetlab")
    assert again.custom_dns_configs == []


def test_zones_have_groups_records_and_links(arm: RunningArm) -> None:
    _, groups, zones, records, links = values_of(arm, *_ALL)
    api_zone = arm.world.spec.private_api
    assert api_zone is not None
    assert {one.name for one in zones.items} == {_ZONE, api_zone.zone}
    assert all(one.is_of_endpoints for one in zones.items)
    zone = f"{_NETWORK}/privatednszones/{_ZONE}"
    assert [(one.zones, one.provisioning_state) for one in groups.items] == [((zone,), "Succeeded")]
    assert {(one.name, one.addresses) for one in records.items} == {
        (f"aksnetlab.{_ZONE}", ("10.226.0.5",)),
        (api_zone.fqdn, ("10.226.0.4",)),
    }
    assert {(one.state, one.policy, one.provisioning_state) for one in links.items} == {
        ("Completed", "Default", "Succeeded")
    }
    assert {one.vnet for one in links.items} == {f"{_NETWORK}/virtualnetworks/vnet-aksnet-lab"}


def test_zones_of_one_name_are_two(arm: RunningArm) -> None:
    zones = arm.world.azure.private_zones
    twin = PrivateZone(
        name=_ZONE,
        resource_group=NODE_GROUP,
        records=[RecordSet(name="other", kind="A", values=["10.226.0.9"])],
    )
    try:
        zones["twin"] = twin
        found, records, links = values_of(arm, PRIVATE_ZONES, ZONE_RECORDS, ZONE_LINKS)
    finally:
        del zones["twin"]
    same = [one.id for one in found.items if one.name == _ZONE]
    assert len(same) == 2
    by_zone = {one.zone: one.name for one in records.items if one.zone in same}
    assert by_zone == {
        f"{_NETWORK}/privatednszones/{_ZONE}": f"aksnetlab.{_ZONE}",
        next(one for one in same if NODE_GROUP.lower() in one): f"other.{_ZONE}",
    }
    assert sum(one.zone in same for one in links.items) == 1


def test_security_groups_of_endpoints_are_read_where_there_are_some(arm: RunningArm) -> None:
    assert values_of(arm, ENDPOINT_GROUPS) == [()]
    subnet = arm.world.azure.cluster_network.subnet(ENDPOINT_SUBNET)
    subnet.security_group = SECURITY_GROUP
    subnet.endpoint_policies = "NetworkSecurityGroupEnabled"
    try:
        [groups], [vnet] = values_of(arm, ENDPOINT_GROUPS, VNETS)
    finally:
        subnet.security_group, subnet.endpoint_policies = "", "Disabled"
    assert groups.name == SECURITY_GROUP
    policies = {one.name: one.endpoint_policies for one in vnet.subnets}
    assert policies[ENDPOINT_SUBNET] == "NetworkSecurityGroupEnabled"
    assert policies["aks-nodes"] == "Disabled"


def test_a_zone_that_a_group_names_and_no_list_has_is_asked_for(
    arm: RunningArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A list of a subscription in which only some resource groups may be read.
    monkeypatch.setattr("pytest_aksnet.arm.zones._zones", lambda named, door: [])
    asked = f"{_NETWORK}/privatednszones/{_ZONE}"
    [there] = values_of(arm, PRIVATE_ZONES)
    assert asked in {one.id for one in there.items}
    assert there.complete
    arm.trouble.denied.add("Microsoft.Network/privateDnsZones/read")
    try:
        [forbidden] = values_of(arm, PRIVATE_ZONES)
    finally:
        arm.trouble.denied.clear()
    assert (forbidden.items, forbidden.subscriptions) == ((), ())
    assert {one.action for one in forbidden.unread} == {"Microsoft.Network/privateDnsZones/read"}


def test_the_number_of_requests_is_small(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        sent = [len(readings.reading(topic.name).exchanges) for topic in _ALL]
        assert all(not readings.reading(topic.name).refusal for topic in _ALL)
    # Endpoints and the interfaces of two groups; a group per endpoint; zones; two per zone.
    assert sent == [3, 2, 1, 2, 2]


def test_a_missing_right_is_of_its_topic_alone(arm: RunningArm) -> None:
    arm.trouble.denied.add("Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read")
    try:
        with readings_of(arm) as readings:
            groups = readings.reading(ZONE_GROUPS.name)
            zones = readings.reading(PRIVATE_ZONES.name)
    finally:
        arm.trouble.denied.clear()
    assert groups.refusal is not None
    assert groups.refusal.sort is Sort.FORBIDDEN
    assert groups.refusal.action == ZONE_GROUPS.actions[0]
    assert zones.value is not None, zones.refusal


@pytest.mark.parametrize("seed", range(6))
def test_what_is_half_broken_is_read_or_refused(arm: RunningArm, seed: int) -> None:
    arm.trouble.fields_missing = 1.0
    arm.trouble.chance.seed(seed)
    try:
        with readings_of(arm) as readings:
            found = [readings.reading(topic.name) for topic in _ALL]
    finally:
        arm.trouble.fields_missing = 0.0
    for one in found:
        assert one.refusal is None or one.refusal.sort in (Sort.UNREADABLE, Sort.MISSING), one
