"""Ways from pods to nodes, Services and platform addresses: what each engine is to make of them."""

from typing import Any

import pytest

from pytest_aksnet.expectations.policy_ways import (
    Expected,
    Way,
    end_at,
    expected_ways,
    judge_way,
    policy_node,
    policy_pod,
)
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.policy import End, Node, Outside, Pod, PortSpec
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome

HERE, THERE = (
    NodeRef(name=name, addresses=(ip,)) for name, ip in (("n0", "10.224.0.4"), ("n1", "10.224.0.5"))
)
KUBELET = PortSpec(number=10250)
HTTP = PortSpec(number=8080)


def _pod(name: str, ip: str, node: NodeRef = HERE, *, host_network: bool = False) -> PodRef:
    return PodRef(
        namespace="locked" if name == "web" else "open",
        name=name,
        container="probe",
        node=node.name,
        ip=node.ip if host_network else ip,
        host_network=host_network,
        port=8080,
    )


WEB = _pod("web", "10.244.0.4")
CLIENT = _pod("client", "10.244.1.4", THERE)


def _policy(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "locked", "name": "deny"},
        "spec": {"podSelector": {}, **spec},
    }


NO_EGRESS = _policy(policyTypes=["Egress"])
NO_INGRESS = _policy(policyTypes=["Ingress"])


def _expected(way: Way, policy: dict[str, Any], engine: str | None) -> Expected:
    [found] = expected_ways([way], [policy], engine)
    return found


def _out(destination: End, port: PortSpec = KUBELET) -> Way:
    return Way(what="the way", client=policy_pod(WEB), destination=destination, port=port)


def _into(client: End, via: Node | None = None) -> Way:
    return Way(what="the way", client=client, destination=policy_pod(WEB), port=HTTP, via=via)


@pytest.mark.parametrize(
    ("engine", "allowed", "certain"),
    [
        ("calico", False, True),
        ("azure", True, True),
        ("cilium", False, True),
        ("something", True, False),
        (None, True, False),
    ],
)
def test_the_own_node_under_an_egress_deny(
    engine: str | None, allowed: bool, certain: bool
) -> None:
    found = _expected(_out(policy_node(HERE)), NO_EGRESS, engine)
    assert (found.allowed, not found.doubt) == (allowed, certain)


@pytest.mark.parametrize("engine", ["calico", "azure", "cilium", None])
def test_other_nodes_and_outsiders_are_closed_by_an_egress_deny(engine: str | None) -> None:
    other = _expected(_out(policy_node(THERE)), NO_EGRESS, engine)
    assert (other.allowed, other.doubt) == (False, "")
    imds = _expected(_out(Outside(name="imds", ips=("169.254.169.254",))), NO_EGRESS, engine)
    assert (imds.allowed, imds.doubt, imds.source) == (
        False,
        "",
        "Kubernetes docs: network-policies",
    )


@pytest.mark.parametrize(
    ("engine", "allowed", "certain"),
    [("calico", True, True), ("azure", True, False), ("cilium", False, False)],
)
def test_local_dns_with_an_ip_block_that_has_it(engine: str, allowed: bool, certain: bool) -> None:
    block = {"ipBlock": {"cidr": "169.254.10.0/24"}}
    policy = _policy(policyTypes=["Egress"], egress=[{"to": [block]}])
    dns = PortSpec(number=53, protocol="UDP")
    found = _expected(_out(Node(name=HERE.name, ips=("169.254.10.11",)), dns), policy, engine)
    assert (found.allowed, not found.doubt) == (allowed, certain)


def test_local_dns_is_closed_by_a_deny_under_cilium_for_certain() -> None:
    dns = _out(Node(name=HERE.name, ips=("169.254.10.11",)), PortSpec(number=53))
    found = _expected(dns, NO_EGRESS, "cilium")
    assert (found.allowed, found.doubt) == (False, "")


@pytest.mark.parametrize(
    ("engine", "through_a_node", "spared"),
    [("calico", False, False), ("azure", True, True), ("cilium", False, False)],
)
def test_traffic_policy_cluster(engine: str, through_a_node: bool, spared: bool) -> None:
    node = policy_node(THERE)
    found = _expected(_into(node, via=node), NO_INGRESS, engine)
    assert (found.allowed, found.spared, found.doubt) == (through_a_node, spared, "")
    assert found.source.endswith("(policy engine azure)") == spared


