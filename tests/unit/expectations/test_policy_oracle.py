"""The NetworkPolicy oracle: what the API text promises of any policies, and what engines change."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.expectations.policy_engines import API_TEXT, engine_rules
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.model.policy import Cell, Decision, End, Node, Outside, Pod, PortSpec, World
from tests import random_policies
from tests.random_policies import PORTS, Json

NODES = tuple(Node(name=f"n{i}", ips=(f"10.224.0.{4 + i}", f"fd00:e::{4 + i}")) for i in range(2))
PLACES = tuple(
    Pod(namespace="", name=f"p{i}", node=f"n{i % 2}", ips=(f"10.244.{i % 2}.{i}", f"fd00::{i}"))
    for i in range(1, 6)
)
VM = Outside(name="vm", ips=("10.225.0.4", "fd00:f::4"))
ENDS: tuple[End, ...] = (*NODES, *PLACES, VM)
ADDRESSES = [ip for end in ENDS for ip in end.ips]
HTTP = PortSpec(number=80)

worlds = random_policies.worlds(PLACES, NODES)
policies = random_policies.policies(ADDRESSES)
versions = st.sampled_from((4, 6))
few = settings(max_examples=12, deadline=None)  # of whole tables, some hundred answers each

Table = dict[tuple[str, str, PortSpec], Decision]


def _table(some: list[Json], world: World, rules: Any = API_TEXT, version: int = 4) -> Table:
    ends: tuple[End, ...] = (*world.pods, *world.nodes, VM)
    found = PolicyOracle(some, world, rules).table(ends, ends, PORTS, version=version)
    return {
        (cell.source.name, cell.destination.name, cell.port): decision for cell, decision in found
    }


def _open(table: Table) -> set[tuple[str, str, PortSpec]]:
    return {key for key, decision in table.items() if decision.allowed}


@few
@given(world=worlds, version=versions)
def test_without_policies_all_is_allowed(world: World, version: int) -> None:
    table = _table([], world, version=version)
    assert _open(table) == set(table)


@few
@given(world=worlds, some=policies)
def test_engine_none_allows_all(world: World, some: list[Json]) -> None:
    table = _table(some, world, engine_rules("none"))
    assert _open(table) == set(table)


@few
@given(world=worlds, some=policies, version=versions)
def test_the_order_of_policies_does_not_matter(
    world: World, some: list[Json], version: int
) -> None:
    assert _open(_table(some, world, version=version)) == _open(
        _table(some[::-1], world, version=version)
    )


@few
@given(world=worlds, some=policies, version=versions)
def test_one_side_of_several_policies_is_the_union_of_each(
    world: World, some: list[Json], version: int
) -> None:
    together = _table(some, world, version=version)
    alone = [_table([policy], world, version=version) for policy in some]
    for key, decision in together.items():
        for side in ("egress", "ingress"):
            isolating = [
                verdict
                for table in alone
                if (verdict := getattr(table[key], side)).policies or not verdict.allowed
            ]
            expected = not isolating or any(verdict.allowed for verdict in isolating)
            assert getattr(decision, side).allowed == expected


@few
@given(world=worlds, some=policies, version=versions)
def test_a_policy_for_nobody_changes_nothing(world: World, some: list[Json], version: int) -> None:
    nobody = {
        "metadata": {"namespace": "x", "name": "nobody"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "nobody"}},
            "policyTypes": ["Ingress", "Egress"],
        },
    }
    assert _open(_table([*some, nobody], world, version=version)) == _open(
        _table(some, world, version=version)
    )


@few
@given(world=worlds, some=policies, version=versions)
def test_default_deny_of_all_leaves_only_a_pod_itself_and_its_node(
    world: World, some: list[Json], version: int
) -> None:
    deny = [
        {
            "metadata": {"namespace": space, "name": "deny"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        }
        for space in random_policies.NAMESPACES
    ]
    node_of = {pod.name: pod.node for pod in world.pods}
    for (source, destination, _), decision in _table(deny, world, version=version).items():
        on = node_of.get(source, source), node_of.get(destination, destination)
        neither = source not in node_of and destination not in node_of
        with_node = on[0] == on[1] and (source not in node_of or destination not in node_of)
        assert decision.allowed == (neither or source == destination or with_node)


@few
@given(world=worlds, some=policies, version=versions)
def test_an_allow_all_policy_opens_every_pod(world: World, some: list[Json], version: int) -> None:
    allow = [
        {
            "metadata": {"namespace": space, "name": "allow"},
            "spec": {
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{}],
                "egress": [{}],
            },
        }
        for space in random_policies.NAMESPACES
    ]
    table = _table([*some, *allow], world, version=version)
    assert _open(table) == set(table)


def _types(spec: Json) -> list[str]:
    """The API's default of policyTypes."""
    return spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _mirrored(policy: Json) -> Json:
    """The policy with its directions exchanged. Named ports are not symmetric: left out."""
    spec = policy["spec"]
    turned = {"Ingress": "Egress", "Egress": "Ingress"}

    def rules(direction: str, old: str, new: str) -> list[Json]:
        return [
            {new if key == old else key: value for key, value in rule.items()}
            for rule in spec.get(direction) or []
        ]

    return {
        "metadata": policy["metadata"],
        "spec": {
            "podSelector": spec["podSelector"],
            "policyTypes": [turned[one] for one in _types(spec)],
            "ingress": rules("egress", "to", "from"),
            "egress": rules("ingress", "from", "to"),
        },
    }


