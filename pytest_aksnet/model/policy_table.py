"""Truth tables of NetworkPolicies: the pods of a table, what is done to them, what came of it.

Data only. Names of namespaces in here ("x") are those of the description; a live table has others,
which stand in `Places`. A pod is named "x/a".
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.probing import Batch, Probe

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPort:
    """A container port: a policy may give it by its name."""

    name: str
    number: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePod:
    """A pod of a table as it is at first. It answers on its ports over TCP and UDP."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    ports: tuple[NamedPort, ...] = ()

    @property
    def key(self) -> str:
        """Its name in the table."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Who takes part in a table. `namespaces` maps their names to their labels.

    `ports` are looked at on every pod.
    """

    namespaces: Mapping[str, Mapping[str, str]] = field(hash=False)
    pods: tuple[TablePod, ...]
    ports: tuple[PortSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPolicy:
    """Create a policy, or replace the one of that name. An object of networking.k8s.io/v1.

    Where an ipBlock says "pod:x/a/24" for a CIDR, it is the network of that length round the pod.
    """

    policy: Json = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPolicy:
    """Delete a policy."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPod:
    """Give a pod these labels instead of those that it had; labels of the run stay."""

    pod: str
    labels: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNamespace:
    """Give a namespace these labels instead of those that it had; labels of the run stay."""

    namespace: str
    labels: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNamespace:
    """Create a namespace without pods."""

    namespace: str
    labels: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNamespace:
    """Delete a namespace with its pods."""

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPod:
    """Create a pod, with the ports that pods of the layout have."""

    pod: TablePod


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePod:
    """Delete a pod."""

    pod: str


Action = (
    PutPolicy
    | DropPolicy
    | LabelPod
    | LabelNamespace
    | AddNamespace
    | RemoveNamespace
    | AddPod
    | RemovePod
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStep:
    """What is done, in this order, and then looked at: `ports`, or all of the layout if empty."""

    title: str
    actions: tuple[Action, ...] = ()
    ports: tuple[PortSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCase:
    """Steps on one layout, from no policy on. `pods` are judged alone; all if empty.

    `tags` are what it is about, for summaries. `default` is whether the widely used generator
    (cyclonus) has it in its default run. `note` is what the case says of itself beyond its title.
    """

    id: str
    family: str
    title: str
    layout: Layout
    steps: tuple[TableStep, ...]
    tags: tuple[str, ...] = ()
    default: bool = False
    pods: tuple[str, ...] = ()
    note: str = ""


class Mark(enum.Enum):
    """How one cell was seen. The values are the signs of heat maps.

    UNSEEN is what could not be looked at; ODD an answer that neither connects nor is silence.
    """

    OPEN = "+"
    CLOSED = "-"
    ODD = "!"
    UNSEEN = "?"


@dataclass(frozen=True, slots=True)
class CellName:
    """One cell: source and destination by their names in the table, port and address family."""

    source: str
    destination: str
    port: PortSpec
    version: int = 4

    def __str__(self) -> str:
        """For people."""
        family = " over IPv6" if self.version == 6 else ""
        return f"{self.source} to {self.destination} at {self.port.protocol} {self.port.number}" + (
            family
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What a cell should be and why, and how it was seen. `late_s` is how long it was wrong first.

    `caveat` is not empty where the engine's documents leave the answer open: it may only warn.
    """

    expected: bool
    why: str
    seen: Mark
    detail: str = ""
    caveat: str = ""
    late_s: float = 0.0

    @property
    def wrong(self) -> bool:
        """Whether it was looked at and was not as expected.

        An odd answer is wrong where the way should be open, and proves nothing of one that should
        be closed.
        """
        if self.expected:
            return self.seen in (Mark.CLOSED, Mark.ODD)
        return self.seen is Mark.OPEN

    @property
    def right(self) -> bool:
        """Whether it was looked at and was as expected."""
        return self.seen is (Mark.OPEN if self.expected else Mark.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step as it was seen. `policies` are those that held, as the API server had them.

    `converged_s` is how long after the change the last cell was as expected (seconds), None where
    nothing had to change or something never did. `probes` counts all of the step. `departures`
    counts cells whose expectation is the engine's and not the API text's, by a sentence with its
    source.
    """

    title: str
    pods: tuple[str, ...]
    ports: tuple[PortSpec, ...]
    cells: Mapping[CellName, CellResult]
    policies: tuple[Json, ...]
    converged_s: float | None
    duration_s: float
    probes: int
    problem: str = ""
    departures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What came of a case. `problem` says why steps are missing or cells were not looked at.

    `started` is seconds since the epoch. `engine` and `document` are whose expectations they are,
    `pods` who took part, by their names in the table.
    """

    case: PolicyCase
    steps: tuple[StepResult, ...]
    started: float
    duration_s: float
    engine: str
    document: str
    problem: str = ""
    pods: Mapping[str, PodRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a table is in a cluster: real names of its namespaces, and its pods by their names."""

    namespaces: Mapping[str, str]
    pods: Mapping[str, PodRef]


class ManyProber(Protocol):
    """Asks the agents of many pods at once; see model.probing.Prober."""

    def probe_many(
        self, lists: Mapping[PodRef, Sequence[Probe]], *, budget_s: float
    ) -> dict[PodRef, Batch]:
        """Ask each pod its own list; what has no answer in time is not looked at."""
        ...
