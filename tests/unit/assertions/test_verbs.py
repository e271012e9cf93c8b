"""The verbs as suites call them, in a world without a network."""

from collections.abc import Callable

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.check import Pacing
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    ExecNotCompleted,
    FactUnknown,
    Inconclusive,
    NotApplicable,
    OutputUnparsable,
    SettingsError,
    ToolMissing,
)
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.observation import ConnectOutcome, Throughput
from pytest_aksnet.model.peers import Endpoint, PodRef
from pytest_aksnet.model.site import PrivateName, Site
from pytest_aksnet.model.view import ServiceEndpoint
from tests.unit import scripted
from tests.unit.scripted import (
    CLIENT,
    DNS_SILENT,
    GARBAGE,
    HOST,
    INTERNET,
    MISSING,
    NODES,
    REFUSED,
    SERVER,
    SERVICE,
    TIMEOUT,
    VM,
    Answer,
    Lost,
    Script,
    StaticView,
    Text,
    World,
    always,
    dig,
    host_of,
    iperf,
    nics,
    plain,
    reflected,
)

NAME = "web.ns.svc.cluster.local"
ACCOUNT = "acct.blob.core.windows.net"
LINK = "acct.privatelink.blob.core.windows.net."
FOUND = dig(f"{NAME}. A 10.0.5.5")
PRIVATE = dig(f"{ACCOUNT}. CNAME {LINK}", f"{LINK} A 10.226.0.5")
PUBLIC = dig(f"{ACCOUNT}. CNAME {LINK}", f"{LINK} CNAME store.", "store. A 203.0.113.90")
NC_REFUSED = Text(1, "", "nc: connect to 10.224.0.5 port 10250 (tcp) failed: Connection refused\n")
NC_SILENT = Text(
    1, "", "nc: connect to 10.224.0.5 port 10250 (tcp) timed out: Operation now in progress\n"
)
NODE_A, NODE_B = NODES[0], NODES[1]


def by_host(**answers: Answer) -> Script:
    """Answers by what is asked: key "_" is the default, dots are written as underscores."""

    def script(_pod: PodRef, argv: tuple[str, ...]) -> Answer:
        return answers.get(f"h{host_of(argv).replace('.', '_')}", answers["default"])

    return script


def test_a_name_resolves_to_its_service() -> None:
    world = World(always(FOUND))
    assert world.probe_pod().assert_resolves(NAME, to=SERVICE).addresses == ("10.0.5.5",)


def test_replicas_that_answer_directly_put_the_blame_on_the_service_proxy() -> None:
    world = World(by_host(default=DNS_SILENT, h10_244_0_2=FOUND, h10_244_1_2=FOUND))
    with pytest.raises(ConformanceFailure) as failure:
        world.probe_pod().assert_resolves(NAME)
    assert "no DNS server answered" in str(failure.value)
    assert (
        "the CoreDNS replicas (10.244.0.2, 10.244.1.2) answer directly, but the Service address "
        "10.0.0.10 does not from node node-a: service proxy rules on that node"
    ) in str(failure.value)


@pytest.mark.parametrize(
    ("asked", "trouble", "words"),
    [
        ("169.254.10.11", "connection refused", "the DNS cache of node node-a at 169.254.10.11"),
        ("10.0.255.53", "timed out", "which is not the cluster's DNS (10.0.0.10): its dnsConfig"),
    ],
)
def test_another_server_than_the_clusters_dns_is_blamed_where_that_answers(
    asked: str, trouble: str, words: str
) -> None:
    silent = Text(9, f";; communications error to {asked}#53: {trouble}\n;; no servers\n", "")
    world = World(by_host(default=silent, h10_244_0_2=FOUND, h10_244_1_2=FOUND))
    with pytest.raises(ConformanceFailure) as failure:
        world.probe_pod().assert_resolves(NAME)
    assert words in str(failure.value)


def test_a_replica_that_is_silent_is_named() -> None:
    world = World(by_host(default=DNS_SILENT, h10_244_0_2=FOUND))
    with pytest.raises(ConformanceFailure, match=r"replicas 10\.244\.1\.2 do not answer"):
        world.probe_pod().assert_resolves(NAME)


def test_one_replica_can_be_asked() -> None:
    world = World(always(FOUND))
    world.probe_pod().assert_resolves(NAME, server="10.244.0.2")
    assert "@10.244.0.2" in world.calls[0][1]


