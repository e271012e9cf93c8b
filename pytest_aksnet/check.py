"""The one engine: run, parse, judge, record; convergence, positive controls, diagnosis, messages.

Owns when to look again and when to stop. A pass needs a completed look that was judged good; a
look that did not complete is never an answer; a deny needs positive controls around it. It does
not know any tool, promise or cluster: probes, judgements and the Executor are passed in.
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, Protocol, TypeVar

from pytest_aksnet.model.api import ApiReader
from pytest_aksnet.model.arm import ArmReader
from pytest_aksnet.model.errors import (
    AksnetError,
    ConformanceFailure,
    ControlFailed,
    EnvironmentProblem,
    ExecNotCompleted,
    FactUnknown,
    Inconclusive,
    ToolMissing,
)
from pytest_aksnet.model.execution import Completed, Execution, Executor, NotCompleted, Reason
from pytest_aksnet.model.observation import Connection, ConnectOutcome, Observation
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import SLOW_PATH, Prober
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import Attempt, Recorder
from pytest_aksnet.model.site import Site
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.model.view import ClusterView
from pytest_aksnet.report.redaction import one_line

Seen = TypeVar("Seen", bound=Observation)
Seen_co = TypeVar("Seen_co", bound=Observation, covariant=True)

_LOST_LOOKS = 3
_LONGEST_SENTENCE = 4000  # an answer may hold thousands of addresses


class Probe(Protocol[Seen_co]):
    """One active look: what is run in a pod, and how its output is read."""

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        ...

    def build(self) -> tuple[str, ...]:
        """The argv."""
        ...

    def parse(self, completed: Completed) -> Seen_co:
        """The observation. Raises ToolMissing or OutputUnparsable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How long is waited for what (seconds), and how often a deny must be seen in a row.

    `servicing_s` is for what goes away while Azure services a host, `frontend_s` for a load
    balancer that follows its Services and their health, and `frontend_hold_s` for two of its
    probes, which come every 5 s (AKS docs: load-balancer-standard).
    `programming_s` is for service proxies to learn of a change: Kubernetes tests itself for 30 s
    (ClusterLoader2, network programming latency, 99th percentile).
    `pod_progress_s` is how long a row of pods may stand still before it counts as stuck.
    `idle_s` is how long a connection is silent that must live on.
    """

    patience_s: float = 7.0
    policy_patience_s: float = 15.0
    programming_s: float = 30.0
    control_patience_s: float = 3.0
    connect_timeout_s: float = 3.0
    deny_timeout_s: float = 1.0
    longest_deny_timeout_s: float = 10.0
    deny_looks: int = 2
    first_pause_s: float = 0.05
    longest_pause_s: float = 0.8
    servicing_s: float = 60.0
    pod_progress_s: float = 60.0
    frontend_s: float = 60.0
    frontend_hold_s: float = 11.0
    idle_s: float = 30.0
    throughput_s: int = 3
    throughput_streams: int = 4

    def patience_with(self, *, service: bool) -> float:
        """How long a connection may fail: through a Service, until the proxies know of it."""
        return max(self.patience_s, self.programming_s) if service else self.patience_s

    def silence_s(self, slowest_s: float) -> float:
        """How long a peer must be silent to count as blocked, where answers took `slowest_s`."""
        return min(max(self.deny_timeout_s, SLOW_PATH * slowest_s), self.longest_deny_timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A positive control: `pod` must reach a peer that answers. `what` completes "that ...".

    A deny counts only if every control of it holds before, between and after its looks.
    """

    what: str
    pod: PodRef
    probe: Probe[Connection]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[Seen]):
    """One completed look: what was seen, how it was judged, and how to repeat it by hand."""

    observation: Seen
    verdict: Verdict
    command_line: str


Judge = Callable[[Seen], Verdict]
Diagnose = Callable[[Seen], str]
Patience = float | Callable[[Seen], float]


