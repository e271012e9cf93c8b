"""One process of a run: its connection, its record keeping, and what all its tests share.

Connects when a test of ours is collected; creates nothing before a test asks for it. Every xdist
worker has its own: own namespaces, own warm pods, the same run id, lab and report.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_aksnet.check import Engine, Pacing
from pytest_aksnet.lab_process import LabProcess
from pytest_aksnet.model.errors import AksnetError, EnvironmentProblem
from pytest_aksnet.model.peers import NodePool, NodeRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckRecord
from pytest_aksnet.model.site import Site
from pytest_aksnet.options import Settings
from pytest_aksnet.report.evidence import EvidenceRecorder
from pytest_aksnet.report.results import ClusterInfo, NodeInfo, ResultsLog, profile_facts
from pytest_aksnet.report.serialisation import to_json
from pytest_aksnet.site_file import read_site

if TYPE_CHECKING:
    from pytest_aksnet.cluster.connect import Cluster
    from pytest_aksnet.cluster.exec import StreamExecutor
    from pytest_aksnet.cluster.scope import RunScope
    from pytest_aksnet.pod_pool import PodPool

_NO_POOL = "nodes"
# In the lab a virtual function that is away stays away (no servicing event), packets take
# microseconds, and nobody else's traffic is on its links.
_LAB_PACING = Pacing(
    patience_s=3.0,
    policy_patience_s=5.0,
    servicing_s=3.0,
    throughput_s=1,
    deny_timeout_s=0.5,
)


class AksnetSession:
    """What the tests of one process share. `handed_over` comes from the xdist controller.

    `lock_dir` is a directory that all processes of the run see: its lock is held by the one that
    measures bandwidth. Nothing is written there.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        run_id: str,
        worker: str,
        lab: LabProcess | None,
        handed_over: Mapping[str, str],
        lock_dir: Path,
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self.lock_dir = lock_dir
        self.kept: list[str] = []
        self._worker = worker
        self._lab = lab
        self._handed_over = handed_over
        report_dir = settings.report_dir
        if "report_dir" in handed_over:
            report_dir = Path(handed_over["report_dir"])
        self._results = ResultsLog(report_dir) if report_dir is not None else None
        self.recorder = EvidenceRecorder(report_dir, run_id)
        self._cluster: Cluster | None = None
        self._refusal: AksnetError | None = None
        self._nodes: tuple[NodeRef, ...] = ()
        self._site = Site()
        self._scope: RunScope | None = None

    def keep_record(self, record: CheckRecord) -> None:
        """Put a check into results.jsonl, if this run writes a report."""
        if self._results is not None:
            self._results.append(record)

    def connect(self) -> None:
        """Connect and read site file and nodes, once. Raises SettingsError, EnvironmentProblem."""
        if self._refusal is not None:
            raise self._refusal
        if self._cluster is not None:
            return
        try:
            self._connect()
        except AksnetError as error:
            self._refusal = error
            raise

    def _connect(self) -> None:
        kubeconfig, context = self.settings.kubeconfig, self.settings.context
        site_file = self.settings.site_file
        lab = self._lab_files()
        if lab is not None:
            kubeconfig, context = str(lab[0]), None
            site_file = site_file or lab[1]
        self._site = read_site(site_file)

        from pytest_aksnet.cluster.connect import connect
        from pytest_aksnet.cluster.nodes import read_nodes
        from pytest_aksnet.cluster.overrides import checked_overrides

        checked_overrides(self.settings.profile)
        cluster = connect(kubeconfig, context)
        nodes = read_nodes(
            cluster, selector=self.settings.node_selector, max_nodes=self.settings.max_nodes
        )
        if not nodes.taking_part:
            why = "; ".join(f"{name}: {reason}" for name, reason in nodes.left_out.items())
            raise EnvironmentProblem(f"no node of {cluster.server} can take part ({why})")
        self._nodes = nodes.taking_part
        self._cluster = cluster

    def _lab_files(self) -> tuple[Path, Path] | None:
        if self._lab is not None:
            files = self._lab.wait_ready()
            return files.kubeconfig, files.site
        if "kubeconfig" in self._handed_over:
            return Path(self._handed_over["kubeconfig"]), Path(self._handed_over["site"])
        return None

    @property
    def cluster(self) -> "Cluster":
        """The connected cluster. Raises what `connect` raises."""
        self.connect()
        assert self._cluster is not None
        return self._cluster

    @property
    def nodes(self) -> tuple[NodeRef, ...]:
        """The nodes that take part, sorted by name."""
        self.connect()
        return self._nodes

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
        self.connect()
        return self._site

    @functools.cached_property
    def profile(self) -> NetworkProfile:
        """The network profile, read once. Raises EnvironmentProblem."""
        from pytest_aksnet.cluster.facts import read_profile

        return read_profile(self.cluster, self.settings.profile)

    @functools.cached_property
    def executor(self) -> "StreamExecutor":
        """The door into pods."""
        from pytest_aksnet.cluster.exec import StreamExecutor

        return StreamExecutor(self.cluster)

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
        from pytest_aksnet.cluster.view import LiveView

        pacing = _LAB_PACING if self.settings.is_lab else Pacing()
        return Engine(
            self.executor,
            self.recorder,
            self.profile,
            self.site,
            LiveView(self.cluster),
            pacing=pacing,
        )

    @property
    def scope(self) -> "RunScope":
        """The namespaces of this process, none created before it is asked for one."""
        if self._scope is None:
            from pytest_aksnet.cluster.scope import RunScope

            self._scope = RunScope(
                self.cluster,
                run_id=self.run_id,
                worker=self._worker,
                host_network="host-network" in self.settings.allowed,
            )
        return self._scope

    @functools.cached_property
    def pods(self) -> "PodPool":
        """The pods of this process."""
        from pytest_aksnet.pod_pool import PodPool

        return PodPool(self.cluster, self.scope, self.settings, self._worker, every_node=self.nodes)

    def learnt(self) -> dict[str, str]:
        """What this process read from the cluster, packed for the report; empty without one."""
        if self._cluster is None:
            return {}
        facts = profile_facts(self.profile) if "profile" in vars(self) else {}
        cluster = ClusterInfo(
            server=self._cluster.server,
            context=self._cluster.context,
            nodes=tuple(
                NodeInfo(
                    name=node.name,
                    pool=node.pool,
                    zone=node.zone,
                    instance_type=node.instance_type,
                    addresses=node.addresses,
                )
                for node in self._nodes
            ),
        )
        return {
            "cluster": json.dumps(to_json(cluster)),
            "profile": json.dumps(to_json(facts)),
        }

    def sweep(self) -> list[str]:
        """Remove what a worker that died has left of this run; problems with that, in words."""
        if self.settings.is_lab or self.settings.keep != "never":
            return []
        try:
            left = self.scope.close().left
        except AksnetError as error:
            return [f"not removed: what lost workers of run {self.run_id} made: {error}"]
        return [f"not removed: {name}: {why}" for name, why in left.items()]

    def close(self) -> list[str]:
        """Remove what this process created; problems with that, in words.

        The lab needs no clearing away: it vanishes as a whole. What --aksnet-keep keeps is named.
        """
        problems: list[str] = []
        if self._scope is not None and self.kept:
            problems.append(f"kept, remove by --aksnet-cleanup: {', '.join(self.kept)}")
        elif self._scope is not None and not self.settings.is_lab:
            left = self._scope.close().left
            problems += [f"not removed: {name}: {why}" for name, why in left.items()]
        if self._cluster is not None:
            self._cluster.close()
        return problems
