"""What is made of peerings, ranges, DNS servers and states of subnets."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_networks import (
    PeeringSeen,
    judge_dns_servers,
    judge_overlap,
    judge_peerings,
    judge_subnets,
)
from pytest_aksnet.expectations.azure_places import groups_at, spot_of, surroundings
from pytest_aksnet.model.azure_routes import RouteTable, UserRoute
from pytest_aksnet.model.azure_security import SecurityGroup
from pytest_aksnet.model.azure_vnet import Peering
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations import azure_samples as samples
from tests.unit.expectations.azure_samples import GROUP_ID, HUB, NETWORK, TABLE_ID

SUBNET = replace(samples.SUBNET, cidrs=("10.224.0.0/16", "fd00:1::/64"), default_outbound=False)
VNET = replace(NETWORK, subnets=(SUBNET,), peerings=(HUB,), provisioning_state="Succeeded")
CUT = replace(HUB, state="Disconnected")
LATE = replace(HUB, in_sync="LocalNotInSync")


@pytest.mark.parametrize(
    ("near", "back", "answers", "outcome"),
    [
        (HUB, HUB, True, Outcome.PASS),
        (HUB, None, None, Outcome.PASS),
        # Whatever is wrong there, the peering is not.
        (HUB, HUB, False, Outcome.PASS),
        (CUT, None, False, Outcome.FAIL),
        (CUT, None, None, Outcome.FAIL),
        (CUT, None, True, Outcome.PASS),
        (HUB, CUT, False, Outcome.FAIL),
        (HUB, replace(HUB, allows_access=False), False, Outcome.FAIL),
        (LATE, HUB, None, Outcome.PASS),
        (LATE, HUB, False, Outcome.FAIL),
        (replace(HUB, state=""), HUB, True, Outcome.INCONCLUSIVE),
    ],
)
def test_peerings(
    near: Peering, back: Peering | None, answers: bool | None, outcome: Outcome
) -> None:
    seen = PeeringSeen(near=near, back=back, host="" if answers is None else "vm", answers=answers)
    found = judge_peerings([seen])
    assert found.verdict.outcome is outcome
    assert found.resource == (near.id if outcome is Outcome.FAIL else "")


def test_a_late_peering_is_a_warning_where_nothing_is_asked() -> None:
    found = judge_peerings([PeeringSeen(near=LATE, back=HUB)])
    assert "LocalNotInSync" in found.verdict.warning


@pytest.mark.parametrize(
    ("ranges", "outcome"),
    [
        (("10.50.0.0/16",), Outcome.PASS),
        (("10.50.0.0/16", "10.0.128.0/20"), Outcome.FAIL),
        (("10.0.0.0/8",), Outcome.FAIL),
        (("fd00::/16",), Outcome.PASS),
        ((), Outcome.INCONCLUSIVE),
    ],
)
def test_overlap(ranges: tuple[str, ...], outcome: Outcome) -> None:
    peering = replace(HUB, remote_ranges=ranges)
    found = judge_overlap([peering], {"the Service range": ("10.0.0.0/16",)})
    assert found.verdict.outcome is outcome


@pytest.mark.parametrize(
    ("wanted", "asked", "outcome"),
    [
        ((), ("168.63.129.16",), Outcome.PASS),
        (("10.1.0.4", "10.1.0.5"), ("10.1.0.4", "10.1.0.5"), Outcome.PASS),
        (("10.1.0.4",), ("168.63.129.16",), Outcome.FAIL),
        (("10.1.0.4",), ("10.1.0.4", "10.1.0.9"), Outcome.FAIL),
        (("10.1.0.4", "10.1.0.5"), ("10.1.0.4",), Outcome.PASS),
        ((), ("127.0.0.53",), Outcome.INCONCLUSIVE),
        ((), ("169.254.10.10",), Outcome.INCONCLUSIVE),
        ((), (), Outcome.INCONCLUSIVE),
    ],
)
def test_dns_servers(wanted: tuple[str, ...], asked: tuple[str, ...], outcome: Outcome) -> None:
    found = judge_dns_servers(replace(VNET, dns_servers=wanted), {"n": asked})
    assert found.verdict.outcome is outcome
    assert found.resource == (VNET.id if outcome is Outcome.FAIL else "")


@pytest.mark.parametrize(
    ("state", "default_outbound", "kind", "outcome"),
    [
        ("Succeeded", False, "none", Outcome.PASS),
        ("Succeeded", True, "loadBalancer", Outcome.PASS),
        ("Succeeded", True, "none", Outcome.FAIL),
        ("Succeeded", None, "none", Outcome.INCONCLUSIVE),
        ("Failed", False, "loadBalancer", Outcome.FAIL),
        ("Updating", False, "loadBalancer", Outcome.PASS),
        ("", False, "loadBalancer", Outcome.INCONCLUSIVE),
    ],
)
def test_subnets(state: str, default_outbound: bool | None, kind: str, outcome: Outcome) -> None:
    subnet = replace(
        SUBNET, provisioning_state=state, default_outbound=default_outbound, route_table=""
    )
    found = judge_subnets([VNET], [subnet], kind)
    assert found.verdict.outcome is outcome
    assert found.resource == (SUBNET.id if outcome is Outcome.FAIL else "")


@pytest.mark.parametrize(("kind", "table"), [("none", SUBNET.route_table), ("block", "")])
def test_what_else_closes_a_subnet_is_a_warning(kind: str, table: str) -> None:
    subnet = replace(SUBNET, default_outbound=True, route_table=table)
    found = judge_subnets([VNET], [subnet], kind)
    assert (found.verdict.outcome, bool(found.verdict.warning)) == (Outcome.PASS, True)


def test_where_machines_are_and_what_holds_there() -> None:
    spot = spot_of("fd00:1::7", [VNET])
    assert spot is not None
    assert spot_of("10.9.9.9", [VNET]) is None
    of_subnet, of_nic, other = (
        SecurityGroup(id=own_id, rules=(), interfaces=interfaces)
        for own_id, interfaces in (
            (GROUP_ID, ()),
            (f"{GROUP_ID}2", ("/subscriptions/s/vmss/x/virtualmachines/1/networkinterfaces/n",)),
            (f"{GROUP_ID}3", ("/subscriptions/s/vmss/x/virtualmachines/11/networkinterfaces/n",)),
        )
    )
    at = "azure:///subscriptions/S/vmss/x/virtualMachines/1"
    assert groups_at(spot, at, (of_nic, other, of_subnet)) == (of_subnet, of_nic)
    assert groups_at(spot, at, (other,)) is None


def test_what_the_tag_virtual_network_means() -> None:
    spot = spot_of("10.224.0.4", [VNET])
    assert spot is not None
    routes = (UserRoute(id=f"{TABLE_ID}/routes/r", prefix="10.99.0.0/16", next_hop="None"),)
    table = RouteTable(id=TABLE_ID, routes=routes, subnets=())
    found = surroundings(spot, [table], None)
    assert sorted(map(str, found.networks)) == ["10.224.0.0/12", "10.50.0.0/16", "10.99.0.0/16"]
    assert not found.may_be_all
    everything = replace(table, routes=(replace(routes[0], prefix="0.0.0.0/0"),))
    assert surroundings(spot, [everything], None).may_be_all
    cut = replace(spot, vnet=replace(VNET, peerings=(CUT,)))
    assert [str(one) for one in surroundings(cut, [], None).networks] == ["10.224.0.0/12"]
