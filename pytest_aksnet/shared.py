"""What all processes of a run share, as each of them sees it.

The controller of xdist, or the single process of a run without it, has the thing itself
(`shared_local`); workers ask the controller (`shared_client`). Nothing is created in the cluster
before a test asks for it, and what was read or created once is so for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pytest_aksnet.model.arm import Reading
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckRecord
from pytest_aksnet.model.rights import Preflight
from pytest_aksnet.model.site import Site
from pytest_aksnet.needs import Need

if TYPE_CHECKING:
    from pytest_aksnet.cluster.connect import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The cluster as the run found it: how to connect to it, who takes part, what the site says.

    `version` is the API server's. `left_out` has the reason of every other node, `images` the
    images that each node holds, both by its name. `provider_ids` are those of all nodes.
    """

    kubeconfig: str | None
    context: str | None
    version: str
    nodes: tuple[NodeRef, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, frozenset[str]] = field(default_factory=dict)
    site: Site = field(default_factory=Site)
    provider_ids: tuple[str, ...] = ()


class Shared(Protocol):
    """Safe to share between threads. Every error is one of ours, in every process the same one."""

    def connection(self) -> "Cluster":
        """The connection of this process to the cluster. Raises what `opening` raises."""
        ...

    def opening(self) -> Opening:
        """Connect, once. Raises SettingsError or EnvironmentProblem, the same to all askers."""
        ...

    def profile(self) -> NetworkProfile:
        """The network profile, read once. Raises EnvironmentProblem."""
        ...

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See model.arm.ArmReader: one cache for the whole run. Raises ArmNotAsked."""
        ...

    def preflight(self, need: Need) -> Preflight:
        """What stands against checks with this need, all together; looked for once."""
        ...

    def pool_namespace(self) -> str:
        """The name of the namespace of the warm pods, whether it exists yet or not."""
        ...

    def warm(self, nodes: Sequence[NodeRef], *, host_network: bool) -> tuple[PodRef, ...]:
        """The warm netshoot pods of these nodes, for all tests of all processes.

        The first call starts those of all nodes together; one that has gone is replaced. Raises
        EnvironmentProblem or Inconclusive where one of these nodes has none.
        """
        ...

    def image_refused(self) -> str:
        """Why no pod of this run can have the image, in the kubelet's words; empty if unknown."""
        ...

    def image_tried(self, problem: str) -> None:
        """Tell what a pod of this run found out: why it cannot have the image; empty if it has."""
        ...

    def begun(self, worker: str, will: CheckRecord) -> None:
        """Tell that a worker begins a check. `will` is its record in case that the worker dies."""
        ...

    def keep(self, worker: str, record: CheckRecord) -> None:
        """Put the record of a check that was begun into results.jsonl.

        It is on disk when this returns.
        """
        ...

    def kept(self, what: Sequence[str]) -> None:
        """Tell what --aksnet-keep keeps, in words: nothing of the run is removed then."""
        ...

    def uses(self, namespace: str) -> None:
        """Tell that objects of this run are made in this namespace, whoever it belongs to."""
        ...

    def alone(self, groups: Mapping[str, str]) -> None:
        """Tell which of the collected tests, by node id, run one after another, by group."""
        ...
