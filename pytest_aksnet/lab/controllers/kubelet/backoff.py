"""Exponential back-off of restarts and image pulls: 10 s, doubling to 5 minutes. Pure.

Source: Kubernetes docs, "Pod Lifecycle": container restart policy.
"""

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
RESET_SECONDS = 600.0  # a container that ran this long starts anew


class BackOff:
    """The delays of one container."""

    def __init__(self) -> None:
        self._next = 0.0

    def delay(self, ran_seconds: float = 0.0) -> float:
        """How long to wait after a run of that length; the first time 0."""
        if ran_seconds >= RESET_SECONDS:
            self._next = 0.0
        current = self._next
        self._next = min(current * 2 or FIRST_SECONDS, LONGEST_SECONDS)
        return current


def duration_text(seconds: float) -> str:
    """A duration as Go writes it: 10s, 2m40s."""
    minutes, rest = divmod(int(seconds), 60)
    return (f"{minutes}m" if minutes else "") + f"{rest}s"
