"""The verbs about load balancers, with agents that answer from a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pytest_aksnet.assertions.outside_client import Outside, OutsideClient
from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.check import Pacing
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    ExecNotCompleted,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Probe
from pytest_aksnet.model.site import ClientHost, Site
from tests.unit.scripted import NODES, SERVER, SERVICE, StaticApi, World, always, pod, reflected

OTHER = pod("other", "node-c", "10.244.2.9")
BALANCED = replace(SERVICE, load_balancer_ips=("10.224.200.1",), node_port=30080)
LOCAL = replace(BALANCED, health_check_node_port=30090)
GONE = replace(BALANCED, load_balancer_ips=("10.224.200.2",))
VM = ClientHost(what="the VM", command=("ssh", "vm"), addresses=("10.225.0.4", "fd00::4"))
FAST = Pacing(patience_s=0.5, frontend_s=0.5, frontend_hold_s=0.2)
PATH = "/api/v1/namespaces/ns/services/web"
Reply = Callable[[Probe, int], Answer | None]


def by(name: str, source: str = "10.225.0.4", **facts: object) -> Answer:
    return Answer(Finding.OK, 2.0, 2.0, {"pod": name, "source": source, **facts})


SILENT = Answer(Finding.TIMEOUT, 500.0, 500.0, {})


@dataclass
class Agents:
    """A Prober; `reply` answers each probe, with the number of the list that it is in."""

    reply: Reply
    asked: list[tuple[PodRef, Sequence[Probe]]] = field(default_factory=list)

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked.append((pod, probes))
        answers = tuple(self.reply(probe, len(self.asked)) for probe in probes)
        return Batch(answers=answers, ended=None not in answers, problem="the ssh ended")


def addresses(*found: str) -> StaticApi:
    ingress = [{"ip": address} for address in found]
    return StaticApi(objects={PATH: {"status": {"loadBalancer": {"ingress": ingress}}}})


def world(reply: Reply, *, api: StaticApi | None = None, inside: Reply | None = None) -> World:
    return World(
        always(reflected("10.244.0.7")),
        site=Site(vnet_client=VM),
        prober=Agents(inside or reply),
        pacing=FAST,
        api=api or addresses("10.224.200.1"),
    )


def client(reply: Reply, *, api: StaticApi | None = None, inside: Reply | None = None,
           ) -> tuple[OutsideClient, Agents]:  # fmt: skip
    agents = Agents(reply)
    return Outside(world(reply, api=api, inside=inside).engine, agents).in_vnet, agents


def test_a_frontend_is_asked_until_every_connection_is_answered() -> None:
    seen, agents = client(lambda _, number: SILENT if number < 3 else by("server"))
    seen.assert_frontend(BALANCED, [SERVER])
    assert len(agents.asked) == 3
    host, probes = agents.asked[0]
    assert host.name == "the VM"
    assert {(probe.host, probe.port) for probe in probes} == {("10.224.200.1", 80)}


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (Answer(Finding.OK, 1.0, 1.0, {}), "168.63.129.16"),
        (Answer(Finding.REFUSED, 1.0, 1.0, {}), "service proxy there"),
    ],
)
def test_a_silent_frontend_fails_and_the_node_is_asked_why(inside: Answer, words: str) -> None:
    seen, _ = client(lambda *_: SILENT, inside=lambda *_: inside)
    with pytest.raises(ConformanceFailure, match=words) as failure:
        seen.assert_frontend(BALANCED, [SERVER])
    assert "ssh vm 'curl" in str(failure.value)


def test_an_address_that_moved_is_named() -> None:
    seen, _ = client(lambda *_: SILENT, api=addresses("10.224.200.9"))
    with pytest.raises(ConformanceFailure, match=r"another address now, 10\.224\.200\.9"):
        seen.assert_frontend(BALANCED, [SERVER])


def test_a_node_that_lies_about_its_endpoints_is_named() -> None:
    seen, _ = client(
        lambda *_: SILENT, inside=lambda *_: Answer(Finding.OK, 1.0, 1.0, {"status": 200})
    )
    with pytest.raises(ConformanceFailure, match="node-a, node-c has none of the pods"):
        seen.assert_frontend(LOCAL, [SERVER])


def test_a_host_that_cannot_look_fails_nobody() -> None:
    seen, agents = client(lambda *_: None)
    with pytest.raises(ExecNotCompleted, match="the ssh ended"):
        seen.assert_frontend(BALANCED, [SERVER])
    assert len(agents.asked) == 3


def test_the_machine_that_runs_pytest_may_have_no_way() -> None:
    made = world(lambda *_: SILENT)
    silent = Outside(made.engine, Agents(lambda *_: SILENT)).on_internet
    with pytest.raises(FactUnknown, match="internet_client"):
        silent.assert_frontend(BALANCED, [SERVER])
    served = Outside(made.engine, Agents(lambda *_: by("stranger"))).on_internet
    with pytest.raises(ConformanceFailure, match="stranger answered"):
        served.assert_frontend(BALANCED, [SERVER])
    with pytest.raises(FactUnknown, match="internet_client"):
        served.addresses()


def test_a_public_address_is_not_for_the_client_in_the_vnet() -> None:
    seen, agents = client(lambda *_: by("server"))
    with pytest.raises(ControlFailed, match=r"load-balancer\.internal"):
        seen.assert_frontend(replace(BALANCED, load_balancer_ips=("198.51.100.17",)), [SERVER])
    assert agents.asked == []


def test_what_is_held_is_asked_again() -> None:
    seen, agents = client(lambda *_: by("server"))
    seen.assert_source_kept(LOCAL, [SERVER])
    assert len(agents.asked) > 1
    seen, _ = client(lambda *_: by("server", "10.224.0.5"))
    with pytest.raises(ConformanceFailure, match="masqueraded"):
        seen.assert_source_kept(LOCAL, [SERVER])


def test_every_node_takes_part() -> None:
    sources = [address for node in NODES for address in node.addresses]
    turns = iter(range(10**6))
    seen, _ = client(lambda *_: by("server", sources[next(turns) % len(sources)]))
    seen.assert_every_node_enters(BALANCED, NODES, [SERVER])
    seen, _ = client(
        lambda *_: by("server", "10.224.0.4"), inside=lambda *_: Answer(Finding.OK, 1.0, 1.0, {})
    )
    with pytest.raises(ConformanceFailure, match="node-b, node-c got none"):
        seen.assert_every_node_enters(BALANCED, NODES, [SERVER])


def test_nodes_that_no_load_balancer_is_to_use_prove_nothing() -> None:
    label = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}
    excluded = [replace(node, labels=label) for node in NODES]
    seen, _ = client(lambda *_: by("server", NODES[0].ip))
    with pytest.raises(NotApplicable, match="exclude-from-external-load-balancers"):
        seen.assert_every_node_enters(BALANCED, excluded, [SERVER])


def test_every_node_with_a_pod_serves() -> None:
    turns = iter(range(10**6))
    seen, _ = client(lambda *_: by(("server", "other")[next(turns) % 2]))
    seen.assert_every_backend_serves(LOCAL, [SERVER, OTHER])
    seen, _ = client(lambda *_: by("server"), inside=lambda *_: SILENT)
    with pytest.raises(ConformanceFailure, match=r"node-c got none"):
        seen.assert_every_backend_serves(LOCAL, [SERVER, OTHER])


def test_who_is_not_allowed_is_silent_beside_a_control() -> None:
    seen, _ = client(lambda probe, _: SILENT if probe.host.endswith(".2") else by("server"))
    seen.assert_not_allowed(GONE, BALANCED)
    seen, _ = client(lambda *_: by("server"))
    with pytest.raises(ConformanceFailure, match="source ranges"):
        seen.assert_not_allowed(GONE, BALANCED)
    with pytest.raises(ConformanceFailure, match="is deleted"):
        seen.assert_released(GONE, BALANCED)
    seen, _ = client(lambda *_: SILENT)
    with pytest.raises(ControlFailed, match="positive control"):
        seen.assert_not_allowed(GONE, BALANCED)


def test_pods_are_served_by_their_own_node() -> None:
    made = world(lambda probe, _: SILENT if probe.host == "10.224.200.1" else by("server"))
    with pytest.raises(ConformanceFailure, match="service proxy of node node-a"):
        ProbePod(made.engine, pod("asks", "node-a", "10.244.0.8")).assert_served_by_frontend(
            BALANCED, [SERVER]
        )
    turns = iter(range(10**6))
    itself = world(lambda *_: by(("server", "other")[next(turns) % 2]))
    itself.probe_pod(SERVER).assert_hairpin_by_frontend(BALANCED, [SERVER, OTHER])


def test_the_addresses_of_a_service_are_judged() -> None:
    made = world(lambda *_: SILENT)
    inventory = Inventory(made.engine)
    inventory.assert_internal_address(BALANCED)
    inventory.assert_address_kept(BALANCED)
    for broken in (inventory.assert_public_address, inventory.assert_both_families):
        with pytest.raises(ConformanceFailure):
            broken(BALANCED)
