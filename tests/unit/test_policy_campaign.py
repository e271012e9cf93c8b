"""A campaign: which set does which case, what is done again, what cannot start, and one finding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from pytest_aksnet.check_table import TablePacing, TableRunner
from pytest_aksnet.model.errors import ControlFailed, EnvironmentProblem
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import EngineRules, PortSpec
from pytest_aksnet.model.policy_table import (
    Action,
    CaseResult,
    Layout,
    Mark,
    Places,
    PolicyCase,
    PutPolicy,
    TablePod,
    TableStep,
)
from pytest_aksnet.model.probing import Answer, Batch, Finding, Probe
from pytest_aksnet.policy_campaign import PolicyCampaign

LAYOUT = Layout(
    namespaces={"x": {"ns": "x"}},
    pods=(
        TablePod(namespace="x", name="a", labels={"pod": "a"}),
        TablePod(namespace="x", name="b", labels={"pod": "b"}),
    ),
    ports=(PortSpec(number=8080),),
)
DENY = PutPolicy(
    policy={
        "metadata": {"namespace": "x", "name": "deny"},
        "spec": {"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Ingress"]},
    }
)
PACING = TablePacing(patience_s=0.05, impatient_s=0.05, settle_s=0.0)


def case(number: int, layout: Layout = LAYOUT) -> PolicyCase:
    return PolicyCase(
        id=f"case-{number}",
        family="test",
        title="deny",
        layout=layout,
        steps=(TableStep(title="deny", actions=(DENY,)),),
    )


@dataclass
class Network:
    """Pods whose agents answer by the policies that were put; `enforced` is whether they count.

    `broken` are addresses that nobody reaches, whatever is put. From the change of number `loses`
    on no agent answers, until the table is reset.
    """

    enforced: bool = True
    loses: int = 0
    broken: frozenset[str] = frozenset()
    denied: set[str] = field(default_factory=set)
    changes: int = 0
    lost: bool = False

    def probe_many(
        self, lists: Mapping[PodRef, Sequence[Probe]], *, budget_s: float
    ) -> dict[PodRef, Batch]:
        return {
            pod: Batch(
                answers=tuple(None if self.lost else self._answer(pod, one) for one in probes),
                ended=not self.lost,
                problem="the stream broke" if self.lost else "",
            )
            for pod, probes in lists.items()
        }

    def _answer(self, pod: PodRef, probe: Probe) -> Answer:
        denied = self.broken | (self.denied if self.enforced else set())
        shut = pod.ip != probe.host and probe.host in denied
        finding = Finding.TIMEOUT if shut else Finding.OK
        return Answer(finding, 1.0, 1.0, {}, streak=probe.times)


class Table:
    """A live table on that network. What it was asked to do is in `done`."""

    def __init__(self, network: Network, layout: Layout, number: int) -> None:
        self.layout = layout
        self.network = network
        self.number = number
        self.ended = False
        self.repairs = 0
        self.cases = 0
        self._ips = [f"10.0.{number}.{index}" for index, _ in enumerate(layout.pods)]

    @property
    def places(self) -> Places:
        pods = {
            pod.key: PodRef(
                namespace="real", name=pod.name, container="c", node=f"n{self.number}", ip=ip
            )
            for pod, ip in zip(self.layout.pods, self._ips, strict=True)
        }
        return Places(namespaces={"x": "real"}, pods=pods)

    @property
    def policies(self) -> tuple[()]:
        return ()

    def apply(self, actions: Sequence[Action]) -> None:
        self.cases += 1
        self.network.changes += 1
        self.network.lost = self.network.changes == self.network.loses
        for action in actions:
            assert isinstance(action, PutPolicy)
            everybody = not action.policy["spec"]["podSelector"]
            self.network.denied |= set(self._ips if everybody else self._ips[:1])

    def reset(self) -> None:
        self.network.denied -= set(self._ips)
        self.network.lost = False

    def repair(self) -> bool:
        self.repairs += 1
        return False

    def end(self) -> None:
        self.ended = True


@dataclass
class Cluster:
    """Starts tables; those in `broken` cannot be started."""

    network: Network = field(default_factory=Network)
    broken: set[int] = field(default_factory=set)
    tables: dict[int, list[Table]] = field(default_factory=dict)

    def start(self, layout: Layout, number: int) -> Table:
        if number in self.broken:
            raise EnvironmentProblem(f"set {number} does not start")
        table = Table(self.network, layout, number)
        self.tables.setdefault(number, []).append(table)
        return table

    def campaign(self, queue: Sequence[PolicyCase], sets: int = 2) -> PolicyCampaign:
        return PolicyCampaign(queue, sets=sets, start=self.start, runner=self.runner)

    def runner(self, ending: Callable[[], bool]) -> TableRunner:
        return TableRunner(self.network, EngineRules(engine="test"), pacing=PACING, ending=ending)


def marks(result: CaseResult) -> list[Mark]:
    return [cell.seen for cell in result.steps[0].cells.values()]


def test_every_case_is_done_once_and_always_by_the_same_set() -> None:
    for _ in range(3):
        cluster = Cluster()
        queue = [case(number) for number in range(10)]
        campaign = cluster.campaign(queue)
        results = [campaign.result(one) for one in queue]
        campaign.stop()
        assert [result.case.id for result in results] == [one.id for one in queue]
        assert {
            pod.node
            for result in results
            for pod in result.pods.values()
            if int(result.case.id[5:]) % 2
        } == {"n1"}
        assert sum(table.cases for tables in cluster.tables.values() for table in tables) == 10
        assert all(Mark.CLOSED in marks(result) for result in results)


def test_nothing_is_started_before_a_case_is_asked_for() -> None:
    cluster = Cluster()
    campaign = cluster.campaign([case(0), case(1)])
    campaign.stop()
    assert cluster.tables == {}


def test_a_campaign_runs_ahead_of_who_asks_but_not_far() -> None:
    cluster = Cluster()
    queue = [case(number) for number in range(100)]
    campaign = cluster.campaign(queue)
    campaign.result(queue[0])
    campaign.stop()
    assert sum(table.cases for tables in cluster.tables.values() for table in tables) <= 17


def test_what_belongs_to_a_set_that_does_not_start_is_done_by_another() -> None:
    cluster = Cluster(broken={1})
    queue = [case(number) for number in range(6)]
    campaign = cluster.campaign(queue)
    assert all(Mark.CLOSED in marks(campaign.result(one)) for one in queue)
    campaign.stop()


def test_where_no_set_starts_every_case_says_why() -> None:
    cluster = Cluster(broken={0, 1})
    queue = [case(number) for number in range(4)]
    campaign = cluster.campaign(queue)
    for one in [*queue, case(9)]:
        with pytest.raises(EnvironmentProblem, match="does not start"):
            campaign.result(one)
    campaign.stop()


def test_a_thread_that_cannot_begin_leaves_nobody_waiting() -> None:
    def runner(ending: Callable[[], bool]) -> TableRunner:
        raise EnvironmentProblem("no profile")

    queue = [case(number) for number in range(3)]
    campaign = PolicyCampaign(queue, sets=2, start=Cluster().start, runner=runner)
    for one in queue:
        with pytest.raises(EnvironmentProblem, match="no profile"):
            campaign.result(one)
    campaign.stop()


def test_what_was_not_seen_is_looked_at_in_a_second_run() -> None:
    cluster = Cluster()
    campaign = cluster.campaign([case(0)])
    assert Mark.CLOSED in marks(campaign.result(case(0)))
    cluster.network.loses = 2
    again = campaign.result(case(2))
    campaign.stop()
    assert Mark.UNSEEN not in marks(again)
    assert again.problem == ""
    assert cluster.network.changes == 3


def test_a_table_that_is_not_open_at_first_judges_nothing() -> None:
    cluster = Cluster(network=Network(broken=frozenset({"10.0.0.0"})))
    campaign = cluster.campaign([case(0)])
    with pytest.raises(ControlFailed, match="not open without policies"):
        campaign.result(case(0))
    campaign.stop()


def test_an_engine_that_enforces_nothing_is_one_finding() -> None:
    cluster = Cluster(network=Network(enforced=False))
    queue = [case(number) for number in range(0, 8, 2)]
    campaign = cluster.campaign(queue)
    results = [campaign.result(one) for one in queue]
    campaign.stop()
    assert "no NetworkPolicy takes effect" in campaign.absent
    assert all(cell.seen is Mark.OPEN for cell in results[0].steps[0].cells.values())
    assert [result.steps for result in results[1:]] == [(), (), ()]
    assert [campaign.tells_absent() for _ in range(3)] == [True, False, False]


def test_a_case_with_other_pods_has_a_table_of_its_own() -> None:
    other = Layout(namespaces={"x": {}}, pods=LAYOUT.pods, ports=LAYOUT.ports)
    cluster = Cluster()
    queue = [case(0), case(2, other), case(4)]
    campaign = cluster.campaign(queue)
    assert all(Mark.CLOSED in marks(campaign.result(one)) for one in queue)
    campaign.stop()
    first, second = cluster.tables[0]
    assert (first.cases, second.cases) == (2, 1)
    assert first.ended
