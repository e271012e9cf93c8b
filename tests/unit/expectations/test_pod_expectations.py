"""What is promised about pods: their addresses, the ways between them, and the control plane."""

import ipaddress
import random
from collections.abc import Sequence

import pytest

from pytest_aksnet.expectations.pod_addresses import (
    PodAddress,
    judge_given_again,
    judge_host_network,
    judge_in_range,
    judge_unique,
)
from pytest_aksnet.expectations.pod_control import judge_api_server, judge_logs, judge_whole
from pytest_aksnet.expectations.pod_paths import (
    LOSS_PROBES,
    TOLERATED_LOSS,
    judge_default_route,
    judge_loss,
    judge_mss,
    judge_mtus,
    most_lost,
)
from pytest_aksnet.model.observation import FactSheet, PodInterfaces
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Outcome, Verdict

PODS = [ipaddress.ip_network("10.244.0.0/16")]


def address(ip: str, node: str = "node-a", *, name: str = "", host: bool = False) -> PodAddress:
    return PodAddress(pod=f"ns/{name or ip}", node=node, ip=ip, host_network=host)


def in_range(
    pods: Sequence[PodAddress], ranges: Sequence[Network] = PODS, *, certain: bool = True
) -> Verdict:
    return judge_in_range(pods, ranges, {}, where_from="test", certain=certain)


def test_addresses_of_host_network_pods_are_no_pod_addresses() -> None:
    pods = [address("10.244.0.4"), address("10.224.0.4", host=True)]
    assert in_range(pods).outcome is Outcome.PASS
    assert in_range(pods[1:]).outcome is Outcome.INCONCLUSIVE


def test_an_address_outside_is_named_with_its_node() -> None:
    verdict = in_range([address("10.244.0.4"), address("10.88.0.2", "node-b")])
    assert verdict.outcome is Outcome.FAIL
    assert "10.88.0.2 of pod ns/10.88.0.2 on node node-b" in verdict.sentence


def test_ranges_that_nobody_promises_count_only_where_most_pods_are_inside() -> None:
    inside = [address(f"10.244.0.{n}") for n in range(3)]
    outside = [address(f"192.168.0.{n}") for n in range(3)]
    assert in_range([*inside, *outside], certain=False).outcome is Outcome.INCONCLUSIVE
    assert in_range([*inside, outside[0]], certain=False).outcome is Outcome.FAIL


def test_each_family_has_its_range() -> None:
    ranges = [*PODS, ipaddress.ip_network("fd12::/64")]
    assert in_range([address("10.244.0.4"), address("fd12::4")], ranges).outcome is Outcome.PASS
    assert in_range([address("10.244.0.4"), address("fd13::4")], ranges).outcome is Outcome.FAIL


def test_a_node_has_a_range_of_its_own_with_kubenet() -> None:
    of_nodes = {"node-a": [ipaddress.ip_network("10.244.0.0/24")]}
    for ip, outcome in (("10.244.0.9", Outcome.PASS), ("10.244.1.9", Outcome.FAIL)):
        verdict = judge_in_range([address(ip)], PODS, of_nodes, where_from="test", certain=True)
        assert verdict.outcome is outcome


def test_an_address_in_use_twice_names_both() -> None:
    pods = [address("10.244.0.4", name="one"), address("10.244.0.4", "node-b", name="two")]
    verdict = judge_unique(pods, {})
    assert verdict.outcome is Outcome.FAIL
    assert "pod ns/one on node node-a and of pod ns/two on node node-b" in verdict.sentence
    assert judge_unique(pods[:1], {"10.224.0.4": "node-a"}).outcome is Outcome.PASS
    assert judge_unique(pods[:1], {"10.244.0.4": "node-c"}).outcome is Outcome.FAIL
    assert judge_unique([], {}).outcome is Outcome.INCONCLUSIVE


def test_spellings_of_one_ipv6_address_are_one() -> None:
    pods = [address("fd12::4", name="one"), address("fd12:0:0:0::4", name="two")]
    assert judge_unique(pods, {}).outcome is Outcome.FAIL


def test_host_network_pods_have_an_address_of_their_node() -> None:
    nodes = {"node-a": ("10.224.0.4", "fd00::4")}
    for ip, outcome in (
        ("10.224.0.4", Outcome.PASS),
        ("fd00::4", Outcome.PASS),
        ("10.224.0.5", Outcome.FAIL),
    ):
        assert judge_host_network([address(ip, host=True)], nodes).outcome is outcome
    assert judge_host_network([address("10.244.0.4")], nodes).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("succeeded", "refusals", "outcome"),
    [
        (32, [], Outcome.PASS),
        (20, ["add: Failed to allocate address: No available addresses"], Outcome.FAIL),
        (20, ["no IP addresses available in range set: 10.244.2.1-10.244.2.254"], Outcome.FAIL),
        (20, ["not enough IPs available for x, waiting on Azure CNS"], Outcome.FAIL),
        (20, ["the image was not found"], Outcome.INCONCLUSIVE),
        (20, [], Outcome.INCONCLUSIVE),
    ],
)
def test_pods_that_do_not_get_on_count_only_for_want_of_addresses(
    succeeded: int, refusals: list[str], outcome: Outcome
) -> None:
    verdict = judge_given_again(
        node="node-a", wanted=32, succeeded=succeeded, refusals=refusals, waited_s=60
    )
    assert verdict.outcome is outcome


def inside(mtu: int = 1500, routes: tuple[str, ...] = ("eth0 via 169.254.1.1",)) -> PodInterfaces:
    return PodInterfaces(mtus={"eth0": mtu, "lo": 65536}, default4=routes, default6=())


