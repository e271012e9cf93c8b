"""The verbs of the ways out, with agents and objects that answer from a script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    FactUnknown,
    NotApplicable,
    OutputUnparsable,
)
from pytest_aksnet.model.peers import Endpoint, PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.site import Destination, Site, WhoAmI
from tests.unit.scripted import (
    CLIENT,
    HOST,
    INTERNET,
    SERVER,
    TIMEOUT,
    VM,
    StaticApi,
    Text,
    World,
    always,
    pod,
    reflected,
)

REGION = {"region": "westeurope"}
WHOAMI = WhoAmI(server="203.0.113.80", name="myip.echo.example")
SYSTEM = "/api/v1/namespaces/kube-system"
OF_AKS = f"{SYSTEM}/configmaps/azure-ip-masq-agent-config-reconciled"
OF_THE_USER = f"{SYSTEM}/configmaps/azure-ip-masq-agent-config"
NEIGHBOUR = pod("neighbour", "node-a", "10.244.0.9")


def ok(**facts: object) -> Answer:
    return Answer(Finding.OK, 2.0, 1002.0, {"connect_ms": 1.0, **facts})


def ended(finding: Finding) -> Answer:
    return Answer(finding, 500.0, 500.0, {})


def reached(_pod: PodRef, argv: tuple[str, ...]) -> Text:
    """Whatever is asked once, by curl or nc, is reached."""
    if argv[0] == "nc":
        return Text(0, "", f"Connection to {argv[-2]} {argv[-1]} port [tcp/*] succeeded!\n")
    return reflected(CLIENT.ip)


@dataclass
class Agents:
    """A Prober; `bad` are the hosts that answer otherwise."""

    bad: dict[str, Answer] = field(default_factory=dict)
    good: Answer = field(default_factory=ok)
    asked: list[Probe] = field(default_factory=list)

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked += probes
        answers = tuple(self.bad.get(probe.host, self.good) for probe in probes)
        return Batch(answers=answers, ended=True)


def world(
    agents: Agents, site: Site | None = None, facts: Mapping[str, str | None] | None = None
) -> World:
    return World(
        reached,
        prober=agents,
        site=site,
        facts={**REGION, **(facts or {})},
    )


def test_what_aks_needs_is_asked_for_by_tls() -> None:
    agents = Agents()
    world(agents).probe_pod().assert_reaches_required()
    assert {"mcr.microsoft.com", "management.azure.com"} <= {probe.host for probe in agents.asked}
    assert {(probe.kind, probe.port) for probe in agents.asked} == {(Kind.TLS, 443)}


def test_the_site_file_says_what_is_needed_instead() -> None:
    agents = Agents(bad={"b.example": ended(Finding.TIMEOUT)})
    site = Site(required_fqdns=("a.example", "b.example:8443"))
    with pytest.raises(ConformanceFailure, match=r"b\.example:8443 must be reached") as failure:
        world(agents, site).probe_pod().assert_reaches_required()
    assert "dropped on the way" in str(failure.value)
    assert [(probe.host, probe.port) for probe in agents.asked] == [
        ("a.example", 443),
        ("b.example", 8443),
    ]


def test_elsewhere_what_is_needed_must_be_named() -> None:
    with pytest.raises(FactUnknown, match="required_fqdns"):
        world(Agents(), facts={"cloud": "other"}).probe_pod().assert_reaches_required()
    with pytest.raises(NotApplicable, match="required_fqdns"):
        world(Agents(), Site(required_fqdns=())).probe_pod().assert_reaches_required()


def test_without_a_way_out_on_purpose_the_internet_is_not_looked_at() -> None:
    isolated = world(Agents(), Site(outbound="none", vnet_vm=VM)).probe_pod()
    for look in (
        isolated.assert_reaches_required,
        isolated.assert_tls_not_intercepted,
        lambda: isolated.assert_leaves_as_promised(over="tcp"),
    ):
        with pytest.raises(NotApplicable, match='outbound is "none"'):
            look()
    for need in (Site(outbound="none").need_internet, Site(outbound="none").need_internet6):
        with pytest.raises(NotApplicable):
            need()


def test_the_authority_of_the_site_is_what_certificates_are_judged_by() -> None:
    agents = Agents(good=ok(verified=False, issuer="CN=Inspector", why="unknown"))
    site = Site(required_fqdns=("a.example",), trusted_ca="PEM")
    with pytest.raises(ConformanceFailure, match="CN=Inspector"):
        world(agents, site).probe_pod().assert_tls_not_intercepted()
    assert agents.asked[0].options["ca"] == "PEM"


def test_what_must_not_be_reached_needs_a_control_in_the_same_list() -> None:
    place = Destination(host="198.51.100.7", port=22)
    silent = {"198.51.100.7": ended(Finding.TIMEOUT)}
    good = Agents(bad=silent)
    world(good).probe_pod().assert_cannot_reach([place], SERVER)
    assert [probe.host for probe in good.asked] == ["198.51.100.7", SERVER.ip]
    with pytest.raises(ConformanceFailure, match=r"198\.51\.100\.7:22 from the pods of node"):
        world(Agents()).probe_pod().assert_cannot_reach([place], SERVER)
    blind = Agents(bad={**silent, SERVER.ip: ended(Finding.TIMEOUT)})
    with pytest.raises(ControlFailed, match="control did not hold"):
        world(blind).probe_pod().assert_cannot_reach([place], SERVER)
    dead = World(always(TIMEOUT), prober=Agents(bad=silent))
    with pytest.raises(ControlFailed):
        dead.probe_pod().assert_cannot_reach([place], SERVER)


def test_isolation_is_judged_by_names_and_public_places_alone() -> None:
    site = Site(
        outbound="none",
        vnet_vm=VM,
        unreachable=(
            Destination(host="203.0.113.80"),
            Destination(host="10.225.0.9"),
            Destination(host="db.example"),
            Destination(host="168.63.129.16", port=80),
            Destination(host="169.254.169.254", port=80),
        ),
    )
    agents = Agents(good=ended(Finding.TIMEOUT), bad={VM.host: ok()})
    world(agents, site).probe_pod().assert_no_way_out(["www.example.com"])
    assert [probe.host for probe in agents.asked] == ["www.example.com", "203.0.113.80", VM.host]
    with pytest.raises(ConformanceFailure, match="has a way out"):
        world(Agents(), site).probe_pod().assert_no_way_out([])
    with pytest.raises(NotApplicable, match="on purpose"):
        world(Agents()).probe_pod().assert_no_way_out([])
    with pytest.raises(FactUnknown, match="unreachable"):
        world(Agents(), Site(outbound="none", vnet_vm=VM)).probe_pod().assert_no_way_out([])


def test_a_name_server_tells_with_which_address_a_pod_leaves() -> None:
    site = Site(whoami=WHOAMI, egress_ips=("198.51.100.1",))
    agents = Agents(good=ok(records=["198.51.100.1"]))
    world(agents, site).probe_pod().assert_leaves_as_promised(over="tcp")
    assert agents.asked[0].options == {"name": WHOAMI.name, "type": "A", "tcp": "yes"}
    other = Agents(good=ok(records=["198.51.100.9"]))
    with pytest.raises(ConformanceFailure, match=r"left with 198\.51\.100\.9"):
        world(other, site).probe_pod().assert_leaves_as_promised(over="udp")
    assert "tcp" not in other.asked[0].options
    with pytest.raises(ControlFailed, match="it told none"):
        world(Agents(), site).probe_pod().assert_leaves_as_promised(over="udp")
    closed = Agents(good=ended(Finding.TIMEOUT))
    with pytest.raises(ControlFailed, match="with which address is not known"):
        world(closed, site).probe_pod().assert_leaves_as_promised(over="udp")
    with pytest.raises(FactUnknown, match="egress_ips"):
        world(agents, Site(whoami=WHOAMI)).probe_pod().assert_leaves_as_promised(over="udp")
    with pytest.raises(FactUnknown, match="whoami"):
        world(agents).probe_pod().assert_leaves_as_promised(over="udp")


def test_ipv6_is_looked_at_in_dual_stack_clusters_only() -> None:
    site = Site(internet6=Endpoint(what="host", host="2001:db8::80", port=80))
    dual = {"ip-families": "ipv4,ipv6"}
    world(Agents(good=ok(body="2001:db8:1::1\n")), site, dual).probe_pod().assert_leaves_by_ipv6()
    with pytest.raises(ConformanceFailure, match="left with fd00::7"):
        world(Agents(good=ok(body="fd00::7")), site, dual).probe_pod().assert_leaves_by_ipv6()
    with pytest.raises(ControlFailed, match="the address it saw"):
        world(Agents(good=ok(body="<html>")), site, dual).probe_pod().assert_leaves_by_ipv6()
    with pytest.raises(NotApplicable, match="no IPv6"):
        world(Agents(), site, {"ip-families": "ipv4"}).probe_pod().assert_leaves_by_ipv6()


def test_a_burst_is_one_list_of_held_connections() -> None:
    agents = Agents()
    world(agents).probe_pod().assert_burst(INTERNET)
    assert len(agents.asked) == 128
    assert {probe.options["hold"] for probe in agents.asked} == {"1"}
    with pytest.raises(ConformanceFailure, match="128 of 128 connections at once got no answer"):
        world(Agents(good=ended(Finding.TIMEOUT))).probe_pod().assert_burst(INTERNET)
    with pytest.raises(ControlFailed):
        World(always(TIMEOUT), prober=Agents()).probe_pod().assert_burst(INTERNET)


def test_a_silent_connection_is_held_as_long_as_this_run_waits() -> None:
    agents = Agents()
    made = world(agents)
    made.probe_pod().assert_lives_idle(INTERNET)
    assert float(agents.asked[0].options["hold"]) == made.engine.pacing.idle_s
    assert agents.asked[0].timeout_s > made.engine.pacing.idle_s
    forgot = Agents(good=Answer(Finding.RESET, 1.0, 1.0, {"connect_ms": 1.0}))
    with pytest.raises(ConformanceFailure, match="forgets flows"):
        world(forgot).probe_pod().assert_lives_idle(INTERNET)


def test_the_metadata_service_is_judged_by_what_is_intended() -> None:
    imds = "169.254.169.254"
    silent = {imds: ended(Finding.TIMEOUT)}
    world(Agents(), Site(imds="open")).probe_pod().assert_imds_as_intended(HOST)
    with pytest.raises(ConformanceFailure, match="must be reached"):
        world(Agents(bad=silent), Site(imds="open")).probe_pod().assert_imds_as_intended(HOST)
    restricted = Site(imds="restricted")
    world(Agents(bad=silent), restricted).probe_pod().assert_imds_as_intended(HOST)
    with pytest.raises(ConformanceFailure, match="IMDS restriction"):
        world(Agents(), restricted).probe_pod().assert_imds_as_intended(HOST)
    timed_out = Text(1, "", f"nc: connect to {imds} port 80 (tcp) timed out: in progress\n")
    dead = World(always(timed_out), prober=Agents(bad=silent), site=restricted)
    with pytest.raises(ControlFailed, match="reaches the metadata service"):
        dead.probe_pod().assert_imds_as_intended(HOST)
    with pytest.raises(FactUnknown, match="set imds"):
        world(Agents()).probe_pod().assert_imds_as_intended(HOST)


def test_platform_addresses_are_azures_alone() -> None:
    other = world(Agents(), facts={"cloud": "other"}).probe_pod()
    for look in (
        other.assert_reaches_wire_server,
        lambda: other.assert_imds_as_intended(HOST),
        other.assert_azure_dns_answers,
    ):
        with pytest.raises(NotApplicable, match="not on Azure"):
            look()


def test_azure_dns_is_asked_where_nodes_ask_it() -> None:
    agents = Agents(good=ok(rcode="NXDOMAIN"))
    world(agents).probe_pod(HOST).assert_azure_dns_answers()
    assert [probe.options.get("tcp") for probe in agents.asked] == [None, "yes"]
    with pytest.raises(ConformanceFailure, match="SERVFAIL"):
        world(Agents(good=ok(rcode="SERVFAIL"))).probe_pod(HOST).assert_azure_dns_answers()
    of_its_own = world(agents, Site(dns_servers=("10.225.0.10",))).probe_pod(HOST)
    with pytest.raises(NotApplicable, match="DNS servers"):
        of_its_own.assert_azure_dns_answers()


def test_pods_tell_which_address_they_see() -> None:
    agents = Agents(good=ok(source=CLIENT.ip), bad={SERVER.ip: ok(source="10.224.0.4")})
    world(agents).probe_pod().assert_sources_as_promised([NEIGHBOUR])
    with pytest.raises(ConformanceFailure, match="masqueraded"):
        world(agents).probe_pod().assert_sources_as_promised([NEIGHBOUR, SERVER])


def test_outside_of_aks_only_pods_are_promised_each_others_addresses() -> None:
    nowhere: dict[str, str | None] = {"mode": None, "cloud": "other"}
    agents = Agents(good=ok(source=CLIENT.ip))
    made = world(agents, facts=nowhere).probe_pod()
    made.assert_sources_as_promised([NEIGHBOUR, SERVER])
    with pytest.raises(NotApplicable, match="not on Azure"):
        made.assert_sources_as_promised([HOST])
    with pytest.raises(NotApplicable, match="not on Azure"):
        made.assert_source_as_promised(HOST)
    unknown = world(agents, facts={"mode": None}).probe_pod()
    with pytest.raises(FactUnknown, match="mode"):
        unknown.assert_sources_as_promised([HOST])


def config(text: str) -> dict[str, object]:
    return {"data": {"ip-masq-agent": text}}


def inventory(
    objects: dict[str, dict[str, object]], facts: Mapping[str, str | None] | None = None
) -> tuple[Inventory, World]:
    made = World(
        always(TIMEOUT),
        facts=facts,
        api=StaticApi(
            objects=objects,
            lists={
                f"{SYSTEM}/pods": [
                    {
                        "metadata": {"name": "coredns"},
                        "status": {"podIPs": [{"ip": "10.244.0.2"}]},
                    },
                    {
                        "metadata": {"name": "kube-proxy"},
                        "spec": {"hostNetwork": True},
                        "status": {"podIPs": [{"ip": "10.224.0.4"}]},
                    },
                ]
            },
        ),
    )
    return Inventory(made.engine), made


def test_the_ranges_of_both_config_maps_are_merged_whatever_the_case_of_their_keys() -> None:
    right = config("nonMasqueradeCIDRs:\n  - 10.244.0.0/16\nmasqLinkLocal: true\n")
    found, made = inventory({OF_AKS: right, OF_THE_USER: config("NonMasqueradeCIDRs: []")})
    sheet = found.assert_masquerade_ranges()
    assert sheet.facts["ranges"] == "10.244.0.0/16"
    [attempt] = made.recorder.attempts
    assert attempt.verdict is not None
    assert "of your own" in attempt.verdict.warning
    wrong = config("NonMasqueradeCIDRs: [10.224.0.0/12]")
    with pytest.raises(ConformanceFailure, match=r"node node-a \(10\.224\.0\.4\) is in it"):
        inventory({OF_AKS: right, OF_THE_USER: wrong})[0].assert_masquerade_ranges()


def test_a_list_that_says_nothing_or_does_not_count_is_no_verdict() -> None:
    with pytest.raises(FactUnknown, match="neither ConfigMap"):
        inventory({})[0].assert_masquerade_ranges()
    for text in ("- a\n", "nonMasqueradeCIDRs: [x]", "a: [", "nonMasqueradeCIDRs: 3"):
        with pytest.raises(OutputUnparsable, match="cannot be read"):
            inventory({OF_AKS: config(text)})[0].assert_masquerade_ranges()
    for facts in ({"mode": "pod-subnet"}, {"cloud": "other"}, {"ebpf-host-routing": "yes"}):
        with pytest.raises(NotApplicable):
            inventory({}, dict(facts))[0].assert_masquerade_ranges()