def test_an_unknown_name_of_the_cluster_is_waited_for_as_long_as_the_cache_keeps_it() -> None:
    world = World(always(dig(status="NXDOMAIN")))
    with pytest.raises(ConformanceFailure, match="NXDOMAIN"):
        world.probe_pod().assert_resolves(NAME)
    assert world.time >= 35


def test_an_unknown_name_elsewhere_is_not_waited_for() -> None:
    world = World(always(dig(status="NXDOMAIN")))
    with pytest.raises(ConformanceFailure):
        world.probe_pod().assert_resolves("www.example.com")
    assert world.time < 10


def test_a_private_name_passes_with_its_endpoint_and_no_public_aaaa() -> None:
    def script(_pod: PodRef, argv: tuple[str, ...]) -> Answer:
        return dig() if "AAAA" in argv else PRIVATE

    site = Site(private_names=(PrivateName(name=ACCOUNT, addresses=("10.226.0.5",)),))
    world = World(script, site=site)
    assert world.probe_pod().assert_resolves_private(ACCOUNT).addresses == ("10.226.0.5",)
    assert len(world.calls) == 2


def test_a_zone_that_is_not_linked_is_named_and_azure_dns_is_asked() -> None:
    world = World(always(PUBLIC))
    with pytest.raises(ConformanceFailure) as failure:
        world.probe_pod().assert_resolves_private(ACCOUNT)
    message = str(failure.value)
    assert "zone privatelink.blob.core.windows.net is not linked" in message
    assert "Azure DNS (168.63.129.16) itself gives this answer" in message


def test_azure_dns_is_asked_only_in_azure() -> None:
    world = World(always(PUBLIC), facts={"cloud": "other"})
    with pytest.raises(ConformanceFailure):
        world.probe_pod().assert_resolves_private(ACCOUNT)
    assert not any("@168.63.129.16" in argv for _, argv in world.calls)


def test_a_pod_is_reached_over_http_and_other_ports_over_tcp() -> None:
    world = World(always(reflected(CLIENT.ip)))
    seen = world.probe_pod().assert_connects(ProbePod(world.engine, SERVER))
    assert seen.answered_by == "server"
    with pytest.raises(Inconclusive):
        world.probe_pod().assert_connects(SERVER, port=53)
    assert [argv[0] for _, argv in world.calls][:2] == ["curl", "nc"]


def test_endpoints_that_answer_directly_put_the_blame_on_the_service_proxy() -> None:
    view = StaticView(behind={"web": (ServiceEndpoint(ip="10.244.1.9", port=8080),)})
    world = World(by_host(default=TIMEOUT, h10_244_1_9=reflected(CLIENT.ip)), view=view)
    with pytest.raises(ConformanceFailure, match="service proxy rules on node node-a"):
        world.probe_pod().assert_connects(SERVICE)


def test_a_target_that_is_dead_is_told_from_a_broken_path() -> None:
    with pytest.raises(ConformanceFailure, match="does not answer itself either"):
        World(always(TIMEOUT)).probe_pod().assert_connects(SERVER)

    def alive(pod: PodRef, _argv: tuple[str, ...]) -> Answer:
        return reflected(SERVER.ip) if pod == SERVER else TIMEOUT

    with pytest.raises(
        ConformanceFailure,
        match="the way between the pods of node node-a and the pods of node node-b is broken",
    ):
        World(alive).probe_pod().assert_connects(SERVER)


@pytest.mark.parametrize(
    ("mode", "source", "passes"),
    [
        ("overlay", NODE_A.ip, True),
        ("overlay", CLIENT.ip, False),
        ("node-subnet", CLIENT.ip, True),
        ("node-subnet", NODE_A.ip, False),
    ],
)
def test_the_vm_sees_what_the_mode_promises(mode: str, source: str, passes: bool) -> None:
    world = World(always(plain(source, address=VM.host)), facts={"mode": mode})
    if passes:
        assert world.probe_pod().assert_source_as_promised(VM).source_seen == source
    else:
        with pytest.raises(ConformanceFailure, match="azure-ip-masq-agent"):
            world.probe_pod().assert_source_as_promised(VM)


