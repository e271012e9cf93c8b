"""What this process has learnt about one API server, over all its connections to it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Experience:
    """Each flag only ever turns true, so threads need no lock.

    `pings_answered`: WebSocket pings come back. RFC 6455 (5.5.2) demands it, and API server and
    kubelet do it; a proxy between may swallow them, and then silence proves nothing.

    `user_known`: our credential has been accepted. A 401 after that may pass by itself: the API
    server asks a webhook or an identity provider, which has bad moments; before, it is final.
    """

    pings_answered: bool = False
    user_known: bool = False
