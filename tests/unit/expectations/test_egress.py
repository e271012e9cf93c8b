"""What the ways out must show: reached, closed, with which address, many at once, silent ones."""

import ipaddress
from collections.abc import Mapping

import pytest

from pytest_aksnet.expectations.egress import (
    judge_certificate,
    judge_closed,
    judge_egress_address,
    judge_required,
)
from pytest_aksnet.expectations.egress_flows import (
    burst_size,
    judge_burst,
    judge_idle,
    promised_ports,
)
from pytest_aksnet.expectations.egress_masquerade import judge_ranges
from pytest_aksnet.expectations.egress_names import required_names
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def answer(finding: Finding, ms: float = 1.0, at_ms: float = 1.0, **facts: object) -> Answer:
    return Answer(finding, ms, at_ms, facts)


def batch(*answers: Answer | None, ended: bool = True, gaps: int = 0) -> Batch:
    return Batch(answers=answers, ended=ended, gaps=gaps)


@pytest.mark.parametrize(
    ("finding", "outcome"),
    [
        (Finding.OK, PASS),
        *((one, FAIL) for one in (Finding.TIMEOUT, Finding.REFUSED, Finding.UNRESOLVED)),
        *((one, FAIL) for one in (Finding.RESET, Finding.EOF, Finding.MUTE, Finding.WRONG)),
        *((one, INCONCLUSIVE) for one in (Finding.LOCAL, Finding.AGENT)),
    ],
)
def test_what_must_be_reached(finding: Finding, outcome: Outcome) -> None:
    verdict = judge_required(answer(finding), what="a:443", source="docs")
    assert verdict.outcome is outcome
    assert "a:443" in verdict.sentence


def test_what_was_not_asked_is_no_verdict() -> None:
    assert judge_required(None, what="a", source="").outcome is INCONCLUSIVE
    assert judge_certificate(None, what="a", trusted="b").outcome is INCONCLUSIVE
    assert judge_idle(None, what="a", seconds=3).outcome is INCONCLUSIVE


def closed(one: Answer | None, control: Answer | None, **kwargs: object) -> Verdict:
    seen = batch(one, control, **kwargs)  # type: ignore[arg-type]
    return judge_closed(
        seen, 0, what="x", timeout_s=1.0, control=1, source="site", cause="it is open"
    )


@pytest.mark.parametrize(
    ("finding", "outcome"),
    [
        *((one, FAIL) for one in (Finding.OK, Finding.MUTE, Finding.EOF)),
        *((one, PASS) for one in (Finding.TIMEOUT, Finding.UNREACH, Finding.PROHIBITED)),
        # The destination itself may have said so: then the way is open.
        *((one, INCONCLUSIVE) for one in (Finding.REFUSED, Finding.RESET, Finding.UNRESOLVED)),
        (Finding.LOCAL, INCONCLUSIVE),
    ],
)
def test_what_must_be_closed(finding: Finding, outcome: Outcome) -> None:
    assert closed(answer(finding), answer(Finding.OK)).outcome is outcome


def test_silence_proves_nothing_without_its_control() -> None:
    silent = answer(Finding.TIMEOUT)
    assert closed(silent, answer(Finding.TIMEOUT)).outcome is INCONCLUSIVE
    assert closed(silent, None).outcome is INCONCLUSIVE
    assert closed(silent, answer(Finding.OK), ended=False).outcome is INCONCLUSIVE
    assert closed(silent, answer(Finding.OK), gaps=1).outcome is INCONCLUSIVE
    # Waited for 1 s, and the control took 0.5 s itself.
    assert closed(silent, answer(Finding.OK, ms=500)).outcome is INCONCLUSIVE
    assert closed(None, answer(Finding.OK)).outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("seen", "promised", "outcome"),
    [
        ("198.51.100.1", ["198.51.100.1"], PASS),
        ("198.51.100.2", ["198.51.100.1"], FAIL),
        ("10.224.0.4", ["198.51.100.1"], FAIL),
        ("2001:db8::1", ["198.51.100.1"], PASS),
        ("2001:db8::1", ["198.51.100.1", "2001:db8::2"], FAIL),
        ("fd00::1", [], FAIL),
        ("198.51.100.2", [], PASS),
    ],
)
def test_the_address_that_the_internet_sees(
    seen: str, promised: list[str], outcome: Outcome
) -> None:
    verdict = judge_egress_address(seen, promised=promised, who="a to b", source="docs")
    assert verdict.outcome is outcome
    assert seen in verdict.sentence


def test_a_certificate_of_somebody_else_names_its_issuer() -> None:
    forged = answer(Finding.OK, verified=False, issuer="CN=Inspector", why="unknown issuer")
    verdict = judge_certificate(forged, what="mcr:443", trusted="the authorities of the image")
    assert verdict.outcome is FAIL
    assert "CN=Inspector" in verdict.sentence
    good = answer(Finding.OK, verified=True, issuer="CN=Public")
    assert judge_certificate(good, what="a", trusted="b").outcome is PASS
    # What is not reached shows no certificate at all.
    unreached = judge_certificate(answer(Finding.TIMEOUT), what="a", trusted="b")
    assert unreached.outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("nodes", "ports", "burst"),
    [(1, 1024, 128), (50, 1024, 128), (51, 512, 64), (400, 128, 16), (1000, 32, 4), (5000, 32, 4)],
)
def test_a_burst_stays_well_below_the_promise(nodes: int, ports: int, burst: int) -> None:
    assert promised_ports(nodes) == ports
    assert burst_size(nodes) == burst


