"""Verbs about nodes over a scripted world: what they look at, and what they conclude."""

from typing import Any

import pytest

from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    ExecNotCompleted,
    FactUnknown,
    NotApplicable,
    SettingsError,
)
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.view import ServiceEndpoint
from tests.unit.assertions.test_many import Agents
from tests.unit.scripted import (
    CLIENT,
    HOST,
    SERVICE,
    Answer,
    Script,
    StaticApi,
    StaticView,
    Text,
    World,
    always,
    host_of,
    pod,
)

OTHER_HOST = pod("other", "node-b", "10.224.0.5", host_network=True)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
BEHIND = {SERVICE.name: (ServiceEndpoint(ip="10.239.0.4", port=443),)}
OPEN = Text(0, "", "Connection to 10.224.0.4 10250 port [tcp/*] succeeded!\n")
CLOSED = Text(1, "", "nc: connect to 10.224.0.4 port 10255 (tcp) failed: Connection refused\n")


def kernel(*, clock_s: int = 1000, mtu: int = 1500, forward: int = 1) -> Text:
    settings = {
        "ip_forward": str(forward),
        "ip_local_port_range": "32768\t60999",
    }
    text = "".join(f"file /proc/sys/net/ipv4/{k}\n {v}\n" for k, v in settings.items())
    route = "Iface\tDestination\tMask\n eth0\t00000000\t00000000"
    text += f"file /proc/net/route\n {route}\nfile /sys/class/net/eth0/mtu\n {mtu}\n"
    return Text(0, f"{text}clock {clock_s}\n")


def by_pod(**answers: Answer) -> Script:
    return lambda looker, _argv: answers[looker.name]


def by_host(**answers: Answer) -> Script:
    named = {key.strip("_").replace("_", "."): answer for key, answer in answers.items()}
    return lambda _pod, argv: named[host_of(argv)]


def test_settings_are_judged_and_name_the_node() -> None:
    World(always(kernel())).probe_pod(HOST).assert_kernel_settings()
    with pytest.raises(ConformanceFailure, match="ip_forward of node node-a"):
        World(always(kernel(forward=0))).probe_pod(HOST).assert_kernel_settings()


def test_only_a_host_network_pod_sees_its_node() -> None:
    with pytest.raises(SettingsError, match="use a host-network pod"):
        World(always(kernel())).probe_pod(CLIENT).assert_kernel_settings()


def test_clocks_and_mtus_are_compared_with_each_other() -> None:
    hosts: list[PodRef] = [HOST, OTHER_HOST]
    same = World(always(kernel()))
    same.probe_pod(HOST).assert_same_mtu(hosts)
    apart = World(by_pod(host=kernel(), other=kernel(clock_s=1300)))
    with pytest.raises(ConformanceFailure, match="node node-b is ahead"):
        apart.probe_pod(HOST).assert_clocks_agree(hosts)
    longer = World(by_pod(host=kernel(), other=kernel(mtu=3900)))
    with pytest.raises(ConformanceFailure, match="3900 on node-b"):
        longer.probe_pod(HOST).assert_same_mtu(hosts)


@pytest.mark.parametrize(
    ("answer", "raised", "words"),
    [
        (Text(0, "nftables\n200"), None, ""),
        (Text(0, "iptables\n200"), ConformanceFailure, "should run in mode nftables"),
        (Text(7, "\n000"), ControlFailed, "does not tell its mode"),
    ],
)
def test_the_mode_of_kube_proxy(answer: Text, raised: type[Exception] | None, words: str) -> None:
    probing = World(always(answer)).probe_pod(HOST)
    if raised is None:
        probing.assert_service_proxy_mode()
        return
    with pytest.raises(raised, match=words):
        probing.assert_service_proxy_mode()


def test_no_kube_proxy_is_not_applicable_and_no_fact_is_unknown() -> None:
    none = World(always(kernel()), facts={"kube-proxy-mode": "none"}).probe_pod(HOST)
    with pytest.raises(NotApplicable):
        none.assert_service_proxy_mode()
    unknown = World(always(kernel()), facts={"kube-proxy-mode": None}).probe_pod(HOST)
    with pytest.raises(FactUnknown, match="--aksnet-profile kube-proxy-mode"):
        unknown.assert_service_proxy_mode()


def test_rules_count_only_where_the_server_itself_is_reached() -> None:
    view = StaticView(behind=BEHIND)
    good = World(always(OPEN), view=view)
    good.probe_pod(HOST).assert_serves_services(SERVICE)
    broken = World(by_host(_10_239_0_4=OPEN, _10_0_5_5=CLOSED), view=view)
    with pytest.raises(ConformanceFailure, match="its service proxy has no rules"):
        broken.probe_pod(HOST).assert_serves_services(SERVICE)
    with pytest.raises(ControlFailed):
        World(always(CLOSED), view=view).probe_pod(HOST).assert_serves_services(SERVICE)
    with pytest.raises(FactUnknown, match="no endpoint"):
        World(always(OPEN)).probe_pod(HOST).assert_serves_services(SERVICE)


