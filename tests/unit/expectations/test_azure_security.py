"""What security groups let in and out of nodes, beside packets; who has a group at all."""

import ipaddress
from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_security import (
    Departure,
    internet_address,
    judge_arrivals,
    judge_departures,
    judge_have_groups,
    judge_management,
    probe_arrival,
)
from pytest_aksnet.expectations.azure_security_rules import (
    Effect,
    Ruling,
)
from pytest_aksnet.model.azure_security import SecurityRule
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_security_samples import (
    AROUND,
    group,
    machine,
    rule,
)


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
