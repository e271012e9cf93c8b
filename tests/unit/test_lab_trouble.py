"""The dice of the lab's API faults."""

import asyncio
import itertools

import pytest

from pytest_aksnet.lab.api.trouble import DEFAULT_LATENCY_SECONDS, Kind, Trouble

REQUESTS = 20_000


async def _burst(share: float) -> list[bool]:
    trouble = Trouble(seed=1)
    trouble.begin(Kind.SERVER_ERRORS, "a", share)
    return [trouble.in_burst() for _ in range(REQUESTS)]


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_bursts_hit_their_share_of_the_requests_several_at_a_time(share: float) -> None:
    hit = asyncio.run(_burst(share))
    assert sum(hit) / REQUESTS == pytest.approx(share, rel=0.1)
    again = [now for before, now in itertools.pairwise(hit) if before]
    assert sum(again) / len(again) > max(share, 0.5)


def test_a_share_of_one_hits_all() -> None:
    assert all(asyncio.run(_burst(1)))


def test_the_same_seed_gives_the_same_dice() -> None:
    def dice(seed: int | None) -> list[bool]:
        trouble = Trouble(seed)
        trouble.begin(Kind.STREAM_CUT, "a", 0.5)
        return [trouble.strikes(Kind.STREAM_CUT) for _ in range(64)]

    assert dice(7) == dice(7) != dice(8)
    first = Trouble()
    assert dice(first.seed) == dice(first.seed)


def test_of_several_faults_the_greatest_value_counts_until_it_is_healed() -> None:
    trouble = Trouble(seed=1)
    assert not trouble.strikes(Kind.QUOTA)
    trouble.begin(Kind.QUOTA, "a", 0.1)
    trouble.begin(Kind.QUOTA, "b", 1.0)
    assert trouble.value(Kind.QUOTA) == 1.0
    trouble.end(Kind.QUOTA, "b")
    assert trouble.value(Kind.QUOTA) == 0.1
    trouble.end(Kind.QUOTA, "a")
    trouble.end(Kind.QUOTA, "a")
    assert trouble.value(Kind.QUOTA) == 0


def test_latency_is_that_of_the_fault_or_sometimes_the_default() -> None:
    trouble = Trouble(seed=1)
    assert trouble.latency() == 0
    trouble.begin(Kind.SOME_LATENCY, "a", 0.5)
    assert {trouble.latency() for _ in range(64)} == {0, DEFAULT_LATENCY_SECONDS}
    trouble.begin(Kind.LATENCY, "b", 2.0)
    assert {trouble.latency() for _ in range(64)} == {2.0}
