"""The verbs about ways under policies, with agents that answer from a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    Inconclusive,
    NotApplicable,
    SettingsError,
)
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from tests.unit.scripted import CLIENT, NODES, SERVER, World, always, pod, reflected

Reply = Callable[[PodRef, Probe], Answer]
Spoil = Callable[[Batch], Batch]
WITNESS = pod("witness", "node-c", "10.244.2.2")
OWN, OTHER = NODES[0], NODES[1]


@dataclass(frozen=True)
class Policy:
    manifest: dict[str, Any]


DENY = Policy(
    {
        "metadata": {"namespace": "ns", "name": "deny"},
        "spec": {"podSelector": {"matchLabels": {"app": "x"}}, "policyTypes": ["Egress"]},
    }
)
LABELLED = PodRef(
    namespace="ns",
    name="client",
    container="c",
    node="node-a",
    ip=CLIENT.ip,
    port=8080,
    labels={"app": "x"},
)


@dataclass
class Agents:
    """A Prober that remembers who was asked; `reply` answers, `spoil` is what becomes of lists."""

    reply: Reply
    asked: list[tuple[str, tuple[Probe, ...]]] = field(default_factory=list)
    spoil: Spoil = lambda batch: batch

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked.append((pod.name, tuple(probes)))
        answers = tuple(self.reply(pod, probe) for probe in probes)
        return self.spoil(Batch(answers=answers, ended=True))


def _ok(**facts: object) -> Answer:
    return Answer(Finding.OK, 2.0, 2.0, facts)


def _silent() -> Answer:
    return Answer(Finding.TIMEOUT, 1000.0, 1000.0, {})


def _world(reply: Reply, engine: str = "calico") -> tuple[World, Agents]:
    agents = Agents(reply)
    facts = {"policy-engine": engine}
    return World(always(reflected(CLIENT.ip)), prober=agents, facts=facts), agents


def _once_denied(closed: Callable[[Probe], bool]) -> Reply:
    """All is open until something is asked to be silent."""
    denied = []

    def reply(source: PodRef, probe: Probe) -> Answer:
        if Finding.TIMEOUT in probe.until:
            denied.append(True)
        own = source.name == "client" and probe.host != source.ip
        return _silent() if denied and own and closed(probe) else _ok(source=source.ip)

    return reply


def _nodes(seen: World, *nodes: NodeRef) -> Any:
    client = seen.probe_pod(LABELLED)
    return client.policy_ways(witness=WITNESS).to_nodes(nodes).assert_open()


def test_closed_ways_are_tried_twice_and_their_targets_by_a_witness() -> None:
    seen, agents = _world(_once_denied(lambda _probe: True))
    _nodes(seen, OWN, OTHER).assert_judged(DENY)
    [before, closing, *after] = agents.asked
    assert before[0] == closing[0] == "client"
    assert [one.host for one in closing[1]] == [OWN.ip, OWN.ip, OTHER.ip, OTHER.ip, CLIENT.ip]
    assert dict(after)["witness"][0].host == OWN.ip
    assert len(seen.recorder.attempts) == 1


def test_what_stays_open_under_azure_is_looked_at_after_the_rest_is_closed() -> None:
    seen, agents = _world(_once_denied(lambda probe: probe.host != OWN.ip), "azure")
    _nodes(seen, OWN, OTHER).assert_judged(DENY)
    assert OWN.ip not in [one.host for one in agents.asked[1][1]]
    assert OWN.ip in [one.host for name, asked in agents.asked[2:] for one in asked]


def test_a_way_that_stays_open_fails_and_names_node_and_document() -> None:
    seen, _ = _world(_once_denied(lambda probe: probe.host != OWN.ip))
    ways = _nodes(seen, OWN, OTHER)
    with pytest.raises(ConformanceFailure) as failed:
        ways.assert_judged(DENY)
    assert "node node-a (10.224.0.4)" in str(failed.value)
    assert "Felix configuration" in str(failed.value)
    assert "node-b" not in str(failed.value)


def test_silence_counts_only_if_the_witness_reaches_the_target() -> None:
    def dead(source: PodRef, probe: Probe) -> Answer:
        closed = _once_denied(lambda _probe: True)
        if source.name == "witness":
            return _silent()
        return closed(source, probe) if not probe.until else reply(source, probe)

    reply = _once_denied(lambda _probe: True)
    seen, _ = _world(dead)
    ways = _nodes(seen, OTHER)
    with pytest.raises(ControlFailed, match="witness on node node-c does not reach it either"):
        ways.assert_judged(DENY)


def _cut(batch: Batch) -> Batch:
    return replace(batch, ended=False, problem="the stream was cut")


def _gap(batch: Batch) -> Batch:
    return replace(batch, gaps=1)


@pytest.mark.parametrize("spoil", [_cut, _gap])
def test_silence_in_a_list_that_is_not_whole_closes_nothing(spoil: Spoil) -> None:
    seen, agents = _world(_once_denied(lambda _probe: True))
    ways = _nodes(seen, OTHER)
    agents.spoil = spoil
    with pytest.raises(Inconclusive, match="1 of 1"):
        ways.assert_judged(DENY)


@pytest.mark.parametrize("spoil", [_cut, _gap])
def test_silence_in_a_list_that_is_not_whole_is_no_restriction(spoil: Spoil) -> None:
    seen, agents = _world(lambda source, probe: _silent())
    agents.spoil = spoil
    places = [("the metadata service", "169.254.169.254", 80)]
    ways = seen.probe_pod(LABELLED).policy_ways(witness=WITNESS).to_addresses(places)
    with pytest.raises(ControlFailed, match="did not hold"):
        ways.assert_open(unless="restricted already")


def test_what_is_not_open_before_says_nothing_or_is_no_matter_of_policies() -> None:
    seen, _ = _world(lambda source, probe: _silent())
    client = seen.probe_pod(LABELLED)
    places = [("the metadata service", "169.254.169.254", 80)]
    ways = client.policy_ways(witness=WITNESS).to_addresses(places)
    with pytest.raises(ControlFailed, match="is reached without a policy did not hold"):
        ways.assert_open()
    with pytest.raises(NotApplicable, match="restricted already"):
        ways.assert_open(unless="restricted already")


def test_policies_that_close_nothing_show_nothing() -> None:
    seen, _ = _world(lambda source, probe: _ok())
    with pytest.raises(SettingsError, match="no way is to be closed"):
        _nodes(seen, OTHER).assert_judged()


def test_pods_are_asked_over_both_protocols_and_answer_themselves() -> None:
    seen, agents = _world(_once_denied(lambda _probe: True))
    client = seen.probe_pod(LABELLED)
    ways = client.policy_ways().to_pods([SERVER]).to_pods([SERVER], kind=Kind.UDP)
    ways.assert_open().assert_judged(DENY)
    assert [one.kind for one in agents.asked[0][1]] == [Kind.TCP, Kind.UDP]
    [by_server] = [asked for name, asked in agents.asked if name == "server"]
    assert [one.kind for one in by_server] == [Kind.TCP, Kind.UDP]