@few
@given(world=worlds, some=policies, version=versions)
def test_exchanged_directions_give_the_transposed_table(
    world: World, some: list[Json], version: int
) -> None:
    # With one set of named ports for all, the destination of a connection does not matter.
    names = {("web", "TCP"): 80, ("admin", "TCP"): 81, ("dns", "UDP"): 81}
    world = dataclasses.replace(
        world, pods=tuple(dataclasses.replace(pod, named_ports=names) for pod in world.pods)
    )
    pods = {pod.name for pod in world.pods}
    plain = _table(some, world, version=version)
    mirrored = _table([_mirrored(policy) for policy in some], world, version=version)
    for (source, destination, port), decision in plain.items():
        if source in pods and destination in pods:
            assert decision.allowed == mirrored[destination, source, port].allowed


def _without_blocks(policy: Json) -> Json:
    """The policy without ipBlocks; a rule that has no other peer is no rule then."""
    spec = dict(policy["spec"])
    spec["policyTypes"] = _types(spec)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        kept = []
        for rule in spec.get(direction) or []:
            named = [one for one in rule.get(peers) or [] if "ipBlock" not in one]
            if named or not rule.get(peers):
                kept.append({**rule, peers: named})
        spec[direction] = kept
    return {**policy, "spec": spec}


@few
@given(world=worlds, some=policies)
def test_cilium_is_the_api_text_without_ip_blocks_between_pods(
    world: World, some: list[Json]
) -> None:
    pods = {pod.name for pod in world.pods}
    cilium = _table(some, world, engine_rules("cilium"))
    plain = _table([_without_blocks(policy) for policy in some], world)
    for (source, destination, port), decision in cilium.items():
        if source in pods and destination in pods and port.protocol != "SCTP":
            assert decision.allowed == plain[source, destination, port].allowed


# -- single answers ------------------------------------------------------------------------


def _pod(name: str, **more: Any) -> Pod:
    ip = {"web": "10.244.0.10", "db": "10.244.1.10"}[name]
    fields: dict[str, Any] = {
        "namespace": "shop",
        "node": "n0" if name == "web" else "n1",
        "ips": (ip,),
        "labels": {"app": name},
    }
    return Pod(name=name, **(fields | more))


def _world(*pods: Pod) -> World:
    return World(
        namespaces={"shop": {"kubernetes.io/metadata.name": "shop"}}, pods=pods, nodes=NODES
    )


def _policy(name: str = "one", **spec: Any) -> Json:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"podSelector": {}, **spec}}


def _decide(engine: str, policy: Json, cell: Cell, *pods: Pod, via: Node | None = None) -> Decision:
    return PolicyOracle([policy], _world(*pods), engine_rules(engine)).decide(cell, via=via)


DENY_IN, DENY_OUT = _policy(policyTypes=["Ingress"]), _policy(policyTypes=["Egress"])


def test_the_reason_names_policies_and_the_rule() -> None:
    web, db = _pod("web"), _pod("db")
    allow = _policy(
        "two",
        ingress=[
            {"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]},
            {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}]},
        ],
    )
    oracle = PolicyOracle([DENY_IN, allow], _world(web, db))
    opened = oracle.decide(Cell(source=web, destination=db, port=HTTP))
    assert opened.allowed
    assert opened.ingress.by == "shop/two ingress[1]"
    assert opened.ingress.policies == ("shop/one", "shop/two")
    closed = oracle.decide(Cell(source=web, destination=db, port=PortSpec(number=81)))
    assert closed.why == (
        "ingress of shop/db is isolated by shop/one, shop/two, and no rule allows shop/web at "
        "TCP 81"
    )


@pytest.mark.parametrize(
    ("engine", "own", "other"),
    [
        ("calico", False, False),
        ("azure", True, False),
        ("cilium", False, False),
        ("none", True, True),
        ("unheard-of", True, False),
    ],
)
def test_egress_to_nodes(engine: str, own: bool, other: bool) -> None:
    web = _pod("web")
    here, there = (
        _decide(engine, DENY_OUT, Cell(source=web, destination=node, port=HTTP), web)
        for node in NODES
    )
    assert (here.allowed, there.allowed) == (own, other)