def test_the_source_that_the_internet_sees_is_the_egress_of_the_site() -> None:
    site = Site(vnet_vm=VM, internet=INTERNET, egress_ips=("198.51.100.1",))
    good = World(always(plain("198.51.100.1", address=INTERNET.host)), site=site)
    good.probe_pod().assert_source_as_promised(INTERNET)
    bad = World(always(plain("198.51.100.2", address=INTERNET.host)), site=site)
    with pytest.raises(ConformanceFailure):
        bad.probe_pod().assert_source_as_promised(INTERNET)


def test_a_mode_that_is_unknown_makes_the_promise_unknown() -> None:
    world = World(always(plain(CLIENT.ip)), facts={"mode": None})
    with pytest.raises(FactUnknown, match="--aksnet-profile mode="):
        world.probe_pod().assert_source_as_promised(VM)


def test_a_warning_of_an_unconfirmed_promise_is_recorded() -> None:
    world = World(always(reflected(NODE_A.ip, address=NODE_A.ip)))
    world.probe_pod().assert_source_as_promised(NODE_A, port=8080)
    verdict = world.recorder.attempts[0].verdict
    assert verdict is not None
    assert verdict.warning


def test_no_snat_is_the_pods_own_address_even_where_the_mode_is_unknown() -> None:
    world = World(always(reflected(CLIENT.ip)), facts={"mode": None})
    world.probe_pod().assert_no_snat(SERVER)
    bad = World(always(reflected(NODE_A.ip)))
    with pytest.raises(ConformanceFailure, match="SNAT"):
        bad.probe_pod().assert_no_snat(SERVER)


def test_a_nodes_own_address_is_not_translated_where_the_internet_sees_it() -> None:
    outside = World(always(plain(NODE_A.ip, address=INTERNET.host))).probe_pod(HOST)
    with pytest.raises(ConformanceFailure, match="should see a translated address"):
        outside.assert_snat(INTERNET)
    translated = World(always(plain("198.51.100.4", address=INTERNET.host))).probe_pod(HOST)
    translated.assert_snat(INTERNET)


def test_snat_is_the_node_unless_a_source_is_named() -> None:
    world = World(always(plain(NODE_A.ip, address=VM.host)))
    world.probe_pod().assert_snat(VM)
    world.probe_pod().assert_snat(VM, source=NODE_A)
    with pytest.raises(ConformanceFailure):
        world.probe_pod().assert_snat(VM, source=NODE_B)
    unchanged = World(always(plain(CLIENT.ip, address=VM.host)))
    with pytest.raises(ConformanceFailure, match="not translated"):
        unchanged.probe_pod().assert_snat(VM)


def test_an_endpoint_that_does_not_say_the_source_is_inconclusive() -> None:
    world = World(always(scripted.curl(body="<html>", address=VM.host)))
    with pytest.raises(ControlFailed, match="not with the source address"):
        world.probe_pod().assert_no_snat(VM)


class PolicyWorld:
    """The target is open until `close`; everything else answers."""

    def __init__(self, *, facts: dict[str, str | None] | None = None) -> None:
        self.closed: Answer | None = None
        self.target_itself: Answer = reflected(SERVER.ip)
        self.world = World(self._answer, facts=facts)
        self.client = self.world.probe_pod()

    def _answer(self, pod: PodRef, argv: tuple[str, ...]) -> Answer:
        if host_of(argv) == SERVER.ip and pod == SERVER:
            return self.target_itself
        if host_of(argv) in (SERVER.ip, VM.host) and pod == CLIENT and self.closed:
            return self.closed
        return reflected(pod.ip)


def test_a_policy_blocks_after_its_allow_twin() -> None:
    policy = PolicyWorld()
    policy.client.assert_policy_allows(SERVER)
    policy.closed = TIMEOUT
    assert policy.client.assert_policy_blocks(SERVER).outcome is ConnectOutcome.TIMEOUT
    controls = {
        (attempt.source, attempt.role)
        for attempt in policy.world.recorder.attempts
        if attempt.role == "control"
    }
    assert controls == {("ns/client", "control"), ("ns/server", "control")}


def test_a_deny_without_allow_twin_or_control_is_inconclusive() -> None:
    policy = PolicyWorld()
    policy.closed = TIMEOUT
    with pytest.raises(ControlFailed, match="never saw"):
        policy.client.assert_policy_blocks(SERVER)
    assert policy.world.calls == []


def test_an_explicit_control_stands_in_for_the_allow_twin() -> None:
    policy = PolicyWorld()
    policy.closed = TIMEOUT
    policy.client.assert_policy_blocks(SERVER, control=INTERNET)


