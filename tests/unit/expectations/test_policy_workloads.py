"""What answers of pods that are there already prove."""

from typing import Any

import pytest

from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_workloads import (
    Looks,
    Workload,
    cells_between,
    expected_cells,
    judge_looks,
    read_workload,
    unproven,
    unserved,
)
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import CellName, CellResult, Mark
from pytest_aksnet.model.probing import Answer, Finding


def pod(name: str, *ports: dict[str, Any], ips: tuple[str, ...] = ("10.0.0.1",)) -> Workload:
    return read_workload(
        {
            "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "ports": list(ports)}]},
            "status": {"podIPs": [{"ip": ip} for ip in ips]},
        }
    )


GATE = pod("gate")
WEB = pod("web", {"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"})
POLICY = {
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": {"app": "gate"}}}], "ports": [{"port": 80}]}
        ],
    },
}
WAY = CellName("shop/gate", "shop/web", PortSpec(number=80))
SELF = CellName("shop/web", "shop/web", PortSpec(number=80))
OTHER = CellName("shop/other", "shop/web", PortSpec(number=80))


def answer(finding: Finding, ms: float = 1.0) -> Answer:
    return Answer(finding=finding, ms=ms, at_ms=ms, facts={})


def seen(
    way: Answer | None,
    witness: Answer | None = None,
    own: Answer | None = None,
    *,
    by: CellName = SELF,
    closed: bool = False,
    caveat: str = "",
) -> CellResult:
    policies = [POLICY] if not closed else [{**POLICY, "spec": {"podSelector": {}}}]
    expected = expected_cells(GATE, [GATE, WEB], policies, {"shop": {}}, [], API_TEXT)
    looks = Looks(
        answers={WAY: way}, witnesses={by: witness}, self_answer=own, waited_s=2.0, problem="no sh"
    )
    return judge_looks({WAY: expected[WAY]}, looks, caveat)[WAY]


OK, REFUSED, TIMEOUT = map(answer, (Finding.OK, Finding.REFUSED, Finding.TIMEOUT))


def test_a_pod_as_the_api_has_it() -> None:
    assert WEB.ports == (PortSpec(number=80),)
    assert WEB.unseen == (PortSpec(number=53, protocol="UDP"),)
    assert WEB.pod.named_ports == {("http", "TCP"): 80}
    assert list(cells_between(GATE, WEB)) == [WAY]
    both = pod("six", {"containerPort": 80}, ips=("10.0.0.2", "fd00::2"))
    assert [name.version for name in cells_between(both, both)] == [4, 6]
    assert [name.version for name in cells_between(GATE, both)] == [4]


def test_a_sidecar_that_answers_for_the_pod_is_known() -> None:
    found = read_workload(
        {
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "istio-proxy"}]},
            "status": {"podIPs": [{"ip": "10.0.0.1"}]},
        }
    )
    assert found.proxy == "istio-proxy"


def test_what_the_policies_say_is_expected() -> None:
    assert seen(OK).expected is True
    assert seen(OK, closed=True).expected is False


def test_an_answer_is_open_whatever_else_was_seen() -> None:
    assert seen(OK).seen is Mark.OPEN
    assert seen(OK, closed=True).wrong


def test_silence_is_closed_beside_a_living_source_and_target() -> None:
    assert seen(TIMEOUT, OK, REFUSED).seen is Mark.CLOSED
    assert seen(TIMEOUT, OK, REFUSED, by=OTHER).seen is Mark.CLOSED


@pytest.mark.parametrize(
    ("way", "witness", "own", "said"),
    [
        (None, OK, OK, "no sh"),
        (answer(Finding.LOCAL), OK, OK, "local"),
        (TIMEOUT, OK, TIMEOUT, "shop/gate reached nothing at all, itself included"),
        (TIMEOUT, OK, None, "shop/gate reached nothing at all"),
        (TIMEOUT, TIMEOUT, REFUSED, "shop/web answered nobody at that port"),
        (REFUSED, None, REFUSED, "shop/web answered nobody at that port"),
        (TIMEOUT, answer(Finding.OK, 900.0), OK, "too close to tell"),
    ],
)
def test_silence_proves_nothing_else(
    way: Answer | None, witness: Answer | None, own: Answer | None, said: str
) -> None:
    cell = seen(way, witness, own)
    assert cell.seen is Mark.UNSEEN
    assert said in cell.detail
    assert not cell.wrong


def test_a_refusal_where_others_are_answered_is_odd() -> None:
    assert seen(REFUSED, OK, REFUSED).seen is Mark.ODD
    assert not seen(REFUSED, OK, REFUSED, closed=True).wrong


def test_others_that_may_decide_make_a_caveat() -> None:
    assert seen(OK, caveat="a CiliumNetworkPolicy may decide too").caveat


def test_who_has_to_be_asked_further() -> None:
    looks = Looks(answers={WAY: TIMEOUT}, witnesses={SELF: REFUSED}, self_answer=OK, waited_s=2.0)
    assert unserved(looks) == {SELF}
    assert unproven({WAY: seen(TIMEOUT, None, REFUSED)}) == [WAY]
    assert unproven({WAY: seen(OK)}) == []
