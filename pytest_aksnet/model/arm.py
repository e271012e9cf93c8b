"""Readings of Azure Resource Manager: topics, what each gave, and the exchanges as evidence.

A topic is what is read together, with one outcome: all of it is known, or the error says why not.
The topics stand beside their data in `model.azure_*`; `arm` reads them, once per run.
"""

import enum
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Topic(Generic[Value]):
    """What is read together. `actions` are what the identity must be allowed to do for it.

    They are names of Azure RBAC, such as "Microsoft.Network/loadBalancers/read".
    """

    name: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request to ARM and its answer. `status` is 0 where none came: `problem` says why.

    `url` has no host. `started` is seconds since the epoch. `size` is that of the whole body in
    bytes; `body` may be cut.
    """

    method: str
    url: str
    status: int
    started: float
    duration_s: float
    body: str = ""
    size: int = 0
    problem: str = ""


class Sort(enum.Enum):
    """Why ARM gave nothing that can be used."""

    FORBIDDEN = "forbidden"  # 403
    CREDENTIALS = "credentials"  # 401, or no credential at all
    MISSING = "missing"  # 404
    THROTTLED = "throttled"  # 429
    FAILED = "failed"  # any other status, or a long-running operation that failed
    UNREACHABLE = "unreachable"  # no answer in time
    UNREADABLE = "unreadable"  # not what is documented
    UNNAMED = "unnamed"  # nothing says which managed cluster this is


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What ended a reading, in words. `action` is the one that is missing, of a 403 only."""

    sort: Sort
    why: str
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[Value]):
    """What a topic gave. `value` is of the topic's type; `taken` is seconds since the epoch.

    Where the reading ended with a `refusal`, there is no value. `exchanges` are the requests that
    were sent for it, in order; those of a topic that it rests on are in that one's reading.
    `rests_on` names these topics.
    """

    topic: str
    taken: float
    value: Value | None = None
    refusal: Refusal | None = None
    exchanges: tuple[Exchange, ...] = ()
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the managed cluster is: its id as ARM has it, and the parts of the id.

    `node_groups` are ids of the resource groups that the nodes are in, in lower case, as they say.
    """

    id: str
    subscription: str
    group: str
    name: str
    node_groups: tuple[str, ...] = ()


# The cluster is named by an option, or found from its nodes: that needs the action.
PLACE: Topic[Place] = Topic("place", ("Microsoft.Resources/subscriptions/resourceGroups/read",))


class ArmReader(Protocol):
    """Where checks get readings from: the one cache of the run. Safe to share between threads."""

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """The reading of a topic that was taken at that time (seconds since the epoch) or later.

        The first asker has it read. Raises ArmNotAsked where this run asks nothing of ARM.
        """
        ...