def test_a_policy_that_is_not_enforced_names_the_node() -> None:
    policy = PolicyWorld()
    policy.client.assert_connects(SERVER)
    with pytest.raises(ConformanceFailure, match="not enforced on node node-b, where the target"):
        policy.client.assert_policy_blocks(SERVER, direction="ingress")
    with pytest.raises(ConformanceFailure, match="not enforced on node node-a, where the source"):
        policy.client.assert_policy_blocks(SERVER, direction="egress")


def test_without_an_engine_a_deny_fails_at_once_with_that_cause() -> None:
    policy = PolicyWorld(facts={"policy-engine": "none"})
    policy.client.assert_connects(SERVER)
    with pytest.raises(ConformanceFailure, match="accepted and not enforced"):
        policy.client.assert_policy_blocks(SERVER)
    assert policy.world.time < 2


@pytest.mark.parametrize("dead", [TIMEOUT, Lost(Reason.POD_GONE), Lost(), MISSING, GARBAGE])
def test_a_target_that_died_is_not_blocked(dead: Answer) -> None:
    policy = PolicyWorld()
    policy.client.assert_connects(SERVER)
    policy.closed, policy.target_itself = TIMEOUT, dead
    with pytest.raises(Inconclusive):
        policy.client.assert_policy_blocks(SERVER)


@pytest.mark.parametrize("wrong", [REFUSED, scripted.UNREACHABLE, scripted.NO_NAME])
def test_another_failure_than_a_timeout_is_not_blocked(wrong: Answer) -> None:
    policy = PolicyWorld()
    policy.client.assert_connects(SERVER)
    policy.closed = wrong
    with pytest.raises(ControlFailed, match="proves nothing about the policy"):
        policy.client.assert_policy_blocks(SERVER)


def test_a_peer_that_is_no_pod_needs_a_witness() -> None:
    policy = PolicyWorld()
    policy.client.assert_connects(VM)
    policy.closed = TIMEOUT
    with pytest.raises(ControlFailed, match="witness="):
        policy.client.assert_policy_blocks(VM)
    policy.client.assert_policy_blocks(VM, witness=SERVER)


def test_external_policies_are_judged_by_who_answers_and_what_it_saw() -> None:
    client = World(always(reflected(NODE_B.ip))).probe_pod(HOST)
    client.assert_external_cluster(NODE_B, 30080, [SERVER])
    with pytest.raises(ConformanceFailure, match="masqueraded"):
        client.assert_external_local(NODE_B, 30080, [SERVER])
    kept = World(always(reflected(NODE_A.ip))).probe_pod(HOST)
    kept.assert_external_local(NODE_B, 30080, [SERVER])
    with pytest.raises(ConformanceFailure):
        kept.assert_external_cluster(NODE_B, 30080, [SERVER])


def test_a_node_port_that_is_dead_while_the_endpoint_lives_is_the_service_proxy() -> None:
    world = World(by_host(default=TIMEOUT, h10_244_1_9=reflected(HOST.ip)))
    with pytest.raises(ConformanceFailure, match="service proxy rules on node node-b"):
        world.probe_pod(HOST).assert_external_cluster(NODE_B, 30080, [SERVER])


def test_a_node_without_endpoint_drops_while_another_serves() -> None:
    world = World(by_host(default=reflected(HOST.ip), h10_224_0_6=TIMEOUT))
    world.probe_pod(HOST).assert_external_local_drops(NODES[2], 30080, NODE_B)
    broken = World(always(TIMEOUT))
    with pytest.raises(ControlFailed):
        broken.probe_pod(HOST).assert_external_local_drops(NODES[2], 30080, NODE_B)
    with pytest.raises(SettingsError):
        world.probe_pod(HOST).assert_external_local_drops(NODE_A, 30080, NODE_B)


def test_internal_local_is_served_on_the_node_and_dropped_elsewhere() -> None:
    near = scripted.pod("near", "node-a", "10.244.0.9")
    world = World(always(reflected(CLIENT.ip, name="near")))
    world.probe_pod().assert_internal_local(SERVICE, [near, SERVER])
    with pytest.raises(SettingsError):
        world.probe_pod().assert_internal_local(SERVICE, [SERVER])

    def elsewhere(pod: PodRef, argv: tuple[str, ...]) -> Answer:
        closed = pod == CLIENT and host_of(argv) == SERVICE.cluster_ip
        return TIMEOUT if closed else reflected(pod.ip)

    witness = scripted.pod("witness", "node-b", "10.244.1.10")
    World(elsewhere).probe_pod().assert_internal_local_drops(SERVICE, [SERVER], witness)


