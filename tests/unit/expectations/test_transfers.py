"""What a transfer between two nodes may lose, and what a busy CPU does to a verdict."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.throughput import Floor, cpu_bound, judge_throughput
from pytest_aksnet.expectations.transfers import (
    RoundTrips,
    judge_latency,
    judge_losses,
    judge_same_driver,
    judge_sent_again,
)
from pytest_aksnet.model.observation import Interface, NicState, Throughput, Transfer
from pytest_aksnet.model.verdict import Outcome

RUN = Throughput(
    gbps=1.0,
    streams=4,
    seconds=3.0,
    retransmits=0,
    sender_cpu_percent=20.0,
    receiver_cpu_percent=30.0,
    tool_version="iperf 3.12",
    moved_bytes=375_000_000,
    segments=250_000,
)
FLOOR = Floor(gbps=2.0, reckoning="as a test wants it", source="test")


def nics(packets: int = 0, lost: int = 0, *, driver: str = "mlx5_core") -> NicState:
    mac = "00:0d:3a:00:00:01"
    eth0, function = (
        Interface(
            name=name,
            mac=mac,
            driver=of,
            master=master,
            mtu=1500,
            rx_packets=packets,
            tx_packets=packets,
        )
        for name, of, master in (("eth0", "hv_netvsc", ""), ("enP1s1", driver, "eth0"))
    )
    return NicState(
        interfaces=(eth0, function) if driver else (eth0,),
        vf_counters={"eth0": {}},
        losses={"eth0": {"rx_dropped": 5}, "enP1s1": {"rx_out_of_buffer": lost}},
    )


def transfer(lost: int = 0, *, gentle: Throughput = RUN, packets: int = 100_000) -> Transfer:
    return Transfer(
        sender="a",
        receiver="b",
        there=RUN,
        back=RUN,
        gentle=gentle,
        before={"a": nics(), "b": nics()},
        after={"a": nics(packets), "b": nics(packets, lost)},
    )


@pytest.mark.parametrize(
    ("lost", "outcome"), [(0, Outcome.PASS), (1010, Outcome.PASS), (1011, Outcome.FAIL)]
)
def test_losses(lost: int, outcome: Outcome) -> None:
    verdict = judge_losses(transfer(lost))
    assert verdict.outcome is outcome
    if outcome is Outcome.FAIL:
        assert "rx_out_of_buffer 1011" in verdict.sentence
        assert "node b" in verdict.sentence


def test_nics_without_counters_are_inconclusive() -> None:
    seen = transfer()
    blind = replace(seen, after={"a": NicState(interfaces=(), vf_counters={}), "b": nics()})
    assert judge_losses(blind).outcome is Outcome.INCONCLUSIVE
    uncounted = {"eth0": dict[str, int](), "enP1s1": dict[str, int]()}
    deaf = replace(seen, after={"a": replace(nics(100_000), losses=uncounted), "b": nics(100_000)})
    assert judge_losses(deaf).outcome is Outcome.INCONCLUSIVE


def test_a_transfer_that_the_nics_did_not_carry_is_inconclusive() -> None:
    verdict = judge_losses(transfer(packets=100))
    assert (verdict.outcome, "too few to tell" in verdict.sentence) == (Outcome.INCONCLUSIVE, True)


@pytest.mark.parametrize(
    ("retransmits", "segments", "outcome"),
    [
        (0, 250_000, Outcome.PASS),
        (2510, 250_000, Outcome.PASS),
        (2511, 250_000, Outcome.FAIL),
        (500, 900, Outcome.INCONCLUSIVE),
    ],
)
def test_sent_again(retransmits: int, segments: int, outcome: Outcome) -> None:
    gentle = replace(RUN, retransmits=retransmits, segments=segments)
    verdict = judge_sent_again(transfer(gentle=gentle))
    assert verdict.outcome is outcome
    if outcome is not Outcome.PASS:
        assert "node a to node b" in verdict.sentence


@pytest.mark.parametrize(
    ("drivers", "outcome"),
    [
        (("mlx5_core", "mlx5_core"), Outcome.PASS),
        (("mana", "mlx5_core"), Outcome.FAIL),
        (("mana", ""), Outcome.INCONCLUSIVE),
        (("mana", "mana", ""), Outcome.PASS),
        (("", ""), Outcome.INCONCLUSIVE),
    ],
)
def test_same_driver(drivers: tuple[str, ...], outcome: Outcome) -> None:
    states = {f"n{index}": nics(driver=driver) for index, driver in enumerate(drivers)}
    assert judge_same_driver(states, pool="user").outcome is outcome


def trips(*took_ms: float) -> RoundTrips:
    return RoundTrips(between="node a to node b", took_ms=took_ms, asked=80)


@pytest.mark.parametrize(
    ("took_ms", "limit_ms", "outcome"),
    [
        ((1.0,) * 80, None, Outcome.PASS),
        ((1.0,) * 41 + (900.0,) * 39, None, Outcome.PASS),
        ((1.0,) * 39 + (40.0,) * 41, None, Outcome.FAIL),
        ((1.0,) * 80, 0.5, Outcome.FAIL),
        ((1.0,) * 39, None, Outcome.INCONCLUSIVE),
    ],
)
def test_latency(took_ms: tuple[float, ...], limit_ms: float | None, outcome: Outcome) -> None:
    assert judge_latency([trips(*took_ms)], limit_ms).outcome is outcome


def test_percentiles() -> None:
    of_hundred = trips(*map(float, range(1, 101)))
    assert (of_hundred.percentile(0.5), of_hundred.percentile(0.99)) == (50.0, 99.0)


@pytest.mark.parametrize(
    ("version", "sender", "receiver", "vcpus", "bound"),
    [
        ("iperf 3.12", 95.0, 20.0, 8, "sender"),
        ("iperf 3.12", 20.0, 95.0, 8, "receiver"),
        ("iperf 3.12", 80.0, 80.0, 8, ""),
        ("iperf 3.16", 95.0, 95.0, 8, ""),
        ("iperf 3.16", 370.0, 95.0, 8, "sender"),
        ("iperf 3.18", 185.0, 95.0, 2, "sender"),
        ("iperf 3.18", 185.0, 95.0, None, ""),
        ("of my own making", 95.0, 20.0, 8, "sender"),
    ],
)
def test_what_is_bound_by_the_cpu(
    version: str, sender: float, receiver: float, vcpus: int | None, bound: str
) -> None:
    run = replace(
        RUN, tool_version=version, sender_cpu_percent=sender, receiver_cpu_percent=receiver
    )
    assert bound in cpu_bound(run, vcpus)
    assert bool(bound) == bool(cpu_bound(run, vcpus))
    expected = Outcome.INCONCLUSIVE if bound else Outcome.FAIL
    assert judge_throughput(run, FLOOR, between="a to b", vcpus=vcpus).outcome is expected
    enough = replace(run, gbps=2.5)
    assert judge_throughput(enough, FLOOR, between="a to b", vcpus=vcpus).outcome is Outcome.PASS
