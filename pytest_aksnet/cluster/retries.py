"""How often something was tried again, and why: for the report. Counts only; decides nothing."""

import threading
from collections import Counter


class RetryCounter:
    """Repeated tries by cause, such as "http 429" or "cut". Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, cause: str) -> None:
        """Note that something is about to be tried again because of `cause`."""
        with self._lock:
            self._counts[cause] += 1

    def counts(self) -> dict[str, int]:
        """Repeated tries so far, by cause, in the order of the causes' names."""
        with self._lock:
            return dict(sorted(self._counts.items()))
