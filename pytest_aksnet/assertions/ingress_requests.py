"""Verbs about requests to what is published: who answers, with which certificate and headers."""

from collections.abc import Collection, Mapping, Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.nodes import addresses_of
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.addresses import node_addresses
from pytest_aksnet.expectations.ingress import (
    counted,
    judge_certificate,
    judge_forwarded_for,
    judge_redirect,
    judge_routed,
    judge_split,
)
from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.model.errors import ConformanceFailure, Inconclusive
from pytest_aksnet.model.ingress import HTTP_PORT, HTTPS_PORT, Front, Wanted
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.self_signed import SelfSigned

_TIMEOUT_S = 3.0
_GRACE_S = 2.0
_BODY_BYTES = "2048"
_CONTROL_SOURCE = "positive control"
# Replicas of a controller learn of a change one after the other: with one of two behind, so many
# looks in a row all meet the other with a probability below 1e-6.
SETTLED = 20
SPLIT_REQUESTS = 200
# Asked until it is plausible, one such list lets a wrong split pass sooner or later, so more of
# them decide together: for 90 to 10 a split that is off by 15 points passes with less than 1e-6,
# and fewer than 250 decisions fit into the longest patience of a controller (3 minutes).
DECIDING_LISTS = 3
_AT_ONCE = 50


