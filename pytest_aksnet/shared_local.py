"""What all processes of a run share, where it is: in the controller, or in the single process.

Owns the one reading of nodes, site and facts, the warm pods, and the order of what is written.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_aksnet.elsewhere import AzureSource, read_elsewhere
from pytest_aksnet.lab_process import LabProcess
from pytest_aksnet.model.arm import Reading
from pytest_aksnet.model.errors import AksnetError, EnvironmentProblem
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckRecord
from pytest_aksnet.model.rights import Preflight
from pytest_aksnet.needs import Need
from pytest_aksnet.options import Settings
from pytest_aksnet.report.evidence import take_over
from pytest_aksnet.report.results import ResultsLog
from pytest_aksnet.shared import Opening
from pytest_aksnet.site_file import read_site

if TYPE_CHECKING:
    from pytest_aksnet.cluster.connect import Cluster
    from pytest_aksnet.cluster.scope import RunScope
    from pytest_aksnet.warm_pods import ImageVerdict, WarmPods

_POOL = "pool"


@dataclass(frozen=True, slots=True)
class _Running:
    """A check that runs, since when by the monotonic clock."""

    will: CheckRecord
    since: float


class LocalShared:
    """See `shared.Shared`. `lab` is this run's lab, None on a live cluster.

    `outside` collects the namespaces of others that the run uses, `names_kept` what it keeps,
    `groups` the tests that run one after another, by node id. `has_made` is whether anything may
    have been created.
    """

    def __init__(
        self, settings: Settings, run_id: str, lab: LabProcess | None, report_dir: Path | None
    ) -> None:
        self.has_made = False
        self.outside: set[str] = set()
        self.names_kept: list[str] = []
        self.groups: dict[str, str] = {}
        self.need = Need()
        self.found = Preflight()
        self._settings = settings
        self._run_id = run_id
        self._lab = lab
        self._report_dir = report_dir
        self._results = ResultsLog(report_dir) if report_dir is not None else None
        self._reading = threading.RLock()
        self._writing = threading.Lock()
        self._cluster: Cluster | None = None
        self._opening: Opening | None = None
        self._refusal: AksnetError | None = None
        self._profile: NetworkProfile | None = None
        self._preflights: list[tuple[Need, Preflight]] = []
        self._pool: tuple[WarmPods, ImageVerdict] | None = None
        self._running: dict[str, _Running] = {}
        self._ended = False
        self._azure = AzureSource(
            settings,
            lambda: self.opening().provider_ids,
            lambda: lab.wait_ready().azure if lab is not None else None,
        )

    @property
    def is_open(self) -> bool:
        """Whether a cluster has answered."""
        return self._opening is not None

    @property
    def profile_read(self) -> NetworkProfile | None:
        """The network profile, if somebody has asked for it."""
        return self._profile

    @property
    def host_network(self) -> bool:
        """Whether pods may use their nodes' network: the run allows it, and the cluster."""
        return "host-network" in self._settings.allowed - self.found.impossible.keys()

    def connection(self) -> "Cluster":
        """See shared.Shared."""
        self.opening()
        assert self._cluster is not None
        return self._cluster

    def opening(self) -> Opening:
        """See shared.Shared."""
        with self._reading:
            if self._refusal is not None:
                raise self._refusal
            if self._opening is None:
                try:
                    self._opening = self._open()
                except AksnetError as error:
                    self._refusal = error
                    raise
            return self._opening

    def _open(self) -> Opening:
        kubeconfig, context = self._settings.kubeconfig, self._settings.context
        site_file = self._settings.site_file
        if self._lab is not None:
            files = self._lab.wait_ready()
            kubeconfig, context = str(files.kubeconfig), None
            site_file = site_file or files.site
        site = read_site(site_file)

        from pytest_aksnet.cluster.connect import connect
        from pytest_aksnet.cluster.nodes import read_nodes
        from pytest_aksnet.cluster.overrides import checked_overrides
        from pytest_aksnet.cluster.probe_pod_manifest import TOLERATIONS

        checked_overrides(self._settings.profile)
        cluster = connect(kubeconfig, context)
        nodes = read_nodes(
            cluster,
            selector=self._settings.node_selector,
            max_nodes=self._settings.max_nodes,
            tolerations=(*TOLERATIONS, *self._settings.tolerations),
        )
        if not nodes.taking_part:
            why = "; ".join(f"{name}: {reason}" for name, reason in nodes.left_out.items())
            raise EnvironmentProblem(f"no node of {cluster.server} can take part ({why})")
        self._cluster = cluster
        return Opening(
            kubeconfig=kubeconfig,
            context=context,
            version=cluster.version,
            nodes=nodes.taking_part,
            left_out=nodes.left_out,
            images=nodes.images,
            site=site,
            provider_ids=nodes.provider_ids,
        )

    def profile(self) -> NetworkProfile:
        """See shared.Shared."""
        from pytest_aksnet.cluster.facts import read_profile

        cluster = self.connection()
        with self._reading:
            if self._profile is None:
                self._profile = read_profile(
                    cluster,
                    self._settings.profile,
                    partial(read_elsewhere, self.opening().site, self._azure),
                )
            return self._profile

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See shared.Shared."""
        return self._azure.reading(topic, since=since)

    def preflight(self, need: Need) -> Preflight:
        """See shared.Shared."""
        from pytest_aksnet.preflight import run_preflight

        cluster = self.connection()
        with self._reading:
            for known, found in self._preflights:
                if known == need:
                    return found
            found = run_preflight(
                cluster,
                self._run_id,
                self._settings,
                need,
                lease_namespace=self._settings.lease_namespace,
            )
            self._preflights.append((need, found))
            self.need, self.found = need, found
            return found

    def pool_namespace(self) -> str:
        """See shared.Shared."""
        return str(self._pool_scope().manifest(level="")["metadata"]["name"])

    def _pool_scope(self) -> "RunScope":
        from pytest_aksnet.cluster.scope import RunScope

        return RunScope(
            self.connection(), run_id=self._run_id, worker=_POOL, host_network=self.host_network
        )

    def _warm_pods(self) -> "tuple[WarmPods, ImageVerdict]":
        from pytest_aksnet.pod_requests import PodRequests
        from pytest_aksnet.warm_pods import ImageVerdict, WarmPods

        opening, cluster = self.opening(), self.connection()
        with self._reading:
            if self._ended:
                raise EnvironmentProblem("the run is ending: no pod is started any more")
            if self._pool is None:
                self.has_made = True
                image = ImageVerdict(len(opening.nodes))
                requests = PodRequests(scope=self._pool_scope(), settings=self._settings)
                self._pool = WarmPods(cluster, requests, opening.nodes, image), image
            return self._pool

    def warm(self, nodes: Sequence[NodeRef], *, host_network: bool) -> tuple[PodRef, ...]:
        """See shared.Shared."""
        return self._warm_pods()[0].get(nodes, host_network=host_network)

    def end(self) -> None:
        """Create nothing any more, whoever still asks."""
        with self._reading:
            self._ended = True
            if self._pool is not None:
                self._pool[0].end()
        self._azure.close()

    def image_refused(self) -> str:
        """See shared.Shared."""
        return self._warm_pods()[1].refused()

    def image_tried(self, problem: str) -> None:
        """See shared.Shared."""
        self._warm_pods()[1].tried(problem)

    def begun(self, worker: str, will: CheckRecord) -> None:
        """See shared.Shared."""
        with self._writing:
            self._running[worker] = _Running(will, time.monotonic())

    def keep(self, worker: str, record: CheckRecord) -> None:
        """See shared.Shared. What a worker sent that is already known to have died is left out."""
        with self._writing:
            running = self._running.get(worker)
            if running is not None and running.will.nodeid == record.nodeid:
                del self._running[worker]
                self._append(record)

    def crashed(self, worker: str, nodeid: str, why: str) -> CheckRecord | None:
        """Execute the will of a check whose worker died; None where none was running there."""
        with self._writing:
            running = self._running.pop(worker, None)
            if running is None or running.will.nodeid != nodeid:
                return None
            will = running.will
            path, attempts = "", 0
            if self._report_dir is not None:
                header = {"check": will.id, "test": nodeid, "outcome": will.outcome.value}
                path, attempts = take_over(
                    self._report_dir, will.evidence, {**header, "reason": why}
                )
            record = replace(
                will,
                reason=why,
                duration_s=round(time.monotonic() - running.since, 3),
                attempts=attempts,
                evidence=path,
            )
            self._append(record)
            return record

    def _append(self, record: CheckRecord) -> None:
        if self._results is not None:
            self._results.append(record)

    def kept(self, what: Sequence[str]) -> None:
        """See shared.Shared."""
        with self._writing:
            self.names_kept.extend(what)

    def uses(self, namespace: str) -> None:
        """See shared.Shared."""
        with self._writing:
            self.has_made = True
            if not namespace.startswith(f"aksnet-{self._run_id}"):
                self.outside.add(namespace)

    def alone(self, groups: Mapping[str, str]) -> None:
        """See shared.Shared."""
        with self._writing:
            self.groups.update(groups)
