"""The verbs about pods, their addresses and their nodes, without a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import (
    ApiRefused,
    ApiUnreachable,
    ConformanceFailure,
    ControlFailed,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.probing import Answer, Finding, Kind, Probe
from pytest_aksnet.probes.numbers import LAST
from tests.unit.assertions.test_many import OTHERS, Agents, Reply, ended, failing, ok
from tests.unit.scripted import (
    CLIENT,
    NODES,
    SERVER,
    Lost,
    Script,
    StaticApi,
    Text,
    World,
    always,
    reflected,
)

API = ServiceRef(namespace="default", name="kubernetes", cluster_ip="10.0.0.1", port=443)
CA_PATH = "/api/v1/namespaces/ns/configmaps/kube-root-ca.crt"
WHOLE = "".join(f"{number}\n" for number in range(1, LAST + 1))
INSIDE = (
    "interface eth0 {mtu}\ninterface lo 65536\nroutes4\nIface\tDestination\n{route}routes6\nend\n"
)
ROUTE = "eth0\t00000000\t0101FEA9\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"


def world(
    reply: Reply, *, facts: Mapping[str, str | None] | None = None, api: StaticApi | None = None
) -> World:
    return World(always(reflected("10.244.0.7")), prober=Agents(reply), facts=facts, api=api)


def asked(made: World) -> list[Probe]:
    prober = made.engine.prober
    assert isinstance(prober, Agents)
    return [probe for _, probes in prober.asked for probe in probes]


def test_a_pod_asks_itself_by_both_addresses_and_protocols() -> None:
    made = world(lambda _pod, _probe: ok())
    made.probe_pod().assert_reaches_itself()
    seen = {(probe.host, probe.kind) for probe in asked(made)}
    assert seen == {
        (host, kind) for host in (CLIENT.ip, "127.0.0.1") for kind in (Kind.TCP, Kind.UDP)
    }
    broken = world(lambda _pod, probe: ended(Finding.TIMEOUT) if "127" in probe.host else ok())
    with pytest.raises(ConformanceFailure, match=r"127\.0\.0\.1:8080 over TCP"):
        broken.probe_pod().assert_reaches_itself()


def test_every_port_is_asked_over_both_protocols() -> None:
    made = world(lambda _pod, probe: ok() if probe.port < 4000 else ended(Finding.TIMEOUT))
    with pytest.raises(ConformanceFailure, match=r"10\.244\.1\.9:65535 over UDP"):
        made.probe_pod().assert_reaches_ports([SERVER], [1024, 65535])
    assert len([probe for probe in asked(made) if probe.port == 1024]) == 2


def test_connections_are_held_open_and_none_is_repeated() -> None:
    made = world(lambda _pod, _probe: ok())
    made.probe_pod().assert_connects_often(SERVER, 30)
    assert len(asked(made)) == 30
    assert all(probe.options["hold"] and not probe.until for probe in asked(made))


def test_losses_are_judged_and_a_refusal_is_one_as_well() -> None:
    world(lambda _pod, _probe: ok(sent=500, answered=499)).probe_pod().assert_little_loss(SERVER)
    lossy = world(lambda _pod, _probe: ok(sent=500, answered=400))
    with pytest.raises(ConformanceFailure, match="100 of 500 datagrams"):
        lossy.probe_pod().assert_little_loss(SERVER)
    closed = world(lambda _pod, _probe: ended(Finding.REFUSED))
    with pytest.raises(ConformanceFailure, match="refused"):
        closed.probe_pod().assert_little_loss(SERVER)


def test_pings_are_promised_by_azure_alone_and_not_where_pods_may_not_ping() -> None:
    def silent(_pod: PodRef, probe: Probe) -> Answer:
        return ended(Finding.TIMEOUT) if probe.host == SERVER.ip else ok()

    with pytest.raises(ConformanceFailure, match="ICMP"):
        world(silent).probe_pod().assert_pings_all([SERVER])
    elsewhere = world(silent, facts={"cloud": "other"})
    elsewhere.probe_pod().assert_pings_all([SERVER])
    assert any(a.verdict and a.verdict.warning for a in elsewhere.recorder.attempts)
    with pytest.raises(NotApplicable, match="may not ping"):
        world(lambda _pod, _probe: ended(Finding.LOCAL)).probe_pod().assert_pings_all([SERVER])


def test_one_way_out_is_enough() -> None:
    world(failing(Finding.TIMEOUT, SERVER.ip)).probe_pod().assert_reaches_any([SERVER, OTHERS[0]])
    cut_off = world(lambda _pod, _probe: ended(Finding.TIMEOUT)).probe_pod()
    with pytest.raises(ConformanceFailure, match="2 of 2"):
        cut_off.assert_reaches_any([SERVER, OTHERS[0]])


@pytest.mark.parametrize("leaking", ["", "10.224.0.6"])
def test_a_host_port_answers_at_its_own_node_alone(leaking: str) -> None:
    def reply(_pod: PodRef, probe: Probe) -> Answer:
        return ok() if probe.host in ("10.224.0.5", leaking) else ended(Finding.REFUSED)

    looker = world(reply).probe_pod()
    if not leaking:
        looker.assert_host_port(SERVER, NODES, 28088)
        return
    other_plugin = world(reply, facts={"mode": "byo"}).probe_pod()
    with pytest.raises(NotApplicable, match="need not support"):
        other_plugin.assert_host_port(SERVER, NODES, 28088)
    with pytest.raises(ConformanceFailure, match="node node-c should not lead to"):
        looker.assert_host_port(SERVER, NODES, 28088)


def test_the_mss_is_asked_for_and_judged() -> None:
    made = world(lambda _pod, _probe: ok(mss=1410))
    made.probe_pod().assert_mss_received([SERVER])
    assert [probe.options for probe in asked(made)] == [{"mss": "yes"}]
    with pytest.raises(ConformanceFailure, match="MSS of 1200"):
        world(lambda _pod, _probe: ok(mss=1200)).probe_pod().assert_mss_received([SERVER])


def inside(of_server: int = 1500, route: str = ROUTE) -> Script:
    def answer(who: PodRef, _argv: tuple[str, ...]) -> Text:
        return Text(0, INSIDE.format(mtu=of_server if who == SERVER else 1500, route=route))

    return answer


def test_interfaces_are_compared_and_the_default_route_is_there() -> None:
    seen = World(inside()).probe_pod().assert_mtu_like([SERVER])
    assert seen.default4 == ("eth0 via 169.254.1.1",)
    World(inside()).probe_pod().assert_default_route()
    with pytest.raises(ConformanceFailure, match="1400 on node-b"):
        World(inside(1400)).probe_pod().assert_mtu_like([SERVER])
    with pytest.raises(ConformanceFailure, match="no IPv4 default route"):
        World(inside(route="")).probe_pod().assert_default_route()


def test_an_unknown_mode_on_azure_promises_no_length_by_itself() -> None:
    pod = World(inside(1400), facts={"mode": None}).probe_pod()
    with pytest.raises(FactUnknown, match="'mode'"):
        pod.assert_mtu_like([SERVER])
    with pytest.raises(FactUnknown, match="'mode'"):
        pod.assert_mss_received([SERVER])


def test_ipv6_is_for_clusters_with_a_range_of_it() -> None:
    dual = {"ip-families": "ipv4,ipv6"}
    both = replace(CLIENT, ips=(CLIENT.ip, "fd12::7"))
    assert World(inside(), facts=dual).probe_pod(both).over_ipv6().ip == "fd12::7"
    with pytest.raises(NotApplicable, match="not dual stack: it has ipv4"):
        World(inside(), facts={"ip-families": "ipv4"}).probe_pod(both).over_ipv6()
    with pytest.raises(FactUnknown):
        World(inside()).probe_pod(both).over_ipv6()
    with pytest.raises(ConformanceFailure, match="no IPv6 address"):
        World(inside(), facts=dual).probe_pod(replace(CLIENT, ips=(CLIENT.ip,))).over_ipv6()


def test_a_source_must_be_one_of_the_pods_own() -> None:
    both = replace(CLIENT, ips=(CLIENT.ip, "fd12::7"))
    world(lambda _pod, _probe: ok(source="fd12::7")).probe_pod(both).assert_source_kept_by_all(
        [SERVER]
    )
    translated = world(lambda _pod, _probe: ok(source="fd00::4"))
    with pytest.raises(ConformanceFailure, match="sees fd00::4"):
        translated.probe_pod(both).assert_source_kept_by_all([SERVER])


def test_the_api_server_is_asked_with_the_clusters_authority() -> None:
    api = StaticApi(objects={CA_PATH: {"data": {"ca.crt": "PEM"}}})
    made = world(lambda _pod, _probe: ok(verified=True), api=api)
    made.probe_pod().assert_api_server(API)
    [probe] = asked(made)
    assert probe.options == {"name": "kubernetes.default.svc", "ca": "PEM"}
    strange = world(lambda _pod, _probe: ok(verified=False, why="self-signed"), api=api)
    with pytest.raises(ConformanceFailure, match="not one of the cluster's authority"):
        strange.probe_pod().assert_api_server(API)
    with pytest.raises(FactUnknown, match=r"kube-root-ca\.crt"):
        world(lambda _pod, _probe: ok(), api=StaticApi()).probe_pod().assert_api_server(API)


def tunnels(*down: PodRef, output: str = WHOLE) -> World:
    def answer(who: PodRef, argv: tuple[str, ...]) -> Text | Lost:
        if who in down:
            return Lost()
        short = "".join(f"{number}\n" for number in range(1, int(argv[-1]) + 1))
        return Text(0, output if argv[-1] == str(LAST) else short)

    return World(answer)


def test_an_exec_counts_as_lost_only_where_another_node_is_reached() -> None:
    tunnels().probe_pod().assert_exec_whole(SERVER)
    with pytest.raises(ConformanceFailure, match="no exec gets through to node node-a"):
        tunnels(CLIENT).probe_pod().assert_exec_whole(SERVER)
    with pytest.raises(ControlFailed, match="exec into node node-b"):
        tunnels(CLIENT, SERVER).probe_pod().assert_exec_whole(SERVER)
    with pytest.raises(ConformanceFailure, match="not those that were written"):
        tunnels(output=WHOLE[:-9]).probe_pod().assert_exec_whole(SERVER)


@dataclass
class Logs(StaticApi):
    """Logs of pods by name; None is a node that is not reached."""

    logs: Mapping[str, str | None] = field(default_factory=dict)
    status: int = 500

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        found = self.logs[path.split("/")[-2]]
        if found is None:
            raise ApiRefused("dial tcp 10.224.0.4:10250", status=self.status, reason="")
        return found


def reads(client: str | None, server: str | None, status: int = 500) -> World:
    logs = {"client": client, "server": server}
    return World(always(reflected("x")), api=Logs(logs=logs, status=status))


def test_a_log_counts_as_lost_only_where_another_node_gives_one() -> None:
    line = "reflector on port 8080\n"
    reads(line, None).probe_pod().assert_logs_readable(SERVER)
    with pytest.raises(ConformanceFailure, match="10250"):
        reads(None, line).probe_pod().assert_logs_readable(SERVER)
    with pytest.raises(ConformanceFailure, match="0 characters"):
        reads("", line).probe_pod().assert_logs_readable(SERVER)
    with pytest.raises(ControlFailed, match="neither"):
        reads(None, None).probe_pod().assert_logs_readable(SERVER)
    with pytest.raises(ApiRefused):
        reads(None, line, status=403).probe_pod().assert_logs_readable(SERVER)


def listed(name: str, ip: str, node: str = "node-a", *, host: bool = False, **more: str) -> Json:
    return {
        "metadata": {"namespace": "ns", "name": name, **more},
        "spec": {"nodeName": node, "hostNetwork": host},
        "status": {"phase": "Running", "podIPs": [{"ip": ip}]},
    }


def inventory(
    *pods: Json, facts: Mapping[str, str | None] | None = None, **objects: Json
) -> Inventory:
    known = {"pod-cidrs": "10.244.0.0/16", **(facts or {})}
    api = StaticApi(lists={"/api/v1/pods": list(pods)}, objects=objects)
    return Inventory(World(always(reflected("x")), facts=known, api=api).engine)


Assertion = Callable[[Inventory], object]


@pytest.mark.parametrize(
    ("bad", "check"),
    [
        (listed("bad", "10.88.0.2"), Inventory.assert_addresses_in_range),
        (listed("bad", "10.244.0.4", "node-b"), Inventory.assert_addresses_unique),
        (listed("bad", "10.224.0.5", host=True), Inventory.assert_host_network_addresses),
    ],
)
def test_addresses_are_judged_by_what_runs(bad: Json, check: Assertion) -> None:
    good = [listed("good", "10.244.0.4"), listed("proxy", "10.224.0.4", host=True)]
    going = {**bad, "metadata": {**bad["metadata"], "deletionTimestamp": "now"}}
    ended_pod = {**bad, "status": {**bad["status"], "phase": "Succeeded"}}
    check(inventory(*good, going, ended_pod))
    with pytest.raises(ConformanceFailure, match="pod ns/bad"):
        check(inventory(*good, bad))


def test_unknown_ranges_are_inconclusive() -> None:
    with pytest.raises(FactUnknown, match="pod-cidrs"):
        inventory(listed("x", "10.244.0.4"), facts={"pod-cidrs": None}).assert_addresses_in_range()


def churn(mode: str | None, most: str = "30", cloud: str = "azure") -> Json:
    node = {"metadata": {"name": "node-a"}, "status": {"capacity": {"pods": most}}}
    own = {
        "spec": {
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"image": "registry.example/netshoot", "command": ["python3"]}],
        }
    }
    api = StaticApi(
        lists={"/api/v1/nodes": [node]}, objects={"/api/v1/namespaces/ns/pods/client": own}
    )
    facts = {"mode": mode, "cloud": cloud}
    return World(always(reflected("x")), facts=facts, api=api).probe_pod().short_lived_copies()


def test_short_lived_pods_are_more_than_a_node_has_addresses() -> None:
    job = churn("node-subnet")
    assert job["spec"]["completions"] == 32
    template = job["spec"]["template"]["spec"]
    assert template["tolerations"] == [{"operator": "Exists"}]
    assert template["containers"][0]["command"] == ["true"]
    assert template["containers"][0]["image"] == "registry.example/netshoot"
    for mode, most, cloud in (
        ("overlay", "250", "azure"),
        ("node-subnet", "110", "azure"),
        (None, "110", "other"),
    ):
        with pytest.raises(NotApplicable):
            churn(mode, most, cloud)
    with pytest.raises(FactUnknown):
        churn(None)


def job(succeeded: int) -> tuple[Json, str, Json]:
    made = {
        "metadata": {"namespace": "ns", "name": "job-1", "annotations": {"aksnet.io/node": "n"}},
        "spec": {"completions": 32},
    }
    path = "/apis/batch/v1/namespaces/ns/jobs/job-1"
    return made, path, {"status": {"succeeded": succeeded}}


def test_pods_that_stop_coming_for_want_of_addresses_fail() -> None:
    event = {
        "message": "add: No available addresses",
        "involvedObject": {"name": "job-1-x8k2p"},
    }
    other = {"message": "another", "involvedObject": {"name": "web-0"}}
    for succeeded, events, error in (
        (32, [], None),
        (20, [event, other], ConformanceFailure),
        (20, [other], FactUnknown),
    ):
        made, path, now = job(succeeded)
        api = StaticApi(lists={"/api/v1/namespaces/ns/events": events}, objects={path: now})
        reader = Inventory(World(always(reflected("x")), api=api).engine)
        if error is None:
            reader.assert_addresses_given_again([made])
            continue
        with pytest.raises(error):
            reader.assert_addresses_given_again([made])


@dataclass
class Busy(StaticApi):
    """An API server that does not answer the first time."""

    asked: int = 0

    def get(self, path: str) -> Json | None:
        self.asked += 1
        if self.asked == 1:
            raise ApiUnreachable("no answer")
        return super().get(path)


def test_a_busy_api_server_is_asked_again() -> None:
    made, path, now = job(32)
    api = Busy(objects={path: now})
    reader = Inventory(World(always(reflected("x")), api=api).engine)
    reader.assert_addresses_given_again([made])
    assert api.asked == 2