def test_a_health_check_answers_with_its_status() -> None:
    world = World(always(scripted.curl(status=503)))
    world.probe_pod().assert_health_check(NODE_B, 31000, 503)
    with pytest.raises(ConformanceFailure, match="answered 503"):
        world.probe_pod().assert_health_check(NODE_B, 31000, 200)
    with pytest.raises(ConformanceFailure, match="service proxy of that node does not serve"):
        World(always(REFUSED)).probe_pod().assert_health_check(NODE_B, 31000, 503)


def test_throughput_is_judged_by_the_smaller_size_of_the_pair() -> None:
    world = World(always(iperf(2.6)))
    assert world.probe_pod().assert_throughput_gbps(SERVER).gbps == pytest.approx(2.6)
    assert world.calls[0][1][:5] == ("iperf3", "--client", SERVER.ip, "--port", "5201")


def test_a_node_without_virtual_function_is_named_as_the_cause_of_low_throughput() -> None:
    def script(_pod: PodRef, argv: tuple[str, ...]) -> Answer:
        return nics(vf="") if argv[0] == "sh" else iperf(1.4)

    world = World(script)
    with pytest.raises(ConformanceFailure) as failure:
        world.probe_pod().assert_throughput_gbps(SERVER, hosts=[HOST])
    assert "1.40 Gbit/s" in str(failure.value)
    assert "node node-a should have a virtual function" in str(failure.value)
    assert sum(argv[0] == "iperf3" for _, argv in world.calls) >= 2


def test_pods_are_compared_with_their_hosts() -> None:
    host = Throughput(
        gbps=10,
        streams=4,
        seconds=3,
        retransmits=0,
        sender_cpu_percent=1,
        receiver_cpu_percent=1,
        tool_version="iperf 3.16",
    )
    World(always(iperf(7))).probe_pod().assert_throughput_like_host(SERVER, host)
    with pytest.raises(ConformanceFailure, match="between the hosts") as failure:
        World(always(iperf(3))).probe_pod().assert_throughput_like_host(SERVER, host)
    assert "so it is the pods' interfaces on node-a and node-b" in str(failure.value)


def test_throughput_of_an_unknown_size_is_unknown() -> None:
    far = scripted.pod("far", "node-c", "10.244.2.9")
    with pytest.raises(FactUnknown, match="Standard_X1"):
        World(always(iperf(9))).probe_pod().assert_throughput_gbps(far)


def test_a_virtual_function_is_waited_for_while_azure_services_the_host() -> None:
    world = World(scripted.in_turn(nics(vf=""), nics(vf=""), nics()))
    world.probe_pod(HOST).assert_vf_present()
    gone = World(always(nics(vf="")), pacing=Pacing(servicing_s=3))
    with pytest.raises(ConformanceFailure, match="accelerated networking is not in use"):
        gone.probe_pod(HOST).assert_vf_present()
    assert gone.time < 6


def test_only_a_host_network_pod_sees_the_interfaces() -> None:
    with pytest.raises(SettingsError):
        World(always(nics())).probe_pod().assert_vf_present()


@pytest.mark.parametrize(
    ("cloud", "error", "text"),
    [
        ("other", NotApplicable, "only Azure promises"),
        (None, FactUnknown, "--aksnet-profile cloud="),
    ],
)
def test_outside_azure_nobody_promises_a_virtual_function(
    cloud: str | None, error: type[Exception], text: str
) -> None:
    outside = World(always(nics(vf="")), facts={"cloud": cloud})
    with pytest.raises(error, match=text):
        outside.probe_pod(HOST).assert_vf_present()


@pytest.mark.parametrize(("through", "passes"), [(39000, True), (100, False)])
def test_a_virtual_function_is_used_if_the_transfer_takes_it(through: int, passes: bool) -> None:
    looks = scripted.in_turn(nics(), iperf(5), nics(packets=40000, through=through))
    if passes:
        World(looks).probe_pod(HOST).assert_vf_used(SERVER)
    else:
        with pytest.raises(ConformanceFailure, match="synthetic path"):
            World(looks).probe_pod(HOST).assert_vf_used(SERVER)