@pytest.mark.parametrize(
    ("engine", "allowed"), [("calico", False), ("azure", True), ("cilium", False)]
)
@pytest.mark.parametrize("entry", NODES)
def test_ingress_masqueraded_by_the_node_it_enters(engine: str, allowed: bool, entry: Node) -> None:
    web = _pod("web")
    cell = Cell(source=VM, destination=web, port=HTTP)
    decision = _decide(engine, DENY_IN, cell, web, via=entry)
    assert (decision.allowed, decision.caveat) == (allowed, "")


def test_azure_cannot_tell_a_node_from_what_it_masquerades() -> None:
    web = _pod("web")
    decision = _decide("azure", DENY_IN, Cell(source=NODES[1], destination=web, port=HTTP), web)
    assert decision.allowed
    assert "not for nodes themselves" in decision.caveat


def test_masqueraded_traffic_is_judged_by_its_node_elsewhere_and_by_its_client_there() -> None:
    web = _pod("web")
    only_vm = _policy(ingress=[{"from": [{"ipBlock": {"cidr": f"{VM.ips[0]}/32"}}]}])
    cell = Cell(source=VM, destination=web, port=HTTP)
    assert _decide("calico", only_vm, cell, web, via=NODES[0]).allowed
    assert not _decide("calico", only_vm, cell, web, via=NODES[1]).allowed


def test_host_network_pods_are_their_nodes() -> None:
    web = _pod("web")
    agent = _pod("db", ips=NODES[1].ips, host_network=True)
    same = _pod("db", ips=NODES[0].ips, node="n0", host_network=True)
    by_label = _policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}])
    to_web = Cell(source=agent, destination=web, port=HTTP)
    assert not _decide("calico", by_label, to_web, web, agent).allowed
    assert _decide("calico", DENY_IN, dataclasses.replace(to_web, source=same), web, same).allowed
    into_agent = Cell(source=VM, destination=agent, port=HTTP)
    assert _decide("calico", DENY_IN, into_agent, web, agent).allowed


def test_cilium_has_no_sctp_and_the_others_judge_it() -> None:
    web, db = _pod("web"), _pod("db")
    cell = Cell(source=web, destination=db, port=PortSpec(number=80, protocol="SCTP"))
    elsewhere = _policy(podSelector={"matchLabels": {"app": "nobody"}})
    assert not _decide("cilium", elsewhere, cell, web, db).allowed
    assert _decide("calico", elsewhere, cell, web, db).allowed
    assert not _decide("calico", DENY_IN, cell, web, db).allowed


def test_azure_leaves_ipv6_to_itself() -> None:
    web, db = _pod("web", ips=("10.244.0.10", "fd00::1")), _pod("db", ips=("fd00::2",))
    cell = Cell(source=web, destination=db, port=HTTP, version=6)
    decision = _decide("azure", DENY_IN, cell, web, db)
    assert decision.allowed
    assert "not documented" in decision.caveat


def test_cilium_warns_of_a_port_name_with_several_numbers() -> None:
    web = _pod("web", named_ports={("http", "TCP"): 80})
    db = _pod("db", named_ports={("http", "TCP"): 8080})
    named = _policy(ingress=[{"ports": [{"port": "http"}]}])
    cell = Cell(source=db, destination=web, port=HTTP)
    assert "'http'" in _decide("cilium", named, cell, web, db).caveat
    assert not _decide("cilium", named, cell, web).caveat
    assert not _decide("calico", named, cell, web, db).caveat


def test_a_named_port_is_the_destinations_own_in_both_directions() -> None:
    web = _pod("web", named_ports={("http", "TCP"): 8080})
    db = _pod("db", named_ports={("http", "TCP"): 80})
    cell = Cell(source=web, destination=db, port=HTTP)
    for direction in ("ingress", "egress"):
        rules: Json = {direction: [{"ports": [{"port": "http"}]}]}
        named = _policy(policyTypes=[direction.capitalize()], **rules)
        assert _decide("calico", named, cell, web, db).allowed
        other = dataclasses.replace(cell, port=PortSpec(number=8080))
        assert not _decide("calico", named, other, web, db).allowed


def test_policies_that_no_server_stores_are_refused() -> None:
    web, db = _pod("web"), _pod("db")
    cell = Cell(source=web, destination=db, port=HTTP)
    selector = {"matchExpressions": [{"key": "app", "operator": "Like", "values": ["web"]}]}
    with pytest.raises(ValueError, match="'Like'"):
        _decide("calico", _policy(podSelector=selector), cell, web, db)