def test_nodes_themselves_are_open_or_doubtful() -> None:
    own = policy_pod(_pod("agent", "", host_network=True))
    other = policy_pod(_pod("agent", "", THERE, host_network=True))
    for engine in ("calico", "azure", "cilium", None):
        assert _expected(_into(own), NO_INGRESS, engine).allowed
    assert not _expected(_into(other), NO_INGRESS, "calico").doubt
    assert not _expected(_into(other), NO_INGRESS, "cilium").allowed
    assert _expected(_into(other), NO_INGRESS, "azure").doubt
    assert _expected(_into(other), NO_INGRESS, None).doubt


def test_pods_of_the_host_network_have_no_policies() -> None:
    agent = PodRef(
        namespace="locked",
        name="agent",
        container="probe",
        node="n0",
        ip=HERE.ip,
        host_network=True,
    )
    way = Way(what="the way", client=policy_pod(CLIENT), destination=policy_pod(agent), port=HTTP)
    found = _expected(way, NO_INGRESS, "calico")
    assert (found.allowed, found.doubt) == (True, "")
    assert _expected(way, NO_INGRESS, None).doubt


def test_who_has_an_address() -> None:
    nodes = [HERE, THERE]
    assert isinstance(end_at("10.244.1.4", [CLIENT], nodes), Pod)
    assert end_at("10.224.0.5", [CLIENT], nodes) == policy_node(THERE)
    assert end_at("10.225.0.4", [CLIENT], nodes) == Outside(name="10.225.0.4", ips=("10.225.0.4",))


def _answer(finding: Finding, ms: float = 1.0) -> Answer:
    return Answer(finding, ms, ms, {})


CLOSED = Expected(allowed=False, why="nothing allows it", source="text")
OPEN = Expected(allowed=True, why="it is allowed", source="text")
DOUBTFUL = Expected(allowed=True, why="it is allowed", source="text", doubt="nobody says so")
SPARED = Expected(allowed=True, why="it is spared", source="AKS docs", spared=True)
SILENCE, ANSWER = _answer(Finding.TIMEOUT, 1000), _answer(Finding.OK)


@pytest.mark.parametrize(
    ("answers", "expected", "outcome", "warns"),
    [
        ([SILENCE, SILENCE], CLOSED, Outcome.PASS, False),
        ([SILENCE, ANSWER], CLOSED, Outcome.FAIL, False),
        ([_answer(Finding.MUTE), SILENCE], CLOSED, Outcome.FAIL, False),
        ([_answer(Finding.REFUSED), SILENCE], CLOSED, Outcome.INCONCLUSIVE, False),
        ([None, SILENCE], CLOSED, Outcome.INCONCLUSIVE, False),
        ([_answer(Finding.LOCAL), SILENCE], CLOSED, Outcome.INCONCLUSIVE, False),
        ([ANSWER], OPEN, Outcome.PASS, False),
        ([SILENCE], OPEN, Outcome.FAIL, False),
        ([None], OPEN, Outcome.INCONCLUSIVE, False),
        ([SILENCE], DOUBTFUL, Outcome.PASS, True),
        ([SILENCE], SPARED, Outcome.PASS, True),
        ([_answer(Finding.REFUSED)], SPARED, Outcome.FAIL, False),
    ],
)
def test_a_way_is_judged(
    answers: list[Answer | None], expected: Expected, outcome: Outcome, warns: bool
) -> None:
    verdict = judge_way(answers, expected, what="the way", held="", slowest_ms=2.0, timeout_s=1.0)
    assert (verdict.outcome, bool(verdict.warning)) == (outcome, warns)


@pytest.mark.parametrize(("held", "slowest_ms"), [("the target is dead", 2.0), ("", 400.0)])
def test_silence_without_controls_proves_nothing(held: str, slowest_ms: float) -> None:
    verdict = judge_way(
        [SILENCE], CLOSED, what="the way", held=held, slowest_ms=slowest_ms, timeout_s=1.0
    )
    assert verdict.outcome is Outcome.INCONCLUSIVE
