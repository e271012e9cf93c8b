"""How often something that happens with a known probability may happen in so many tries. Pure."""

import math

FALSE_ALARM = 1e-7
"""The probability, of each side, that a true share is taken for a false one."""


def plausible_counts(
    tries: int, share: float, *, false_alarm: float = FALSE_ALARM
) -> tuple[int, int]:
    """The least and the largest count that `tries` independent tries plausibly give.

    A count below the first, or one above the second, comes with a probability of at most
    `false_alarm` each, where every try has the probability `share` (exact binomial tails).
    """
    if not 0.0 < share < 1.0:
        return (0, 0) if share <= 0.0 else (tries, tries)
    least, tail = 0, _chance(tries, share, 0)
    while tail <= false_alarm:
        least += 1
        tail += _chance(tries, share, least)
    largest, tail = tries, _chance(tries, share, tries)
    while tail <= false_alarm:
        largest -= 1
        tail += _chance(tries, share, largest)
    return least, largest


def _chance(tries: int, share: float, count: int) -> float:
    ways = math.lgamma(tries + 1) - math.lgamma(count + 1) - math.lgamma(tries - count + 1)
    return math.exp(ways + count * math.log(share) + (tries - count) * math.log1p(-share))
