"""What the text of a test says it makes, and that the suites' markers say what they need."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.catalogue import Entry, read_entries
from pytest_aksnet.making import Making, read_text
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.needs import NAMED

SUITES = Path(__file__).parents[2] / "suites"
FACTORIES = frozenset({"netshoot", "iperf", "service", "network_policy", "namespace"})
NODES = tuple(NodeRef(name=name, addresses=("10.0.0.1",)) for name in ("a", "b", "c"))


def read(text: str, **known: tuple[str, ...]) -> tuple[list[str], bool]:
    """What a body of a test makes, in words, and whether that is all."""
    names = {"aks.nodes": ("a", "b", "c"), **known}
    found, whole = read_text(ast.parse(text), names, NODES, FACTORIES)
    return [str(making) for making in found], whole


# What verbs ask for, and so does not stand in the text of a check: they compare nodes, mount
# directories of the node, or look at what host-network pods, sidecars and gateways are made with.
HIDDEN = {
    **dict.fromkeys(
        (
            "accelerated-networking.latency",
            "ingress.canary-weight",
            "ingress.change-converges",
            "ingress.host-routing",
            "ingress.path-routing",
            "ingress.tls-sni",
            "node-health.clocks-agree",
            "node-health.conntrack-headroom",
            "node-health.interface-drops",
            "node-health.same-mtu",
            "node-health.tcp-retransmits",
            "pod-network.host-network-pod",
            "pod-network.icmp-echo",
            "pod-network.path-mtu-node",
            "pod-network.ports",
            "pod-network.received-mss",
            "private-link.pods-agree",
        ),
        frozenset({"two-nodes"}),
    ),
    **dict.fromkeys(
        (
            "accelerated-networking.retransmits",
            "accelerated-networking.ring-overflows",
            "accelerated-networking.throughput-back",
            "accelerated-networking.vf-used",
            "accelerated-networking.vf-used-by-receiver",
            "node-health.cni-config",
            "node-health.cni-state",
            "pod-network.host-port",
            "service-mesh.sidecar-injected",
        ),
        frozenset({"host-network"}),
    ),
    **dict.fromkeys(
        (
            "service-mesh.identity",
            "service-mesh.plaintext-refused",
            "service-mesh.traffic-split",
            "service-mesh.way-out",
        ),
        frozenset({"host-network", "two-nodes"}),
    ),
    **dict.fromkeys(
        ("ingress.gateway-routing", "ingress.gateway-weights"),
        frozenset({"load-balancer", "two-nodes"}),
    ),
}
OFTEN = ", as often as the check asks for it"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("netshoot()", ["shared pod on a"]),
        ("netshoot(on=node)", ["shared pod on b"]),
        ("netshoot(node, fresh=False, labels=None)", ["shared pod on b"]),
        ("netshoot(on=node, fresh=True)", ["own pod on b (fresh)"]),
        ("netshoot(labels=x, host_network=True)", ["own pod on a in the host network (labels)"]),
        ("netshoot(ready=False)", ["own pod on a (ready)"]),
        ("netshoot(on=node, spec=x, container=None)", ["own pod on b (spec)"]),
        ("s, t = node_pair\nnetshoot(on=t)", ["shared pod on c"]),
        ("netshoot(on=node_pair[0])", ["shared pod on b"]),
        ("netshoot.on_each(aks.nodes[:2], labels=x)", ["own pod on a, b (labels)"]),
        ("netshoot.on_each((node, aks.nodes[0]))", ["shared pod on b, a"]),
        ("rest = aks.other_nodes(node)\nnetshoot(on=rest[-1])", ["shared pod on c"]),
        ("for n in aks.nodes:\n  netshoot(on=n)", ["shared pod on a, b, c"]),
        ("for n in names:\n  netshoot(on=node)", ["shared pod on b"]),
        ("netshoot(on=pick())", ["shared pod on `pick()`" + OFTEN]),
        ("node = pick()\nnetshoot(on=node)", ["shared pod on `node`" + OFTEN]),
        ("if x:\n  netshoot(fresh=True)", ["own pod on a (fresh)" + OFTEN]),
        ("[service() for _ in x]", ["Service" + OFTEN]),
        ("iperf(on=node, host_network=True)", ["iperf pod on b in the host network"]),
        (
            "service([netshoot()], type='NodePort')",
            ["shared pod on a", "Service (type='NodePort')"],
        ),
        ("namespace(labels={'a': b})", ["namespace (labels {'a': b})"]),
        ("network_policy({}, namespace=namespace())", ["namespace", "NetworkPolicy"]),
        ("def later():\n  namespace()", ["namespace" + OFTEN]),
        ("s = service([netshoot()])\nservice.remove(s)", ["shared pod on a", "Service"]),
        ("pass", []),
    ],
)
def test_calls_of_factories_are_understood(text: str, made: list[str]) -> None:
    assert read(text, node=("b",), node_pair=("b", "c")) == (made, True)


@pytest.mark.parametrize(
    "text", ["helper(netshoot)", "make = netshoot", "netshoot(**options)", "x = [service]"]
)
def test_a_factory_that_leaves_the_test_is_not_understood(text: str) -> None:
    assert read(text)[1] is False


def checks() -> Iterator[Any]:
    """Every check of the suites: its function, and its entry in the catalogue."""
    entries = {entry.function: entry for entry in read_entries(SUITES)}
    for path in sorted(SUITES.glob("*/test_*.py")):
        for function in ast.parse(path.read_text("utf-8")).body:
            nodeid = f"{path.relative_to(SUITES.parent)}::{getattr(function, 'name', '')}"
            if nodeid in entries:
                yield pytest.param(function, entries[nodeid], id=entries[nodeid].id)


@pytest.mark.parametrize(("function", "entry"), [*checks()])
def test_the_marker_of_a_suite_says_what_no_fixture_shows(
    function: ast.FunctionDef, entry: Entry
) -> None:
    declared = set(entry.needs)
    body = ast.Module(function.body, [])
    text = ast.unparse(body)
    found, whole = read_text(body, {"aks.nodes": ("a", "b", "c")}, NODES, FACTORIES)
    # A kept transfer may be made by another check; manifests are made by the controller's helper.
    assert whole or "iperf.between(" in text or "(manifest, " in text
    used = {
        "host-network": any(making.host_network for making in found),
        "load-balancer": "type='LoadBalancer'" in text,
        "two-nodes": "aks.other_nodes(" in text,
        "kubernetes-service": "aks.service('default', 'kubernetes')" in text,
    }
    # Objects that a check reads stand in no text that could be read here.
    shown = {need for need, is_used in used.items() if is_used}
    assert declared & used.keys() == shown | HIDDEN.get(entry.id, set())
    assert not shown & HIDDEN.get(entry.id, set()), "it is not hidden any more"
    assert declared <= NAMED.keys()
    assert all(isinstance(making, Making) for making in found)


def test_what_is_hidden_is_of_checks_that_there_are() -> None:
    assert HIDDEN.keys() <= {entry.id for entry in read_entries(SUITES)}
