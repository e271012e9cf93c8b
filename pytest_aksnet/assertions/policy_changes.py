"""Verbs about policies in time: convergence, connections that are there, pods that are new.

Owns when a policy is made while a pod's list of probes is under way, and whose clock says what.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.policy_looks import OPEN, ask_all, itself
from pytest_aksnet.assertions.target import AnyPod, pod_of, resolve
from pytest_aksnet.check import Control
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.policy_changes import (
    Convergence,
    judge_convergence,
    judge_established,
    judge_kept,
    judge_windows,
)
from pytest_aksnet.model.errors import ControlFailed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes import first_packets

_SILENT = frozenset({Finding.TIMEOUT})
_GRACE_S = 2.0
# A reflector closes what says nothing for 10 s: a slow engine gets the longer one.
_HOLDS_S = (1.5, 8.0)
_SPEAKS_S = 1.0
_HELD = 3
_TRY_S = 0.3
_TRIES = 2


class Deletable(Protocol):
    """A policy that can be taken away."""

    @property
    def delete(self) -> Callable[[], None]:
        """Deletes it."""
        ...


@dataclass(frozen=True, slots=True)
class _Under:
    """What a list saw that was under way while policies were made, and when (engine's seconds)."""

    batch: Batch
    began: float
    made: float


class PolicyChangeVerbs(Looker):
    """What a pod sees while policies come and go."""

    def assert_converges(
        self, targets: Sequence[AnyPod], deny: Callable[[], Deletable]
    ) -> FactSheet:
        """A deny that `deny` makes holds for all targets in time, and so does its end.

        The sheet has the seconds for each node. Raises ControlFailed where a target is not reached
        before, or does not answer itself after.
        """
        engine, pods = self._engine, [pod_of(target) for target in targets]
        self._hold(pods)
        policies: list[Deletable] = []
        wait = engine.pacing.silence_s(0.0) / 2
        closing = self._while_asking(
            [self._until(pod, _SILENT, wait) for pod in pods],
            lambda: policies.append(deny()),
            engine.pacing.policy_patience_s + wait,
        )
        opening = self._while_asking(
            [self._until(pod, OPEN, wait) for pod in pods],
            policies[0].delete,
            engine.pacing.policy_patience_s + wait,
        )
        self._alive(pods)
        found = [
            Convergence(
                node=pod.node,
                closed_s=_since(closing, number, Finding.TIMEOUT, at_start=True),
                opened_s=_since(opening, number, Finding.OK, at_start=False),
            )
            for number, pod in enumerate(pods)
        ]
        return self._tell(
            "how soon a policy holds, and how soon it does not any more",
            {f"node {one.node}": one.told for one in found},
            judge_convergence(found, limit_s=engine.pacing.policy_patience_s),
        )

    def assert_established(
        self, to: AnyPod, deny: Callable[[], Deletable], *, kept: bool = False
    ) -> FactSheet:
        """Connections made before `deny` makes its policy, and used when it holds.

        They must do what the engine's documents say, or with `kept`, where the policy allows TCP
        and not UDP, live on. Raises ControlFailed where the policy does not hold soon enough.
        """
        engine, target = self._engine, pod_of(to)
        slowest_s = self._hold([target])
        for hold_s in _HOLDS_S:
            held = self._probe(target, hold_s + _SPEAKS_S, hold=f"{hold_s:g}")
            tried_s = max(_TRY_S, engine.pacing.silence_s(slowest_s) if slowest_s > _TRY_S else 0)
            kind = Kind.UDP if kept else Kind.TCP
            closed = self._until(target, _SILENT, tried_s, hold_s, times=_TRIES, kind=kind)
            policies: list[Deletable] = []
            seen = self._while_asking(
                [*[held] * _HELD, closed, itself(engine, self._pod)],
                lambda made=policies: made.append(deny()),  # type: ignore[misc]
                hold_s + _SPEAKS_S,
            )
            answers = seen.batch.answers
            there = not any(map(_silent, answers[:_HELD]))
            if there and _before(answers[_HELD], hold_s) and _good(answers[-1]):
                break
            policies[0].delete()
            self._hold([target])
        else:
            raise ControlFailed(
                f"the policy did not hold within {_HOLDS_S[-1]:.0f} s, so nothing can be said of "
                "connections that were there: see network-policy.convergence"
            )
        self._alive([target])
        held_ones = answers[:_HELD]
        told = (
            judge_kept(held_ones)
            if kept
            else judge_established(held_ones, engine=engine.profile.get("policy-engine"))
        )
        return self._tell(
            "connections that were there when a policy came",
            {"endings": ", ".join(one.detail if one else "none" for one in held_ones)},
            told,
        )

    def first_packets(self, image: str) -> Mapping[str, object]:
        """Fields of the spec of pods that try to reach this one from their first moment on.

        They are ready once that failed for a while; see `assert_protected_from_start`.
        """
        longest_s = self._engine.pacing.policy_patience_s + _GRACE_S
        return first_packets.spec(image, self._pod.ip, self._pod.port, longest_s=longest_s)

    def assert_protected_from_start(self, new: Sequence[AnyPod]) -> FactSheet:
        """Pods that tried to reach this one from their first moment on, and may not, did not.

        They were made with `first_packets`, under policies that deny them all and held when
        they were made. This pod looks at them in turn. Raises ControlFailed.
        """
        engine, pods = self._engine, [pod_of(pod) for pod in new]
        patience = engine.pacing.policy_patience_s
        wait = engine.pacing.silence_s(0.0)
        probes = [self._until(pod, _SILENT, wait) for pod in pods]
        inside = {f"out of node {pod.node}": self._first_packets(pod) for pod in pods}
        batch = ask_all(engine, {self._pod: [*probes, itself(engine, self._pod)]}, patience)
        answers = batch[self._pod].answers
        self._alive(pods)
        if not _good(answers[-1]):
            raise ControlFailed("the pod that looks does not reach itself")
        outside = {
            f"into node {pod.node}": _window(answer, patience + wait)
            for pod, answer in zip(pods, answers, strict=False)
        }
        windows = inside | outside
        return self._tell(
            "for how long new pods were unprotected",
            {who: f"{seconds:.2f} s" for who, seconds in windows.items()},
            judge_windows(windows, limit_s=patience),
        )

    # -- how it looks

    def _first_packets(self, pod: PodRef) -> float:
        """When the last connection of a new pod was made that should not be (seconds)."""
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
        said = first_packets.parse(
            self._engine.api.text(path, {"container": first_packets.CONTAINER})
        )
        if not said.tried:
            raise ControlFailed(f"pod {pod.namespace}/{pod.name} tried no connection")
        return said.last_s if said.opened else 0.0

    def _while_asking(
        self, probes: Sequence[Probe], change: Callable[[], None], seconds: float
    ) -> _Under:
        """Make a change while this pod's agent works off a list that it has begun."""
        engine = self._engine
        began = engine.now()
        with ThreadPoolExecutor(max_workers=1) as thread:
            asked = thread.submit(ask_all, engine, {self._pod: probes}, seconds)
            # The agent answers in the order in which it is asked, on the same stream.
            self._alive([self._pod])
            change()
            made = engine.now()
            batch = asked.result()[self._pod]
        return _Under(batch=batch, began=began, made=made)

    def _until(
        self,
        target: PodRef,
        until: frozenset[Finding],
        timeout_s: float,
        within_s: float = 0.0,
        *,
        times: int = 1,
        kind: Kind = Kind.TCP,
    ) -> Probe:
        """Until it ends so `times` times in a row, by default for the patience with policies."""
        return Probe(
            kind=kind,
            host=target.ip,
            port=target.port,
            timeout_s=timeout_s,
            options={"pod": target.name},
            until=until,
            within_s=within_s or self._engine.pacing.policy_patience_s,
            times=times,
        )

    def _probe(self, target: PodRef, timeout_s: float, **options: str) -> Probe:
        return Probe(
            kind=Kind.TCP,
            host=target.ip,
            port=target.port,
            timeout_s=timeout_s,
            options={"pod": target.name, **options},
        )

    def _hold(self, pods: Sequence[PodRef]) -> float:
        """The targets are reached now; the slowest answer (seconds). Raises ControlFailed."""
        wait = self._engine.pacing.connect_timeout_s
        for pod in pods:
            self._engine.uses(pod)
        return self._engine.hold(
            [
                Control(
                    what=f"pod {pod.namespace}/{pod.name} is reached without the policy",
                    pod=self._pod,
                    probe=resolve(pod).probe(wait),
                )
                for pod in pods
            ]
        )

    def _alive(self, pods: Sequence[PodRef]) -> None:
        """Each of these pods reaches itself. Raises ControlFailed."""
        batches = ask_all(
            self._engine,
            {pod: [itself(self._engine, pod)] for pod in pods},
            self._engine.pacing.control_patience_s + _GRACE_S,
        )
        for pod, batch in batches.items():
            if not _good(batch.answers[0]):
                raise ControlFailed(
                    f"pod {pod.namespace}/{pod.name} does not reach itself, the positive "
                    f"control, so that a missing answer of it proves nothing {batch.problem}"
                )

    def _tell(self, what: str, facts: Mapping[str, str], verdict: Verdict) -> FactSheet:
        sheet = FactSheet(
            what=what, source=f"pod {self._pod.name} on node {self._pod.node}", facts=dict(facts)
        )
        if verdict.outcome is Outcome.INCONCLUSIVE:
            raise ControlFailed(verdict.sentence)
        by_hand = ("kubectl", "describe", "networkpolicies", "--all-namespaces")
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)


