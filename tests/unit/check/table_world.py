"""A made-up cluster for truth tables: pods, an engine with a lag, agents that lie; a virtual clock.

What really holds comes from the oracle; `slips` are cells that the engine leaves open, or closed,
against it. A lie changes what the agent of one pod says to one list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_aksnet.check_table import TablePacing, TableRunner
from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_world import PolicyState, expected_table
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import (
    Action,
    CellName,
    Layout,
    Places,
    PolicyCase,
    PutPolicy,
    TablePod,
    TableStep,
)
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe

TCP, UDP = PortSpec(number=8080), PortSpec(number=8081, protocol="UDP")
LAYOUT = Layout(
    namespaces={"x": {"ns": "x"}, "y": {"ns": "y"}},
    pods=tuple(
        TablePod(namespace=space, name=name, labels={"pod": name})
        for space in "xy"
        for name in "ab"
    ),
    ports=(TCP, UDP),
)
PLACES = Places(
    namespaces={"x": "real-x", "y": "real-y"},
    pods={
        pod.key: PodRef(
            namespace=f"real-{pod.namespace}",
            name=f"{pod.name}-{number}",
            container="c",
            node=f"node-{number % 2}",
            ip=f"10.244.0.{number + 4}",
            uid=pod.key,
        )
        for number, pod in enumerate(LAYOUT.pods)
    },
)
_KEYS = {pod: key for key, pod in PLACES.pods.items()}
_BY_IP = {pod.ip: key for key, pod in PLACES.pods.items()}
_PORTS = {Kind.TCP: TCP, Kind.UDP: UDP}
_ANSWER_MS, _PAUSE_S, _LATER_S, _DIES_S = 5.0, 0.02, 0.008, 0.006

Lie = Callable[[Sequence[Probe], Batch], Batch]


def deny(pod: str, space: str = "x") -> PutPolicy:
    """A policy that closes all ways to pods of that name."""
    return PutPolicy(
        policy={
            "metadata": {"namespace": space, "name": f"deny-{pod}"},
            "spec": {"podSelector": {"matchLabels": {"pod": pod}}, "policyTypes": ["Ingress"]},
        }
    )


def case(*steps: Sequence[Action], layout: Layout = LAYOUT) -> PolicyCase:
    """A case of these steps; by default two, which close x/a and then y/b."""
    chosen = steps or ((deny("a"),), (deny("b", "y"),))
    return PolicyCase(
        id="case-1",
        family="test",
        title="a case",
        layout=layout,
        steps=tuple(TableStep(title=str(n), actions=tuple(one)) for n, one in enumerate(chosen)),
    )


@dataclass
class World:
    """The cluster, as a live table and as a prober.

    `lies` gives the lie for the agent of a pod (its name in the table) at the list of that number,
    None for the truth. `refuses` says why the API server does nothing, by the number of the call.
    Pods are dead from the moment of `dead_from`, or just behind the start of the list of `dies_in`,
    when they have answered themselves. Lists without an end take all their time, if not `hasty`.
    """

    lag_s: float = 0.0
    slips: Mapping[CellName, bool] = field(default_factory=dict)
    lies: Callable[[int, str], Lie | None] = lambda call, pod: None
    refuses: Callable[[int], str] = lambda call: ""
    layout: Layout = LAYOUT
    flapping: frozenset[CellName] = frozenset()
    dead_from: Mapping[str, float] = field(default_factory=dict)
    dies_in: Mapping[str, int] = field(default_factory=dict)
    hasty: bool = False
    now: float = 0.0
    lists: int = 0
    calls: int = 0
    repaired: int = 0

    def __post_init__(self) -> None:
        self._state = PolicyState(self.layout)
        self._truth: list[tuple[float, Mapping[CellName, bool]]] = []
        self._realise(0.0)

    @property
    def places(self) -> Places:
        return PLACES

    def runner(self, pacing: TablePacing | None = None) -> TableRunner:
        """A runner on this world's clock."""
        return TableRunner(self, API_TEXT, pacing=pacing, clock=lambda: self.now, sleep=self._sleep)

    # -- the API server ----------------------------------------------------------------------

    @property
    def policies(self) -> tuple[()]:
        """Nobody asks for them here."""
        return ()

    def apply(self, actions: Sequence[Action]) -> None:
        self._call()
        for action in actions:
            self._state.apply(action)
        self._realise(self.lag_s)

    def reset(self) -> None:
        self._call()
        if self._state.policies:
            self._state = PolicyState(self.layout)
            self._realise(self.lag_s)

    def repair(self) -> bool:
        self.repaired += 1
        gone, self.dead_from = dict(self.dead_from), {}
        return bool(gone)

    def end(self) -> None:
        """Nothing is left of it."""

    def _call(self) -> None:
        self.calls += 1
        if why := self.refuses(self.calls):
            raise EnvironmentProblem(why)

    def _realise(self, lag_s: float) -> None:
        decided = expected_table(self._state, PLACES, API_TEXT, self.layout.ports)
        holds = {name: decision.allowed for name, decision in decided.items()}
        # What the engine leaves open or closed shows where policies are, and no one is its own.
        slips = self.slips if self._state.policies else {}
        self._truth.append((self.now + lag_s, {**holds, **slips}))

    # -- the agents --------------------------------------------------------------------------

    def probe_many(
        self, lists: Mapping[PodRef, Sequence[Probe]], *, budget_s: float
    ) -> dict[PodRef, Batch]:
        self.lists += 1
        found, longest = {}, 0.0
        died = {
            pod: self.now + _DIES_S for pod, number in self.dies_in.items() if number == self.lists
        }
        self.dead_from = {**self.dead_from, **died}
        for pod, probes in lists.items():
            truth = self._truth_of(pod, [self._answer(_KEYS[pod], p, budget_s) for p in probes])
            lie = self.lies(self.lists, _KEYS[pod])
            said = found[pod] = lie(probes, truth) if lie is not None else truth
            longest = max([longest, *(one.at_ms / 1000 for one in said.answers if one is not None)])
            if not said.ended and not self.hasty:
                longest = max(longest, budget_s)
        self.now += longest
        return found

    def _truth_of(self, pod: PodRef, answers: Sequence[Answer]) -> Batch:
        """All of it, or what came before the pod died."""
        kept = tuple(
            None if self._dead(_KEYS[pod], self.now + one.at_ms / 1000) else one for one in answers
        )
        ended = None not in kept
        return Batch(answers=kept, ended=ended, problem="" if ended else "the agent ended")

    def _answer(self, source: str, probe: Probe, budget_s: float) -> Answer:
        name = CellName(source, _BY_IP[probe.host], _PORTS[probe.kind])
        at, tries, streak = _LATER_S if name.source != name.destination else 0.0, 0, 0
        first: Finding | None = None
        while True:
            tries += 1
            finding = self._finding(name, self.now + at, tries)
            took = _ANSWER_MS / 1000 if finding is Finding.OK else probe.timeout_s
            at += took
            first = first or finding
            streak = streak + 1 if finding in probe.until else 0
            over = at + _PAUSE_S > min(probe.within_s, budget_s)
            if not probe.until or streak >= probe.times or over:
                told = first if probe.until else None
                return Answer(finding, 1000 * took, 1000 * at, {}, tries, told, streak)
            at += _PAUSE_S

    def _finding(self, name: CellName, at: float, tries: int) -> Finding:
        if self._dead(name.destination, at):
            return Finding.TIMEOUT
        if name in self.flapping and self._state.policies:
            return Finding.OK if tries % 2 else Finding.TIMEOUT
        holds = [cells for since, cells in self._truth if since <= at][-1]
        return Finding.OK if holds[name] else Finding.TIMEOUT

    def _dead(self, pod: str, at: float) -> bool:
        return at >= self.dead_from.get(pod, float("inf"))

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


