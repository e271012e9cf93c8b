"""What a network plugin has done for one pod. Data only."""

import datetime
from dataclasses import dataclass

PLUGIN_VERSION = "v1.6.33"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A pod's end of the network.

    `sandbox_id` is its containerd id, `netns` the name of its network namespace, `link` and `mac`
    are those of its link on the node and of its eth0. `ips` has the IPv4 address first.
    """

    namespace: str
    pod: str
    uid: str
    sandbox_id: str
    netns: str
    ips: tuple[str, ...]
    link: str
    mac: str
    created: datetime.datetime

    @property
    def id(self) -> str:
        """What azure-vnet calls it."""
        return f"{self.sandbox_id[:8]}-eth0"
