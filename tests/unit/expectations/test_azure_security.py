"""How flows are judged by security groups, and what is made of that beside packets."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.expectations.azure_security import (
    Departure,
    internet_address,
    judge_arrivals,
    judge_departures,
    judge_have_groups,
    judge_management,
    probe_arrival,
)
from pytest_aksnet.expectations.azure_security_between import (
    Looked,
    Machine,
    closed_between,
    judge_talk,
)
from pytest_aksnet.expectations.azure_security_rules import (
    INBOUND,
    OUTBOUND,
    PROBE_SOURCE,
    Effect,
    Flow,
    Ruling,
    Surroundings,
    is_in,
    networks,
    ports_denied,
    ruling,
    ruling_of_all,
)
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule
from pytest_aksnet.model.verdict import Outcome

_ID = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/networksecuritygroups/nsg"
AROUND = Surroundings(networks=networks(["10.224.0.0/12", "10.244.0.0/16"]))


def rule(
    name: str = "r",
    priority: int | None = 100,
    access: str = "Deny",
    *,
    direction: str = "Inbound",
    protocol: str = "*",
    sources: tuple[str, ...] = ("*",),
    destinations: tuple[str, ...] = ("*",),
    ports: tuple[str, ...] = ("*",),
    default: bool = False,
    members: bool = False,
) -> SecurityRule:
    return SecurityRule(
        id=f"{_ID}/securityrules/{name}",
        name=name,
        priority=priority,
        direction=direction,
        access=access,
        protocol=protocol,
        sources=sources,
        source_ports=("*",),
        destinations=destinations,
        destination_ports=ports,
        is_default=default,
        is_by_members=members,
    )


DEFAULTS = (
    rule(
        "vnet-in",
        65000,
        "Allow",
        sources=("VirtualNetwork",),
        destinations=("VirtualNetwork",),
        default=True,
    ),
    rule("lb-in", 65001, "Allow", sources=("AzureLoadBalancer",), default=True),
    rule("deny-in", 65500, default=True),
    rule(
        "vnet-out",
        65000,
        "Allow",
        direction="Outbound",
        sources=("VirtualNetwork",),
        destinations=("VirtualNetwork",),
        default=True,
    ),
    rule(
        "internet-out",
        65001,
        "Allow",
        direction="Outbound",
        destinations=("Internet",),
        default=True,
    ),
    rule("deny-out", 65500, direction="Outbound", default=True),
)


def group(*rules: SecurityRule, whole: bool = True) -> SecurityGroup:
    return SecurityGroup(id=_ID, rules=(*rules, *DEFAULTS), is_whole=whole)


def flow(
    source: str, destination: str, port: int = 443, *, protocol: str = "tcp", out: bool = False
) -> Flow:
    return Flow(
        direction=OUTBOUND if out else INBOUND,
        protocol=protocol,
        source=source,
        destination=destination,
        port=port,
    )


def machine(node: str, address: str, *rules: SecurityRule) -> Machine:
    return Machine(
        what=f"node {node}", node=node, address=address, groups=(group(*rules),), around=AROUND
    )


@pytest.mark.parametrize(
    ("source", "destination", "out", "effect"),
    [
        ("10.224.0.4", "10.224.0.5", False, Effect.ALLOW),
        ("10.244.0.4", "10.244.1.5", False, Effect.ALLOW),
        (PROBE_SOURCE, "10.224.0.5", False, Effect.ALLOW),
        ("9.9.9.9", "10.224.0.5", False, Effect.DENY),
        ("10.224.0.5", "9.9.9.9", True, Effect.ALLOW),
        # A network behind a gateway is part of the tag, and nobody names it here.
        ("192.168.7.7", "10.224.0.5", False, Effect.OPEN),
        ("10.224.0.5", PROBE_SOURCE, True, Effect.ALLOW),
    ],
)
def test_default_rules(source: str, destination: str, out: bool, effect: Effect) -> None:
    assert ruling(group(), flow(source, destination, out=out), AROUND).effect is effect


def test_platform_addresses_heed_their_tags_alone() -> None:
    to_dns = flow("10.224.0.4", PROBE_SOURCE, 53, protocol="udp", out=True)
    everything = rule("all", direction="Outbound")
    assert ruling(group(everything), to_dns, AROUND).effect is Effect.ALLOW
    named = rule("dns", direction="Outbound", destinations=("AzurePlatformDNS",), ports=("53",))
    found = ruling(group(everything, named), to_dns, AROUND)
    assert (found.effect, found.rule) == (Effect.DENY, named)
    imds = rule("imds", direction="Outbound", destinations=("AzurePlatformIMDS",))
    assert ruling(group(imds), to_dns, AROUND).effect is Effect.ALLOW


def test_tags_of_services_are_not_known_of_public_addresses() -> None:
    cloud = rule(
        "cloud", 100, "Allow", direction="Outbound", destinations=("AzureCloud.westeurope",)
    )
    closed = rule("closed", 200, direction="Outbound", destinations=("Internet",))
    found = ruling(group(cloud, closed), flow("10.224.0.4", "20.1.2.3", out=True), AROUND)
    assert (found.effect, found.rule, found.doubts) == (Effect.OPEN, closed, (cloud,))
    inside = ruling(group(cloud), flow("10.224.0.4", "10.224.0.9", out=True), AROUND)
    assert inside.effect is Effect.ALLOW
    # It may match, and says the same as the rule that does.
    again = ruling(group(cloud), flow("10.224.0.4", "20.1.2.3", out=True), AROUND)
    assert again.effect is Effect.ALLOW


def test_a_default_route_may_make_the_tag_everything() -> None:
    routed = replace(AROUND, may_be_all=True)
    assert is_in("VirtualNetwork", "9.9.9.9", routed) is None
    assert is_in("Internet", "9.9.9.9", routed) is True
    assert ruling(group(), flow("9.9.9.9", "10.224.0.5"), routed).effect is Effect.OPEN


@pytest.mark.parametrize(
    "broken",
    [
        rule("r", None),
        rule("r", access=""),
        rule("r", direction=""),
        rule("r", protocol=""),
        rule("r", sources=()),
        rule("r", destinations=()),
        rule("r", ports=()),
        rule("r", ports=("high",)),
        rule("r", members=True),
    ],
)
def test_what_is_missing_leaves_it_open(broken: SecurityRule) -> None:
    inside = flow("10.224.0.4", "10.224.0.5")
    assert ruling(group(broken), inside, AROUND).effect is Effect.OPEN
    assert ruling(group(whole=False), inside, AROUND).effect is Effect.OPEN


def test_all_groups_must_allow() -> None:
    inside = flow("10.224.0.4", "10.224.0.5")
    denies = group(rule("no", ports=("443",)))
    assert ruling_of_all([group(), denies], inside, AROUND).effect is Effect.DENY
    assert ruling_of_all([group(whole=False), denies], inside, AROUND).effect is Effect.DENY
    assert ruling_of_all([group(), group(whole=False)], inside, AROUND).effect is Effect.OPEN
    assert ruling_of_all([], inside, AROUND).effect is Effect.ALLOW


# -- against the words of the documentation, taken literally -----------------------------------

_ADDRESSES = ("10.224.0.4", "10.224.9.9", "10.244.1.1", "20.1.2.3", PROBE_SOURCE)
_PREFIXES = ("*", "10.224.0.0/16", "10.224.0.4/32", "0.0.0.0/0", "VirtualNetwork", "Internet")
_PORTS = ("*", "22", "80-443", "440-50000", "65535", "0-21")


@st.composite
def rules_of_a_group(draw: st.DrawFn) -> list[SecurityRule]:
    count = draw(st.integers(0, 6))
    priorities = draw(st.lists(st.integers(100, 4096), min_size=count, max_size=count, unique=True))
    return [
        rule(
            f"r{priority}",
            priority,
            draw(st.sampled_from(("Allow", "Deny"))),
            direction=draw(st.sampled_from(("Inbound", "Outbound"))),
            protocol=draw(st.sampled_from(("*", "Tcp", "Udp"))),
            sources=(draw(st.sampled_from(_PREFIXES)),),
            destinations=(draw(st.sampled_from(_PREFIXES)),),
            ports=tuple(draw(st.lists(st.sampled_from(_PORTS), min_size=1, max_size=2))),
        )
        for priority in priorities
    ]


def _literally(rules: list[SecurityRule], one: Flow) -> tuple[str, str]:
    """Access and name of the first rule by priority whose every field matches."""

    def has(entry: str, address: str) -> bool:
        inside = any(ipaddress.ip_address(address) in net for net in AROUND.networks)
        if entry == "VirtualNetwork":
            return inside or address == PROBE_SOURCE
        if entry == "Internet":
            return not inside and address != PROBE_SOURCE
        if entry == "AzureLoadBalancer":
            return address == PROBE_SOURCE
        return entry == "*" or ipaddress.ip_address(address) in ipaddress.ip_network(entry)

    def at(text: str) -> bool:
        first, _, last = text.partition("-")
        return text == "*" or int(first) <= one.port <= int(last or first)

    for each in sorted([*rules, *DEFAULTS], key=lambda known: known.priority or 0):
        if (
            each.direction.lower() == one.direction
            and each.protocol.lower() in ("*", one.protocol)
            and any(has(entry, one.source) for entry in each.sources)
            and any(has(entry, one.destination) for entry in each.destinations)
            and any(at(text) for text in each.destination_ports)
        ):
            return each.access.lower(), each.name
    raise AssertionError


@settings(max_examples=60)
@given(
    rules=rules_of_a_group(),
    source=st.sampled_from(_ADDRESSES),
    destination=st.sampled_from(_ADDRESSES[:-1]),
    port=st.sampled_from((0, 21, 22, 23, 79, 80, 439, 440, 443, 444, 50000, 50001, 65535)),
    out=st.booleans(),
    protocol=st.sampled_from(("tcp", "udp")),
)
def test_judged_as_documented(
    rules: list[SecurityRule],
    source: str,
    destination: str,
    port: int,
    out: bool,
    protocol: str,
) -> None:
    one = flow(source, destination, port, out=out, protocol=protocol)
    found = ruling(group(*rules), one, AROUND)
    assert found.rule is not None
    assert (found.effect.value, found.rule.name) == _literally(rules, one)


@settings(max_examples=60)
@given(rules=rules_of_a_group(), port=st.integers(0, 65535))
def test_ranges_of_ports_say_what_each_port_says(rules: list[SecurityRule], port: int) -> None:
    source, destination = "10.224.0.4", "10.224.9.9"
    closed = list(ports_denied(group(*rules), INBOUND, "tcp", source, destination, AROUND))
    assert all(first <= last for first, last, _ in closed)
    found = [one for first, last, one in closed if first <= port <= last]
    one = ruling(group(*rules), flow(source, destination, port), AROUND)
    assert found == ([] if one.effect is Effect.ALLOW else [one])


# -- between nodes -----------------------------------------------------------------------------

HIGH = rule("high", sources=("10.224.0.0/16",), protocol="Tcp", ports=("40000-65535",))


def test_closed_ports_are_found_once_for_nodes_that_are_alike() -> None:
    nodes = [machine(f"n{number}", f"10.224.0.{number}", HIGH) for number in range(4, 40)]
    [one] = closed_between(nodes, nodes)
    assert (one.first, one.last, one.port, one.open_port) == (40000, 65535, 40000, 39999)
    assert one.source.node != one.destination.node
    assert closed_between(nodes[:1], nodes[:1]) == []


def test_a_rule_for_one_node_is_found() -> None:
    one = rule("one", destinations=("10.224.0.9/32",), ports=("10250",))
    nodes = [machine(f"n{number}", f"10.224.0.{number}", one) for number in range(4, 12)]
    found = closed_between(nodes, nodes)
    assert {each.destination.address for each in found} == {"10.224.0.9"}


def test_packets_decide_with_the_rule() -> None:
    nodes = [machine("a", "10.224.0.4", HIGH), machine("b", "10.224.0.5", HIGH)]
    closed = closed_between(nodes, nodes)

    def judged(at_closed: bool | None, at_open: bool | None) -> Outcome:
        looked = {0: Looked(at_closed=at_closed, at_open=at_open)}
        return judge_talk(looked, closed).verdict.outcome

    assert judged(False, True) is Outcome.FAIL
    assert judged(False, False) is Outcome.INCONCLUSIVE
    assert judged(None, True) is Outcome.INCONCLUSIVE
    assert judged(True, True) is Outcome.PASS
    assert judge_talk({}, closed).verdict.outcome is Outcome.INCONCLUSIVE
    assert judge_talk({}, []).verdict.outcome is Outcome.PASS
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, closed)
    assert found.resource == HIGH.id
    assert judge_talk({0: Looked(at_closed=True, at_open=True)}, closed).verdict.warning


def test_what_is_not_known_fails_nobody() -> None:
    doubtful = replace(HIGH, is_by_members=True)
    nodes = [machine("a", "10.224.0.4", doubtful), machine("b", "10.224.0.5", doubtful)]
    closed = closed_between(nodes, nodes)
    assert [one.ruling.effect for one in closed] == [Effect.OPEN]
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, closed)
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


def test_login_between_nodes_may_be_closed_on_purpose() -> None:
    ssh = rule("ssh", sources=("VirtualNetwork",), protocol="Tcp", ports=("22",))
    nodes = [machine("a", "10.224.0.4", ssh), machine("b", "10.224.0.5", ssh)]
    closed = closed_between(nodes, nodes)
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, closed)
    assert (found.verdict.outcome, bool(found.verdict.warning)) == (Outcome.PASS, True)


def test_a_default_rule_is_changed_by_its_group() -> None:
    far = replace(machine("b", "20.1.2.3"), groups=())
    [one] = closed_between([far], [machine("a", "10.224.0.4")])
    found = judge_talk({0: Looked(at_closed=False, at_open=True)}, [one])
    assert found.resource == _ID


# -- in and out --------------------------------------------------------------------------------


def test_probes_must_be_let_in() -> None:
    wanted = [probe_arrival("probes", "tcp", 31000)]
    assert judge_arrivals([machine("a", "10.224.0.4")], wanted, "s").verdict.outcome is Outcome.PASS
    closed = rule("no-probes", sources=("AzureLoadBalancer",))
    found = judge_arrivals([machine("a", "10.224.0.4", closed)], wanted, "s")
    assert (found.verdict.outcome, found.resource) == (Outcome.FAIL, closed.id)
    other = rule("no-probes", sources=("AzureLoadBalancer",), ports=("80",))
    found = judge_arrivals([machine("a", "10.224.0.4", other)], wanted, "s")
    assert found.verdict.outcome is Outcome.PASS
    broken = rule("no-probes", sources=())
    found = judge_arrivals([machine("a", "10.224.0.4", broken)], wanted, "s")
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("effect", "got_there", "outcome", "warned"),
    [
        (Effect.DENY, False, Outcome.FAIL, False),
        (Effect.DENY, True, Outcome.PASS, True),
        (Effect.DENY, None, Outcome.INCONCLUSIVE, False),
        (Effect.ALLOW, False, Outcome.PASS, True),
        (Effect.ALLOW, True, Outcome.PASS, False),
        (Effect.OPEN, False, Outcome.INCONCLUSIVE, False),
        (Effect.OPEN, True, Outcome.PASS, False),
    ],
)
def test_a_denied_way_out_counts_where_packets_do_not_get_there(
    effect: Effect, got_there: bool | None, outcome: Outcome, warned: bool
) -> None:
    no = rule("no", direction="Outbound")
    one = Departure(
        node="a",
        what="mcr.microsoft.com:443",
        ruling=Ruling(effect=effect, group=group(no), rule=no),
        got_there=got_there,
    )
    found = judge_departures([one])
    assert (found.verdict.outcome, bool(found.verdict.warning)) == (outcome, warned)
    assert found.resource == (no.id if outcome is Outcome.FAIL else "")


@pytest.mark.parametrize(
    ("opened", "outcome"),
    [
        ((), Outcome.PASS),
        ((rule("r", 100, "Allow", sources=("Internet",), ports=("22",)),), Outcome.FAIL),
        ((rule("r", 100, "Allow", ports=("20-30",)),), Outcome.FAIL),
        ((rule("r", 100, "Allow", sources=("0.0.0.0/0",), ports=("3389",)),), Outcome.FAIL),
        ((rule("r", 100, "Allow", sources=("198.51.100.7/32",), ports=("22",)),), Outcome.PASS),
        ((rule("r", 100, "Allow", ports=("443",)),), Outcome.PASS),
        ((rule("r", 100, "Allow", sources=("AzureDevOps",), ports=("22",)),), Outcome.PASS),
        (
            (rule("d", 90, ports=("22",)), rule("r", 100, "Allow", ports=("22",))),
            Outcome.PASS,
        ),
        ((rule("r", 100, "Allow", sources=(), ports=("22",)),), Outcome.INCONCLUSIVE),
        ((rule("r", 100, "Allow", ports=("22",), members=True),), Outcome.INCONCLUSIVE),
    ],
)
def test_management_ports(opened: tuple[SecurityRule, ...], outcome: Outcome) -> None:
    found = judge_management([machine("a", "10.224.0.4", *opened)])
    assert found.verdict.outcome is outcome
    routed = replace(machine("a", "10.224.0.4", *opened), around=replace(AROUND, may_be_all=True))
    assert judge_management([routed]).verdict.outcome is outcome


def test_every_subnet_has_a_group() -> None:
    good, bad = "/a/subnets/good", "/a/subnets/bad"
    assert judge_have_groups({good: {"n": True}}).verdict.outcome is Outcome.PASS
    found = judge_have_groups({good: {"n": True}, bad: {"n": True, "m": False}})
    assert (found.verdict.outcome, found.resource) == (Outcome.FAIL, bad)


def test_addresses_for_everybody_are_public() -> None:
    for version in (4, 6):
        assert ipaddress.ip_address(internet_address(version)).version == version
