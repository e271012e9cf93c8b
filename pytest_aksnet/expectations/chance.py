"""How much of a sample may be bad by chance: the bound that statistical checks judge by."""

import math

FALSE_ALARM = 1e-6
"""How often, at most, a check of this kind may fail a run in which its promise is kept."""


def most_by_chance(asked: int, share: float, *, false_alarm: float = FALSE_ALARM) -> int:
    """The largest count of bad ones of `asked` that does not yet disprove a `share` of bad ones.

    Where each is bad with probability `share`, independently, more of them come with a probability
    of less than `false_alarm` (the upper tail of the binomial distribution).
    """
    within = 0.0
    for bad in range(asked + 1):
        within += math.comb(asked, bad) * share**bad * (1 - share) ** (asked - bad)
        if 1 - within < false_alarm:
            return bad
    return asked


def percentile(sorted_values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed (nearest rank)."""
    rank = max(1, math.ceil(share * len(sorted_values)))
    return sorted_values[rank - 1]