# -- lies ------------------------------------------------------------------------------------


def nothing(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The stream never opened."""
    return Batch(answers=(None,) * len(probes), ended=False, problem="the exec failed")


def no_end(probes: Sequence[Probe], truth: Batch) -> Batch:
    """All answers, and no end marker."""
    return replace(truth, ended=False, problem="no end")


def half(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The stream broke in the middle."""
    kept = len(probes) // 2
    answers = (*truth.answers[:kept], *[None] * (len(probes) - kept))
    return Batch(answers=answers, ended=False, problem="the stream was cut")


def gap(probes: Sequence[Probe], truth: Batch) -> Batch:
    """Lines are missing, and it ended."""
    answers = tuple(None if n % 3 == 1 else one for n, one in enumerate(truth.answers))
    return replace(truth, answers=answers, gaps=1)


def silent_holes(probes: Sequence[Probe], truth: Batch) -> Batch:
    """Answers are missing, though the end marker says that all came."""
    answers = tuple(None if n % 4 == 2 else one for n, one in enumerate(truth.answers))
    return replace(truth, answers=answers)


def dying(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The stream broke, and before it did the pod heard nobody but itself."""
    silent = _all(truth, Finding.TIMEOUT).answers
    pairs = zip(truth.answers, silent, strict=True)
    answers = tuple(a if a is not None and a.at_ms <= _ANSWER_MS else b for a, b in pairs)
    return Batch(answers=answers, ended=False, problem="the agent ended")


def some_sockets(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The agent could look at some targets only."""
    local = _all(truth, Finding.LOCAL).answers
    pairs = zip(truth.answers, local, strict=True)
    return replace(truth, answers=tuple(b if n % 3 else a for n, (a, b) in enumerate(pairs)))


def no_self(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The pod does not reach itself, and nobody else: its own network is dead."""
    return _all(truth, Finding.TIMEOUT)


def out_of_sockets(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The agent could look at nothing."""
    return _all(truth, Finding.LOCAL)


def given_up(probes: Sequence[Probe], truth: Batch) -> Batch:
    """The agent's time was over."""
    return _all(truth, Finding.AGENT)


def slow(probes: Sequence[Probe], truth: Batch) -> Batch:
    """A busy machine: whatever answers does so after 400 ms."""
    answers = tuple(
        replace(one, ms=400.0) if one is not None and one.finding is Finding.OK else one
        for one in truth.answers
    )
    return replace(truth, answers=answers)


def _all(truth: Batch, finding: Finding) -> Batch:
    answers = tuple(
        None if one is None else Answer(finding, one.ms, one.at_ms, {}, one.tries, finding)
        for one in truth.answers
    )
    return replace(truth, answers=answers)


LIES: tuple[Lie, ...] = (
    nothing,
    no_end,
    half,
    gap,
    silent_holes,
    dying,
    some_sockets,
    no_self,
    out_of_sockets,
    given_up,
    slow,
)
