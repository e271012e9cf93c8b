"""What of a table is expected because of the engine's documents, counted with its source."""

from collections.abc import Sequence
from typing import Any

from pytest_aksnet.expectations import policy_departures
from pytest_aksnet.expectations.policy_engines import API_TEXT, engine_rules
from pytest_aksnet.expectations.policy_world import PolicyState
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import EngineRules, PortSpec
from pytest_aksnet.model.policy_table import CellName, Layout, Places, PutPolicy, TablePod

TCP, SCTP = PortSpec(number=8080), PortSpec(number=8080, protocol="SCTP")
LAYOUT = Layout(
    namespaces={"x": {}},
    pods=(TablePod(namespace="x", name="a"), TablePod(namespace="x", name="b")),
    ports=(TCP, SCTP),
)


def policy(*peers: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "x", "name": "p"},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": list(peers)}] if peers else [],
        },
    }


def places(*, host_network: bool = False) -> Places:
    return Places(
        namespaces={"x": "x"},
        pods={
            f"x/{name}": PodRef(
                namespace="x",
                name=name,
                container="c",
                node="node-1",
                ip=ip,
                ips=(ip, ip6),
                host_network=host_network,
            )
            for name, ip, ip6 in (("a", "10.0.0.1", "fd00::1"), ("b", "10.0.0.2", "fd00::2"))
        },
    )


def state(*policies: dict[str, Any]) -> PolicyState:
    made = PolicyState(LAYOUT)
    for one in policies:
        made.apply(PutPolicy(policy=one))
    return made


def departures(
    state: PolicyState,
    places: Places,
    rules: EngineRules,
    ports: Sequence[PortSpec],
    versions: Sequence[int] = (4,),
) -> dict[str, int]:
    cells = {
        CellName(source, to, port, version)
        for source in places.pods
        for to in places.pods
        for port in ports
        for version in versions
    }
    return policy_departures.departures(state, places, rules, ports, versions=versions, cells=cells)


def test_the_api_text_departs_from_nothing() -> None:
    assert departures(state(policy()), places(), API_TEXT, (TCP, SCTP)) == {}


def test_cells_that_a_departure_turns_over_are_counted_with_its_document() -> None:
    cilium = engine_rules("cilium")
    by_block = state(policy({"ipBlock": {"cidr": "10.0.0.0/8"}}))
    assert departures(by_block, places(), cilium, (TCP,)) == {
        "engine cilium: an ipBlock matches neither pods nor nodes "
        "(AKS docs: migrate-from-npm-to-cilium-network-policy)": 2
    }
    assert departures(state(policy({"podSelector": {}})), places(), cilium, (TCP, SCTP)) == {
        "engine cilium: pods cannot speak SCTP "
        "(AKS docs: migrate-from-npm-to-cilium-network-policy)": 2
    }


def test_what_turns_nothing_over_is_not_named() -> None:
    assert departures(state(policy()), places(), engine_rules("cilium"), (SCTP,)) == {}
    assert departures(state(policy()), places(), engine_rules("calico"), (TCP,)) == {}
    assert departures(state(), places(), engine_rules("none"), (TCP,)) == {}


def test_an_engine_that_enforces_nothing_or_knows_no_ipv6() -> None:
    [(words, count)] = departures(state(policy()), places(), engine_rules("none"), (TCP,)).items()
    assert words.startswith("engine none: nothing is enforced")
    assert count == 2
    [(words, count)] = departures(
        state(policy()), places(), engine_rules("azure"), (TCP,), versions=(4, 6)
    ).items()
    assert words.startswith("engine azure: IPv6 is not judged")
    assert count == 2


def test_only_cells_that_are_asked_for_count() -> None:
    only = {CellName("x/a", "x/b", TCP)}
    engine = engine_rules("none")
    found = policy_departures.departures(state(policy()), places(), engine, (TCP,), cells=only)
    assert list(found.values()) == [1]