class IngressVerbs(Looker):
    """Requests from a pod to a controller, under the names of what it publishes."""

    def assert_routed(
        self, front: Front, wanted: Sequence[Wanted], *, alive: AnyPod, times: int = 1
    ) -> Batch:
        """Every request is answered as wanted, `times` in a row, once the controller has caught up.

        `alive` is a backend that this pod must reach directly for a failure to count. Raises
        ControlFailed where it does not.
        """
        cells = [_request(front, one) for one in wanted for _ in range(times)]
        return self._ask_front(front, cells, "requests to " + _hosts(wanted), alive=alive)

    def assert_forwarded_for(self, front: Front, wanted: Wanted, *, alive: AnyPod) -> Batch:
        """The backend is told this pod's address in X-Forwarded-For.

        Behind an address outside the cluster the pod's may be translated on the way: that of its
        node, and the known egress addresses, are good then.
        """
        clients: Collection[str] = addresses_of(self._engine, self._pod) | {self._pod.ip}
        if not front.in_cluster:
            nodes = frozenset[str]().union(*map(node_addresses, self._engine.view.nodes()))
            clients = {*clients, *nodes, *self._engine.site.egress_ips}
        cell = Cell(
            probe=_http(front, wanted),
            judge=lambda batch, at: judge_forwarded_for(batch.answers[at], wanted, clients=clients),
        )
        return self._ask_front(
            front, [cell], f"the client's address for {wanted.host}", alive=alive
        )

    def assert_split(
        self, front: Front, host: str, percents: Mapping[PodRef, int], *, alive: AnyPod
    ) -> FactSheet:
        """The backends get their shares of the requests, as far as chance allows.

        A list of 200 tells when the controller has caught up, three more decide together. A share
        that is kept is found broken with a probability below 1e-6.
        """
        engine, what = self._engine, f"the weights of {host}"
        shares = {pod.name: percent / 100 for pod, percent in percents.items()}
        wanted = Wanted(host=host, pods=tuple(shares))
        self._ask_front(front, _split(front, wanted, shares), what, alive=alive)
        begun = engine.now()
        while True:
            answers: list[Answer | None] = []
            for _ in range(DECIDING_LISTS):
                # Who answers is judged here: a list chosen for its shares would prove nothing.
                cells = [_request(front, wanted)] * SPLIT_REQUESTS
                asked = self._ask_front(front, cells, what, alive=alive)
                answers += asked.answers[:SPLIT_REQUESTS]
            verdict = judge_split(answers, shares, what=host)
            late = engine.now() - begun >= front.patience_s
            if verdict.outcome is Outcome.PASS or late:
                break
            engine.rest(engine.pacing.longest_pause_s)
        sheet = FactSheet(
            what=f"who answered {len(answers)} requests to {host} at {front.what}",
            source=f"pod {self._pod.namespace}/{self._pod.name} on node {self._pod.node}",
            facts=counted(answers),
        )
        by_hand = ("curl", "-si", "-H", f"Host: {host}", f"http://{front.host}/")
        return judge_facts(engine, sheet, verdict, by_hand=by_hand)

    def assert_certificates(
        self, front: Front, certificates: Sequence[SelfSigned], *, alive: AnyPod
    ) -> Batch:
        """Each host has the certificate of its own Secret shown, by its name in the handshake."""
        cells = [_handshake(front, one) for one in certificates]
        what = "certificates of " + ", ".join(dict.fromkeys(one.host for one in certificates))
        return self._ask_front(front, cells, what, alive=alive)

    def assert_redirected(self, front: Front, host: str, *, source: str, alive: AnyPod) -> Batch:
        """HTTP is answered with a redirect to HTTPS. `source` is where that is promised."""
        cell = Cell(
            probe=_http(front, Wanted(host=host)),
            judge=lambda batch, at: judge_redirect(batch.answers[at], host=host, source=source),
        )
        return self._ask_front(front, [cell], f"the redirect of {host}", alive=alive)

    def _ask_front(self, front: Front, cells: Sequence[Cell], what: str, *, alive: AnyPod) -> Batch:
        """Ask all until all are good, or until the controller's patience is over."""
        engine, backend = self._engine, pod_of(alive)
        begun = engine.now()
        pause = engine.pacing.first_pause_s
        whole = [*cells, _alive_cell(backend)]
        tries = 0
        while True:
            tries += 1
            try:
                batch = look_at_all(
                    engine,
                    self._pod,
                    whole,
                    what=f"{what} at {front.what}",
                    by_hand=("curl", "-si", "-H", "Host: NAME", f"http://{front.host}/"),
                    budget_s=_TIMEOUT_S * (1 + len(cells) // _AT_ONCE) + _GRACE_S,
                    control=len(cells),
                )
            except (ConformanceFailure, Inconclusive):
                if engine.now() - begun >= front.patience_s:
                    raise
                engine.rest(pause)
                pause = min(2 * pause, engine.pacing.longest_pause_s)
                continue
            if tries > 1:
                engine.recorder.diagnosis(
                    f"{what} at {front.what}: as wanted {engine.now() - begun:.1f} s after the "
                    f"first look, at look {tries}"
                )
            return batch


def _split(front: Front, wanted: Wanted, shares: Mapping[str, float]) -> list[Cell]:
    """A list of requests, of which the first has the judgement of all."""

    def judge(batch: Batch, at: int) -> Verdict:
        if at == 0:
            return judge_split(batch.answers[:SPLIT_REQUESTS], shares, what=wanted.host)
        return judge_routed(batch.answers[at], wanted)

    return [Cell(probe=_http(front, wanted), judge=judge)] * SPLIT_REQUESTS


def _alive_cell(pod: PodRef) -> Cell:
    probe = Probe(
        kind=Kind.TCP,
        host=pod.ip,
        port=pod.port,
        timeout_s=_TIMEOUT_S,
        options={"pod": pod.name},
    )

    def judge(batch: Batch, at: int) -> Verdict:
        what = f"the backend pod {pod.name} itself"
        return judge_reached(batch.answers[at], what=what, source=_CONTROL_SOURCE)

    return Cell(probe=probe, judge=judge)


def _request(front: Front, wanted: Wanted) -> Cell:
    def judge(batch: Batch, at: int) -> Verdict:
        return judge_routed(batch.answers[at], wanted)

    return Cell(probe=_http(front, wanted), judge=judge)


def _handshake(front: Front, certificate: SelfSigned) -> Cell:
    def judge(batch: Batch, at: int) -> Verdict:
        return judge_certificate(batch.answers[at], host=certificate.host)

    probe = Probe(
        kind=Kind.TLS,
        host=front.host,
        port=HTTPS_PORT,
        timeout_s=_TIMEOUT_S,
        options={"name": certificate.host, "ca": certificate.certificate},
    )
    return Cell(probe=probe, judge=judge)


def _http(front: Front, wanted: Wanted) -> Probe:
    return Probe(
        kind=Kind.HTTP,
        host=front.host,
        port=HTTP_PORT,
        timeout_s=_TIMEOUT_S,
        options={"name": wanted.host, "path": wanted.path, "bytes": _BODY_BYTES},
    )


def _hosts(wanted: Sequence[Wanted]) -> str:
    return ", ".join(dict.fromkeys(one.host for one in wanted))
