"""The verbs about DNS, with tools, agents and objects that answer from a script."""

import json
from collections.abc import Callable, Sequence

import pytest

from pytest_aksnet.assertions.dns_layers import LOCAL_DNS_LABEL, nodes_with_local_dns
from pytest_aksnet.assertions.dns_resolver import counting_spec, dns_none
from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    FactUnknown,
    NotApplicable,
    SettingsError,
    ToolMissing,
)
from pytest_aksnet.model.observation import DnsStatus
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Probe
from pytest_aksnet.model.site import Site
from pytest_aksnet.probes.resolver import SearchQueries
from tests.unit.scripted import (
    CLIENT,
    DNS_SILENT,
    HOST,
    MISSING,
    SERVER,
    SERVICE,
    StaticApi,
    StaticView,
    Text,
    World,
    always,
    dig,
)

COREFILE = ".:53 {\n  kubernetes cluster.local {\n    pods insecure\n    ttl 30\n  }\n}\n"
_SYSTEM = "/api/v1/namespaces/kube-system"


def said(rcode: str = "NOERROR", *records: str) -> Answer:
    return Answer(Finding.OK, 2.0, 2.0, {"rcode": rcode, "records": list(records)})


SILENT = Answer(Finding.TIMEOUT, 4000.0, 4000.0, {})
Reply = Callable[[Probe], Answer]


def always_says(answer: Answer) -> Reply:
    return lambda _: answer


