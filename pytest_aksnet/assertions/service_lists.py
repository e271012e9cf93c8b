"""Lists of probes towards frontends of a Service: what they are, and how a list settles.

Owns the turning of a Service into addresses and ports, and the waiting until service proxies have
learned of a change; how long that took is kept with the evidence. Judges nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_aksnet.assertions.diagnosis import why_not_served
from pytest_aksnet.assertions.nodes import addresses_of
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.expectations.service_answers import judge_answer
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict

Protocol = Literal["tcp", "udp"]
# For a list beyond its longest probe: probes end by themselves, an agent on a busy node is late.
GRACE_S = 15.0
# A connection that began before the proxy knew its Service stays what it is, however often its SYN
# is sent again (conntrack), so a new one is made soon.
_TRY_S = 1.0
_OWN = "Kubernetes docs: concepts/services-networking, the network model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One address and port where a Service should, or should not, answer. `what` is a noun.

    `node` is the node whose service proxy serves it, empty for that of the client's own node.
    """

    what: str
    host: str
    port: int
    node: str = ""

    def probe(
        self,
        timeout_s: float,
        *,
        kind: Kind = Kind.TCP,
        within_s: float = 0.0,
        until: Collection[Finding] = (Finding.OK,),
        times: int = 1,
        source_port: int = 0,
    ) -> Probe:
        """A probe of it, which is repeated where there is time for it (seconds).

        Until one of these findings came so many times in a row. A try that is repeated is short.
        """
        return Probe(
            kind=kind,
            host=self.host,
            port=self.port,
            timeout_s=min(timeout_s, _TRY_S) if within_s else timeout_s,
            options={"from": str(source_port)} if source_port else {},
            until=frozenset(until) if within_s else frozenset(),
            within_s=within_s,
            times=times,
        )


def frontends(
    service: ServiceRef, *, via: Sequence[NodeRef] = (), port: int = 0, address: str = ""
) -> list[Frontend]:
    """The node port at each of the nodes `via`; without them the cluster IP, or `address`.

    `port` is another one than the Service's first. Raises SettingsError where there is none.
    """
    name = f"Service {service.namespace}/{service.name}"
    if via:
        number = port or service.node_port
        found = [
            Frontend(
                what=f"{name} at node port {node.ip}:{number} of {node.name}",
                host=node.ip,
                port=number,
                node=node.name,
            )
            for node in via
        ]
    else:
        host, number = address or service.cluster_ip, port or service.port
        found = [Frontend(what=f"{name} ({host} port {number})", host=host, port=number)]
    if not all(one.host and one.port for one in found):
        raise SettingsError(f"{name} has no such frontend")
    return found


def serving_cell(
    engine: Engine,
    pod: PodRef,
    frontend: Frontend,
    serving: Sequence[AnyPod],
    *,
    source: str,
    protocol: Protocol = "tcp",
    clients: Collection[str] = (),
    within_s: float = 0.0,
    source_port: int = 0,
) -> Cell:
    """A probe that one of the pods `serving` must answer, who must see one of `clients` if any."""
    pods = [pod_of(server) for server in serving]
    names = {server.name for server in pods}

    def judge(batch: Batch, index: int) -> Verdict:
        answer = batch.answers[index]
        return judge_answer(
            answer, what=frontend.what, servers=names, source=source, clients=clients
        )

    def diagnose(answer: Answer) -> str:
        if answer.finding is Finding.OK:
            return ""  # it was reached, and is bad for what it told
        endpoints = [(server.ip, server.port) for server in pods]
        return why_not_served(engine, pod, endpoints, frontend.what, frontend.node or pod.node)

    probe = frontend.probe(
        engine.pacing.connect_timeout_s,
        kind=Kind.UDP if protocol == "udp" else Kind.TCP,
        within_s=within_s,
        source_port=source_port,
    )
    return Cell(probe=probe, judge=judge, diagnose=diagnose)


