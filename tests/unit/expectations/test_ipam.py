"""Addresses that AKS takes, what an upgrade adds, and what is judged too small."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.expectations import ipam
from pytest_aksnet.expectations.ipam import Room
from pytest_aksnet.expectations.ipam_arithmetic import (
    Cost,
    PoolPlan,
    batches,
    cost_in_node_subnet,
    cost_in_pod_subnet,
    falls_back,
    node_blocks,
    preallocated,
    service_addresses,
    subnet_size,
    surge_nodes,
)
from pytest_aksnet.expectations.ipam_upgrade import Demand, judge_surge
from pytest_aksnet.model.verdict import Outcome

ONE = Cost(sure=1, planned=1)


@pytest.mark.parametrize(
    ("cidr", "nodes", "max_pods", "asked", "available", "fits"),
    [
        # Pools as they were added to subnets of a cluster in node-subnet mode, and what AKS said.
        ("10.2.0.0/16", 2, 250, 498, 65531, True),
        ("10.3.0.0/24", 1, 250, 249, 251, True),
        ("10.32.0.0/24", 2, 250, 498, 251, False),
        ("10.33.0.0/24", 3, 250, 747, 251, False),
    ],
)
def test_a_pool_asks_as_many_addresses_as_aks_said(
    cidr: str, nodes: int, max_pods: int, asked: int, available: int, fits: bool
) -> None:
    assert preallocated(nodes, max_pods) == asked
    assert subnet_size([cidr]) == available
    assert (preallocated(nodes, max_pods) <= subnet_size([cidr])) == fits
    assert (
        preallocated(nodes, max_pods) == nodes * cost_in_node_subnet("node-subnet", max_pods).sure
    )


@pytest.mark.parametrize(
    ("nodes", "max_surge", "surge"),
    [
        (3, "1", 1),
        (3, "5", 3),
        (3, "33%", 1),
        (4, "33%", 2),
        (10, "10%", 1),
        (11, "10%", 2),
        (1, "10%", 1),
        (2, "100%", 2),
        (5, "", 1),
        (5, "0", 0),
        (5, "0%", 0),
        (0, "10%", 0),
    ],
)
def test_a_surge_is_rounded_up_and_at_most_the_pool(nodes: int, max_surge: str, surge: int) -> None:
    assert surge_nodes(nodes, max_surge) == surge


@given(nodes=st.integers(0, 1000), percent=st.integers(0, 200))
def test_a_surge_is_never_more_than_the_pool(nodes: int, percent: int) -> None:
    assert 0 <= surge_nodes(nodes, f"{percent}%") <= nodes


def test_what_a_node_takes_depends_on_the_mode() -> None:
    for mode in ("overlay", "kubenet", "pod-subnet"):
        assert cost_in_node_subnet(mode, 110) == ONE
    assert cost_in_node_subnet("node-subnet", 30) == Cost(sure=29, planned=31)
    assert cost_in_pod_subnet(110, static_blocks=False) == Cost(sure=16, planned=112)
    assert cost_in_pod_subnet(111, static_blocks=True) == Cost(sure=112, planned=112)
    assert [batches(pods) for pods in (0, 1, 16, 17)] == [16, 16, 16, 32]


def test_ranges_have_blocks_and_cluster_ips() -> None:
    ranges = [ipaddress.ip_network(text) for text in ("10.244.0.0/16", "fd00::/64", "10.9.9.0/25")]
    assert node_blocks(ranges) == 256
    assert service_addresses([ipaddress.ip_network("10.0.0.0/28")]) == 14
    assert service_addresses([ipaddress.ip_network("fd00::/124")]) == 15


def demand(free: int, *pools: tuple[int, str], cost: Cost = ONE) -> Demand:
    room = Room(what="addresses of x", size=100, used=100 - free, is_measured=True)
    plans = [
        (PoolPlan(name=f"p{number}", nodes=nodes, max_pods=30, max_surge=surge), cost)
        for number, (nodes, surge) in enumerate(pools)
    ]
    return Demand(room=room, pools=plans)


def test_an_upgrade_fits_for_all_pools_at_once() -> None:
    verdict = judge_surge([demand(4, (6, "33%"), (4, "50%"))], falls_back=False)
    assert (verdict.outcome, verdict.warning) == (Outcome.PASS, "")


def test_an_upgrade_that_fits_one_pool_after_the_other_warns() -> None:
    verdict = judge_surge([demand(3, (6, "33%"), (4, "50%"))], falls_back=False)
    assert verdict.outcome is Outcome.PASS
    assert "one pool after the other only, all at once take 4" in verdict.warning


def test_an_upgrade_without_room_fails_and_falls_back_from_1_35_on() -> None:
    short = demand(1, (6, "33%"))
    assert judge_surge([short], falls_back=False).outcome is Outcome.FAIL
    later = judge_surge([short], falls_back=falls_back((1, 35)))
    assert later.outcome is Outcome.PASS
    assert "one node at a time" in later.warning
    assert judge_surge([demand(0, (6, "33%"))], falls_back=True).outcome is Outcome.FAIL
    assert not falls_back((1, 34))


def test_an_upgrade_without_surge_needs_no_room() -> None:
    assert judge_surge([demand(0, (6, "0"))], falls_back=False).outcome is Outcome.PASS


def test_less_than_planned_is_a_warning() -> None:
    verdict = judge_surge([demand(30, (1, "1"), cost=Cost(sure=29, planned=31))], falls_back=False)
    assert verdict.outcome is Outcome.PASS
    assert "less than the 31" in verdict.warning


def room(free: int, size: int = 100) -> Room:
    return Room(what="addresses of x", size=size, used=size - free)


def test_room_for_a_node() -> None:
    cost = Cost(sure=29, planned=31)
    assert ipam.judge_room_for_a_node([(room(31), cost)], source="s").outcome is Outcome.PASS
    tight = ipam.judge_room_for_a_node([(room(29), cost)], source="s")
    assert (tight.outcome, "less than" in tight.warning) == (Outcome.PASS, True)
    full = ipam.judge_room_for_a_node([(room(28), cost)], source="s")
    assert full.outcome is Outcome.FAIL
    assert "at least 72 of 100 used, 28 left, and one more node takes 29" in full.sentence


def test_a_full_node_fails_and_a_nearly_full_one_warns() -> None:
    judged = ipam.judge_pods_per_node({"a": (30, 30), "b": (3, 30)})
    assert judged.outcome is Outcome.FAIL
    assert "a has 30 of 30" in judged.sentence
    assert "a has 27 of 30" in ipam.judge_pods_per_node({"a": (27, 30)}).warning
    assert ipam.judge_pods_per_node({"a": (0, 0)}).outcome is Outcome.FAIL


def test_a_full_range_of_services_fails() -> None:
    assert ipam.judge_service_range(room(0)).outcome is Outcome.FAIL
    assert ipam.judge_service_range(room(9)).warning
    assert not ipam.judge_service_range(room(50)).warning


def networks(*texts: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


NESTED = frozenset({frozenset(("nodes", "the virtual network"))})


@pytest.mark.parametrize(
    ("ranges", "hosts", "words"),
    [
        ({"pods": "10.0.0.0/8", "Services": "10.0.0.0/16"}, {}, "of pods and 10.0.0.0/16"),
        ({"Services": "172.30.0.0/20"}, {}, "172.30.0.0/16, which AKS reserves"),
        ({"pods": "10.244.0.0/16"}, {"host on premises": "10.244.9.9"}, "host on premises"),
        ({"nodes": "10.1.0.0/16", "the virtual network": "10.0.0.0/8"}, {}, ""),
        ({"pods": "fd00::/64", "Services": "10.0.0.0/16"}, {}, ""),
    ],
)
def test_ranges_that_overlap(ranges: dict[str, str], hosts: dict[str, str], words: str) -> None:
    verdict = ipam.judge_disjoint(
        {whose: networks(text) for whose, text in ranges.items()},
        hosts,
        nested=NESTED,
        reserved=True,
    )
    assert verdict.outcome is (Outcome.FAIL if words else Outcome.PASS)
    assert words in verdict.sentence


def test_reserved_ranges_are_those_of_aks_only() -> None:
    found = {"Services": networks("172.30.0.0/20")}
    judged = ipam.judge_disjoint(found, {}, nested=NESTED, reserved=False)
    assert judged.outcome is Outcome.PASS


def test_two_nodes_with_one_range() -> None:
    blocks = {"a": networks("10.244.0.0/24"), "b": networks("10.244.1.0/24")}
    assert ipam.judge_blocks_distinct(blocks).outcome is Outcome.PASS
    judged = ipam.judge_blocks_distinct({**blocks, "c": networks("10.244.1.0/25")})
    assert judged.outcome is Outcome.FAIL
    assert "10.244.1.0/24 of b and 10.244.1.0/25 of c" in judged.sentence


def test_events_that_are_over_warn() -> None:
    assert ipam.judge_pressure(["x waits"], []).outcome is Outcome.FAIL
    over = ipam.judge_pressure([], ["x waited"])
    assert (over.outcome, "x waited" in over.warning) == (Outcome.PASS, True)