class Agents:
    """A Prober that answers each question by its server and name."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[str, Sequence[Probe]]] = []

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked.append((pod.name, probes))
        return Batch(answers=tuple(map(self.reply, probes)), ended=True)


def by_name(probe: Probe) -> Answer:
    """A DNS in which all is well."""
    name = probe.options["name"].rstrip(".").lower()
    if name == SERVICE.fqdn:
        return said("NOERROR", SERVICE.cluster_ip)
    return said("NXDOMAIN") if name.startswith("x") else said("NOERROR", "203.0.113.9")


def asking(
    reply: Reply = by_name, *, site: Site | None = None, replicas: tuple[str, ...] = ("10.244.0.2",)
) -> tuple[ProbePod, Agents, World]:
    agents = Agents(reply)
    made = World(
        always(dig("x A 10.0.0.1")), prober=agents, site=site, view=StaticView(replicas=replicas)
    )
    return made.probe_pod(), agents, made


def resolv_conf(server: str = "10.0.0.10") -> Text:
    return Text(
        0, f"search ns.svc.cluster.local svc.cluster.local cluster.local\nnameserver {server}\n"
        "options ndots:5\n",
    )  # fmt: skip


def test_resolv_conf_is_read_once_and_judged_by_the_policy() -> None:
    made = World(always(resolv_conf()))
    assert made.probe_pod().assert_cluster_first().nameservers == ("10.0.0.10",)
    with pytest.raises(ConformanceFailure, match="clusterDNS of the kubelet of node node-a"):
        World(always(resolv_conf("10.0.255.53"))).probe_pod().assert_cluster_first()
    with pytest.raises(ConformanceFailure, match="the cluster's own DNS"):
        World(always(resolv_conf())).probe_pod().assert_dns_of_node()
    with pytest.raises(ConformanceFailure, match="instead of"):
        World(always(resolv_conf())).probe_pod().assert_dns_as_given(["192.0.2.53"], [], {})
    with pytest.raises(FactUnknown, match="dns-service-ip"):
        World(
            always(resolv_conf()), facts={"dns-service-ip": None}
        ).probe_pod().assert_cluster_first()


def test_queries_of_a_short_name_are_counted() -> None:
    searches = counting_spec()["dnsConfig"]
    assert isinstance(searches, dict)

    def script(_pod: PodRef, argv: tuple[str, ...]) -> Text:
        name = argv[-2]
        asked = [f"{name}.{domain}" for domain in searches["searches"]] + [name]
        return Text(0, json.dumps({"asked": asked}))

    assert len(World(script).probe_pod().assert_search_counted().asked) == 4
    for answer, raised in (
        (Text(0, json.dumps({"asked": []})), ConformanceFailure),
        (Text(0, json.dumps({"cannot": "Permission denied"})), ControlFailed),
        (MISSING, ToolMissing),
    ):
        with pytest.raises(raised):
            World(always(answer)).probe_pod().assert_search_counted()
    assert SearchQueries(name="a.b").timeout_s > 0


def test_the_spec_of_policy_none_has_options_with_and_without_value() -> None:
    spec = dns_none(["192.0.2.53"], ["a.example"], {"ndots": "2", "edns0": None})
    assert spec["dnsPolicy"] == "None"
    assert spec["dnsConfig"] == {
        "nameservers": ["192.0.2.53"],
        "searches": ["a.example"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }


def test_every_replica_is_asked_by_udp_and_tcp() -> None:
    pod, agents, _ = asking(replicas=("10.244.0.2", "10.244.1.2"))
    pod.assert_every_replica(SERVICE)
    [(_, probes)] = agents.asked
    assert [(probe.host, bool(probe.options.get("tcp"))) for probe in probes] == [
        (host, tcp) for host in ("10.244.0.2", "10.244.1.2") for tcp in (False, True)
    ]
    silent, _, _ = asking(lambda probe: SILENT if probe.options.get("tcp") else by_name(probe))
    with pytest.raises(ConformanceFailure, match=r"CoreDNS replica 10\.244\.0\.2 over TCP"):
        silent.assert_every_replica(SERVICE)
    with pytest.raises(FactUnknown, match="endpointslices"):
        asking(replicas=())[0].assert_every_replica(SERVICE)


def test_denials_empty_answers_and_letters_are_judged_by_their_code() -> None:
    pod, _, _ = asking()
    pod.assert_unknown("invalid.")
    pod.assert_any_case(SERVICE)
    pod.assert_dns_by_tcp(f"{SERVICE.fqdn}.", records=(SERVICE.cluster_ip,))
    asking(lambda _: said())[0].assert_no_record(SERVICE, "AAAA")
    for reply, word in ((said("SERVFAIL"), "SERVFAIL"), (SILENT, "nothing answered")):
        with pytest.raises(ConformanceFailure, match=word):
            asking(always_says(reply))[0].assert_unknown("invalid.")
        with pytest.raises(ConformanceFailure, match="diagnosis: "):
            asking(always_says(reply))[0].assert_no_record(SERVICE, "AAAA")


def test_a_sample_is_judged_as_a_whole() -> None:
    pod, agents, world = asking()
    pod.assert_dns_latency(SERVICE)
    pod.assert_no_query_lost(SERVICE)
    assert [len(probes) for _, probes in agents.asked] == [100, 120]
    sentences = [attempt.verdict.sentence for attempt in world.recorder.attempts if attempt.verdict]
    assert all("p50 2.0 ms, p99 2.0 ms" in sentence for sentence in sentences)
    slow = Answer(Finding.OK, 700.0, 700.0, said("NOERROR", SERVICE.cluster_ip).facts)
    asking(lambda _: slow)[0].assert_dns_latency(SERVICE)
    with pytest.raises(ConformanceFailure, match=r"100 of 100 .* later than 0\.5 s"):
        asking(lambda _: slow, site=Site(dns_p99_ms=500))[0].assert_dns_latency(SERVICE)
    with pytest.raises(ConformanceFailure, match=r"120 of 120 .* are lost"):
        asking(lambda _: SILENT)[0].assert_no_query_lost(SERVICE)


@pytest.mark.parametrize(
    ("broken", "layer"),
    [
        ("168.63.129.16", "the virtual network's DNS server 168.63.129.16"),
        ("10.244.0.2", "CoreDNS replica 10.244.0.2"),
        ("10.0.0.10", "the Service address 10.0.0.10: service proxy rules on node node-a"),
    ],
)
def test_the_first_broken_layer_is_named(broken: str, layer: str) -> None:
    pod, agents, _ = asking(lambda probe: SILENT if probe.host == broken else by_name(probe))
    with pytest.raises(ConformanceFailure, match=f"the first broken layer is {layer}"):
        pod.assert_layers(SERVICE, ["www.example.com"], host=HOST)
    assert agents.asked[0][0] == HOST.name


def test_layers_of_the_cluster_alone_where_no_other_name_is_known() -> None:
    pod, agents, _ = asking()
    pod.assert_layers(SERVICE, [], host=HOST)
    [(name, probes)] = agents.asked
    assert name == CLIENT.name
    assert {probe.options["name"] for probe in probes} == {SERVICE.fqdn}
    pod.assert_layers(SERVICE, ["www.example.com"], host=HOST)
    assert len(agents.asked) == 3


def test_names_of_the_world_point_to_what_lies_behind() -> None:
    def reply(probe: Probe) -> Answer:
        outside = probe.options["name"].startswith("www")
        return said("SERVFAIL") if outside and probe.host.startswith("10.") else by_name(probe)

    pod, _, _ = asking(reply)
    with pytest.raises(ConformanceFailure, match=r"is what CoreDNS replica .* forwards to"):
        pod.assert_layers(SERVICE, ["www.example.com"], host=HOST)


def test_servers_of_the_site_agree() -> None:
    names, private = ["www.example.com"], ["acct.example"]
    servers = ["10.225.0.10", "10.225.0.11"]
    asking()[0].assert_servers_agree(servers, names, private=private)
    with pytest.raises(ConformanceFailure, match=r"disagree about acct\.example"):
        asking(
            lambda probe: (
                said("NXDOMAIN")
                if (probe.host, probe.options["name"]) == (servers[1], "acct.example")
                else by_name(probe)
            )
        )[0].assert_servers_agree(servers, names, private=private)
    with pytest.raises(ConformanceFailure, match=r"10\.225\.0\.11 does not answer"):
        asking(lambda probe: SILENT if probe.host == servers[1] else by_name(probe))[
            0
        ].assert_servers_agree(servers, names)


def test_local_dns_is_looked_at_on_nodes_that_have_it() -> None:
    node = NodeRef(name="a", addresses=("10.224.0.4",), labels={LOCAL_DNS_LABEL: "enabled"})
    other = NodeRef(name="b", addresses=("10.224.0.5",))
    assert nodes_with_local_dns([node, other]) == (node,)
    with pytest.raises(NotApplicable, match="localdns-state"):
        nodes_with_local_dns([other])
    pod, agents, world = asking()
    world.script = always(resolv_conf("169.254.10.11"))
    pod.assert_local_dns(SERVICE, ["www.example.com"])
    [(_, probes)] = agents.asked
    assert {probe.host for probe in probes} == {"169.254.10.10", "169.254.10.11"}
    world.script = always(resolv_conf())
    with pytest.raises(ConformanceFailure, match=r"not LocalDNS at 169\.254\.10\.11"):
        pod.assert_local_dns(SERVICE, ["www.example.com"])
    with pytest.raises(SettingsError, match="name one"):
        pod.assert_local_dns(SERVICE, [])
    down, _, world = asking(lambda _: Answer(Finding.REFUSED, 1.0, 1.0, {}))
    world.script = always(resolv_conf("169.254.10.11"))
    with pytest.raises(ConformanceFailure, match="systemctl status localdns"):
        down.assert_local_dns(SERVICE, ["www.example.com"])


def with_corefile(text: str) -> StaticApi:
    return StaticApi(objects={f"{_SYSTEM}/configmaps/coredns": {"data": {"Corefile": text}}})


def test_records_are_compared_and_explained() -> None:
    srv = dig("_web._tcp.web.ns.svc.cluster.local. SRV 8080")
    srv.stdout = srv.stdout.replace("SRV\t8080", "SRV\t0 100 8080 web.ns.svc.cluster.local.")
    pod = World(always(srv)).probe_pod()
    pod.assert_records("_web._tcp.web", "SRV", ["8080 web.ns.svc.cluster.local"])
    ptr = dig("5.5.0.10.in-addr.arpa. PTR web.ns.svc.cluster.local.")
    World(always(ptr)).probe_pod().assert_reverse(SERVICE.cluster_ip, SERVICE.fqdn)
    with pytest.raises(ConformanceFailure, match="diagnosis: "):
        World(always(dig(status="SERVFAIL"))).probe_pod().assert_records("a", "A", ["10.0.0.1"])


def test_names_of_pods_depend_on_the_corefile() -> None:
    answer = always(dig("10-244-1-9.ns.pod.cluster.local. A 10.244.1.9"))
    World(answer, api=with_corefile(COREFILE)).probe_pod().assert_pod_record(SERVER)
    disabled = with_corefile(COREFILE.replace("pods insecure", ""))
    with pytest.raises(NotApplicable, match="pods have no names"):
        World(answer, api=disabled).probe_pod().assert_pod_record(SERVER)
    with pytest.raises(FactUnknown, match="no ConfigMap kube-system/coredns"):
        World(answer, api=StaticApi()).probe_pod().assert_pod_record(SERVER)


@pytest.mark.parametrize(
    "text", [".:53 {\n    forward . /etc/resolv.conf\n}\n", ".:53 {\n errors\n"]
)
def test_a_corefile_that_says_nothing_of_the_cluster_hides_no_check(text: str) -> None:
    pod = World(always(dig(status="NXDOMAIN")), api=with_corefile(text)).probe_pod()
    with pytest.raises(FactUnknown, match="no plugin kubernetes, or does not parse"):
        pod.assert_pod_record(SERVER)
    with pytest.raises(FactUnknown, match="no plugin kubernetes, or does not parse"):
        pod.assert_denial_is_short(SERVICE)


def test_denials_are_compared_with_the_corefile() -> None:
    denial = dig(status="NXDOMAIN")
    soa = "cluster.local.\t{}\tIN\tSOA\tns.dns.cluster.local. hostmaster.cluster.local. 1 7 1 8 {}"
    for ttl, good in ((30, True), (3600, False)):
        section = f";; AUTHORITY SECTION:\n{soa.format(ttl, ttl)}\n\n;; Query time"
        text = Text(0, denial.stdout.replace(";; Query time", section))
        pod = World(always(text), api=with_corefile(COREFILE)).probe_pod()
        if good:
            assert pod.assert_denial_is_short(SERVICE).ttl_s == ttl
        else:
            with pytest.raises(ConformanceFailure, match="says 3600 s"):
                pod.assert_denial_is_short(SERVICE)


def test_what_was_deleted_ends() -> None:
    assert World(always(dig(status="NXDOMAIN"))).probe_pod().assert_gone(SERVICE).status is (
        DnsStatus.NXDOMAIN
    )
    slow = World(always(dig()))
    with pytest.raises(ConformanceFailure, match="still exists"):
        slow.probe_pod().assert_gone(SERVICE)
    assert slow.time > 30, "an answer of before may be remembered for that long"
    with pytest.raises(ConformanceFailure, match="no DNS server answered"):
        World(always(DNS_SILENT)).probe_pod().assert_gone(SERVICE)


def inventory(api: StaticApi) -> Inventory:
    return Inventory(World(always(dig()), api=api).engine)


def test_what_is_added_to_the_corefile_is_judged_where_there_is_any() -> None:
    with pytest.raises(NotApplicable, match="coredns-custom"):
        inventory(StaticApi()).assert_custom_corefile()
    name = f"{_SYSTEM}/configmaps/coredns-custom"
    inventory(
        StaticApi(objects={name: {"data": {"log.override": "log\n"}}})
    ).assert_custom_corefile()
    with pytest.raises(NotApplicable, match="it has no key"):
        inventory(StaticApi(objects={name: {}})).assert_custom_corefile()
    broken = StaticApi(objects={name: {"data": {"log.conf": "log\n"}}})
    with pytest.raises(ConformanceFailure, match="never read"):
        inventory(broken).assert_custom_corefile()


def test_replicas_are_the_pods_of_the_service() -> None:
    def api(ready: str) -> StaticApi:
        pod = {
            "metadata": {"name": "coredns-a"},
            "spec": {"nodeName": "node-a"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
        }
        service = {"spec": {"selector": {"k8s-app": "kube-dns"}}}
        return StaticApi(
            objects={f"{_SYSTEM}/services/kube-dns": service}, lists={f"{_SYSTEM}/pods": [pod]}
        )

    assert inventory(api("True")).assert_dns_replicas().facts == {"coredns-a": "node-a"}
    with pytest.raises(ConformanceFailure, match="coredns-a on node-a is not"):
        inventory(api("False")).assert_dns_replicas()
    with pytest.raises(FactUnknown, match="kube-dns"):
        inventory(StaticApi()).assert_dns_replicas()


def test_a_name_that_is_not_forwarded_is_told_from_a_way_that_is_broken() -> None:
    def script(_pod: PodRef, argv: tuple[str, ...]) -> Text:
        return dig("k A 10.0.0.1") if argv[-1].startswith("kubernetes.") else DNS_SILENT

    with pytest.raises(ConformanceFailure, match="what they forward it to does not answer them"):
        World(script).probe_pod().assert_resolves("intranet.corp.example.com.")
    with pytest.raises(ConformanceFailure, match="the way between that node and theirs"):
        World(always(DNS_SILENT)).probe_pod().assert_resolves("intranet.corp.example.com.")


@pytest.mark.parametrize(
    ("search", "options", "blamed"),
    [
        ("svc.cluster.local", "ndots:1", True),
        ("", "ndots:5", True),
        ("svc.cluster.local", "ndots:5", False),
    ],
)
def test_a_short_name_that_is_not_searched_is_the_fault_of_resolv_conf(
    search: str, options: str, blamed: bool
) -> None:
    config = Text(0, f"search {search}\nnameserver 10.0.0.10\noptions {options}\n")

    def script(_pod: PodRef, argv: tuple[str, ...]) -> Text:
        return config if argv[0] == "cat" else dig(status="NXDOMAIN")

    with pytest.raises(ConformanceFailure) as failure:
        World(script).probe_pod().assert_resolves("kubernetes.default", to="10.0.0.1")
    assert ("short names are not looked for in the cluster" in str(failure.value)) is blamed
