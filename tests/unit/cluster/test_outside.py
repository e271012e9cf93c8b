"""Agents on hosts outside the cluster: here, or by a command that takes a line of shell."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from pytest_aksnet.cluster.agent import AgentPool
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.loop import StreamLoop
from pytest_aksnet.cluster.outside import outside_agents
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Finding, Kind, Probe
from pytest_aksnet.probes import agent, agent_without_python
from tests.unit.probes.agent_process import free_port, running_reflector

HERE = "127.0.0.1"
COMMANDS = {
    "by a shell": ("sh", "-c"),
    "no such command": ("a-command-that-nobody-has",),
    "that fails": ("false",),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with running_reflector(port):
        yield port


@pytest.fixture
def agents() -> Iterator[AgentPool]:
    loop = StreamLoop()
    scripts = (agent.script(), agent_without_python.script())
    made = outside_agents(cast(Cluster, SimpleNamespace(loop=loop)), scripts, COMMANDS)
    yield made
    made.close()
    loop.close()


def host(name: str) -> PodRef:
    return PodRef(namespace="", name=name, container="", node="", ip="")


@pytest.mark.parametrize("name", ["this machine", "by a shell"])
def test_a_host_looks_as_a_pod_does(agents: AgentPool, port: int, name: str) -> None:
    probes = [Probe(kind=kind, host=HERE, port=port) for kind in (Kind.TCP, Kind.UDP)] * 20
    for _ in range(2):
        batch = agents.probe(host(name), probes, budget_s=10.0)
        assert batch.complete
        assert {one.finding for one in batch.answers if one is not None} == {Finding.OK}
        assert batch.streams == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("no such command", "a-command-that-nobody-has cannot be started"), ("that fails", "ended")],
)
def test_a_host_that_cannot_be_used_saw_nothing(
    agents: AgentPool, port: int, name: str, words: str
) -> None:
    probe = Probe(kind=Kind.CONNECT, host=HERE, port=port)
    batch = agents.probe(host(name), [probe], budget_s=5.0)
    assert not batch.complete
    assert words in batch.problem