def _since(under: _Under, number: int, wanted: Finding, *, at_start: bool) -> float | None:
    """How long after the change a look that ended as wanted began, or ended (seconds)."""
    answer = under.batch.answers[number]
    if answer is None or not answer.looked:
        raise ControlFailed(
            f"what a policy does could not be looked at: {under.batch.problem or 'no answer'}"
        )
    if answer.finding is not wanted:
        return None
    at_ms = answer.at_ms - (answer.ms if at_start else 0.0)
    return max(0.0, under.began + at_ms / 1000 - under.made)


def _window(answer: Answer | None, longest_s: float) -> float:
    """How long a new pod was open after it was ready (seconds)."""
    if answer is None or not answer.looked:
        raise ControlFailed("a new pod could not be looked at")
    if answer.finding is not Finding.TIMEOUT:
        return longest_s
    return (answer.at_ms - answer.ms) / 1000 if answer.tries > 1 else 0.0


def _before(answer: Answer | None, hold_s: float) -> bool:
    """Whether the policy held before connections that were held for so long were used."""
    if answer is None or answer.finding is not Finding.TIMEOUT:
        return False
    return answer.streak >= _TRIES and answer.at_ms < 1000 * hold_s


def _silent(answer: Answer | None) -> bool:
    return answer is None or answer.finding is Finding.TIMEOUT


def _good(answer: Answer | None) -> bool:
    return answer is not None and answer.finding is Finding.OK
