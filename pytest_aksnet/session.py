"""One process of a run: its connection, its record keeping, its own pods and namespaces.

Connects when a test of ours is collected; creates nothing before a test asks for it. What all
processes of the run have together is `shared`.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_aksnet.check import Engine, Pacing
from pytest_aksnet.elsewhere import why_not_asked
from pytest_aksnet.model.observation import Transfer
from pytest_aksnet.model.peers import NodePool, NodeRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckRecord, Retries
from pytest_aksnet.model.rights import Preflight
from pytest_aksnet.model.site import Site
from pytest_aksnet.needs import Need, why_not
from pytest_aksnet.options import Settings
from pytest_aksnet.report.evidence import EvidenceRecorder
from pytest_aksnet.shared import Opening, Shared

if TYPE_CHECKING:
    from pytest_aksnet.cluster.agent import AgentPool
    from pytest_aksnet.cluster.connect import Cluster
    from pytest_aksnet.cluster.exec import StreamExecutor
    from pytest_aksnet.cluster.lease import Lease
    from pytest_aksnet.cluster.scope import RunScope
    from pytest_aksnet.model.policy_table import PolicyCase
    from pytest_aksnet.pod_pool import PodPool

_NO_POOL = "nodes"
# In the lab a virtual function that is away stays away (no servicing event), packets take
# microseconds, and nobody else's traffic is on its links.
_LAB_PACING = Pacing(
    patience_s=4.0,
    connect_timeout_s=1.5,
    policy_patience_s=5.0,
    programming_s=6.0,
    servicing_s=3.0,
    pod_progress_s=15.0,
    frontend_s=5.0,
    frontend_hold_s=1.0,  # the lab's load balancer asks every 0.2 s
    idle_s=3.0,
    throughput_s=1,
    deny_timeout_s=0.5,
)


class AksnetSession:
    """What the tests of one process use. `worker` is xdist's name for it, empty without xdist."""

    def __init__(
        self,
        *,
        settings: Settings,
        run_id: str,
        worker: str,
        shared: Shared,
        report_dir: Path | None,
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self.worker = worker
        self.shared = shared
        self.recorder = EvidenceRecorder(report_dir, run_id)
        self.need = Need()
        self.found = Preflight()
        self.no_load_balancer = ""
        self.transfers: dict[tuple[str, str], Transfer] = {}
        self.policy_queue: tuple[PolicyCase, ...] = ()
        self.background: list[Callable[[], None]] = []
        self._opening: Opening | None = None
        self._cluster: Cluster | None = None
        self._scope: RunScope | None = None
        self._retries_of_checks = Retries()

    def begin_check(self, will: CheckRecord) -> None:
        """Tell that a check begins; `will` is its record in case that this process dies."""
        self.shared.begun(self.worker, will)

    def keep_record(self, record: CheckRecord) -> None:
        """Put a check that was begun into results.jsonl, if this run writes a report."""
        self._retries_of_checks += record.retries
        self.shared.keep(self.worker, record)

    def connect(self) -> None:
        """Connect, once. Raises SettingsError or EnvironmentProblem."""
        if self._cluster is None:
            self._opening = self.shared.opening()
            self._cluster = self.shared.connection()

    @property
    def is_connected(self) -> bool:
        """Whether a cluster has answered."""
        return self._cluster is not None

    @property
    def opening(self) -> Opening:
        """The cluster as the run found it. Raises what `connect` raises."""
        self.connect()
        assert self._opening is not None
        return self._opening

    @property
    def cluster(self) -> "Cluster":
        """The connected cluster. Raises what `connect` raises."""
        self.connect()
        assert self._cluster is not None
        return self._cluster

    @property
    def nodes(self) -> tuple[NodeRef, ...]:
        """The nodes that take part, sorted by name."""
        return self.opening.nodes

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why each of the other nodes takes no part, by its name."""
        return self.opening.left_out

    @property
    def images(self) -> Mapping[str, frozenset[str]]:
        """The images that each node holds, by its name, as far as its kubelet lists them."""
        return self.opening.images

    @property
    def pools(self) -> tuple[NodePool, ...]:
        """The agent pools of these nodes, sorted by name."""
        names = sorted({node.pool or _NO_POOL for node in self.nodes})
        return tuple(
            NodePool(
                name=name,
                nodes=tuple(node for node in self.nodes if (node.pool or _NO_POOL) == name),
            )
            for name in names
        )

    @property
    def site(self) -> Site:
        """What the site file says."""
        return self.opening.site

    @property
    def profile(self) -> NetworkProfile:
        """The network profile, read once. Raises EnvironmentProblem."""
        return self.shared.profile()

    @functools.cached_property
    def executor(self) -> "StreamExecutor":
        """The door into pods."""
        from pytest_aksnet.cluster.exec import StreamExecutor

        return StreamExecutor(self.cluster)

    @functools.cached_property
    def agents(self) -> "AgentPool":
        """The agents in pods: one open stream for each pod that was asked."""
        from pytest_aksnet.cluster.agent import agents_of
        from pytest_aksnet.probes import agent, agent_without_python

        return agents_of(self.cluster, (agent.script(), agent_without_python.script()))

    @functools.cached_property
    def outside_agents(self) -> "AgentPool":
        """The agents on hosts outside the cluster that the site file names, or on this machine."""
        from pytest_aksnet.cluster.outside import outside_agents
        from pytest_aksnet.probes import agent, agent_without_python

        scripts = (agent.script(), agent_without_python.script())
        hosts = (self.site.vnet_client, self.site.internet_client)
        commands = {host.what: host.command for host in hosts if host is not None}
        return outside_agents(self.cluster, scripts, commands)

    @property
    def cluster_domain(self) -> str:
        """The cluster's DNS domain; Kubernetes' default where it is not known."""
        return self.profile.get("cluster-domain") or "cluster.local"

    def parameters(self, fixture: str) -> Sequence[tuple[str, object]]:
        """The (id, value) pairs of node, node_pair or node_pool. Raises what `connect` raises."""
        if fixture == "aksnet_node_pool":
            return [(pool.name, pool) for pool in self.pools]
        nodes = self.nodes
        if fixture == "aksnet_node":
            return [(node.name, node) for node in nodes]
        targets = [*nodes[1:], nodes[0]] if len(nodes) > 1 else []
        return [
            (f"{source.name}..{target.name}", (source, target))
            for source, target in zip(nodes, targets, strict=False)
        ]

    def engine(self) -> Engine:
        """A new engine: one per test, as it remembers what the test has seen."""
        from pytest_aksnet.cluster.view import LiveApi, LiveView

        pacing = _LAB_PACING if self.settings.is_lab else Pacing()
        return Engine(
            self.executor,
            self.recorder,
            self.profile,
            self.site,
            LiveView(self.cluster),
            pacing=pacing,
            prober=self.agents,
            api=LiveApi(self.cluster),
            arm=self.shared,
        )

    @property
    def scope(self) -> "RunScope":
        """The namespaces of this process, none created before it is asked for one."""
        if self._scope is None:
            from pytest_aksnet.cluster.scope import RunScope

            self._scope = RunScope(
                self.cluster,
                run_id=self.run_id,
                worker=self.worker,
                host_network=self.host_network,
            )
            self.shared.uses(str(self._scope.manifest(level="")["metadata"]["name"]))
        return self._scope

    def bandwidth_lease(self) -> "Lease":
        """The Lease of whoever measures bandwidth, not taken yet."""
        from pytest_aksnet.run_lease import bandwidth_lease

        return bandwidth_lease(self.cluster, self.settings, self.run_id)

    def preflight(self, need: Need) -> Preflight:
        """What stands against checks with this need, looked for once in the run."""
        self.need = need
        self.found = self.shared.preflight(need)
        return self.found

    def why_not(self, need: Need) -> str:
        """Why something with this need cannot run here, as far as preflight found out."""
        return why_not(
            need,
            self.found,
            allowed=self.settings.allowed,
            nodes=len(self.nodes),
            left_out=self.left_out,
            no_azure=self.no_azure,
        )

    @property
    def no_azure(self) -> str:
        """Why this run asks nothing of Azure; empty where it does."""
        return why_not_asked(self.settings, os.environ)

    @property
    def host_network(self) -> bool:
        """Whether pods may use their nodes' network: the run allows it, and the cluster."""
        return "host-network" in self.settings.allowed - self.found.impossible.keys()

    @functools.cached_property
    def pods(self) -> "PodPool":
        """The pods that tests of this process use."""
        from pytest_aksnet.pod_pool import PodPool
        from pytest_aksnet.pod_requests import PodRequests, first_port_of

        requests = PodRequests(
            scope=self.scope, settings=self.settings, first_port=first_port_of(self.worker)
        )
        return PodPool(self.cluster, requests, self.shared)

    def retries(self) -> Retries:
        """What this process has had to repeat so far."""
        return Retries(
            exec=self.executor.retries.counts() if "executor" in vars(self) else {},
            rest=self._cluster.rest.retries.counts() if self._cluster is not None else {},
            streams=self.agents.retries.counts() if "agents" in vars(self) else {},
        )

    def retries_elsewhere(self) -> Retries:
        """What this process has had to repeat outside of checks."""
        return self.retries() - self._retries_of_checks

    def settle(self) -> None:
        """End what runs in the background, before what the run created is removed."""
        while self.background:
            self.background.pop()()

    def close(self) -> None:
        """Close what is open. What was created is left to the end of the run."""
        if "agents" in vars(self):
            self.agents.close()
        if "outside_agents" in vars(self):
            self.outside_agents.close()
        if self._cluster is not None:
            self._cluster.close()
