"""How a node's kernel must be set, and which of its counters may not grow."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_aksnet.expectations.kernel import (
    ClockLook,
    Wanted,
    judge_clocks,
    judge_conntrack,
    judge_link,
    judge_retransmits,
    judge_same_mtu,
    judge_settings,
)
from pytest_aksnet.model.observation import KernelState
from pytest_aksnet.model.verdict import Outcome

AZURE = Wanted(azure=True, cilium=False, ipv6=False)
GOOD = KernelState(
    settings={
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "1",
        "net.ipv4.conf.all.rp_filter": "0",
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.netfilter.nf_conntrack_count": "300",
        "net.netfilter.nf_conntrack_max": "262144",
    },
    conntrack={"entries": 300, "insert_failed": 7, "drop": 9, "early_drop": 1},
    protocols={"Tcp.OutSegs": 1000, "Tcp.RetransSegs": 50, "TcpExt.ListenDrops": 2},
    uplink="eth0",
    mtu=1500,
    link_counters={"rx_packets": 5000, "tx_packets": 5000, "rx_dropped": 40},
    clock_s=1_795_000_000,
)


def with_settings(**changes: str | None) -> KernelState:
    names = {name.replace("__", "."): value for name, value in changes.items()}
    merged = {**GOOD.settings, **names}
    return replace(GOOD, settings={name: value for name, value in merged.items() if value})


@pytest.mark.parametrize(
    ("changes", "wanted", "outcome", "word"),
    [
        ({}, AZURE, Outcome.PASS, ""),
        ({"net__ipv4__ip_forward": "0"}, AZURE, Outcome.FAIL, "ip_forward"),
        ({"net__ipv4__ip_forward": None}, AZURE, Outcome.INCONCLUSIVE, "could not be read"),
        ({"net__ipv6__conf__all__forwarding": "0"}, AZURE, Outcome.PASS, ""),
        (
            {"net__ipv6__conf__all__forwarding": "0"},
            replace(AZURE, ipv6=True),
            Outcome.FAIL,
            "forwarding",
        ),
        ({"net__ipv4__conf__all__rp_filter": "1"}, AZURE, Outcome.PASS, ""),
        (
            {"net__ipv4__conf__all__rp_filter": "1"},
            replace(AZURE, cilium=True),
            Outcome.FAIL,
            "rp_filter",
        ),
        ({"net__ipv4__ip_local_port_range": "61000 61999"}, AZURE, Outcome.FAIL, "port_range"),
        (
            {"net__ipv4__ip_local_port_range": "61000 61999"},
            replace(AZURE, azure=False),
            Outcome.PASS,
            "",
        ),
        ({"net__ipv4__ip_local_port_range": "many"}, AZURE, Outcome.INCONCLUSIVE, "could not"),
        ({"net__netfilter__nf_conntrack_max": "65536"}, AZURE, Outcome.FAIL, "131072"),
        ({"net__netfilter__nf_conntrack_max": None}, AZURE, Outcome.PASS, ""),
    ],
)
def test_settings(
    changes: Mapping[str, str | None], wanted: Wanted, outcome: Outcome, word: str
) -> None:
    verdict = judge_settings(with_settings(**changes), wanted, node="n")
    assert (verdict.outcome, word in verdict.sentence) == (outcome, True), verdict


def test_a_small_table_elsewhere_is_a_warning() -> None:
    state = with_settings(net__netfilter__nf_conntrack_max="65536")
    verdict = judge_settings(state, replace(AZURE, azure=False), node="n")
    assert (verdict.outcome, "131072" in verdict.warning) == (Outcome.PASS, True)


@pytest.mark.parametrize(
    ("count", "grown", "outcome", "word"),
    [
        ("300", {}, Outcome.PASS, ""),
        ("196608", {}, Outcome.PASS, ""),
        ("196609", {}, Outcome.FAIL, "75%"),
        ("300", {"early_drop": 1}, Outcome.FAIL, "early_drop grew by 1"),
        ("300", {"drop": 3}, Outcome.FAIL, "drop by 3"),
        ("300", {"drop": 3, "insert_failed": 3}, Outcome.PASS, ""),
    ],
)
def test_conntrack(count: str, grown: Mapping[str, int], outcome: Outcome, word: str) -> None:
    after = replace(
        with_settings(net__netfilter__nf_conntrack_count=count),
        conntrack={name: value + grown.get(name, 0) for name, value in GOOD.conntrack.items()},
    )
    verdict = judge_conntrack(GOOD, after, node="n")
    assert (verdict.outcome, word in verdict.sentence) == (outcome, True), verdict
    assert bool(verdict.warning) == bool(grown.get("insert_failed"))


def test_conntrack_without_its_limit_is_inconclusive() -> None:
    after = with_settings(net__netfilter__nf_conntrack_max=None)
    assert judge_conntrack(GOOD, after, node="n").outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("packets", "dropped", "outcome"),
    [
        (2000, 0, Outcome.PASS),
        (2000, 30, Outcome.PASS),
        (2000, 31, Outcome.FAIL),
        (999, 900, Outcome.INCONCLUSIVE),
    ],
)
def test_link(packets: int, dropped: int, outcome: Outcome) -> None:
    counters = GOOD.link_counters
    after = replace(
        GOOD,
        link_counters={
            **counters,
            "rx_packets": counters["rx_packets"] + packets,
            "rx_dropped": counters["rx_dropped"] + dropped,
        },
    )
    assert judge_link(GOOD, after, node="n").outcome is outcome


def test_another_uplink_than_before_is_inconclusive() -> None:
    verdict = judge_link(GOOD, replace(GOOD, uplink="eth1"), node="n")
    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("sent", "again", "outcome"),
    [
        (2000, 30, Outcome.PASS),
        (2000, 31, Outcome.FAIL),
        (500, 400, Outcome.INCONCLUSIVE),
    ],
)
def test_retransmits(sent: int, again: int, outcome: Outcome) -> None:
    protocols = {
        "Tcp.OutSegs": 1000 + sent,
        "Tcp.RetransSegs": 50 + again,
        "TcpExt.ListenDrops": 5,
    }
    verdict = judge_retransmits(GOOD, replace(GOOD, protocols=protocols), node="n")
    assert verdict.outcome is outcome
    assert ("dropped 3" in verdict.warning) == (outcome is Outcome.PASS)


def look(node: str, ahead_s: float, took_s: float = 0.2) -> ClockLook:
    return ClockLook(node=node, clock_s=int(1000 + ahead_s), asked_s=1000, answered_s=1000 + took_s)


@pytest.mark.parametrize(
    ("ahead_s", "took_s", "outcome"),
    [
        (0, 0.2, Outcome.PASS),
        (6, 0.2, Outcome.PASS),
        (8, 0.2, Outcome.FAIL),
        (-8, 0.2, Outcome.FAIL),
        (300, 0.2, Outcome.FAIL),
        (8, 9.0, Outcome.PASS),
    ],
)
def test_clocks(ahead_s: float, took_s: float, outcome: Outcome) -> None:
    verdict = judge_clocks([look("a", 0), look("b", 0), look("wrong", ahead_s, took_s)])
    assert verdict.outcome is outcome
    if outcome is Outcome.FAIL:
        assert f"node wrong is {'ahead' if ahead_s > 0 else 'behind'}" in verdict.sentence


def test_one_clock_alone_is_inconclusive() -> None:
    assert judge_clocks([look("a", 0)]).outcome is Outcome.INCONCLUSIVE


def test_mtu() -> None:
    other, unread = replace(GOOD, mtu=3900), replace(GOOD, mtu=0)
    assert judge_same_mtu({"a": GOOD, "b": GOOD}).outcome is Outcome.PASS
    failed = judge_same_mtu({"a": GOOD, "b": GOOD, "c": other})
    assert (failed.outcome, "3900 on c" in failed.sentence) == (Outcome.FAIL, True)
    assert judge_same_mtu({"a": GOOD, "b": unread}).outcome is Outcome.INCONCLUSIVE


def test_counters_that_cannot_be_read_prove_nothing() -> None:
    blind = replace(GOOD, conntrack={})
    assert judge_conntrack(blind, blind, node="n").outcome is Outcome.INCONCLUSIVE
    passed = {"rx_packets": 5000, "tx_packets": 5000}
    quiet = replace(GOOD, link_counters={name: 2 * count for name, count in passed.items()})
    silent = judge_link(replace(GOOD, link_counters=passed), quiet, node="n")
    assert (silent.outcome, "what eth0 loses" in silent.sentence) == (Outcome.INCONCLUSIVE, True)
    sent = replace(GOOD, protocols={"Tcp.OutSegs": 5000})
    before = replace(GOOD, protocols={"Tcp.OutSegs": 1000})
    assert judge_retransmits(before, sent, node="n").outcome is Outcome.INCONCLUSIVE


def test_a_reverse_path_filter_that_cannot_be_read_is_not_taken_for_none() -> None:
    state = with_settings(net__ipv4__conf__all__rp_filter=None)
    cilium = replace(AZURE, cilium=True)
    assert judge_settings(state, cilium, node="n").outcome is Outcome.INCONCLUSIVE
    assert judge_settings(state, AZURE, node="n").outcome is Outcome.PASS
