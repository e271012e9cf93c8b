"""Truth tables of NetworkPolicies on a lab, without pytest: for tests of their machinery, figures.

Owns the wiring that a run has by its session: connection, namespaces, agents, sets of pods.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_aksnet.check_table import TablePacing, TableRunner, Tempo
from pytest_aksnet.cluster.agent import AgentPool, agents_of
from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.nodes import every_node
from pytest_aksnet.cluster.policy_sets import PolicySet
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_world import bind_policy
from pytest_aksnet.model.policy_table import CaseResult, Layout, ManyProber, PolicyCase, TablePod
from pytest_aksnet.options import DEFAULT_IMAGE, Settings
from pytest_aksnet.pod_requests import PodRequests
from pytest_aksnet.policy_campaign import PolicyCampaign
from pytest_aksnet.policy_sessions import node_of
from pytest_aksnet.probes import agent
from tests.lab.running_lab import RunningLab

SETTINGS = Settings(
    kubeconfig=None,
    context=None,
    lab_mode="overlay",
    lab_engine="calico",
    lab_faults=(),
    lab_spec=None,
    site_file=None,
    profile={},
    image=DEFAULT_IMAGE,
    image_pull_secret=None,
    node_selector=None,
    tolerations=(),
    max_nodes=None,
    allowed=frozenset(),
    keep="never",
    second_run="wait",
    lease_namespace="default",
    report_dir=None,
    baseline=None,
    save_baseline=None,
    plan=False,
)


@dataclass
class LiveTables:
    """Sets of pods on one lab, and what works cases off on them."""

    cluster: Cluster
    scope: RunScope
    agents: AgentPool
    engine: str
    pacing: TablePacing
    ready_s: list[float]

    def campaign(
        self,
        cases: Sequence[PolicyCase],
        sets: int,
        *,
        sampled: bool = False,
        prober: ManyProber | None = None,
    ) -> PolicyCampaign:
        """A campaign over these cases; `prober` is asked instead of the agents."""
        tempo = Tempo()

        def runner(ending: Callable[[], bool]) -> TableRunner:
            return TableRunner(
                prober or self.agents,
                engine_rules(self.engine),
                pacing=self.pacing,
                tempo=tempo,
                sampled=sampled,
                ending=ending,
            )

        return PolicyCampaign(cases, sets=sets, start=self.start, runner=runner)

    def start(self, layout: Layout, number: int) -> PolicySet:
        """A set of that layout, with its pods running."""
        nodes = every_node(self.cluster)
        ports = sorted({port.number for port in layout.ports})
        requests = PodRequests(scope=self.scope, settings=SETTINGS)

        def request(pod: TablePod, namespace: str, place: int) -> ProbePodRequest:
            return requests.table_pod(pod, node_of(nodes, layout, place, number), namespace, ports)

        made = PolicySet(self.cluster, self.scope, layout, request=request, bind=bind_policy)
        began = time.perf_counter()
        made.start()
        self.ready_s.append(time.perf_counter() - began)
        return made

    @staticmethod
    def results(
        campaign: PolicyCampaign, cases: Sequence[PolicyCase]
    ) -> "list[CaseResult | Exception]":
        """What came of every case, in their order; an error where it was not run."""

        def result(case: PolicyCase) -> CaseResult | Exception:
            try:
                return campaign.result(case)
            except Exception as error:
                return error

        with ThreadPoolExecutor(max(len(cases), 1)) as pool:
            found = list(pool.map(result, cases))
        campaign.stop()
        return found


@contextmanager
def live_tables(
    lab: RunningLab,
    *,
    pacing: TablePacing | None = None,
    closed: Callable[[float], None] = lambda seconds: None,
) -> Iterator[LiveTables]:
    """Tables on this lab; all that was made is gone at the end, of whose seconds `closed` hears."""
    with lab_cluster(lab.kubeconfig) as cluster:
        scope = RunScope(cluster, host_network=False)
        pool = agents_of(cluster, (agent.script(),))
        try:
            yield LiveTables(
                cluster=cluster,
                scope=scope,
                agents=pool,
                engine=lab.engine,
                pacing=pacing or TablePacing(),
                ready_s=[],
            )
        finally:
            began = time.perf_counter()
            pool.close()
            left = scope.close().left
            closed(time.perf_counter() - began)
        assert not left, left


@contextmanager
def lab_cluster(kubeconfig: Path) -> Iterator[Cluster]:
    """A connection."""
    cluster = connect(str(kubeconfig), None)
    try:
        yield cluster
    finally:
        cluster.close()
