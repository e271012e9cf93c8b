"""Verbs about Services whose pods change: a pod that stops being ready, pods that are replaced."""

from collections.abc import Sequence
from typing import Protocol

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.service_lists import GRACE_S, curl_by_hand, frontends
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.service_answers import judge_no_loss
from pytest_aksnet.model.errors import ControlFailed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict, merge
from pytest_aksnet.probes.readiness_switch import TurnUnready

_AT_ONCE = 10
_PAUSE_S = 0.1
_MOST_LOST = 20
_ROUNDS_AFTER = 4
_LONGEST_ROLLOUT_S = 120.0


class Rollout(Protocol):
    """Pods that are replaced one after the other, by whatever controller."""

    def start(self) -> None:
        """Begin to replace them."""
        ...

    def finished(self) -> bool:
        """Whether all are of the newest kind and ready, and those before them have ended."""
        ...


class ServiceChangeVerbs(Looker):
    """What clients see while the pods of a Service change, and the change itself."""

    def turn_unready(self) -> FactSheet:
        """This pod, made with the fields of probes.readiness_switch, stops being ready for good."""
        done = Verdict(outcome=Outcome.PASS, sentence="the readiness probe fails from now on")
        look = self._engine.look(self._pod, TurnUnready(), lambda _: done, role="change")
        return look.observation

    def assert_none_lost(
        self, service: ServiceRef, rollout: Rollout, others: Sequence[AnyPod] = ()
    ) -> FactSheet:
        """No connection of this pod or the `others` is lost while the rollout goes on.

        They connect all the time, ten connections at once, until it has finished. Raises
        ControlFailed where it does not finish within two minutes, or does not begin.
        """
        engine = self._engine
        clients = [self._pod, *map(pod_of, others)]
        self._await_rollout(rollout, "the pods do not become ready")
        seen: dict[PodRef, list[Answer | None]] = {client: [] for client in clients}
        for client in clients:
            self._until_served(service, client, seen)
        began = asked = engine.now()
        rollout.start()
        over, lost = False, 0
        while not over and lost <= _MOST_LOST:
            if engine.now() - asked > engine.pacing.longest_pause_s:
                asked, over = engine.now(), rollout.finished()
            for client in clients:
                answers = self._ten_connections(service, client).answers
                seen[client] += answers
                lost += _lost(answers)
            if not over and engine.now() - began > _LONGEST_ROLLOUT_S:
                raise ControlFailed(f"the rollout did not finish in {_LONGEST_ROLLOUT_S:.0f} s")
            engine.rest(_PAUSE_S)
        # Once more, now that the pods before them are gone for certain.
        for client in clients * (_ROUNDS_AFTER if over else 0):
            seen[client] += self._ten_connections(service, client).answers
        verdict = merge(
            judge_no_loss(
                seen[client],
                what=f"{len(seen[client])} connections from node {client.node} to {service.name} "
                f"in the {engine.now() - began:.1f} s in which its pods were replaced",
            )
            for client in clients
        )
        sheet = FactSheet(
            what="connections made while the pods of a Service were replaced",
            source=f"{len(clients)} pods that connected all the time",
            facts={
                f"from node {client.node}": f"{len(seen[client])}, lost {_lost(seen[client])}"
                for client in clients
            },
        )
        return judge_facts(engine, sheet, verdict, by_hand=curl_by_hand(frontends(service)))

    def _await_rollout(self, rollout: Rollout, otherwise: str) -> None:
        began = self._engine.now()
        while not rollout.finished():
            if self._engine.now() - began > _LONGEST_ROLLOUT_S:
                raise ControlFailed(f"{otherwise} in {_LONGEST_ROLLOUT_S:.0f} s")
            self._engine.rest(self._engine.pacing.first_pause_s)

    def _until_served(
        self, service: ServiceRef, client: PodRef, seen: dict[PodRef, list[Answer | None]]
    ) -> None:
        """Connect until all is served; where that does not come, it counts as lost."""
        began = self._engine.now()
        while True:
            batch = self._ten_connections(service, client)
            if batch.complete and not _lost(batch.answers):
                return
            if self._engine.now() - began > self._engine.pacing.programming_s:
                seen[client] += batch.answers
                return
            self._engine.rest(self._engine.pacing.first_pause_s)

    def _ten_connections(self, service: ServiceRef, client: PodRef) -> Batch:
        wait = self._engine.pacing.connect_timeout_s
        [found] = frontends(service)
        probes = [found.probe(wait)] * _AT_ONCE
        return self._engine.prober.probe(client, probes, budget_s=wait + GRACE_S)


def _lost(answers: Sequence[Answer | None]) -> int:
    return sum(
        answer is not None and answer.looked and answer.finding is not Finding.OK
        for answer in answers
    )