def held(opened: float, ended: float) -> Answer:
    return answer(Finding.OK, ms=ended, at_ms=ended, connect_ms=opened)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ((held(5, 1005), held(20, 1020)), PASS),
        # The second was opened when the first was closed.
        ((held(5, 1005), held(1006, 2006)), INCONCLUSIVE),
        ((held(5, 1005), answer(Finding.TIMEOUT), answer(Finding.TIMEOUT)), FAIL),
        # Its packets may have been lost.
        ((held(5, 1005), answer(Finding.TIMEOUT)), INCONCLUSIVE),
        ((held(5, 1005), answer(Finding.REFUSED)), INCONCLUSIVE),
        ((held(5, 1005), answer(Finding.RESET)), INCONCLUSIVE),
        ((held(5, 1005), None), INCONCLUSIVE),
        ((answer(Finding.AGENT), answer(Finding.AGENT)), INCONCLUSIVE),
    ],
)
def test_many_at_once(answers: tuple[Answer | None, ...], outcome: Outcome) -> None:
    assert judge_burst(batch(*answers), what="a", nodes=3).outcome is outcome


@pytest.mark.parametrize(
    ("finding", "facts", "outcome"),
    [
        (Finding.OK, {"connect_ms": 1, "held": True}, PASS),
        (Finding.RESET, {"connect_ms": 1}, FAIL),
        (Finding.RESET, {"connect_ms": 1, "held": True}, FAIL),
        (Finding.MUTE, {"connect_ms": 1, "held": True}, FAIL),
        # The host itself did not want to wait.
        (Finding.EOF, {"connect_ms": 1, "held": False}, INCONCLUSIVE),
        (Finding.EOF, {"connect_ms": 1, "held": True}, INCONCLUSIVE),
        (Finding.TIMEOUT, {}, INCONCLUSIVE),
        (Finding.RESET, {}, INCONCLUSIVE),
        (Finding.LOCAL, {}, INCONCLUSIVE),
    ],
)
def test_silent_connections(
    finding: Finding, facts: Mapping[str, object], outcome: Outcome
) -> None:
    verdict = judge_idle(Answer(finding, 1.0, 1.0, facts), what="a", seconds=30)
    assert verdict.outcome is outcome


def test_what_is_required_depends_on_the_cloud_of_the_region() -> None:
    assert "management.azure.com" in required_names("westeurope")
    assert "management.usgovcloudapi.net" in required_names("usgovvirginia")
    assert "management.chinacloudapi.cn" in required_names("chinaeast2")
    for region in (None, ""):
        with pytest.raises(FactUnknown, match="--aksnet-profile region"):
            required_names(region)


PODS = {"10.244.0.7": "pod a"}
NODES = {"10.224.0.4": "node a"}
VM = {"10.225.0.4": "VM in the VNet"}
FLAT_PODS = {"10.224.0.20": "pod a"}


@pytest.mark.parametrize(
    ("mode", "ranges", "pods", "outcome", "words"),
    [
        ("overlay", ["10.244.0.0/16"], PODS, PASS, "are what mode overlay needs"),
        ("kubenet", ["10.244.0.0/16"], PODS, PASS, "kubenet"),
        ("overlay", [], PODS, FAIL, "pod a (10.244.0.7) is not in it"),
        ("overlay", ["10.244.0.0/16", "10.224.0.0/12"], PODS, FAIL, "node a (10.224.0.4) is in it"),
        ("overlay", ["10.244.0.0/16", "10.225.0.0/24"], PODS, FAIL, "VM in the VNet"),
        ("kubenet", ["0.0.0.0/0"], PODS, FAIL, "nothing outside the cluster can answer"),
        ("node-subnet", ["10.224.0.0/12"], FLAT_PODS, PASS, "node-subnet"),
        ("node-subnet", ["10.224.0.0/16"], FLAT_PODS, FAIL, "VM in the VNet (10.225.0.4)"),
        ("node-subnet", ["10.224.0.16/28"], FLAT_PODS, FAIL, "node a (10.224.0.4) is not in it"),
        ("node-subnet", ["0.0.0.0/0"], FLAT_PODS, FAIL, "it contains 0.0.0.0/0"),
    ],
)
def test_ranges_that_are_left_alone(
    mode: str, ranges: list[str], pods: Mapping[str, str], outcome: Outcome, words: str
) -> None:
    verdict = judge_ranges(
        mode,
        [ipaddress.ip_network(one) for one in ranges],
        pods=pods,
        nodes=NODES,
        inside=VM,
        leftover=False,
    )
    assert verdict.outcome is outcome
    assert words in verdict.sentence
    assert not verdict.warning


@pytest.mark.parametrize("mode", ["overlay", "node-subnet", "kubenet"])
def test_ranges_without_a_pod_to_compare_them_with_are_not_judged(mode: str) -> None:
    verdict = judge_ranges(mode, [], pods={}, nodes=NODES, inside={}, leftover=False)
    assert verdict.outcome is INCONCLUSIVE


def test_a_list_of_ones_own_is_a_warning() -> None:
    ranges = [ipaddress.ip_network("10.244.0.0/16")]
    verdict = judge_ranges("overlay", ranges, pods=PODS, nodes=NODES, inside={}, leftover=True)
    assert verdict.outcome is PASS
    assert "azure-ip-masq-agent-config" in verdict.warning
