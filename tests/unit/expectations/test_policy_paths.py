"""Ways that policies cannot close are named as such, and only where a document says so."""

import pytest

from pytest_aksnet.expectations import policy
from pytest_aksnet.expectations.policy_paths import unclosable
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.policy import Direction
from pytest_aksnet.model.verdict import Outcome

HERE, THERE = (NodeRef(name=name, addresses=(ip,)) for name, ip in (("n0", "1.1"), ("n1", "1.2")))


def _pod(name: str, node: NodeRef = HERE, *, host_network: bool = False) -> PodRef:
    return PodRef(
        namespace="shop",
        name=name,
        container="main",
        node=node.name,
        ip="10.0.0.1",
        host_network=host_network,
    )


@pytest.mark.parametrize(
    ("engine", "node", "port", "words"),
    [
        ("azure", HERE, 10250, "node that it runs on"),
        ("calico", HERE, 10250, ""),
        (None, HERE, 10250, "node that it runs on"),
        ("cilium", HERE, 10250, ""),
        ("none", HERE, 10250, ""),
        ("azure", THERE, 10250, ""),
        ("azure", THERE, 30080, "externalTrafficPolicy Cluster"),
        ("azure", HERE, 30080, "externalTrafficPolicy Cluster"),
        ("calico", THERE, 30080, ""),
        ("calico", HERE, 30080, ""),
        ("cilium", THERE, 30080, ""),
    ],
)
def test_ways_to_nodes(engine: str | None, node: NodeRef, port: int, words: str) -> None:
    found = unclosable(engine, _pod("web"), node=node, port=port, direction=None)
    assert words in found.why if found and words else found is None and not words


def test_an_egress_policy_holds_towards_node_ports_with_azure_too() -> None:
    assert unclosable("azure", _pod("web"), node=THERE, port=30080, direction="egress") is None


@pytest.mark.parametrize(
    ("source", "target", "direction", "closable"),
    [
        (_pod("web"), _pod("db"), None, True),
        (_pod("web"), _pod("web"), None, False),
        (_pod("agent", host_network=True), _pod("db"), None, False),
        (_pod("agent", THERE, host_network=True), _pod("db"), "ingress", True),
        (_pod("agent", THERE, host_network=True), _pod("db"), "egress", False),
        (_pod("web"), _pod("agent", host_network=True), "ingress", False),
        (_pod("web"), _pod("agent", host_network=True), "egress", True),
    ],
)
def test_ways_to_pods(
    source: PodRef, target: PodRef, direction: Direction | None, closable: bool
) -> None:
    found = unclosable("calico", source, pod=target, direction=direction)
    assert (found is None) == closable


def test_azure_takes_pods_of_the_host_network_for_nodes() -> None:
    source = _pod("agent", THERE, host_network=True)
    found = unclosable("azure", source, pod=_pod("db"), direction="ingress")
    assert found is not None
    assert found.document.startswith("AKS docs")


def test_an_open_way_that_no_policy_closes_is_not_laid_at_the_engines_door() -> None:
    seen = Connection(host="10.224.0.5", port=30080, outcome=ConnectOutcome.CONNECTED)
    way = unclosable("azure", _pod("web"), node=THERE, port=30080)
    rule = policy.enforcement("azure")
    verdict = policy.judge_blocked(seen, rule=rule, where="node n1", unclosable=way)
    assert verdict.outcome is Outcome.FAIL
    assert "not enforced on node n1" not in verdict.sentence
    assert "The engine is not at fault" in verdict.sentence
