"""Agents in pods: whatever happens to stream, agent or pod, answers are right and nothing stays."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_aksnet.cluster.agent import AgentPool, agents_of
from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.pods import list_pods
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import AgentScript, Batch, Finding, Kind, Probe
from pytest_aksnet.probes import agent, agent_without_python, reflector
from tests.lab.half_open import Way
from tests.lab.running_lab import RunningLab
from tests.lab.user import User

PORT = 8080
# What only an agent's command line has.
STUB = "parts.append"
# Nothing is there: a probe of it ends with its time-out.
NOBODY = "10.244.250.250"


class Pods:
    """Two pods with a reflector, the second as a target, reached by a way that can break."""

    def __init__(self, user: User, folder: Path) -> None:
        self.user = user
        self.way = Way(user.lab.kubeconfig, folder)
        self.cluster: Cluster = connect(str(self.way.kubeconfig), None)
        command = [word.replace("$", "$$") for word in reflector.argv(PORT)]
        for name, node in (("source", 1), ("target", 2)):
            user.create_pod(
                name,
                command=command,
                node=user.nodes()[node],
                container={
                    "ports": [{"containerPort": PORT}],
                    "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                    "securityContext": {"runAsUser": 65534, "capabilities": {"drop": ["ALL"]}},
                    "env": [{"name": "POD_NAME", "value": name}],
                },
            )
        user.ready("source", "target")
        self.source, self.target = list_pods(self.cluster, user.namespace, "app in (source,target)")

    def agents(self, scripts: Sequence[AgentScript] = (agent.script(),)) -> AgentPool:
        return agents_of(self.cluster, scripts)

    def look(self, kind: Kind, **options: object) -> Probe:
        probe = Probe(kind=kind, host=self.target.ip, port=PORT)
        return replace(probe, **options)  # type: ignore[arg-type]

    def agents_running(self, pod: str = "source") -> int:
        """How many agents are in a pod."""
        return len(self.user.run(pod, "pgrep", "-f", "--", STUB).stdout.split())

    def no_agent_stays(self, pod: str = "source") -> None:
        self.user.eventually(lambda: self.agents_running(pod) == 0, f"no agent is in {pod}")

    def close(self) -> None:
        self.cluster.close()
        self.way.close()


@pytest.fixture(scope="module")
def pods(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    with User(lab) as user:
        made = Pods(user, tmp_path_factory.mktemp("way"))
        yield made
        made.close()


@pytest.fixture
def agents(pods: Pods) -> Iterator[AgentPool]:
    pool = pods.agents()
    yield pool
    pool.close()
    pods.no_agent_stays()


def _mixed(pods: Pods) -> list[Probe]:
    """Twenty that are answered, and twenty that have to wait for their time-out."""
    answered = [
        pods.look((Kind.TCP, Kind.UDP)[n % 2], options={"pod": "target"}) for n in range(20)
    ]
    waiting = [Probe(kind=Kind.CONNECT, host=NOBODY, port=80, timeout_s=0.8) for _ in range(20)]
    return [*answered, *waiting]


def _disturbed(
    agents: AgentPool, pod: PodRef, probes: Sequence[Probe], disturb: Callable[[], object]
) -> Batch:
    """Ask with a warm stream, and disturb it while the slow ones are waited for."""
    assert agents.probe(pod, probes[:1], budget_s=15).complete
    timer = threading.Timer(0.2, disturb)
    timer.start()
    batch = agents.probe(pod, probes, budget_s=15)
    timer.join()
    return batch


def _right(batch: Batch) -> None:
    assert batch.complete, batch.problem
    findings = [answer and answer.finding for answer in batch.answers]
    assert findings == [Finding.OK] * 20 + [Finding.TIMEOUT] * 20


def test_every_kind_of_probe_from_a_pod_without_rights(pods: Pods, agents: AgentPool) -> None:
    name = "kubernetes.default.svc.cluster.local"
    batch = agents.probe(
        pods.source,
        [
            pods.look(Kind.TCP, options={"pod": "target"}),
            pods.look(Kind.UDP, options={"pod": "target"}),
            pods.look(Kind.HTTP),
            pods.look(Kind.MTU, timeout_s=5.0),
            pods.look(Kind.CONNECT, port=PORT + 1),
            Probe(kind=Kind.DNS, host="", options={"name": name}),
            Probe(kind=Kind.DNS, host="", options={"name": "kubernetes.default", "search": "yes"}),
            Probe(kind=Kind.TLS, host=name, port=443),
            Probe(kind=Kind.ICMP, host=pods.target.ip),
        ],
        budget_s=15,
    )
    assert batch.complete, batch.problem
    answers = [answer for answer in batch.answers if answer is not None]
    found = [answer.finding for answer in answers]
    assert found == [*[Finding.OK] * 4, Finding.REFUSED, *[Finding.OK] * 4]
    assert answers[0].facts["source"] == pods.source.ip
    assert answers[3].facts["mtu"] == 1500
    assert answers[5].facts["records"] == answers[6].facts["records"] != []
    assert answers[7].facts["verified"] is False


def test_pings_are_answered_by_pods_and_nodes_and_by_nobody_else(
    pods: Pods, agents: AgentPool
) -> None:
    hosts = [pods.target.ip, *map(pods.user.node_ip, pods.user.nodes()), NOBODY]
    probes = [Probe(kind=Kind.ICMP, host=host, timeout_s=1.0) for host in hosts]
    batch = agents.probe(pods.source, probes, budget_s=15)
    assert batch.complete, batch.problem
    answers = [answer.finding for answer in batch.answers if answer is not None]
    assert answers == [*[Finding.OK] * 4, Finding.TIMEOUT]


def _path_mtu(source: PodRef, agents: AgentPool, *hosts: str) -> list[object]:
    """By ICMP alone: the finding and the facts."""
    via = {"via": "icmp"}
    probes = [Probe(kind=Kind.MTU, host=host, timeout_s=4.0, options=via) for host in hosts]
    batch = agents.probe(source, probes, budget_s=20)
    assert batch.complete, batch.problem
    return [(answer.finding, answer.facts) for answer in batch.answers if answer is not None]


def test_the_path_mtu_by_icmp(pods: Pods, agents: AgentPool) -> None:
    source, target = (pods.user.pod(name).spec.node_name for name in ("source", "target"))
    far_node, own_node = map(pods.user.node_ip, (target, source))
    [far, node, nobody] = _path_mtu(pods.source, agents, pods.target.ip, far_node, NOBODY)
    whole = (Finding.OK, {"via": "icmp", "out": 1500, "mtu": 1500})
    assert (far, node) == (whole, whole)
    assert nobody == (Finding.TIMEOUT, {"via": "icmp", "out": 1500})
    pods.user.inject(f"long-packets-lost@{source}")
    try:
        [far, own] = _path_mtu(pods.source, agents, pods.target.ip, own_node)
    finally:
        pods.user.heal(f"long-packets-lost@{source}")
    # Nobody has told it: found by halves.
    assert far == (Finding.OK, {"via": "icmp", "out": 1500, "mtu": 1400, "silent_above": True})
    assert own == whole


def test_a_path_mtu_that_a_router_tells(pods: Pods, agents: AgentPool) -> None:
    node = pods.user.pod("source").spec.node_name
    # A pod of its own: what it was told, it keeps for minutes.
    pods.user.create_pod("told", node=node)
    pods.user.ready("told")
    [told] = list_pods(pods.cluster, pods.user.namespace, "app=told")

    def route(*words: str) -> str:
        done = pods.user.at(f"node/{node}", "ip", "-json", "route", *words)
        assert done.code == 0, done.stderr
        return done.stdout

    gateway = json.loads(route("get", pods.target.ip))[0]["gateway"]
    way = [pods.target.ip, "via", gateway, "dev", "eth0", "onlink"]
    route("add", *way, "mtu", "lock", "1300")
    try:
        [found] = _path_mtu(told, agents, pods.target.ip)
    finally:
        route("del", *way)
    assert found == (Finding.OK, {"via": "icmp", "out": 1500, "mtu": 1300, "told": True})


def test_lists_of_many_threads_share_the_stream(pods: Pods, agents: AgentPool) -> None:
    probes = [pods.look(Kind.TCP), pods.look(Kind.UDP)] * 20
    with ThreadPoolExecutor(8) as threads:
        batches = list(
            threads.map(lambda _: agents.probe(pods.source, probes, budget_s=15), range(16))
        )
    assert all(batch.complete for batch in batches)
    assert pods.agents_running() == 1
    both = agents.probe_many({pods.source: probes, pods.target: probes}, budget_s=15)
    assert all(batch.complete for batch in both.values())


def test_a_lost_client_leaves_no_agent(pods: Pods) -> None:
    lost = pods.agents()
    assert lost.probe(pods.source, [pods.look(Kind.TCP)], budget_s=15).complete
    assert pods.agents_running() == 1
    pods.way.cut()
    pods.no_agent_stays()


def test_a_killed_agent_is_replaced(pods: Pods, agents: AgentPool) -> None:
    def kill() -> None:
        pods.user.run("source", "pkill", "-KILL", "-f", "--", STUB)

    batch = _disturbed(agents, pods.source, _mixed(pods), kill)
    _right(batch)
    assert (batch.streams, batch.asked_again) == (2, 20)


def test_a_frozen_agent_is_replaced_and_ends_when_it_wakes(pods: Pods, agents: AgentPool) -> None:
    def freeze() -> None:
        pods.user.run("source", "pkill", "-STOP", "-f", "--", STUB)

    batch = _disturbed(agents, pods.source, _mixed(pods), freeze)
    _right(batch)
    assert batch.streams == 2
    pods.user.run("source", "pkill", "-CONT", "-o", "-f", "--", STUB)
    pods.user.eventually(lambda: pods.agents_running() == 1, "the frozen one has ended")


def test_a_half_open_way_is_left_and_its_agent_ends_with_its_lease(pods: Pods) -> None:
    pool = pods.agents([agent.script(lease_s=3.0)])
    batch = _disturbed(pool, pods.source, _mixed(pods), pods.way.freeze)
    _right(batch)
    assert batch.streams == 2
    pool.close()
    pods.no_agent_stays()


def test_an_api_server_that_is_away_for_a_moment(pods: Pods, agents: AgentPool) -> None:
    def restart() -> None:
        with pods.way.away():
            time.sleep(0.5)

    batch = _disturbed(agents, pods.source, _mixed(pods), restart)
    _right(batch)
    assert batch.streams == 2


def test_a_container_that_is_killed_is_looked_from_again(pods: Pods, agents: AgentPool) -> None:
    def kill() -> None:
        # The oldest is the main process: with it all others of its container end.
        pods.user.run("source", "pkill", "-KILL", "-o", "-x", "python3")

    batch = _disturbed(agents, pods.source, _mixed(pods), kill)
    _right(batch)
    assert batch.streams == 2


def test_a_deleted_pod_is_not_looked_from(pods: Pods, agents: AgentPool) -> None:
    pods.user.create_pod("short", labels={"app": "short"}, terminationGracePeriodSeconds=0)
    pods.user.ready("short")
    [short] = list_pods(pods.cluster, pods.user.namespace, "app=short")
    probes = _mixed(pods)
    batch = _disturbed(
        agents,
        short,
        probes,
        lambda: pods.user.core.delete_namespaced_pod("short", pods.user.namespace),
    )
    assert not batch.complete
    answered = [answer for answer in batch.answers if answer is not None]
    assert {answer.finding for answer in answered} <= {Finding.OK}
    assert "short" in batch.problem


def test_a_pod_without_python_gets_the_smaller_agent(pods: Pods) -> None:
    missing = AgentScript(argv=("python-that-nobody-has",), text="", lease_s=30)
    pool = pods.agents([missing, agent_without_python.script()])
    batch = pool.probe(
        pods.source,
        [
            pods.look(Kind.TCP, options={"pod": "target"}),
            pods.look(Kind.HTTP),
            pods.look(Kind.CONNECT, port=PORT + 1),
            Probe(kind=Kind.DNS, host="", options={"name": "kubernetes.default.svc.cluster.local"}),
            pods.look(Kind.UDP),
        ],
        budget_s=15,
    )
    pool.close()
    assert batch.ended, batch.problem
    assert [answer and answer.finding for answer in batch.answers] == [
        *(Finding.OK, Finding.OK, Finding.REFUSED, Finding.OK, Finding.LOCAL)
    ]
    pods.user.eventually(
        lambda: not pods.user.run("source", "pgrep", "-f", "dd bs=1").stdout, "no shell stays"
    )


@pytest.mark.thorough
def test_a_hundred_open_streams(pods: Pods, agents: AgentPool) -> None:
    many = [replace(pods.source, uid=f"{number}") for number in range(100)]
    probes = [pods.look(Kind.TCP), pods.look(Kind.UDP)]
    for _ in range(3):
        batches = agents.probe_many(dict.fromkeys(many, probes), budget_s=60)
        assert all(batch.complete for batch in batches.values())
    assert pods.agents_running() == 100


@pytest.mark.thorough
def test_ten_thousand_probes_from_one_pod(pods: Pods, agents: AgentPool) -> None:
    probes = [pods.look((Kind.TCP, Kind.UDP)[number % 2]) for number in range(10_000)]
    batch = agents.probe(pods.source, probes, budget_s=60)
    assert batch.complete, batch.problem
    assert {answer and answer.finding for answer in batch.answers} == {Finding.OK}