VERBS: dict[str, Callable[[ProbePod], object]] = {
    "assert_resolves": lambda p: p.assert_resolves(NAME),
    "assert_resolves_private": lambda p: p.assert_resolves_private(ACCOUNT),
    "assert_connects": lambda p: p.assert_connects(SERVER),
    "assert_connects_tcp": lambda p: p.assert_connects((SERVER.ip, 53)),
    "assert_source_as_promised": lambda p: p.assert_source_as_promised(VM),
    "assert_no_snat": lambda p: p.assert_no_snat(SERVER),
    "assert_snat": lambda p: p.assert_snat(VM),
    "assert_policy_allows": lambda p: p.assert_policy_allows(SERVER),
    "assert_policy_blocks": lambda p: p.assert_policy_blocks(SERVER, control=INTERNET),
    "assert_external_cluster": lambda p: p.assert_external_cluster(NODE_B, 30080, [SERVER]),
    "assert_external_local": lambda p: p.assert_external_local(NODE_B, 30080, [SERVER]),
    "assert_external_local_drops": lambda p: p.assert_external_local_drops(NODES[2], 30080, NODE_B),
    "assert_internal_local_drops": lambda p: p.assert_internal_local_drops(
        SERVICE, [SERVER], SERVER
    ),
    "assert_health_check": lambda p: p.assert_health_check(NODE_B, 31000, 200),
    "assert_throughput_gbps": lambda p: p.assert_throughput_gbps(SERVER),
    "assert_vf_present": lambda p: p.assert_vf_present(),
    "assert_vf_used": lambda p: p.assert_vf_used(SERVER),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
@pytest.mark.parametrize(
    ("blind", "kind"),
    [
        (Lost(Reason.CUT), ExecNotCompleted),
        (Lost(Reason.STATUS_LOST), ExecNotCompleted),
        (Lost(Reason.POD_GONE), ExecNotCompleted),
        (MISSING, ToolMissing),
        (GARBAGE, OutputUnparsable),
        (scripted.Text(137, "", "Killed"), OutputUnparsable),
    ],
    ids=["cut", "status-lost", "pod-gone", "tool-missing", "garbage", "killed"],
)
def test_no_verb_passes_or_fails_where_nothing_was_looked_at(
    verb: Callable[[ProbePod], object], blind: Answer, kind: type[Inconclusive]
) -> None:
    world = World(always(blind))
    with pytest.raises(kind):
        verb(world.probe_pod(HOST))
    assert len(world.recorder.attempts) == len(world.calls) >= 1


def test_every_verb_is_in_the_table_of_blind_looks() -> None:
    verbs = {name for name in vars(ProbePod) if name.startswith("assert_")}
    # Two need a situation of their own before the first look; the others ask agents: test_many.py.
    assert verbs - set(VERBS) == {
        *("assert_internal_local", "assert_throughput_like_host"),
        *("assert_reaches_all", "assert_reaches_none", "assert_path_mtu"),
    }


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("10.225.9.9", "another node or a machine of the same virtual network"),
        ("172.20.0.9", "a peered network or a site outside the virtual network"),
        ("203.0.113.9", "the internet"),
    ],
)
def test_a_destination_that_the_site_does_not_name_is_classed_by_its_address(
    host: str, words: str
) -> None:
    world = World(always(plain("192.168.77.77", address=host)))
    elsewhere = Endpoint(what="somewhere", host="name.example", port=80)
    with pytest.raises(ConformanceFailure, match=words):
        world.probe_pod().assert_source_as_promised(elsewhere)


def test_without_the_ranges_of_the_vnet_a_private_destination_has_no_class() -> None:
    world = World(always(plain(CLIENT.ip, address="10.225.9.9")), facts={"vnet-cidrs": None})
    elsewhere = Endpoint(what="somewhere", host="10.225.9.9", port=80)
    with pytest.raises(FactUnknown, match="vnet-cidrs"):
        world.probe_pod().assert_source_as_promised(elsewhere)


def test_a_host_network_pod_shows_its_node() -> None:
    world = World(always(plain(NODE_A.ip, address=VM.host)), facts={"mode": "node-subnet"})
    world.probe_pod(HOST).assert_source_as_promised(VM)
    world.probe_pod(HOST).assert_no_snat(VM)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"h10_244_0_2": FOUND, "h10_244_1_2": dig(status="NXDOMAIN")}, "replicas disagree"),
        ({"h10_244_0_2": FOUND, "h10_244_1_2": FOUND}, "another resolver or an old answer"),
        ({}, "every CoreDNS replica answers SERVFAIL"),
    ],
)
def test_a_wrong_answer_is_traced_to_who_gives_it(answers: dict[str, Answer], words: str) -> None:
    world = World(by_host(default=dig(status="SERVFAIL"), **answers))
    with pytest.raises(ConformanceFailure, match=words):
        world.probe_pod().assert_resolves(NAME)


