"""What is wrong with ARM: set by faults, asked at each request."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from random import Random

from pytest_aksnet.lab.arm import errors

RETRY_AFTER_SECONDS = 1


@dataclass(kw_only=True)
class ArmTrouble:
    """Faults of ARM. Rates are probabilities per request.

    `denied` are patterns of actions that every identity is refused, `unregistered` provider
    namespaces in lower case, `revoked_before` the time (Unix) before which tokens were issued
    that are refused, `retry_after_seconds` how long those are to wait that are throttled,
    `accelerated_networking_off` names of nodes.
    """

    denied: set[str] = field(default_factory=set)
    unregistered: set[str] = field(default_factory=set)
    throttled: float = 0.0
    retry_after_seconds: int = RETRY_AFTER_SECONDS
    broken: float = 0.0
    slow_seconds: float = 0.0
    fields_missing: float = 0.0
    operations_fail: bool = False
    revoked_before: float = -math.inf
    accelerated_networking_off: set[str] = field(default_factory=set)
    chance: Random = field(default_factory=Random)

    def revoke_tokens(self) -> None:
        """Refuse from now on every token that was issued before."""
        self.revoked_before = time.time()

    def forgive_tokens(self) -> None:
        """Take that back."""
        self.revoked_before = -math.inf

    async def strike(self) -> None:
        """Delay, throttle or break a request, as its turn may be. Raises ArmError."""
        if self.slow_seconds:
            await asyncio.sleep(self.slow_seconds)
        if self.chance.random() < self.throttled:
            raise errors.too_many_requests(self.retry_after_seconds)
        if self.chance.random() < self.broken:
            raise errors.unavailable()
