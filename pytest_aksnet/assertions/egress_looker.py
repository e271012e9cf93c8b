"""How the verbs of the ways out look: what must be reached, what must be closed, with a control."""

from collections.abc import Callable, Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.target import Target, resolve
from pytest_aksnet.check import Control
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.egress import judge_closed, judge_required
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.probing import Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Verdict

_GRACE_S = 2.0

Judge = Callable[[Batch, int], Verdict]
Place = tuple[str, int]


class EgressLooker(Looker):
    """Lists of probes from one pod towards the world outside the cluster."""

    def _egress_connect(self, places: Sequence[Place], *, source: str) -> Batch:
        def judge(place: Place) -> Judge:
            return lambda batch, index: judge_required(
                batch.answers[index], what=f"{place[0]}:{place[1]}", source=source
            )

        cells = [
            Cell(probe=self._egress_patient(Kind.CONNECT, place), judge=judge(place))
            for place in places
        ]
        return self._egress_ask(
            cells, what=f"destinations from {self._egress_here()}", places=places
        )

    def _egress_closed(
        self, places: Sequence[Place], control: Target, *, source: str, cause: str
    ) -> Batch:
        if not places:
            raise FactUnknown(
                "no public destination is known; list one as [[unreachable]] or external_names in "
                "the file of --aksnet-config (default aksnet.toml)"
            )
        held = Probe(
            kind=Kind.CONNECT,
            host=control.host,
            port=control.port,
            timeout_s=self._engine.pacing.connect_timeout_s,
            until=frozenset({Finding.OK}),
            within_s=self._engine.pacing.control_patience_s,
        )
        slowest_s = self._engine.hold(
            [
                Control(
                    what=f"{control.what} is reached from {self._egress_here()}",
                    pod=self._pod,
                    probe=control.probe(self._engine.pacing.connect_timeout_s),
                )
            ]
        )
        # Long enough for a SYN that was lost to be sent again.
        wait = 2 * self._engine.pacing.silence_s(slowest_s)

        def judge(place: Place) -> Judge:
            return lambda batch, index: judge_closed(
                batch,
                index,
                what=f"{place[0]}:{place[1]} from {self._egress_here()}",
                timeout_s=wait,
                control=len(places),
                source=source,
                cause=cause,
            )

        def judge_control(batch: Batch, index: int) -> Verdict:
            return judge_required(batch.answers[index], what=control.what, source=source)

        cells = [
            Cell(
                probe=Probe(kind=Kind.CONNECT, host=host, port=port, timeout_s=wait),
                judge=judge((host, port)),
            )
            for host, port in places
        ]
        return self._egress_ask(
            [*cells, Cell(probe=held, judge=judge_control)],
            what=f"destinations that must be closed from {self._egress_here()}",
            places=places,
            seconds=wait,
            control=len(places),
        )

    def _egress_held(self, to: Endpoint) -> Target:
        """The target, once a connection to it was made. Raises ControlFailed."""
        target = resolve(to)
        self._engine.hold(
            [
                Control(
                    what=f"{to.what} is reached from {self._egress_here()}",
                    pod=self._pod,
                    probe=target.probe(self._engine.pacing.connect_timeout_s),
                )
            ]
        )
        return target

    def _egress_patient(self, kind: Kind, place: Place, **options: str) -> Probe:
        pacing = self._engine.pacing
        return Probe(
            kind=kind,
            host=place[0],
            port=place[1],
            timeout_s=pacing.connect_timeout_s,
            options=options,
            until=frozenset({Finding.OK}),
            within_s=pacing.patience_s,
        )

    def _egress_ask(
        self,
        cells: Sequence[Cell],
        *,
        what: str,
        places: Sequence[Place] = (),
        by_hand: Sequence[str] = (),
        seconds: float = 0.0,
        control: int | None = None,
        overall: Callable[[Batch], Verdict] | None = None,
    ) -> Batch:
        pacing = self._engine.pacing
        words = [f"{host} {port}" for host, port in places]
        loop = "; ".join(f"nc -vz -w 3 {word}" for word in words)
        return look_at_all(
            self._engine,
            self._pod,
            cells,
            what=what,
            by_hand=by_hand or ("sh", "-c", loop),
            budget_s=pacing.patience_s + pacing.connect_timeout_s + seconds + _GRACE_S,
            control=control,
            overall=overall,
        )

    def _egress_here(self) -> str:
        host = self._pod.host_network
        return f"node {self._pod.node}" if host else f"the pods of node {self._pod.node}"
