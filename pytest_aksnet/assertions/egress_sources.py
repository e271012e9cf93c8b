"""The verb about the source address that many pods see at once."""

from collections.abc import Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.nodes import addresses_of
from pytest_aksnet.assertions.source_address import classify, promised_row
from pytest_aksnet.assertions.target import AnyPod, Target, resolve
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.expectations.source_address import judge
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.probing import Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict

_GRACE_S = 2.0


class EgressSourceVerbs(Looker):
    """Which source address others see of a pod."""

    def assert_sources_as_promised(self, targets: Sequence[AnyPod]) -> Batch:
        """Each of these pods sees the source address that the network mode promises it.

        Their reflectors tell it, asked at once by this pod's agent. Raises FactUnknown where the
        mode is not known and more is asked than pods, NotApplicable where no mode of AKS applies.
        """
        found = [resolve(target) for target in targets]
        pacing = self._engine.pacing
        return look_at_all(
            self._engine,
            self._pod,
            [self._egress_cell(target) for target in found],
            what=f"the source address that {len(found)} pods see of a pod of {self._pod.node}",
            by_hand=("curl", "-s", *(f"http://{one.host}:{one.port}/" for one in found)),
            budget_s=pacing.patience_s + pacing.connect_timeout_s + _GRACE_S,
        )

    def _egress_cell(self, target: Target) -> Cell:
        engine, pod = self._engine, self._pod
        own = frozenset() if pod.host_network else frozenset({pod.ip})
        node = addresses_of(engine, pod)
        destination = classify(
            engine,
            pod,
            target,
            Connection(host=target.host, port=target.port, outcome=ConnectOutcome.CONNECTED),
        )
        row = promised_row(engine, pod, destination)

        def judge_answer(batch: Batch, index: int) -> Verdict:
            answer = batch.answers[index]
            reached = judge_reached(answer, what=target.what, source=row.document)
            if answer is None or reached.outcome is not Outcome.PASS:
                return reached
            seen = Connection(
                host=target.host,
                port=target.port,
                outcome=ConnectOutcome.CONNECTED,
                source_seen=str(answer.facts.get("source", "")),
            )
            return judge(row, seen, pod=own, node=node, public=())

        probe = Probe(
            kind=Kind.TCP,
            host=target.host,
            port=target.port,
            timeout_s=engine.pacing.connect_timeout_s,
            options={"pod": target.pod.name} if target.pod is not None else {},
            until=frozenset({Finding.OK}),
            within_s=engine.pacing.patience_s,
        )
        return Cell(probe=probe, judge=judge_answer)
