"""The verbs about Services by lists, with agents that answer from a script."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.check import Pacing
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    FactUnknown,
    NotApplicable,
    SettingsError,
)
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.view import ServiceEndpoint
from tests.unit.scripted import (
    CLIENT,
    HOST,
    NODES,
    SERVER,
    SERVICE,
    StaticView,
    Text,
    World,
    always,
    pod,
    reflected,
)

Reply = Callable[[Probe], Answer | None]
OTHER = pod("other", "node-c", "10.244.2.9")
PORTS = replace(SERVICE, node_port=30080, health_check_node_port=30090)
FAST = Pacing(programming_s=1.0, patience_s=1.0)


def by(name: str, **facts: object) -> Answer:
    return Answer(Finding.OK, 2.0, 2.0, {"pod": name, **facts})


def ended(finding: Finding) -> Answer:
    return Answer(finding, 500.0, 500.0, {})


@dataclass
class Agents:
    """A Prober of which every pod reaches itself; `reply` answers the rest."""

    reply: Reply
    asked: list[Sequence[Probe]] = field(default_factory=list)

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked.append(probes)
        answers = tuple(
            by(pod.name) if probe.host == pod.ip else self.reply(probe) for probe in probes
        )
        return Batch(answers=answers, ended=None not in answers)


def world(reply: Reply, **facts: str | None) -> tuple[ProbePod, World, Agents]:
    agents = Agents(reply)
    made = World(
        always(reflected("10.244.0.7")),
        prober=agents,
        pacing=FAST,
        facts={name.replace("_", "-"): value for name, value in facts.items()},
    )
    return made.probe_pod(), made, agents


def test_each_frontend_is_asked_until_it_is_served() -> None:
    client, _, agents = world(lambda _: by("server"))
    client.assert_served(PORTS, [SERVER], via=NODES, protocol="udp")
    probes = agents.asked[0][:-1]
    assert [(probe.host, probe.port) for probe in probes] == [(n.ip, 30080) for n in NODES]
    assert {probe.kind for probe in probes} == {Kind.UDP}
    assert {(probe.until, probe.within_s) for probe in probes} == {(frozenset({Finding.OK}), 1.0)}


def test_what_took_long_is_kept() -> None:
    late = Answer(Finding.OK, 2.0, 2500.0, {"pod": "server"}, tries=9)
    client, seen, _ = world(lambda _: late)
    client.assert_served(PORTS, [SERVER])
    assert ["as expected after 2.5 s" in sentence for sentence in seen.recorder.found] == [True]


def test_a_frontend_that_is_not_there_is_a_wrong_call() -> None:
    client, _, agents = world(lambda _: by("server"))
    with pytest.raises(SettingsError, match="no such frontend"):
        client.assert_served(SERVICE, [SERVER], via=NODES)
    assert not agents.asked


def test_the_source_that_counts_is_the_clients() -> None:
    client, seen, _ = world(lambda _: by("server", source="10.224.0.4"))
    with pytest.raises(ConformanceFailure, match="masqueraded"):
        client.assert_served(PORTS, [SERVER], sees_client=True)
    # At a node port, and for a pod in the host network, the node's address is its own.
    client.assert_served(PORTS, [SERVER], via=NODES[:1], sees_client=True)
    seen.probe_pod(HOST).assert_served(PORTS, [SERVER], sees_client=True)


def test_who_is_not_served_is_told_that_the_proxy_is_to_blame() -> None:
    client, _, _ = world(lambda probe: ended(Finding.TIMEOUT))
    with pytest.raises(ConformanceFailure, match="service proxy rules on node node-b"):
        client.assert_served(PORTS, [SERVER], via=NODES[1:2])


def test_who_does_not_reach_itself_cannot_judge() -> None:
    client, _, agents = world(lambda _: ended(Finding.TIMEOUT))
    agents.probe = lambda pod, probes, *, budget_s: Batch(  # type: ignore[method-assign]
        answers=(ended(Finding.TIMEOUT),) * len(probes), ended=True
    )
    with pytest.raises(ControlFailed, match="positive control"):
        client.assert_served(PORTS, [SERVER])


def test_a_list_settles_before_it_is_judged() -> None:
    answers = itertools.chain([by("gone")] * 20, itertools.repeat(by("server")))
    client, seen, agents = world(lambda _: next(answers))
    client.assert_all_served(PORTS, [SERVER], connections=10)
    assert [len(probes) for probes in agents.asked] == [10, 10, 10, 11]
    assert seen.recorder.found
    stale, _, _ = world(lambda _: by("gone"))
    with pytest.raises(ConformanceFailure, match="no ready endpoint"):
        stale.assert_all_served(PORTS, [SERVER], connections=10)


def test_ipv6_is_asked_for_where_the_service_has_an_address() -> None:
    client, _, agents = world(lambda _: by("server"))
    both = replace(SERVICE, cluster_ips=("10.0.5.5", "fd00::5"))
    client.assert_served_ipv6(both, [SERVER])
    assert agents.asked[0][0].host == "fd00::5"
    with pytest.raises(NotApplicable, match="not dual-stack"):
        client.assert_served_ipv6(replace(both, cluster_ips=("10.0.5.5",)), [SERVER])


def test_a_dual_stack_cluster_that_gives_one_family_fails() -> None:
    dual = World(always(reflected("")), facts={"ip-families": "ipv4,ipv6"}).probe_pod()
    with pytest.raises(ConformanceFailure, match="should have an IPv6 cluster IP"):
        dual.assert_served_ipv6(replace(SERVICE, cluster_ips=("10.0.5.5",)), [SERVER])


def test_affinity_goes_by_the_first_connection() -> None:
    client, _, agents = world(lambda _: by("other"))
    client.assert_sticks(PORTS, [SERVER, OTHER])
    assert [len(probes) for probes in agents.asked] == [2, 41]
    turns = itertools.cycle([by("server"), by("other")])
    client, _, _ = world(lambda _: next(turns))
    with pytest.raises(ConformanceFailure, match="session affinity is lost"):
        client.assert_sticks(PORTS, [SERVER, OTHER])


def test_the_spread_is_counted_by_endpoint() -> None:
    turns = itertools.cycle([by("server"), by("other")])
    client, _, _ = world(lambda _: next(turns))
    counts = client.assert_spread(PORTS, [SERVER, OTHER]).facts
    assert abs(int(counts["server"]) - int(counts["other"])) <= 1
    client, _, _ = world(lambda _: by("server"))
    with pytest.raises(ConformanceFailure, match="other 0"):
        client.assert_spread(PORTS, [SERVER, OTHER])
    mostly = itertools.cycle([by("server")] * 9 + [by("other")])
    client, _, _ = world(lambda _: next(mostly), kube_proxy_mode=None)
    with pytest.raises(FactUnknown, match="--aksnet-profile kube-proxy-mode"):
        client.assert_spread(PORTS, [SERVER, OTHER])


def test_a_preference_for_near_endpoints_never_fails() -> None:
    zones = tuple(replace(node, zone=f"z-{index}") for index, node in enumerate(NODES))
    client, seen, _ = world(lambda _: by("other"))
    near = pod("near", "node-a", "10.244.0.9")
    client.assert_prefers_near(PORTS, [near, OTHER], zones)
    verdict = seen.recorder.attempts[-1].verdict
    assert verdict is not None
    assert "trafficDistribution is not honoured" in verdict.warning


@pytest.mark.parametrize(
    ("finding", "mode", "error"),
    [
        (Finding.REFUSED, "iptables", None),
        (Finding.TIMEOUT, "iptables", ConformanceFailure),
        (Finding.TIMEOUT, "none", None),
    ],
)
def test_a_service_of_nobody_is_rejected(
    finding: Finding, mode: str, error: type[Exception] | None
) -> None:
    empty = replace(SERVICE, name="empty", cluster_ip="10.0.5.6")
    client, _, _ = world(
        lambda probe: ended(finding) if probe.host == "10.0.5.6" else by("server"),
        kube_proxy_mode=mode,
    )
    if error is None:
        client.assert_rejected(empty, PORTS, SERVER)
        return
    with pytest.raises(error, match="no rule that rejects"):
        client.assert_rejected(empty, PORTS, SERVER)


def test_closed_ports_are_judged_beside_the_open_one() -> None:
    def reply(probe: Probe) -> Answer:
        return by("server") if probe.port in (80, 81) else ended(Finding.TIMEOUT)

    client, _, _ = world(reply)
    client.assert_closed(PORTS, [SERVER], [("10.0.5.5", 90)])
    with pytest.raises(ConformanceFailure, match="port 81 should not answer"):
        client.assert_closed(PORTS, [SERVER], [("10.0.5.5", 90), ("10.0.5.5", 81)])
    with pytest.raises(SettingsError, match="should be closed"):
        client.assert_closed(PORTS, [SERVER], [])


def test_a_deleted_service_is_gone_while_its_pod_lives() -> None:
    def gone(probe: Probe) -> Answer:
        return ended(Finding.TIMEOUT) if probe.host == SERVICE.cluster_ip else by("server")

    client, _, _ = world(gone)
    client.assert_deleted(PORTS, [SERVER])
    client, _, _ = world(lambda _: by("server"))
    with pytest.raises(ConformanceFailure, match="Services that are gone"):
        client.assert_deleted(PORTS, [SERVER])


def test_a_udp_flow_has_a_steady_source_port() -> None:
    client, _, agents = world(lambda _: by("server"))
    client.assert_udp_flow(PORTS, [SERVER])
    assert {probe.options.get("from") for probes in agents.asked for probe in probes[:1]} == {
        "19153"
    }


def test_a_pod_is_turned_unready_by_a_command() -> None:
    made = World(always(Text(0)))
    made.probe_pod().turn_unready()
    assert made.calls == [("client", ("touch", "/aksnet/unready"))]


@dataclass
class Replacing:
    """A Rollout that is over after so many questions."""

    left: int
    started: bool = False

    def start(self) -> None:
        self.started = True

    def finished(self) -> bool:
        if not self.started:
            return True
        self.left -= 1
        return self.left <= 0


def test_no_connection_is_lost_while_pods_are_replaced() -> None:
    client, seen, _ = world(lambda _: by("server"))
    sheet = client.assert_none_lost(PORTS, Replacing(3), [seen.probe_pod(OTHER)])
    assert set(sheet.facts) == {"from node node-a", "from node node-c"}
    lost = itertools.chain([by("server")] * 12, itertools.repeat(ended(Finding.REFUSED)))
    client, _, _ = world(lambda _: next(lost))
    with pytest.raises(ConformanceFailure, match="times it was refused"):
        client.assert_none_lost(PORTS, Replacing(9))
    client, _, _ = world(lambda _: by("server"))
    with pytest.raises(ControlFailed, match="did not finish"):
        client.assert_none_lost(PORTS, Replacing(10_000))


def healthz(**status: int) -> Reply:
    by_ip = {node.ip: status.get(node.name[-1], 0) for node in NODES}
    return lambda probe: (
        by("", status=by_ip[probe.host]) if by_ip[probe.host] else ended(Finding.REFUSED)
    )


def test_the_proxies_of_all_nodes_are_asked() -> None:
    client, _, _ = world(healthz(a=200, b=200, c=200))
    assert len(client.assert_proxies_healthy(NODES).facts) == 3
    client, _, _ = world(healthz(a=200, b=200))
    with pytest.raises(ConformanceFailure, match="node-c refuses while others answer"):
        client.assert_proxies_healthy(NODES)


@pytest.mark.parametrize(
    ("codes", "nodes"),
    [({"a": 503, "b": 200, "c": 503}, NODES), ({"a": 200, "b": 200, "c": 503}, NODES)],
)
def test_health_check_ports_name_the_nodes_with_endpoints(
    codes: dict[str, int], nodes: tuple[NodeRef, ...]
) -> None:
    client, _, _ = world(healthz(**codes))
    if codes["a"] == 503:
        client.assert_health_ports(PORTS, nodes, [SERVER])
        return
    with pytest.raises(ConformanceFailure, match="has no ready endpoint, but answered 200"):
        client.assert_health_ports(PORTS, nodes, [SERVER])


def test_the_listed_endpoints_are_waited_for() -> None:
    view = StaticView(behind={"web": (ServiceEndpoint(ip=SERVER.ip, port=8080, pod="server"),)})
    made = World(always(Text()), view=view, pacing=FAST)
    inventory = Inventory(made.engine)
    assert SERVER.ip in inventory.assert_listed(SERVICE, [SERVER]).facts
    with pytest.raises(ConformanceFailure, match="does not follow the pods"):
        inventory.assert_listed(SERVICE, [SERVER, CLIENT])
    assert made.time > FAST.programming_s


def test_a_pod_that_was_ended_on_purpose_does_not_excuse_a_failure() -> None:
    view = StaticView(gone={"other": "pod ns/other was deleted"})
    agents = Agents(lambda _: by("other"))
    made = World(always(reflected("10.244.0.7")), prober=agents, pacing=FAST, view=view)
    client = made.probe_pod()
    made.probe_pod(OTHER)
    with pytest.raises(ControlFailed, match="was deleted"):
        client.assert_all_served(PORTS, [SERVER], connections=3)
    made.engine.leaves(OTHER)
    with pytest.raises(ConformanceFailure, match="stale"):
        client.assert_all_served(PORTS, [SERVER], connections=3)