def test_the_mtu_is_promised_in_modes_of_aks_and_else_only_compared() -> None:
    narrow = {"node-a": inside(), "node-b": inside(1400)}
    assert judge_mtus({"node-a": inside()}, "overlay").outcome is Outcome.PASS
    assert judge_mtus(narrow, "overlay").outcome is Outcome.FAIL
    for mode in ("byo", None):
        verdict = judge_mtus(narrow, mode)
        assert (verdict.outcome, bool(verdict.warning)) == (Outcome.PASS, True)
        same = judge_mtus({"node-a": inside(1450), "node-b": inside(1450)}, mode)
        assert (same.outcome, same.warning) == (Outcome.PASS, "")


def test_a_pod_without_an_interface_has_no_mtu() -> None:
    alone = PodInterfaces(mtus={"lo": 65536}, default4=(), default6=())
    assert judge_mtus({"node-a": alone}, None).outcome is Outcome.FAIL


def test_there_is_a_default_route_of_each_family() -> None:
    assert judge_default_route(inside(), node="n", ipv6=False).outcome is Outcome.PASS
    assert judge_default_route(inside(routes=()), node="n", ipv6=False).outcome is Outcome.FAIL
    missing6 = judge_default_route(inside(), node="n", ipv6=True)
    assert missing6.outcome is Outcome.FAIL
    assert "IPv6" in missing6.sentence
    two = judge_default_route(inside(routes=("eth0", "net1")), node="n", ipv6=False)
    assert (two.outcome, bool(two.warning)) == (Outcome.PASS, True)


@pytest.mark.parametrize(
    ("mss", "mode", "cloud", "outcome", "warned"),
    [
        (1460, "overlay", "azure", Outcome.PASS, False),
        (1410, "node-subnet", "azure", Outcome.PASS, False),
        (1418, "kubenet", "azure", Outcome.PASS, False),
        (1440, "overlay", "azure", Outcome.PASS, True),
        (1349, "overlay", "azure", Outcome.FAIL, False),
        (1220, "byo", "azure", Outcome.PASS, False),
        (1220, None, "other", Outcome.PASS, False),
        (500, None, "other", Outcome.FAIL, False),
    ],
)
def test_the_mss_that_arrives(
    mss: int, mode: str | None, cloud: str, outcome: Outcome, warned: bool
) -> None:
    answer = Answer(Finding.OK, 1.0, 1.0, {"mss": mss})
    verdict = judge_mss(answer, what="x", mode=mode, cloud=cloud)
    assert (verdict.outcome, bool(verdict.warning)) == (outcome, warned)


def test_an_mss_that_was_not_told_is_not_judged() -> None:
    for answer in (None, Answer(Finding.OK, 1.0, 1.0, {})):
        verdict = judge_mss(answer, what="x", mode="overlay", cloud="azure")
        assert verdict.outcome is Outcome.INCONCLUSIVE


def test_the_number_that_may_be_lost_is_a_quantile_of_the_binomial_distribution() -> None:
    assert most_lost(LOSS_PROBES) == 11
    assert most_lost(1000, tolerated=0.5, error=0.5) in (499, 500)
    dice = random.Random(1)
    rounds = [sum(dice.random() < 0.2 for _ in range(100)) for _ in range(2000)]
    most = most_lost(100, tolerated=0.2, error=0.01)
    assert sum(lost > most for lost in rounds) < 2000 * 0.02
    assert sum(lost > most - 8 for lost in rounds) > 2000 * 0.02


def test_a_sound_network_passes_and_a_lossy_one_does_not() -> None:
    def judged(answered: int) -> Outcome:
        facts = {"sent": LOSS_PROBES, "answered": answered}
        return judge_loss(Answer(Finding.OK, 1.0, 1.0, facts), what="x").outcome

    assert judged(LOSS_PROBES) is Outcome.PASS
    assert judged(LOSS_PROBES - int(LOSS_PROBES * TOLERATED_LOSS)) is Outcome.PASS
    assert judged(int(LOSS_PROBES * 0.95)) is Outcome.FAIL
    assert judge_loss(None, what="x").outcome is Outcome.INCONCLUSIVE


def test_the_certificate_must_be_of_the_clusters_authority() -> None:
    def judged(finding: Finding, **facts: object) -> Outcome:
        return judge_api_server(Answer(finding, 1.0, 1.0, facts), what="x").outcome

    assert judged(Finding.OK, verified=True) is Outcome.PASS
    assert judged(Finding.OK, verified=False, why="self-signed", names=["x"]) is Outcome.FAIL
    assert judged(Finding.OK) is Outcome.FAIL
    assert judged(Finding.TIMEOUT) is Outcome.FAIL
    assert judged(Finding.AGENT) is Outcome.INCONCLUSIVE
    assert judge_api_server(None, what="x").outcome is Outcome.INCONCLUSIVE


def test_output_and_logs_must_be_what_was_written() -> None:
    def sheet(**facts: str) -> FactSheet:
        return FactSheet(what="x", source="test", facts=facts)

    assert judge_whole(sheet(bytes="2", sha256="a", expected="a")).outcome is Outcome.PASS
    assert judge_whole(sheet(bytes="1", sha256="b", expected="a")).outcome is Outcome.FAIL
    assert judge_logs(sheet(found="yes", problem="")).outcome is Outcome.PASS
    assert judge_logs(sheet(found="no", problem="500")).outcome is Outcome.FAIL
