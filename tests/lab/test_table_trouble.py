"""Truth tables while execs fail, streams break, pods die and the API server goes: never "closed".

Each trouble comes in the middle of a case, at a list of probes of that number: 1 is the positive
control, 2 the canary, 3 the whole matrix, 4 and 5 the way back.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pytest_aksnet.check_table import TablePacing
from pytest_aksnet.model.errors import AksnetError
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import (
    CaseResult,
    Layout,
    ManyProber,
    Mark,
    PolicyCase,
    PutPolicy,
    TablePod,
    TableStep,
)
from pytest_aksnet.model.probing import Batch, Probe
from tests.lab.live_tables import LiveTables, live_tables
from tests.lab.raw_api import PATIENCE_S, RawApi
from tests.lab.running_lab import RunningLab

LAYOUT = Layout(
    namespaces={"x": {"ns": "x"}, "y": {"ns": "y"}},
    pods=tuple(
        TablePod(namespace=space, name=name, labels={"pod": name})
        for space, name in (("x", "a"), ("x", "b"), ("y", "a"))
    ),
    ports=(PortSpec(number=8080), PortSpec(number=8081, protocol="UDP")),
)
DENY = PutPolicy(
    policy={
        "metadata": {"namespace": "x", "name": "deny"},
        "spec": {"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Ingress"]},
    }
)
CASE = PolicyCase(
    id="case-1",
    family="test",
    title="nobody reaches x/a",
    layout=LAYOUT,
    steps=(TableStep(title="deny", actions=(DENY,)),),
)
CONTROL, CANARY, MATRIX, BACK = 1, 2, 3, 4
PACING = TablePacing(patience_s=6.0, impatient_s=3.0, open_s=2.0)
Happening = Callable[["Scene", PodRef], None]


@dataclass
class Meddler:
    """The agents, and something that happens while they work off the list of a number."""

    agents: ManyProber
    number: int
    happen: Callable[[PodRef], None]
    lists: int = 0
    happened: threading.Event = field(default_factory=threading.Event)

    def probe_many(
        self, lists: Mapping[PodRef, Sequence[Probe]], *, budget_s: float
    ) -> dict[PodRef, Batch]:
        self.lists += 1
        if self.lists != self.number:
            return self.agents.probe_many(lists, budget_s=budget_s)
        pod = next(pod for pod in lists if pod.name.startswith("a-"))
        thread = threading.Thread(target=self.happen, args=(pod,))
        thread.start()
        try:
            return self.agents.probe_many(lists, budget_s=budget_s)
        finally:
            thread.join()
            self.happened.set()


@dataclass
class Scene:
    """Tables on a lab whose faults a test injects."""

    tables: LiveTables
    api: RawApi

    def run(self, happen: Happening, number: int) -> CaseResult | AksnetError:
        """One case with something happening at the list of a number."""
        meddler = Meddler(self.tables.agents, number, lambda pod: happen(self, pod))
        campaign = self.tables.campaign((CASE,), 1, prober=meddler)
        try:
            result: CaseResult | AksnetError = campaign.result(CASE)
        except AksnetError as error:
            result = error
        campaign.stop()
        assert meddler.happened.is_set()
        return result

    def for_a_moment(self, *faults: str, seconds: float = 1.0) -> None:
        """Inject faults and heal them."""
        for fault in faults:
            self.api.inject(fault)
        threading.Event().wait(seconds)
        for fault in faults:
            self.heal(fault.partition("=")[0])

    def heal(self, fault: str) -> None:
        """Heal a fault; while the API server is down, its lab does not answer either."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.api.heal(fault)
            except ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.fixture
def scene(lab: RunningLab, api: RawApi) -> Iterator[Scene]:
    """Tables on the default lab, which is healed before they go."""
    with live_tables(lab, pacing=PACING) as tables:
        yield Scene(tables, api)
        for fault in api.injected():
            api.heal(fault.partition("=")[0])


def all_right(result: CaseResult | AksnetError) -> None:
    """Every cell was seen, and as it should be."""
    assert isinstance(result, CaseResult), result
    assert not result.problem
    assert [step.title for step in result.steps] == ["deny", "back to no policy"]
    for step in result.steps:
        for name, cell in step.cells.items():
            assert cell.right, (step.title, name, cell)


def unseen_cells(result: CaseResult | AksnetError) -> int:
    """How many cells were not seen, of which each has its reason; none is wrong."""
    if not isinstance(result, CaseResult):
        assert str(result)
        return 1
    unseen = int(bool(result.problem))
    for step in result.steps:
        for name, cell in step.cells.items():
            assert not cell.wrong, (step.title, name, cell)
            if not cell.right:
                assert cell.seen in (Mark.UNSEEN, Mark.ODD), (step.title, name, cell)
                assert cell.detail
                unseen += 1
    return unseen


def streams_cut(scene: Scene, pod: PodRef) -> None:
    scene.for_a_moment("exec-stream-cut=1")


def streams_hang(scene: Scene, pod: PodRef) -> None:
    scene.for_a_moment("exec-half-open=1", seconds=2.0)


def execs_refused(scene: Scene, pod: PodRef) -> None:
    scene.for_a_moment("exec-refused=1", "exec-stream-cut=1")


def server_restarts(scene: Scene, pod: PodRef) -> None:
    scene.for_a_moment("api-restart=5")


def pod_deleted(scene: Scene, pod: PodRef) -> None:
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}?gracePeriodSeconds=0"
    status, _, body = scene.api.send("DELETE", path)
    assert status == 200, body


@pytest.mark.parametrize("number", [CANARY, MATRIX, BACK])
@pytest.mark.parametrize(
    "happen",
    [
        streams_cut,
        pytest.param(streams_hang, marks=pytest.mark.thorough),
        pytest.param(execs_refused, marks=pytest.mark.thorough),
        pytest.param(server_restarts, marks=pytest.mark.thorough),
        pod_deleted,
    ],
)
def test_what_passes_leaves_a_right_table(scene: Scene, happen: Happening, number: int) -> None:
    all_right(scene.run(happen, number))


@pytest.mark.thorough
@pytest.mark.parametrize("number", [CONTROL, CANARY, MATRIX])
@pytest.mark.parametrize(
    "faults", [("exec-refused=1", "exec-stream-cut=1"), ("exec-half-open=1",), ("api-429=1",)]
)
def test_what_stays_leaves_cells_open_and_says_why(
    scene: Scene, faults: tuple[str, ...], number: int
) -> None:
    def happen(scene: Scene, pod: PodRef) -> None:
        for fault in faults:
            scene.api.inject(fault)

    unseen = unseen_cells(scene.run(happen, number))
    # A half-open stream is found and replaced, and each new one carries something.
    assert unseen or "half-open" in faults[0]


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ["exec-stream-cut=0.3", "api-trouble=0.2", "pod-evicted=1"])
def test_trouble_at_random_makes_nothing_wrong(scene: Scene, fault: str) -> None:
    scene.api.inject(fault)
    cases = [replace(CASE, id=f"case-{number}") for number in range(6)]
    for result in scene.tables.results(scene.tables.campaign(cases, 2), cases):
        assert isinstance(result, CaseResult | AksnetError), result
        unseen_cells(result)