def test_an_answer_that_is_wrong_in_the_same_way_everywhere_is_called_so() -> None:
    world = World(always(dig(status="REFUSED")))
    with pytest.raises(ConformanceFailure, match="gives the same unexpected answer"):
        world.probe_pod().assert_resolves(NAME)


def test_replicas_that_fail_are_told_from_the_azure_dns_that_answers() -> None:
    world = World(by_host(default=dig(status="SERVFAIL"), h168_63_129_16=PRIVATE))
    with pytest.raises(ConformanceFailure) as failure:
        world.probe_pod().assert_resolves_private(ACCOUNT)
    message = str(failure.value)
    assert "every CoreDNS replica answers SERVFAIL (10.244.0.2, 10.244.1.2)" in message
    assert "Azure DNS (168.63.129.16) gives the expected answer to this node" in message


def test_replicas_that_are_all_silent_put_the_blame_on_the_way() -> None:
    with pytest.raises(ConformanceFailure, match="the way between that node and theirs is broken"):
        World(always(DNS_SILENT)).probe_pod().assert_resolves(NAME)


@pytest.mark.parametrize(
    ("internet", "words"),
    [
        (plain("198.51.100.1"), "the way between it and the pods of node node-a is broken"),
        (TIMEOUT, "does not reach host on the internet either"),
    ],
)
def test_a_silent_host_outside_is_compared_with_another(internet: Answer, words: str) -> None:
    world = World(
        by_host(default=TIMEOUT, h203_0_113_80=internet), site=Site(vnet_vm=VM, internet=INTERNET)
    )
    with pytest.raises(ConformanceFailure, match=words):
        world.probe_pod().assert_connects(VM)


HOST_B = scripted.pod("host-b", "node-b", "10.224.0.5", port=18080, host_network=True)
NEIGHBOUR = scripted.pod("neighbour", "node-a", "10.244.0.8")


@pytest.mark.parametrize(
    ("source", "target", "kubelet", "words"),
    [
        (CLIENT, HOST_B, NC_REFUSED, "a filter by port stands between node node-a and node node-b"),
        (CLIENT, HOST_B, NC_SILENT, "the way from node node-a to node node-b is broken"),
        (CLIENT, HOST, NC_REFUSED, "node node-a drops what its pods send to its own address"),
        (CLIENT, NEIGHBOUR, NC_REFUSED, "the packets are lost inside node node-a"),
        (HOST, SERVER, NC_REFUSED, "the way from node node-a to the pods of node node-b is broken"),
    ],
)
def test_packets_between_the_living_are_lost_somewhere(
    source: PodRef, target: PodRef, kubelet: Answer, words: str
) -> None:
    def script(pod: PodRef, argv: tuple[str, ...]) -> Answer:
        if argv[0] == "nc":
            return kubelet
        return reflected(target.ip) if pod == target else TIMEOUT

    with pytest.raises(ConformanceFailure, match=words):
        World(script).probe_pod(source).assert_connects(target)


@pytest.mark.parametrize(
    ("azure", "words"),
    [
        (PRIVATE, "CoreDNS forwards the name to another server"),
        (DNS_SILENT, "does not answer pods"),
    ],
)
def test_azure_dns_is_told_from_what_forwards_to_it(azure: Answer, words: str) -> None:
    world = World(by_host(default=PUBLIC, h168_63_129_16=azure))
    with pytest.raises(ConformanceFailure, match=words):
        world.probe_pod().assert_resolves_private(ACCOUNT)


def test_what_a_policy_allows_and_is_dropped_names_both_nodes() -> None:
    def alive(pod: PodRef, _argv: tuple[str, ...]) -> Answer:
        return reflected(SERVER.ip) if pod == SERVER else TIMEOUT

    world = World(alive)
    with pytest.raises(ConformanceFailure, match="policy engine calico drops what is allowed"):
        world.probe_pod().assert_policy_allows(SERVER)
    assert world.time >= 15
