"""The tables made for users' policies: what each shows, by the oracle and for random policies."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_aksnet.expectations import policy_choice
from pytest_aksnet.expectations.policy_candidates import Surroundings
from pytest_aksnet.expectations.policy_choice import MOST_FOR_RULES
from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_matrix import MatrixMaker
from pytest_aksnet.expectations.policy_mutants import explicit
from pytest_aksnet.expectations.policy_scenario import scenario
from pytest_aksnet.expectations.policy_world import NAME_LABEL, PolicyState, expected_table
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import Pod, PortSpec, Protocol, World
from pytest_aksnet.model.policy_table import (
    CellName,
    NamedPort,
    Places,
    PolicyCase,
    PutPolicy,
    TablePod,
)
from tests import random_policies
from tests.random_policies import Json

ALONE = Surroundings(namespaces={})
OUTSIDE = ["203.0.113.7", "198.51.100.9"]
LABELS = [
    {key: value for key, value in (("app", app), ("tier", tier)) if value}
    for app in ("", "a", "b", "c", "any")
    for tier in ("", "a", "b", "c")
]
policies = random_policies.policies(OUTSIDE).filter(bool)
PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
some_tables = settings(max_examples=25, deadline=None, derandomize=True)


def places(case: PolicyCase, prefix: str = "10.244.0.") -> Places:
    refs = {}
    for number, pod in enumerate(case.layout.pods, start=1):
        ip = f"{prefix}{number}"
        refs[pod.key] = PodRef(
            namespace=pod.namespace, name=pod.name, container="c", node="n", ip=ip, ips=(ip,)
        )
    return Places(namespaces={name: name for name in case.layout.namespaces}, pods=refs)


def table(case: PolicyCase, own: Json | None, at: Places | None = None) -> dict[CellName, bool]:
    """What should be open with this policy in the place of the case's own.

    Without `at` no ipBlock holds a pod.
    """
    state = PolicyState(case.layout)
    for policy in (*beside(case), *([own] if own is not None else [])):
        state.apply(PutPolicy(policy=policy if at else blockless(policy)))
    found = expected_table(state, at or places(case), API_TEXT, case.layout.ports)
    return {cell: decision.allowed for cell, decision in found.items()}


def blockless(policy: Mapping[str, Any]) -> Json:
    """The policy where no ipBlock holds a pod."""
    found = copy.deepcopy(dict(policy))
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in found["spec"].get(direction) or ():
            for peer in rule.get(side) or ():
                if peer.pop("ipBlock", None):
                    peer["podSelector"] = {"matchLabels": {"nobody": "has-this"}}
    return found


def own_policy(case: PolicyCase) -> Json:
    """The policy that the case proves, as it is applied."""
    last = case.steps[0].actions[-1]
    assert isinstance(last, PutPolicy)
    return copy.deepcopy(dict(last.policy))


def beside(case: PolicyCase) -> list[Mapping[str, Any]]:
    return [a.policy for a in case.steps[0].actions[:-1] if isinstance(a, PutPolicy)]


def universe(case: PolicyCase, own: str) -> MatrixMaker:
    """Pods of all labels in namespaces of all labels, at all ports that policies may have."""
    spaces = {own: {NAME_LABEL: own}}
    spaces |= {f"n{i}": {**labels, NAME_LABEL: f"n{i}"} for i, labels in enumerate(LABELS)}
    names = {(p.name, p.protocol): p.number for pod in case.layout.pods for p in pod.ports}
    pods = [
        Pod(namespace=space, name="", node="", ips=(), labels=labels, named_ports=names)
        for space in spaces
        for labels in (LABELS if space == own else LABELS[::3])
    ]
    numbers = {*range(10078, 10085), *names.values()}
    ports = [PortSpec(number=n, protocol=p) for n in numbers for p in PROTOCOLS]
    return MatrixMaker(World(namespaces=spaces, pods=tuple(pods)), ports)


def differ(maker: MatrixMaker, some: list[Json], others: list[Json], *, opened: bool) -> bool:
    """Whether any cell is open (if `opened`: or any differs) with `some` and not with `others`."""
    for row, line in zip(maker.matrix(some), maker.matrix(others), strict=True):
        for one, other in zip(row, line, strict=True):
            if (one & ~other) if opened else (one ^ other):
                return True
    return False


@some_tables
@given(some=policies)
def test_every_rule_has_a_cell_that_is_open_by_it_alone(some: list[Json]) -> None:
    case = scenario(some[0], some, ALONE)
    own = own_policy(case)
    seen = table(case, own)
    for direction in ("ingress", "egress"):
        if direction.capitalize() not in own["spec"]["policyTypes"]:
            continue
        for index, _ in enumerate(own["spec"].get(direction) or ()):
            less = copy.deepcopy(own)
            del less["spec"][direction][index]
            without = table(case, less)
            if not any(seen[cell] and not without[cell] for cell in seen):
                maker = universe(case, own["metadata"]["namespace"])
                near = [dict(one) for one in beside(case)]
                assert not differ(maker, [*near, own], [*near, less], opened=True)
                assert f"{direction}[{index}] opens nothing" in case.note or "selects no pod" in (
                    case.note
                )


@some_tables
@given(some=policies)
def test_what_the_policy_closes_has_a_cell(some: list[Json]) -> None:
    case = scenario(some[0], some, ALONE)
    own = own_policy(case)
    seen, without = table(case, own), table(case, None)
    if not any(without[cell] and not seen[cell] for cell in seen):
        near = [dict(one) for one in beside(case)]
        maker = universe(case, own["metadata"]["namespace"])
        assert not differ(maker, near, [*near, own], opened=True)
        assert "no cell must be closed" in case.note or "selects no pod" in case.note


def changes(policy: Json) -> Iterator[Json]:
    """Policies that an engine with a known bug would enforce instead."""
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(policy["spec"].get(direction) or ()):
            for place, peer in enumerate(rule.get(side) or ()):
                if peer.get("namespaceSelector"):
                    changed = copy.deepcopy(policy)
                    changed["spec"][direction][index][side][place]["namespaceSelector"] = {}
                    yield changed
            for place, port in enumerate(rule.get("ports") or ()):
                if "endPort" in port and port["endPort"] > port["port"]:
                    changed = copy.deepcopy(policy)
                    changed["spec"][direction][index]["ports"][place]["endPort"] -= 1
                    yield changed


@some_tables
@given(some=policies)
def test_known_bugs_of_engines_change_a_cell(some: list[Json]) -> None:
    case = scenario(some[0], [some[0]], ALONE)
    own = own_policy(case)
    assume("smaller differences" not in case.note)
    seen = table(case, own)
    for changed in changes(own):
        if table(case, changed) == seen:
            maker = universe(case, own["metadata"]["namespace"])
            assert not differ(maker, [own], [changed], opened=False)


@some_tables
@given(some=policies)
def test_the_quick_matrix_agrees_with_the_oracle(some: list[Json]) -> None:
    case = scenario(some[0], some, ALONE)
    names = {(p.name, p.protocol): p.number for p in case.layout.pods[0].ports}
    world = World(
        namespaces={
            name: {**labels, NAME_LABEL: name} for name, labels in case.layout.namespaces.items()
        },
        pods=tuple(
            Pod(
                namespace=pod.namespace,
                name=pod.name,
                node="",
                ips=(),
                labels=pod.labels,
                named_ports=names,
            )
            for pod in case.layout.pods
        ),
    )
    own = own_policy(case)
    rows = MatrixMaker(world, case.layout.ports).matrix([*beside(case), own])
    seen = table(case, own)
    keys = [pod.key for pod in case.layout.pods]
    for cell, allowed in seen.items():
        bits = rows[keys.index(cell.source)][keys.index(cell.destination)]
        assert bool(bits >> case.layout.ports.index(cell.port) & 1) is allowed, cell


@settings(max_examples=25, deadline=None, derandomize=True)
@given(some=policies)
def test_tables_are_small_and_can_run_as_nobody(some: list[Json]) -> None:
    case = scenario(some[0], some, ALONE)
    assert 2 <= len(case.layout.pods) <= MOST_FOR_RULES
    assert 1 <= len(case.layout.ports) <= MOST_FOR_RULES
    assert len({pod.key for pod in case.layout.pods}) == len(case.layout.pods)
    assert {pod.namespace for pod in case.layout.pods} <= set(case.layout.namespaces)
    for port in case.layout.ports:
        assert 1024 <= port.number <= 32767
    for pod in case.layout.pods:
        assert all(1024 <= port.number <= 32767 for port in pod.ports)


WEB: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "gate"}}}]}],
    },
}
DENY: Json = {
    "metadata": {"namespace": "shop", "name": "deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


def with_ports(*ports: Json) -> Json:
    policy = copy.deepcopy(WEB)
    policy["spec"]["ingress"][0]["ports"] = list(ports)
    return policy


def test_policies_of_the_namespace_that_select_the_same_pods_are_applied_too() -> None:
    elsewhere = copy.deepcopy(DENY)
    elsewhere["metadata"]["namespace"] = "pay"
    unrelated = copy.deepcopy(DENY)
    unrelated["metadata"]["name"] = "database"
    unrelated["spec"]["podSelector"] = {"matchLabels": {"app": "database"}}
    case = scenario(WEB, [WEB, DENY, elsewhere, unrelated], ALONE)
    assert [one["metadata"]["name"] for one in beside(case)] == ["deny"]
    assert case.steps[0].title == "the policy with shop/deny"
    assert "closes nothing" not in case.note


def test_a_policy_that_adds_nothing_to_others_is_said() -> None:
    case = scenario(
        DENY, [DENY, {**DENY, "metadata": {"namespace": "shop", "name": "twin"}}], ALONE
    )
    assert "it closes nothing and opens nothing beside the other policies" in case.note
    assert {pod.namespace for pod in case.layout.pods} >= {"shop"}
    assert [one["metadata"]["name"] for one in beside(case)] == ["twin"]
    assert not all(table(case, own_policy(case)).values())


def test_low_ports_are_moved_in_policies_and_pods_alike() -> None:
    workload = TablePod(
        namespace="shop",
        name="web",
        labels={"app": "web", "sidecar.istio.io/inject": "true"},
        ports=(NamedPort(name="http", number=80),),
    )
    case = scenario(
        with_ports({"port": "http"}, {"port": 443, "endPort": 445}),
        [],
        Surroundings(namespaces={"shop": {"istio-injection": "enabled"}}, workloads=(workload,)),
    )
    web = case.layout.pods[0]
    assert (web.key, web.labels) == ("shop/web", {"app": "web"})
    assert web.ports == (NamedPort(name="http", number=10080),)
    assert case.layout.namespaces["shop"] == {}
    assert own_policy(case)["spec"]["ingress"][0]["ports"] == [
        {"port": "http"},
        {"port": 10443, "endPort": 10445},
    ]
    assert {10080, 10443, 10445, 10446} <= {port.number for port in case.layout.ports}
    assert "80 is 10080, 443 is 10443, 445 is 10445" in case.note


@pytest.mark.parametrize(
    ("first", "last"), [(1, 65535), (1024, 65535), (80, 60000), (30000, 32767)]
)
def test_ranges_that_no_pod_can_serve_are_moved_too(first: int, last: int) -> None:
    case = scenario(with_ports({"port": first, "endPort": last}), [], ALONE)
    port = own_policy(case)["spec"]["ingress"][0]["ports"][0]
    assert 1024 < port["port"] < port["endPort"] < 32767
    numbers = {one.number for one in case.layout.ports}
    assert {port["port"], port["endPort"], port["endPort"] + 1, port["port"] - 1} <= numbers


def test_an_ipblock_is_never_said_to_be_proven() -> None:
    policy = copy.deepcopy(WEB)
    block = {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}
    policy["spec"]["ingress"] = [{"from": [{"ipBlock": block}], "ports": [{"port": 8443}]}]
    case = scenario(policy, [], ALONE)
    assert "ipBlock 203.0.113.0/24 except 203.0.113.128/25" in case.note
    assert "addresses outside of the cluster are not looked at" in case.note
    assert "ingress[0] opens nothing between pods" in case.note
    assert "no cell must be open by one of its rules" in case.note


def test_an_except_that_holds_the_pods_of_the_table_is_looked_at() -> None:
    policy = copy.deepcopy(WEB)
    block = {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/16"]}
    policy["spec"]["ingress"] = [{"from": [{"ipBlock": block}], "ports": [{"port": 8443}]}]
    case = scenario(policy, [], ALONE)
    own = own_policy(case)
    changed = copy.deepcopy(own)
    del changed["spec"]["ingress"][0]["from"][0]["ipBlock"]["except"]
    inside = places(case)
    assert table(case, own, inside) != table(case, changed, inside)
    far = places(case, "10.9.0.")
    assert table(case, own, far) == table(case, changed, far)


def test_namespaces_are_asked_for_by_name_as_the_table_has_them() -> None:
    policy = copy.deepcopy(WEB)
    selector = {"matchLabels": {NAME_LABEL: "monitoring"}}
    policy["spec"]["ingress"] = [{"from": [{"namespaceSelector": selector}]}]
    case = scenario(policy, [], ALONE)
    assert "monitoring" in case.layout.namespaces
    assert NAME_LABEL not in case.layout.namespaces["monitoring"]
    opened = {cell.source for cell, allowed in table(case, own_policy(case)).items() if allowed}
    assert any(source.startswith("monitoring/") for source in opened)


def test_a_selector_that_contradicts_itself_is_said() -> None:
    policy = copy.deepcopy(WEB)
    policy["spec"]["podSelector"]["matchExpressions"] = [{"key": "app", "operator": "DoesNotExist"}]
    assert "it selects no pod" in scenario(policy, [], ALONE).note


def test_labels_of_the_run_have_stand_ins() -> None:
    policy = copy.deepcopy(WEB)
    key = "app.kubernetes.io/managed-by"
    term = {"key": key, "operator": "In", "values": ["Helm"]}
    policy["spec"]["podSelector"] = {"matchLabels": {key: "Helm"}}
    policy["spec"]["ingress"] = [{"from": [{"podSelector": {"matchExpressions": [term]}}]}]
    workload = TablePod(namespace="shop", name="web", labels={key: "Helm"})
    case = scenario(policy, [], Surroundings(namespaces={}, workloads=(workload,)))
    assert f"label {key} is the run's own: stand-in.aksnet.io/managed-by stands for it" in case.note
    assert key not in str(case.layout) + str(own_policy(case))
    assert case.layout.pods[0].labels == {"stand-in.aksnet.io/managed-by": "Helm"}


def test_a_port_name_has_one_protocol() -> None:
    case = scenario(with_ports({"port": "dns"}, {"port": "dns", "protocol": "UDP"}), [], ALONE)
    assert case.layout.pods[0].ports == (NamedPort(name="dns", number=8080),)
    assert "port dns is not looked at over UDP" in case.note


def long_policy(rules: int) -> Json:
    policy = copy.deepcopy(WEB)
    policy["spec"]["ingress"] = [
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {NAME_LABEL: f"team-{number}"}},
                    "podSelector": {"matchLabels": {"app": f"app-{number}", "tier": "front"}},
                }
            ],
            "ports": [{"port": 8000 + 10 * number}, {"port": 9000 + number}],
        }
        for number in range(rules)
    ]
    return policy


def test_a_long_policy_has_a_pod_for_each_rule_as_far_as_tables_go() -> None:
    case = scenario(long_policy(8), [], Surroundings(namespaces={f"d{n}": {} for n in range(50)}))
    assert "opens nothing" not in case.note
    own = own_policy(case)
    seen = table(case, own)
    for index in range(8):
        less = copy.deepcopy(own)
        del less["spec"]["ingress"][index]
        assert seen != table(case, less)


def test_rules_that_no_table_has_room_for_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_choice, "MOST_FOR_RULES", 6)
    note = scenario(long_policy(7), [], ALONE).note
    assert re.search(
        r"ingress\[6\]: not looked at, as that takes more than \d+ pods or ports", note
    )


def test_sctp_is_said_to_depend_on_the_nodes() -> None:
    case = scenario(with_ports({"port": 8080, "protocol": "SCTP"}), [], ALONE)
    assert PortSpec(number=8080, protocol="SCTP") in case.layout.ports
    assert "SCTP is looked at only where the nodes speak it" in case.note


@settings(max_examples=10, deadline=None, derandomize=True)
@given(some=policies, seed=st.integers(0, 3))
def test_the_same_files_give_the_same_table(some: list[Json], seed: int) -> None:
    before = copy.deepcopy(some)
    place = seed % len(some)
    assert scenario(some[place], some, ALONE) == scenario(some[place], some, ALONE)
    assert some == before
    assert explicit(some[place])["spec"]["policyTypes"]
