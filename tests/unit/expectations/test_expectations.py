"""The promises and how observations are judged by them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.expectations import (
    accelerated_networking,
    dns,
    policy,
    private_link,
    source_address,
    throughput,
    traffic_policy,
)
from pytest_aksnet.expectations.addresses import is_private, node_addresses
from pytest_aksnet.expectations.source_address import PROMISES, Destination, Source
from pytest_aksnet.expectations.traffic_policy import Policy
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import (
    Connection,
    ConnectOutcome,
    DnsAnswer,
    DnsStatus,
    Interface,
    NicState,
    Throughput,
)
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.model.site import Site
from pytest_aksnet.model.verdict import Outcome
from tests.unit.scripted import NODES

POD, NODE, EGRESS = "10.244.0.7", "10.224.0.4", "198.51.100.1"


def saw(source: str, outcome: ConnectOutcome = ConnectOutcome.CONNECTED) -> Connection:
    return Connection(
        host="10.225.0.4", port=80, outcome=outcome, source_seen=source, answered_by="server"
    )


def run(gbps: float) -> Throughput:
    return Throughput(
        gbps=gbps,
        streams=4,
        seconds=3,
        retransmits=1,
        sender_cpu_percent=1,
        receiver_cpu_percent=1,
        tool_version="iperf 3.16",
    )


def test_every_mode_has_a_row_for_every_destination_and_no_row_twice() -> None:
    keys = [(row.mode, row.destination) for row in PROMISES]
    modes = {row.mode for row in PROMISES}
    assert len(keys) == len(set(keys)) == len(modes) * len(Destination)
    assert all(row.document for row in PROMISES)


def test_pods_see_pods_in_every_mode_and_the_internet_never_does() -> None:
    for row in PROMISES:
        if row.destination in (Destination.POD_SAME_NODE, Destination.POD_OTHER_NODE):
            assert row.source is Source.POD
        if row.destination is Destination.INTERNET:
            assert row.source is Source.PUBLIC


def test_a_mode_that_nobody_documents_is_unknown() -> None:
    with pytest.raises(FactUnknown, match="--aksnet-profile mode"):
        source_address.promise("byo", Destination.VNET)


@pytest.mark.parametrize(
    ("mode", "source", "outcome"),
    [
        ("overlay", NODE, Outcome.PASS),
        ("overlay", POD, Outcome.FAIL),
        ("node-subnet", POD, Outcome.PASS),
        ("node-subnet", NODE, Outcome.FAIL),
        ("node-subnet", "10.9.9.9", Outcome.FAIL),
    ],
)
def test_the_vnet_sees_what_the_mode_promises(mode: str, source: str, outcome: Outcome) -> None:
    row = source_address.promise(mode, Destination.VNET)
    verdict = source_address.judge(row, saw(source), pod={POD}, node={NODE}, public={EGRESS})
    assert verdict.outcome is outcome
    assert verdict.source == row.document


def test_masquerading_inside_the_vnet_is_named_as_the_cause() -> None:
    row = source_address.promise("node-subnet", Destination.VNET)
    verdict = source_address.judge(row, saw(NODE), pod={POD}, node={NODE}, public=())
    assert "azure-ip-masq-agent" in verdict.sentence


def test_a_promise_that_nobody_confirmed_warns_and_never_fails() -> None:
    row = source_address.promise("overlay", Destination.OWN_NODE)
    verdict = source_address.judge(row, saw(NODE), pod={POD}, node={NODE}, public=())
    assert verdict.outcome is Outcome.PASS
    assert verdict.warning


@pytest.mark.parametrize(
    ("source", "known", "outcome"),
    [
        (EGRESS, {EGRESS}, Outcome.PASS),
        ("198.51.100.9", {EGRESS}, Outcome.FAIL),
        (EGRESS, set(), Outcome.PASS),
        ("10.224.0.99", set(), Outcome.FAIL),
    ],
)
def test_public_egress_is_judged_by_the_list_where_there_is_one(
    source: str, known: set[str], outcome: Outcome
) -> None:
    row = source_address.promise("overlay", Destination.INTERNET)
    verdict = source_address.judge(row, saw(source), pod={POD}, node={NODE}, public=known)
    assert verdict.outcome is outcome


def test_another_public_address_than_the_listed_one_is_a_changed_egress() -> None:
    row = source_address.promise("overlay", Destination.INTERNET)
    verdict = source_address.judge(
        row, saw("198.51.100.9"), pod={POD}, node={NODE}, public={EGRESS}
    )
    assert "the egress address has changed" in verdict.sentence
    odd = source_address.judge(row, saw("10.99.0.1"), pod={POD}, node={NODE}, public={EGRESS})
    assert "something between translated the address" in odd.sentence


def test_a_node_owns_its_addresses_and_the_first_of_its_pod_range() -> None:
    node = NodeRef(name="n", addresses=(NODE, "fd00::4"), pod_cidrs=("10.244.3.0/24",))
    assert node_addresses(node) == {NODE, "fd00::4", "10.244.3.1"}


@given(st.ip_addresses())
def test_every_address_is_private_or_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert is_private(str(address)) in (True, False)


def test_documentation_ranges_are_public() -> None:
    assert not is_private("203.0.113.80")
    assert is_private("100.64.0.1")
    assert is_private("fd00::1")


def answer(
    *addresses: str, chain: tuple[str, ...] = (), status: DnsStatus = DnsStatus.NOERROR
) -> DnsAnswer:
    return DnsAnswer(
        name="acct.blob.core.windows.net",
        qtype="A",
        status=status,
        addresses=addresses,
        cname_chain=chain,
    )


LINK = ("acct.privatelink.blob.core.windows.net",)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (answer("203.0.113.9", chain=(*LINK, "blob.store.core.windows.net")), "not linked"),
        (answer("203.0.113.9"), "no private endpoint"),
        (answer(chain=LINK, status=DnsStatus.NXDOMAIN), "is linked and has no record"),
        (answer(status=DnsStatus.NXDOMAIN), "NXDOMAIN"),
        (answer(status=DnsStatus.TIMEOUT), "no DNS server answered"),
        (answer(status=DnsStatus.SERVFAIL), "SERVFAIL"),
        (answer("10.226.0.9", chain=LINK), "stale or a foreign"),
        (answer("10.226.0.5", "203.0.113.9", chain=LINK), "not linked"),
    ],
)
def test_a_private_name_fails_with_the_cause_of_the_answer(seen: DnsAnswer, words: str) -> None:
    verdict = private_link.judge_private(seen, addresses=("10.226.0.5",))
    assert verdict.outcome is Outcome.FAIL
    assert words in verdict.sentence


def test_the_zone_that_is_not_linked_is_named() -> None:
    verdict = private_link.judge_private(answer("203.0.113.9", chain=LINK), addresses=())
    assert "privatelink.blob.core.windows.net" in verdict.sentence


def test_a_private_answer_passes_and_warns_without_privatelink_alias() -> None:
    good = private_link.judge_private(answer("10.226.0.5", chain=LINK), addresses=("10.226.0.5",))
    assert (good.outcome, good.warning) == (Outcome.PASS, "")
    odd = private_link.judge_private(answer("10.226.0.5"), addresses=())
    assert odd.outcome is Outcome.PASS
    assert odd.warning


def test_a_public_aaaa_answer_fails_and_none_at_all_passes() -> None:
    assert private_link.judge_no_public(answer("2001:db8::1")).outcome is Outcome.FAIL
    assert private_link.judge_no_public(answer()).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("seen", "to", "outcome"),
    [
        (answer("10.0.0.1"), (), Outcome.PASS),
        (answer("10.0.0.1"), ("10.0.0.1",), Outcome.PASS),
        (answer("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "10.0.0.2"), Outcome.PASS),
        (answer("10.0.0.1", "10.0.0.2"), ("10.0.0.1",), Outcome.FAIL),
        (answer("10.0.0.1", chain=("www.example.com",)), ("www.example.com.",), Outcome.PASS),
        (answer("10.0.0.1"), ("www.example.com",), Outcome.FAIL),
        (answer(), (), Outcome.FAIL),
        (answer(status=DnsStatus.NXDOMAIN), (), Outcome.FAIL),
    ],
)
def test_a_name_resolves_to_exactly_what_it_should(
    seen: DnsAnswer, to: tuple[str, ...], outcome: Outcome
) -> None:
    assert dns.judge_resolution(seen, to=to).outcome is outcome


@pytest.mark.parametrize("engine", ["azure", "calico", "cilium", "other", None])
@pytest.mark.parametrize("outcome", list(ConnectOutcome))
def test_only_a_timeout_is_a_deny(engine: str | None, outcome: ConnectOutcome) -> None:
    rule = policy.enforcement(engine)
    verdict = policy.judge_blocked(saw("", outcome), rule=rule, where="node x")
    expected = {
        ConnectOutcome.TIMEOUT: Outcome.PASS,
        ConnectOutcome.CONNECTED: Outcome.FAIL,
    }.get(outcome, Outcome.INCONCLUSIVE)
    assert verdict.outcome is expected


def test_without_an_engine_policies_are_accepted_and_not_enforced() -> None:
    rule = policy.enforcement("none")
    verdict = policy.judge_blocked(saw(POD), rule=rule, where="node x")
    assert verdict.outcome is Outcome.FAIL
    assert "accepted and not enforced" in verdict.sentence
    silent = policy.judge_blocked(saw("", ConnectOutcome.TIMEOUT), rule=rule, where="node x")
    assert silent.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        (saw(NODE), Outcome.PASS, ""),
        (saw("10.224.0.5"), Outcome.FAIL, "masqueraded"),
        (saw("", ConnectOutcome.TIMEOUT), Outcome.FAIL, "no endpoint answered"),
    ],
)
def test_external_local_keeps_the_client(seen: Connection, outcome: Outcome, words: str) -> None:
    verdict = traffic_policy.judge_served(
        Policy.EXTERNAL_LOCAL, seen, servers={"server"}, sources={NODE}
    )
    assert verdict.outcome is outcome
    assert words in verdict.sentence


def test_a_pod_that_should_not_serve_fails() -> None:
    verdict = traffic_policy.judge_served(
        Policy.INTERNAL_LOCAL, saw(POD), servers={"other"}, sources={POD}
    )
    assert verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("rule", "outcome", "expected"),
    [
        (Policy.EXTERNAL_LOCAL, ConnectOutcome.TIMEOUT, Outcome.PASS),
        (Policy.EXTERNAL_LOCAL, ConnectOutcome.REFUSED, Outcome.FAIL),
        (Policy.EXTERNAL_LOCAL, ConnectOutcome.OTHER, Outcome.INCONCLUSIVE),
        (Policy.EXTERNAL_LOCAL, ConnectOutcome.CONNECTED, Outcome.FAIL),
        (Policy.INTERNAL_LOCAL, ConnectOutcome.REFUSED, Outcome.PASS),
        (Policy.INTERNAL_LOCAL, ConnectOutcome.DNS, Outcome.INCONCLUSIVE),
    ],
)
def test_a_node_without_endpoint_does_not_serve(
    rule: Policy, outcome: ConnectOutcome, expected: Outcome
) -> None:
    assert traffic_policy.judge_not_served(rule, saw("", outcome)).outcome is expected


def test_an_endpoint_chosen_in_connect_only_warns() -> None:
    seen = saw("", ConnectOutcome.CONNECTED)
    verdict = traffic_policy.judge_not_served(Policy.EXTERNAL_LOCAL, seen, at_connect=True)
    assert verdict.outcome is Outcome.PASS
    assert "client outside the cluster" in verdict.warning


def test_sizes_have_floors_and_small_ones_lower_ones() -> None:
    site = Site()
    assert throughput.node_floor(NODES[0], site).gbps == pytest.approx(4.2)
    assert throughput.node_floor(NODES[1], site).gbps == pytest.approx(2.5)
    assert throughput.pair_floor(NODES[0], NODES[1], site).gbps == pytest.approx(2.5)


def test_an_unknown_size_is_unknown_until_the_site_says_it() -> None:
    with pytest.raises(FactUnknown, match="Standard_X1"):
        throughput.pair_floor(NODES[0], NODES[2], Site())
    site = Site(max_mbps={"Standard_X1": 1000})
    assert throughput.pair_floor(NODES[0], NODES[2], site).gbps == pytest.approx(0.7)
    site = Site(throughput_floor_gbps=3.0)
    assert throughput.pair_floor(NODES[0], NODES[2], site).gbps == 3.0


def test_a_measurement_is_judged_by_its_floor() -> None:
    floor = throughput.like_host_floor(run(10.0))
    assert throughput.judge_throughput(run(6.1), floor, between="a to b").outcome is Outcome.PASS
    slow = throughput.judge_throughput(run(5.9), floor, between="a to b")
    assert slow.outcome is Outcome.FAIL
    assert "5.90 Gbit/s" in slow.sentence


def nic_state(
    *, packets: int = 0, through: int | None = 0, vf: str = "mana", master: str = "eth0"
) -> NicState:
    mac = "00:0d:3a:00:00:01"
    interfaces = [
        Interface(
            name="eth0",
            mac=mac,
            driver="hv_netvsc",
            master="",
            mtu=1500,
            rx_packets=packets,
            tx_packets=0,
        )
    ]
    if vf:
        interfaces.append(
            Interface(
                name="enP1", mac=mac, driver=vf, master=master, mtu=1500, rx_packets=0, tx_packets=0
            )
        )
    counters = {} if through is None else {"eth0": {"vf_rx_packets": through, "vf_tx_packets": 0}}
    return NicState(interfaces=tuple(interfaces), vf_counters=counters)


@pytest.mark.parametrize("driver", ["mlx4_core", "mlx5_core", "mana"])
def test_any_hardware_makes_a_virtual_function(driver: str) -> None:
    state = nic_state(vf=driver)
    assert accelerated_networking.judge_present(state, node="n").outcome is Outcome.PASS


@pytest.mark.parametrize(
    "state", [nic_state(vf=""), nic_state(vf="e1000"), nic_state(master="bond0")]
)
def test_without_virtual_function_accelerated_networking_is_not_in_use(state: NicState) -> None:
    verdict = accelerated_networking.judge_present(state, node="n")
    assert verdict.outcome is Outcome.FAIL
    assert "accelerated networking is not in use" in verdict.sentence


def test_a_machine_that_is_no_azure_vm_is_inconclusive() -> None:
    state = NicState(interfaces=(), vf_counters={})
    assert accelerated_networking.judge_present(state, node="n").outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("packets", "through", "outcome"),
    [
        (20000, 19000, Outcome.PASS),
        (20000, 1000, Outcome.FAIL),
        (20, 20, Outcome.INCONCLUSIVE),
        (20000, None, Outcome.INCONCLUSIVE),
    ],
)
def test_the_virtual_function_is_used_if_nearly_all_packets_take_it(
    packets: int, through: int | None, outcome: Outcome
) -> None:
    verdict = accelerated_networking.judge_used(
        nic_state(), nic_state(packets=packets, through=through), node="n"
    )
    assert verdict.outcome is outcome


def test_counters_that_were_not_there_before_are_no_packets_of_the_transfer() -> None:
    after = nic_state(packets=20000, through=19000)
    verdict = accelerated_networking.judge_used(nic_state(through=None), after, node="n")
    assert verdict.outcome is Outcome.INCONCLUSIVE