class Engine:
    """One per test: it remembers which connections the test has seen established."""

    def __init__(
        self,
        executor: Executor,
        recorder: Recorder,
        profile: NetworkProfile,
        site: Site,
        view: ClusterView,
        *,
        pacing: Pacing | None = None,
        prober: Prober | None = None,
        api: ApiReader | None = None,
        arm: ArmReader | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.profile = profile
        self.site = site
        self.view = view
        self.pacing = pacing or Pacing()
        self._executor = executor
        self.recorder = recorder
        self._prober = prober
        self._api = api
        self._arm = arm
        self._clock = clock
        self._sleep = sleep
        self._connected: set[tuple[str, str, str, int]] = set()
        self._pods: dict[PodRef, None] = {}

    @property
    def prober(self) -> Prober:
        """The door to the agents in pods, for many looks at once."""
        if self._prober is None:
            raise RuntimeError("this engine was made without a prober")
        return self._prober

    @property
    def api(self) -> ApiReader:
        """The objects of the cluster, read when asked."""
        if self._api is None:
            raise RuntimeError("this engine was made without a reader of the API")
        return self._api

    @property
    def arm(self) -> ArmReader:
        """What Azure Resource Manager says, read when asked."""
        if self._arm is None:
            raise RuntimeError("this engine was made without a reader of ARM")
        return self._arm

    def command_line(self, pod: PodRef, argv: Sequence[str]) -> str:
        """The kubectl command that repeats a look by hand."""
        return self._executor.command_line(pod, argv)

    def was_connected(self, pod: PodRef, host: str, port: int) -> bool:
        """Whether this test has seen `pod` connect to `host:port` over TCP: the allow twin."""
        return (pod.namespace, pod.name, host, port) in self._connected

    def look(
        self, pod: PodRef, probe: Probe[Seen], judge: Judge[Seen], *, role: str = "probe"
    ) -> Look[Seen]:
        """Look once, and leave the attempt as evidence whatever comes of it.

        Raises ExecNotCompleted, ToolMissing or OutputUnparsable where nothing was seen.
        """
        argv = probe.build()
        command_line = self._executor.command_line(pod, argv)
        started = time.time()
        execution = self._executor.run(pod, argv, timeout_s=probe.timeout_s)
        observation: Seen | None = None
        try:
            observation = self._read(execution, probe)
            verdict = judge(observation)
        except Inconclusive as lost:
            verdict = Verdict(outcome=Outcome.INCONCLUSIVE, sentence=str(lost))
            raise
        finally:
            self.recorder.attempt(
                Attempt(
                    role=role,
                    source=f"{pod.namespace}/{pod.name}",
                    command_line=command_line,
                    started=started,
                    execution=execution,
                    observation=observation,
                    verdict=verdict,
                )
            )
        if isinstance(observation, Connection) and observation.outcome is ConnectOutcome.CONNECTED:
            self._connected.add((pod.namespace, pod.name, observation.host, observation.port))
        return Look(observation=observation, verdict=verdict, command_line=command_line)

    def converge(
        self,
        pod: PodRef,
        probe: Probe[Seen],
        judge: Judge[Seen],
        *,
        patience_s: Patience[Seen] | None = None,
        times: int = 1,
        diagnose: Diagnose[Seen] | None = None,
        role: str = "probe",
    ) -> Seen:
        """Look until `times` looks in a row are good, or until the patience (seconds) is over.

        Raises ConformanceFailure if the last look completed and was bad, ControlFailed if it was
        seen but proves nothing, and what `look` raises if it did not complete.
        """
        patience = self.pacing.patience_s if patience_s is None else patience_s
        run = _Run(self, pod, patience)
        while True:
            look = run.attempt(lambda: self.look(pod, probe, judge, role=role))
            if look is not None and look.verdict.outcome is Outcome.PASS:
                run.streak += 1
                if run.streak >= times:
                    self._note_convergence(run)
                    return look.observation
                continue
            run.streak = 0
            if look is not None and run.over(look):
                self._conclude(run, look, diagnose)
            run.pause()

    def deny(
        self,
        pod: PodRef,
        probe: Callable[[float], Probe[Connection]],
        judge: Judge[Connection],
        *,
        controls: Sequence[Control],
        patience_s: float,
        diagnose: Diagnose[Connection] | None = None,
    ) -> Connection:
        """Look until the connection fails in the right way, several times in a row.

        `probe` makes the probe for a connect time-out (seconds). The controls are looked at
        before, between and after; the time-out is several times what the slowest of them took.
        Raises ConformanceFailure where the connection stays open, ControlFailed where a control
        does not hold or the connection fails in a way that proves nothing.
        """
        if not controls:
            raise ControlFailed("a deny without a positive control proves nothing")
        run: _Run[Connection] = _Run(self, pod, patience_s)
        slowest = self.hold(controls)
        while True:
            wait = self.pacing.silence_s(slowest)
            look = run.attempt(functools.partial(self.look, pod, probe(wait), judge))
            if look is not None and look.verdict.outcome is Outcome.PASS:
                run.streak += 1
                slowest = max(slowest, self.hold(controls))
                if run.streak >= self.pacing.deny_looks:
                    self._note_convergence(run)
                    return look.observation
                continue
            run.streak = 0
            if look is not None and run.over(look):
                self._conclude(run, look, diagnose)
            run.pause()

    def hold(self, controls: Sequence[Control]) -> float:
        """Look at positive controls, and give the slowest answer (seconds).

        Raises ControlFailed for the first that does not hold.
        """
        slowest = 0.0
        for control in controls:
            try:
                seen = self.converge(
                    control.pod,
                    control.probe,
                    _judge_control,
                    patience_s=self.pacing.control_patience_s,
                    role="control",
                )
            except ConformanceFailure as failure:
                raise ControlFailed(
                    f"the positive control that {control.what} did not hold, so a missing answer "
                    f"proves nothing: {_first_line(failure)}"
                ) from failure
            slowest = max(slowest, seen.elapsed_s)
        return slowest

    def diagnose_look(self, pod: PodRef, probe: Probe[Seen]) -> Seen:
        """One look that serves a diagnosis and judges nothing. Raises like `look`."""
        neutral = Verdict(outcome=Outcome.INCONCLUSIVE, sentence="looked at to find the cause")
        return self.look(pod, probe, lambda _: neutral, role="diagnosis").observation

    def uses(self, pod: PodRef) -> None:
        """Tell that this test looks from or at a pod of the run."""
        self._pods[pod] = None

    def leaves(self, pod: PodRef) -> None:
        """Tell that this test has ended a pod of the run on purpose."""
        self._pods.pop(pod, None)

    def fail(self, message: str) -> NoReturn:
        """End the check as failed, unless a pod that it uses has ended: then nothing is proven.

        Raises ConformanceFailure, ControlFailed, or EnvironmentProblem where that cannot be asked.
        """
        for pod in self._pods:
            if ended := self.view.ended(pod):
                raise ControlFailed(
                    f"{one_line(ended, _LONGEST_SENTENCE)}, which this check uses, so what was "
                    f"seen proves nothing: {message}"
                )
        raise ConformanceFailure(message)

    def now(self) -> float:
        """Seconds on the engine's clock."""
        return self._clock()

    def rest(self, seconds: float) -> None:
        """Wait between two looks (seconds)."""
        self._sleep(seconds)

    @staticmethod
    def _read(execution: Execution, probe: Probe[Seen]) -> Seen:
        if isinstance(execution, NotCompleted):
            raise _Lost(execution)
        return probe.parse(execution)

    def _note_convergence(self, run: "_Run[Seen]") -> None:
        if run.bad_looks:
            self.recorder.diagnosis(
                f"as expected after {run.elapsed():.1f} s and {run.looks} looks, not at first"
            )

    def _conclude(
        self, run: "_Run[Seen]", look: Look[Seen], diagnose: Diagnose[Seen] | None
    ) -> NoReturn:
        failed = look.verdict.outcome is Outcome.FAIL
        cause = ""
        if failed and diagnose is not None:
            cause = self.diagnosis(functools.partial(diagnose, look.observation))
        message = self.message(
            seen_from(run.pod),
            one_line(look.verdict.sentence, _LONGEST_SENTENCE),
            f"{run.looks} looks in {run.elapsed():.1f} s",
            source=look.verdict.source,
            why=f"diagnosis: {one_line(cause, _LONGEST_SENTENCE)}" if cause else "",
            command_line=look.command_line,
        )
        if failed:
            self.fail(message)
        raise ControlFailed(message)

    def message(
        self, where: str, sentence: str, looks: str, *, source: str, why: str, command_line: str
    ) -> str:
        """What a check that did not pass says, in lines; `source` and `why` may be empty.

        `looks` says how much was looked, `where` from which pod or in which objects.
        """
        lines = (
            sentence,
            f"promised by: {source}" if source else "",
            f"seen {where}, {looks}",
            why,
            f"repeat with: {command_line}",
            f"evidence: {self.recorder.location()}",
        )
        return "\n  ".join(filter(None, lines))

    def diagnosis(self, diagnose: Callable[[], str]) -> str:
        """What a diagnosis of a failure says, or why it could not look; kept as evidence."""
        try:
            cause = diagnose()
        except (Inconclusive, EnvironmentProblem) as blind:
            cause = f"none, as the diagnosis itself could not look ({_first_line(blind)})"
        if cause:
            self.recorder.diagnosis(cause)
        return cause


class _Lost(ExecNotCompleted):
    """ExecNotCompleted that still knows whether another look could succeed."""

    def __init__(self, execution: NotCompleted) -> None:
        super().__init__(
            f"could not look: {execution.reason.value} ({execution.detail}) after "
            f"{execution.duration_s:.1f} s and {execution.attempts} attempts"
        )
        self.final = execution.reason is Reason.POD_GONE


class _Run(Generic[Seen]):
    """The looks of one convergence: how many, for how long, how many in a row were good."""

    def __init__(self, engine: Engine, pod: PodRef, patience_s: Patience[Seen]) -> None:
        self.pod = pod
        self.looks = 0
        self.bad_looks = 0
        self.streak = 0
        self._engine = engine
        self._patience = patience_s
        self._started = engine.now()
        self._losses = 0
        self._lost_s = 0.0
        self._pause_s = engine.pacing.first_pause_s

    def elapsed(self) -> float:
        """Seconds since the first look."""
        return self._engine.now() - self._started

    def attempt(self, look: Callable[[], Look[Seen]]) -> Look[Seen] | None:
        """One look, or None where it did not complete and another one is worth a try."""
        self.looks += 1
        begun = self._engine.now()
        try:
            done = look()
        except (ToolMissing, FactUnknown):
            raise  # another look would say the same
        except Inconclusive as lost:
            self._losses += 1
            self._lost_s += self._engine.now() - begun
            if self._losses >= _LOST_LOOKS or (isinstance(lost, _Lost) and lost.final):
                raise
            return None
        self.bad_looks += done.verdict.outcome is not Outcome.PASS
        return done

    def over(self, look: Look[Seen]) -> bool:
        """Whether the patience is over; the last observation may change how long it is.

        The time of looks that did not complete does not count: the network had no say in it.
        """
        patience = self._patience(look.observation) if callable(self._patience) else self._patience
        return self.elapsed() - self._lost_s >= patience

    def pause(self) -> None:
        """Wait before the next look, longer each time."""
        self._engine.rest(self._pause_s)
        self._pause_s = min(2 * self._pause_s, self._engine.pacing.longest_pause_s)


def seen_from(pod: PodRef) -> str:
    """Where a look was made, for `Engine.message`."""
    return f"from: pod {pod.namespace}/{pod.name} on node {pod.node}"


def _judge_control(seen: Connection) -> Verdict:
    connected = seen.outcome is ConnectOutcome.CONNECTED
    return Verdict(
        outcome=Outcome.PASS if connected else Outcome.FAIL,
        sentence=f"the control {seen.host}:{seen.port}: {seen.outcome.value} {seen.detail}".strip(),
    )


def _first_line(error: AksnetError) -> str:
    return str(error).partition("\n")[0]
