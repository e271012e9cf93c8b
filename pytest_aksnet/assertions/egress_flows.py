"""Verbs about many flows at once, and silent ones, on their way to the internet."""

from pytest_aksnet.assertions.egress_looker import EgressLooker, Judge
from pytest_aksnet.assertions.target import Target
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.egress_flows import burst_size, judge_burst, judge_idle
from pytest_aksnet.model.errors import ControlFailed
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict

# The second one where they were not open together, as on a busy machine.
_BURST_HOLDS_S = (1.0, 4.0)


class FlowVerbs(EgressLooker):
    """What becomes of a pod's connections to the internet."""

    def assert_burst(self, to: Endpoint) -> Batch:
        """So many connections at once as each node has SNAT ports to spare are open together.

        Raises ControlFailed where not even one is made.
        """
        target = self._egress_held(to)
        nodes = len(self._engine.view.nodes())
        count = burst_size(nodes)
        what = f"{to.what} ({to.host}:{to.port}) from node {self._pod.node}"
        for hold_s in _BURST_HOLDS_S:
            cells = [self._egress_silent_cell(target, hold_s, _pass) for _ in range(count)]
            try:
                return self._egress_ask(
                    cells,
                    what=what,
                    places=[(to.host, to.port)],
                    seconds=hold_s,
                    overall=lambda batch: judge_burst(batch, what=what, nodes=nodes),
                )
            except ControlFailed as failed:
                undecided = failed
        raise undecided

    def assert_lives_idle(self, to: Endpoint) -> Batch:
        """A connection carries data after it was silent for as long as this run waits.

        Raises ControlFailed where none is made.
        """
        target = self._egress_held(to)
        seconds = self._engine.pacing.idle_s
        what = f"{to.what} ({to.host}:{to.port})"

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_idle(batch.answers[index], what=what, seconds=seconds)

        cell = self._egress_silent_cell(target, seconds, judge)
        return self._egress_ask([cell], what=what, places=[(to.host, to.port)], seconds=seconds)

    def _egress_silent_cell(self, target: Target, seconds: float, judge: Judge) -> Cell:
        probe = Probe(
            kind=Kind.TLS if target.speaks == "https" else Kind.HTTP,
            host=target.host,
            port=target.port,
            timeout_s=seconds + self._engine.pacing.connect_timeout_s,
            options={"hold": f"{seconds:g}"},
        )
        return Cell(probe=probe, judge=judge)


def _pass(batch: Batch, index: int) -> Verdict:
    answer: Answer | None = batch.answers[index]
    found = answer.detail if answer is not None else "no answer of the agent"
    good = answer is not None and answer.finding is Finding.OK
    return Verdict(outcome=Outcome.PASS if good else Outcome.INCONCLUSIVE, sentence=found)