def own_cell(engine: Engine, pod: PodRef) -> Cell:
    """The pod's own reflector at its own address: who does not reach that, cannot look."""
    wait = engine.pacing.connect_timeout_s
    what = f"pod {pod.name} itself"

    def judge(batch: Batch, index: int) -> Verdict:
        return judge_reached(batch.answers[index], what=what, source=_OWN)

    itself = Frontend(what=what, host=pod.ip, port=pod.port)
    return Cell(probe=itself.probe(wait, within_s=wait), judge=judge)


def look(
    engine: Engine, pod: PodRef, cells: Sequence[Cell], *, what: str, by_hand: Sequence[str]
) -> Batch:
    """Judge these cells, with the pod's own reflector as the control. Raises like look_at_all."""
    return look_at_all(
        engine,
        pod,
        [*cells, own_cell(engine, pod)],
        what=what,
        by_hand=by_hand,
        budget_s=_budget(engine, cells),
        control=len(cells),
    )


def settle(engine: Engine, pod: PodRef, cells: Sequence[Cell], *, what: str) -> float:
    """Ask until all cells are good or the patience for service proxies is over; judges nothing.

    Returns the seconds that it took, and keeps them as a diagnosis where it was not at once.
    """
    started, pause, looks = engine.now(), engine.pacing.first_pause_s, 0
    while True:
        looks += 1
        probes = [replace(one.probe, timeout_s=min(one.probe.timeout_s, _TRY_S)) for one in cells]
        batch = engine.prober.probe(pod, probes, budget_s=_budget(engine, cells))
        took = engine.now() - started
        if all(
            cell.judge(batch, index).outcome is Outcome.PASS for index, cell in enumerate(cells)
        ):
            if looks > 1:
                engine.recorder.diagnosis(f"{what}: as expected after {took:.1f} s")
            return took
        if took > engine.pacing.programming_s:
            return took
        engine.rest(pause)
        pause = min(2 * pause, engine.pacing.longest_pause_s)


def note_delay(engine: Engine, batch: Batch, *, what: str) -> None:
    """Keep how long the slowest repeated probe of a list took to become good, if it was not."""
    late = [
        answer.at_ms / 1000 for answer in batch.answers if answer is not None and answer.tries > 1
    ]
    if late:
        engine.recorder.diagnosis(f"{what}: as expected after {max(late):.1f} s")


def slowest_s(batch: Batch) -> float:
    """How long the slowest good answer of a list took (seconds)."""
    good = (one.ms for one in batch.answers if one is not None and one.finding is Finding.OK)
    return max(good, default=0.0) / 1000


def seen_as(engine: Engine, pod: PodRef, *, from_outside: bool) -> frozenset[str]:
    """What a kept source address is: the pod's own; at a node port its node's as well."""
    if from_outside or pod.host_network:
        return addresses_of(engine, pod) | {pod.ip}
    return frozenset({pod.ip})


def curl_by_hand(found: Sequence[Frontend]) -> tuple[str, ...]:
    """An argv that asks these frontends over HTTP."""
    urls = [
        f"http://[{one.host}]:{one.port}/" if ":" in one.host else f"http://{one.host}:{one.port}/"
        for one in found
    ]
    return ("curl", "-sS", "-m", "3", *urls)


def nc_by_hand(frontend: Frontend, source_port: int = 0) -> tuple[str, ...]:
    """An argv that asks a frontend over UDP."""
    source = f"-p {source_port} " if source_port else ""
    line = f"echo hello | nc -u {source}-w 2 {frontend.host} {frontend.port}"
    return ("sh", "-c", line)


def _budget(engine: Engine, cells: Sequence[Cell]) -> float:
    longest = max(cell.probe.timeout_s + cell.probe.within_s for cell in cells)
    return max(longest, 2 * engine.pacing.connect_timeout_s) + GRACE_S
