"""Which route a packet takes, and what is made of routes beside packets."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.expectations.azure_places import Spot
from pytest_aksnet.expectations.azure_route_findings import (
    NodeRange,
    Way,
    judge_appliances,
    judge_dead_ends,
    judge_node_ranges,
    judge_outbound_type,
)
from pytest_aksnet.expectations.azure_routes import (
    LOCAL,
    PEERING,
    UNKNOWN,
    Hop,
    default_route,
    next_hop,
)
from pytest_aksnet.model.azure_routes import (
    APPLIANCE,
    GATEWAY,
    INTERNET,
    NOWHERE,
    RouteTable,
    UserRoute,
)
from pytest_aksnet.model.azure_vnet import Subnet
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_samples import HUB, NETWORK, SUBNET, TABLE_ID

VNET = replace(NETWORK, peerings=(HUB,))
SPOT = Spot(vnet=VNET, subnet=SUBNET)


def route(prefix: str, hop: str = APPLIANCE, ip: str = "10.50.0.4", name: str = "r") -> UserRoute:
    return UserRoute(id=f"{TABLE_ID}/routes/{name}", prefix=prefix, next_hop=hop, next_hop_ip=ip)


def table(*routes: UserRoute, gateways: bool | None = True) -> RouteTable:
    return RouteTable(id=TABLE_ID, routes=routes, subnets=(SUBNET.id,), has_gateway_routes=gateways)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("10.224.3.4", LOCAL),
        ("10.50.1.1", PEERING),
        ("9.9.9.9", INTERNET),
        # A gateway may have a route there, and nobody says so.
        ("192.168.1.1", UNKNOWN),
        ("168.63.129.16", LOCAL),
        ("169.254.169.254", LOCAL),
    ],
)
def test_routes_of_azure(address: str, kind: str) -> None:
    found = next_hop(address, SPOT, None)
    assert (found.kind, found.route) == (kind, None)
    assert next_hop(address, SPOT, table()).route is None


def test_a_user_route_wins_of_equal_ones_and_a_longer_one_of_all() -> None:
    mine = route("10.224.0.0/12", NOWHERE)
    everything = route("0.0.0.0/0")
    assert next_hop("10.224.3.4", SPOT, table(mine, everything)).route == mine
    assert next_hop("10.50.3.4", SPOT, table(mine, everything)).kind == PEERING
    assert next_hop("9.9.9.9", SPOT, table(mine, everything)).route == everything
    assert next_hop("168.63.129.16", SPOT, table(everything)).route is None
    cut = replace(SPOT, vnet=replace(VNET, peerings=(replace(HUB, state="Disconnected"),)))
    assert next_hop("10.50.3.4", cut, table(everything)).route == everything


def test_routes_by_tag_leave_public_addresses_uncertain() -> None:
    tagged = table(route("0.0.0.0/0"), route("AzureCloud", INTERNET, ""))
    assert not next_hop("9.9.9.9", SPOT, tagged).certain
    assert next_hop("10.224.3.4", SPOT, tagged).certain


def test_a_gateway_may_have_routes_that_are_more_specific() -> None:
    through = table(route("0.0.0.0/0"))
    assert not next_hop("192.168.1.1", SPOT, through).certain
    assert next_hop("192.168.1.1", SPOT, replace(through, has_gateway_routes=False)).certain
    assert next_hop("10.50.1.1", SPOT, through).certain
    assert next_hop("9.9.9.9", SPOT, through).certain


_PREFIXES = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.224.0.0/12",
    "10.224.0.0/16",
    "10.224.3.0/24",
    "10.50.0.0/16",
    "9.9.9.9/32",
    "8.0.0.0/7",
)


@settings(max_examples=60)
@given(
    prefixes=st.lists(st.sampled_from(_PREFIXES), unique=True),
    address=st.sampled_from(("10.224.3.4", "10.224.9.9", "10.50.1.1", "10.1.1.1", "9.9.9.9")),
)
def test_the_longest_prefix_wins(prefixes: list[str], address: str) -> None:
    routes = [route(prefix, name=str(number)) for number, prefix in enumerate(prefixes)]
    found = next_hop(address, SPOT, table(*routes))
    wanted = ipaddress.ip_address(address)
    own = [
        ipaddress.ip_network(one.prefix)
        for one in routes
        if wanted in ipaddress.ip_network(one.prefix)
    ]
    of_azure = [
        net
        for net in map(ipaddress.ip_network, (*VNET.ranges, *HUB.remote_ranges))
        if wanted in net
    ]
    longest_own = max((one.prefixlen for one in own), default=-1)
    longest_other = max((one.prefixlen for one in of_azure), default=-1)
    if longest_own >= max(longest_other, 0):
        assert found.route is not None
        assert ipaddress.ip_network(found.route.prefix).prefixlen == longest_own
    else:
        assert found.route is None


def test_default_routes_by_family() -> None:
    both = table(route("::/0", name="six"), route("0.0.0.0/0", name="four"))
    found = default_route(both), default_route(both, 6)
    assert [one.name if one else "" for one in found] == ["four", "six"]
    assert default_route(None) is None
    assert default_route(table(route("10.0.0.0/8"))) is None


# -- beside packets ----------------------------------------------------------------------------


def way(
    got_there: bool | None, used: UserRoute | None = None, *, denied: str = "", certain: bool = True
) -> Way:
    kind = used.next_hop if used else LOCAL
    return Way(
        source="pod p",
        what="there",
        hop=Hop(kind=kind, route=used, certain=certain),
        got_there=got_there,
        denied_by=denied,
    )


FIREWALL, NOWHERE_ROUTE = route("0.0.0.0/0"), route("0.0.0.0/0", NOWHERE, "")


@pytest.mark.parametrize(
    ("ways", "outcome"),
    [
        ([way(True), way(False, FIREWALL)], Outcome.FAIL),
        # One that answers shows that the appliance passes things on.
        ([way(True), way(False, FIREWALL), way(True, FIREWALL)], Outcome.PASS),
        ([way(False), way(False, FIREWALL)], Outcome.INCONCLUSIVE),
        ([way(True), way(None, FIREWALL)], Outcome.INCONCLUSIVE),
        ([way(True), way(False, FIREWALL, denied="a rule")], Outcome.INCONCLUSIVE),
        ([way(True), way(False, FIREWALL, certain=False)], Outcome.INCONCLUSIVE),
        # Another route may have led there.
        ([way(True, FIREWALL, certain=False), way(False, FIREWALL), way(True)], Outcome.FAIL),
        ([way(True, FIREWALL, certain=False)], Outcome.PASS),
        ([way(True), way(False, NOWHERE_ROUTE)], Outcome.PASS),
        ([way(False)], Outcome.PASS),
    ],
)
def test_appliances(ways: list[Way], outcome: Outcome) -> None:
    found = judge_appliances(ways)
    assert found.verdict.outcome is outcome
    assert found.resource == (FIREWALL.id if outcome is Outcome.FAIL else "")


def test_dead_ends() -> None:
    found = judge_dead_ends([way(True), way(False, NOWHERE_ROUTE)])
    assert (found.verdict.outcome, found.resource) == (Outcome.FAIL, NOWHERE_ROUTE.id)
    alright = judge_dead_ends([way(True), way(False, FIREWALL)])
    assert alright.verdict.outcome is Outcome.PASS


INTERNET_ROUTE = route("0.0.0.0/0", INTERNET, "")


@pytest.mark.parametrize(
    ("kind", "found", "subnet", "outcome", "resource"),
    [
        ("userDefinedRouting", table(FIREWALL), SUBNET, Outcome.PASS, ""),
        ("userDefinedRouting", table(route("0.0.0.0/0", GATEWAY)), SUBNET, Outcome.PASS, ""),
        ("userDefinedRouting", table(INTERNET_ROUTE), SUBNET, Outcome.FAIL, INTERNET_ROUTE.id),
        (
            "userDefinedRouting",
            table(INTERNET_ROUTE),
            replace(SUBNET, nat_gateway="/nat"),
            Outcome.PASS,
            "",
        ),
        ("userDefinedRouting", table(gateways=False), SUBNET, Outcome.FAIL, TABLE_ID),
        # A gateway may announce one.
        ("userDefinedRouting", table(), SUBNET, Outcome.PASS, ""),
        ("userDefinedRouting", None, SUBNET, Outcome.FAIL, SUBNET.id),
        (
            "userDefinedRouting",
            replace(table(gateways=False), is_whole=False),
            SUBNET,
            Outcome.INCONCLUSIVE,
            "",
        ),
        ("loadBalancer", None, SUBNET, Outcome.PASS, ""),
        ("loadBalancer", table(FIREWALL), SUBNET, Outcome.FAIL, FIREWALL.id),
        ("managedNATGateway", table(FIREWALL), SUBNET, Outcome.FAIL, FIREWALL.id),
        ("none", table(FIREWALL), SUBNET, Outcome.PASS, ""),
    ],
)
def test_outbound_type(
    kind: str, found: RouteTable | None, subnet: Subnet, outcome: Outcome, resource: str
) -> None:
    finding = judge_outbound_type(kind, [(subnet, found)], public_services=["shop/web"])
    assert (finding.verdict.outcome, finding.resource) == (outcome, resource)


def test_an_appliance_without_public_services_is_a_warning() -> None:
    finding = judge_outbound_type("loadBalancer", [(SUBNET, table(FIREWALL))], public_services=[])
    assert finding.verdict.outcome is Outcome.PASS
    assert finding.verdict.warning


def node_range(hop: Hop, got_there: bool | None, *, with_table: bool = True) -> NodeRange:
    return NodeRange(
        node="n",
        cidr="10.244.1.0/24",
        addresses=("10.224.0.5",),
        hop=hop,
        table=TABLE_ID if with_table else "",
        subnet=SUBNET.id,
        got_there=got_there,
    )


_RIGHT = route("10.244.1.0/24", ip="10.224.0.5")
_WRONG = route("10.244.1.0/24", ip="10.224.0.6", name="wrong")


@pytest.mark.parametrize(
    ("one", "outcome", "resource"),
    [
        (node_range(Hop(kind=APPLIANCE, route=_RIGHT), True), Outcome.PASS, ""),
        # The route is right: whatever else is wrong is not its fault.
        (node_range(Hop(kind=APPLIANCE, route=_RIGHT), False), Outcome.PASS, ""),
        (node_range(Hop(kind=APPLIANCE, route=_WRONG), False), Outcome.FAIL, _WRONG.id),
        (node_range(Hop(kind=APPLIANCE, route=_WRONG), True), Outcome.PASS, ""),
        (node_range(Hop(kind=APPLIANCE, route=_WRONG), None), Outcome.INCONCLUSIVE, ""),
        (node_range(Hop(kind=UNKNOWN), False), Outcome.FAIL, TABLE_ID),
        (node_range(Hop(kind=UNKNOWN), False, with_table=False), Outcome.FAIL, SUBNET.id),
    ],
)
def test_ranges_of_nodes(one: NodeRange, outcome: Outcome, resource: str) -> None:
    finding = judge_node_ranges([one])
    assert (finding.verdict.outcome, finding.resource) == (outcome, resource)
