"""The cluster's side of a load balancer: its nodes as backends, and the Services it is made for.

Data only, read from the Kubernetes API.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendNode:
    """One node. `machine` is the id of its VM in ARM, in lower case, empty where it names none.

    `spared` says why it needs no place in a backend pool, empty where it needs one.
    """

    name: str
    machine: str
    addresses: tuple[str, ...]
    spared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedService:
    """One Service of type LoadBalancer. `ports` are protocol (lower case) and number.

    `local` is externalTrafficPolicy Local; `ready_on` are the nodes with a ready endpoint of it.
    """

    key: str
    uid: str
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]
    local: bool
    annotations: Mapping[str, str]
    ready_on: frozenset[str]

    @property
    def prefix(self) -> str:
        """What the names of its rules and frontends begin with.

        Source: cloud-provider-azure, GetLoadBalancerName: "a", the uid without dashes, cut at 32.
        """
        return f"a{self.uid.replace('-', '').lower()}"[:32]