def test_a_closed_port_counts_only_where_the_kubelet_listens() -> None:
    def script(read_only: Answer, kubelet: Answer = OPEN) -> Script:
        return lambda _pod, argv: read_only if "10255" in argv else kubelet

    World(script(CLOSED)).probe_pod(HOST).assert_read_only_port_closed()
    with pytest.raises(ConformanceFailure, match="without credentials"):
        World(script(OPEN)).probe_pod(HOST).assert_read_only_port_closed()
    with pytest.raises(ControlFailed):
        World(script(CLOSED, CLOSED)).probe_pod(HOST).assert_read_only_port_closed()


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_kubelet_that_takes_anonymous_requests(status: int) -> None:
    World(always(Text(0, "Unauthorized\n401"))).probe_pod(HOST).assert_kubelet_wants_credentials()
    with pytest.raises(ConformanceFailure, match=f"answers {status}"):
        World(always(Text(0, f"x\n{status}"))).probe_pod(HOST).assert_kubelet_wants_credentials()


def lease(name: str, time: str) -> Any:
    spec = {"leaseDurationSeconds": 40, "renewTime": f"2026-11-21T{time}Z"}
    return {"metadata": {"name": name}, "spec": spec}


class RenewingApi(StaticApi):
    """Leases by their minutes; a node's is renewed after so many readings, or never."""

    def __init__(self, **leases: tuple[int, int | None]) -> None:
        self._leases = {f"node-{name}": minute_after for name, minute_after in leases.items()}
        nodes = [{"metadata": {"name": name}} for name in self._leases]
        super().__init__(lists={"/api/v1/nodes": nodes})
        self._readings = 0

    def items(self, path: str, query: Any = None) -> list[Any]:
        if path != LEASES:
            return super().items(path, query)
        self._readings += 1
        return [
            lease(name, f"10:{minute:02}:{10 * (after is not None and self._readings > after):02}")
            for name, (minute, after) in self._leases.items()
        ]


def test_a_lease_of_a_wrong_clock_that_is_renewed_is_good() -> None:
    world = World(always(kernel()), api=RenewingApi(a=(0, 2), b=(0, None), c=(5, 4)))
    Inventory(world.engine).assert_leases_renewed()
    assert world.time < 40


def test_a_lease_that_is_not_renewed_while_it_holds_fails() -> None:
    world = World(always(kernel()), api=RenewingApi(a=(5, 2), b=(5, None), c=(0, None)))
    with pytest.raises(ConformanceFailure, match=r"should renew .*\n") as failed:
        Inventory(world.engine).assert_leases_renewed()
    assert "node-c" in str(failed.value)
    assert "the kubelet of node node-b" not in str(failed.value)
    assert 40 < world.time < 60


@pytest.mark.parametrize("nodes", ["a", "abc"])
def test_leases_that_nobody_renews_fail_however_alike_they_are(nodes: str) -> None:
    world = World(always(kernel()), api=RenewingApi(**dict.fromkeys(nodes, (0, None))))
    with pytest.raises(ConformanceFailure, match=f"the kubelet of node node-{nodes[-1]}"):
        Inventory(world.engine).assert_leases_renewed()


STATE = """file /host/run/azure-vnet.json
 {"Network": {"ExternalInterfaces": {"eth0": {"Networks": {"azure": {"Endpoints": {"e": {
 "IPAddresses": [{"IP": "%s"}]}}}}}}}}
end
"""


@pytest.mark.parametrize(
    ("output", "raised", "words"),
    [
        (STATE % CLIENT.ip, None, ""),
        (STATE % "10.244.9.9", ControlFailed, "does not have the address 10.244.0.7 of pod"),
        ("end\n", NotApplicable, "keeps no such state"),
    ],
)
def test_the_plugins_state_counts_only_where_it_knows_the_pod_that_looks(
    output: str, raised: type[Exception] | None, words: str
) -> None:
    own = {"metadata": {}, "status": {"podIPs": [{"ip": CLIENT.ip}]}}
    api = StaticApi(lists={"/api/v1/pods": [own]})
    looking = World(always(Text(0, output)), api=api).probe_pod(CLIENT)
    if raised is None:
        looking.assert_cni_holds_no_leftovers([CLIENT])
        return
    with pytest.raises(raised, match=words):
        looking.assert_cni_holds_no_leftovers([CLIENT])


def test_a_burst_that_was_never_sent_proves_nothing() -> None:
    world = World(always(kernel()), prober=Agents(lambda _pod, _probe: None))
    with pytest.raises(ExecNotCompleted, match="made none of 400 connections"):
        world.probe_pod(HOST).assert_links_lose_nothing([HOST, OTHER_HOST])


def test_no_known_agent_names_the_option() -> None:
    world = World(always(kernel()), api=StaticApi(), facts={"mode": None})
    with pytest.raises(FactUnknown, match="--aksnet-profile mode"):
        Inventory(world.engine).assert_agents_ready()
