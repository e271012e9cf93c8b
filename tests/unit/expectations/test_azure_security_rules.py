"""How flows are judged by security groups, also against the documentation, taken literally."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.expectations.azure_security_rules import (
    INBOUND,
    PROBE_SOURCE,
    Effect,
    Flow,
    is_in,
    ports_denied,
    ruling,
    ruling_of_all,
)
from pytest_aksnet.model.azure_security import SecurityRule
from tests.unit.expectations.azure_security_samples import (
    AROUND,
    DEFAULTS,
    flow,
    group,
    rule,
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
