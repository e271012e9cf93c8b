"""Verbs about what the service proxies of the nodes say of themselves, asked over HTTP."""

from collections.abc import Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.service_lists import (
    GRACE_S,
    Frontend,
    curl_by_hand,
    look,
    own_cell,
    settle,
)
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.service_state import (
    HEALTHZ_PORT,
    judge_health_port,
    judge_proxies,
)
from pytest_aksnet.model.errors import ControlFailed, SettingsError
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import NodeRef, ServiceRef
from pytest_aksnet.model.probing import Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Verdict

_HEALTHZ = {"path": "/healthz"}


class ServiceNodeVerbs(Looker):
    """What this pod is told by the nodes."""

    def assert_proxies_healthy(self, nodes: Sequence[NodeRef]) -> FactSheet:
        """The service proxy of each of these nodes says at port 10256 that it is healthy.

        Raises NotApplicable where an eBPF proxy serves Services and nothing listens there.
        """
        engine, wait = self._engine, self._engine.pacing.connect_timeout_s
        probes = [
            Probe(
                kind=Kind.HTTP,
                host=node.ip,
                port=HEALTHZ_PORT,
                timeout_s=wait,
                options=_HEALTHZ,
            )
            for node in nodes
        ]
        own = own_cell(engine, self._pod)
        batch = engine.prober.probe(self._pod, [*probes, own.probe], budget_s=wait + GRACE_S)
        if (last := batch.answers[-1]) is None or last.finding is not Finding.OK:
            raise ControlFailed(
                f"pod {self._pod.name} does not reach itself, so a missing answer proves nothing"
            )
        answers = dict(zip((node.name for node in nodes), batch.answers, strict=False))
        verdict = judge_proxies(answers, proxy_mode=engine.profile.get("kube-proxy-mode"))
        sheet = FactSheet(
            what=f"what answers at port {HEALTHZ_PORT} of the nodes",
            source=f"pod {self._pod.namespace}/{self._pod.name} on node {self._pod.node}",
            facts={
                name: "no answer of the agent"
                if answer is None
                else f"{answer.detail} {answer.facts.get('status', '')}".strip()
                for name, answer in answers.items()
            },
        )
        by_hand = _healthz(_at_nodes(nodes, HEALTHZ_PORT))
        return judge_facts(engine, sheet, verdict, by_hand=by_hand)

    def assert_health_ports(
        self, service: ServiceRef, nodes: Sequence[NodeRef], serving: Sequence[AnyPod]
    ) -> Batch:
        """The nodes whose health check port says 200 are exactly those of the pods `serving`."""
        engine, port = self._engine, service.health_check_node_port
        if not port:
            raise SettingsError(f"Service {service.name} has no health check node port")
        serve = {pod_of(server).node for server in serving}
        wait = engine.pacing.connect_timeout_s
        asked = _at_nodes(nodes, port)

        def cell(frontend: Frontend) -> Cell:
            def judge(batch: Batch, index: int) -> Verdict:
                return judge_health_port(
                    batch.answers[index],
                    what=frontend.what,
                    has_endpoint=frontend.node in serve,
                )

            probe = Probe(
                kind=Kind.HTTP, host=frontend.host, port=port, timeout_s=wait, options=_HEALTHZ
            )
            return Cell(probe=probe, judge=judge)

        cells = [cell(one) for one in asked]
        what = f"the health check ports of {service.name}"
        settle(engine, self._pod, cells, what=what)
        return look(engine, self._pod, cells, what=what, by_hand=_healthz(asked))


def _at_nodes(nodes: Sequence[NodeRef], port: int) -> list[Frontend]:
    return [
        Frontend(
            what=f"health check port {port} of node {node.name}",
            host=node.ip,
            port=port,
            node=node.name,
        )
        for node in nodes
    ]


def _healthz(asked: Sequence[Frontend]) -> tuple[str, ...]:
    return tuple(
        f"{word}healthz" if word.startswith("http") else word for word in curl_by_hand(asked)
    )
