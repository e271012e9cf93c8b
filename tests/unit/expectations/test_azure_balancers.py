"""Load balancers held against nodes, Services and Ready pods: what fails, and what stays open."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_backends import (
    is_member,
    judge_inbound_pools,
    judge_outbound_pools,
)
from pytest_aksnet.expectations.azure_balancer_rules import (
    IDLE_ANNOTATION,
    judge_orphans,
    judge_timeouts,
)
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_frontends import judge_frontends
from pytest_aksnet.expectations.azure_health import judge_health
from pytest_aksnet.model.azure_balancers import BackendHealth, RuleHealth, RulesHealth
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_parts import (
    INTERNAL,
    UID,
    frontend,
    internal,
    node,
    outbound_rule,
    pool,
    public,
    rule,
    service,
)

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
_GROUP = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/networksecuritygroups/nsg"


def _is(finding: Finding, outcome: Outcome, resource: str = "") -> None:
    assert finding.verdict.outcome is outcome, finding.verdict.sentence
    assert resource in finding.resource
    assert bool(finding.resource) == (outcome is FAIL)


# -- pools -----------------------------------------------------------------------------------


def test_a_node_is_found_by_its_machine_or_its_address() -> None:
    assert is_member(node(1), pool(numbers=[1])) is True
    assert is_member(node(1), pool(numbers=[11])) is False
    by_address = replace(pool(numbers=[]), addresses=("10.0.0.1",))
    assert is_member(node(1), by_address) is True
    assert is_member(node(2), by_address) is False
    assert is_member(node(1), replace(pool(numbers=[]), is_known=False)) is None


def test_a_nic_that_names_no_machine_leaves_it_open() -> None:
    alone = replace(node(1), machine="/subscriptions/s/providers/x/virtualmachines/vm")
    nic = replace(pool(numbers=[]), configurations=("/x/networkinterfaces/n/ipconfigurations/a",))
    assert is_member(alone, nic) is None
    assert is_member(node(1), nic) is False


def test_a_ready_node_must_be_in_the_pools_of_rules() -> None:
    balancers = [internal()]
    _is(judge_inbound_pools(balancers, [node(1), node(2)]), PASS)
    _is(judge_inbound_pools(balancers, [node(1), node(3)]), FAIL, "backendaddresspools/kubernetes")
    _is(judge_inbound_pools(balancers, [node(1), node(3, spared="not Ready")]), PASS)


def test_several_balancers_share_the_nodes() -> None:
    other = f"{INTERNAL.removesuffix('-internal')}-two-internal"
    second = internal(
        id=other,
        pools=(pool(numbers=[3], balancer=other),),
        rules=(rule(pools=(pool(balancer=other).id,)),),
    )
    _is(judge_inbound_pools([internal(), second], [node(1), node(3)]), PASS)
    _is(judge_inbound_pools([internal(), second], [node(4)]), FAIL)


def test_pools_that_are_not_told_prove_nothing() -> None:
    _is(judge_inbound_pools([internal(pools=None)], [node(3)]), OPEN)
    _is(judge_inbound_pools([internal(rules=())], [node(3)]), OPEN)
    unknown = replace(pool(numbers=[], balancer=INTERNAL), is_known=False)
    _is(judge_inbound_pools([internal(pools=(unknown,))], [node(3)]), OPEN)


def test_outbound_rules_cover_the_nodes() -> None:
    _is(judge_outbound_pools([public()], [node(1)]), PASS)
    _is(judge_outbound_pools([public()], [node(3)]), FAIL, "aksoutboundbackendpool")
    _is(judge_outbound_pools([public(outbound_rules=())], [node(1)]), FAIL, "kubernetes")
    bare = replace(outbound_rule(), frontends=())
    _is(judge_outbound_pools([public(outbound_rules=(bare,))], [node(1)]), FAIL, "outboundrules")
    half = replace(outbound_rule(), frontends=None)
    _is(judge_outbound_pools([public(outbound_rules=(half,))], [node(3)]), OPEN)
    _is(judge_outbound_pools([public(outbound_rules=None)], [node(3)]), OPEN)
    _is(judge_outbound_pools([], [node(3)]), OPEN)


# -- frontends -------------------------------------------------------------------------------


def test_each_address_has_a_frontend_with_rules_for_each_port() -> None:
    balancers = [public(), internal()]
    _is(judge_frontends([service()], balancers, {}, cluster="c"), PASS)
    two = service(ports=(("tcp", 80), ("udp", 80)))
    _is(judge_frontends([two], balancers, {}, cluster="c"), FAIL, "frontendipconfigurations")
    no_rule = {"service.beta.kubernetes.io/port_53_no_lb_rule": "true"}
    spared = service(ports=(("tcp", 80), ("udp", 53)), annotations=no_rule)
    _is(judge_frontends([spared], balancers, {}, cluster="c"), PASS)
    all_ports = internal(rules=(rule(protocol="all", port=0),))
    _is(judge_frontends([two], [all_ports], {}, cluster="c"), PASS)


def test_an_address_without_a_frontend_blames_the_balancer_it_should_be_of() -> None:
    bare = internal(frontends=(), rules=())
    _is(judge_frontends([service()], [public(), bare], {}, cluster="c"), FAIL, "-internal")
    _is(judge_frontends([service()], [], {}, cluster="c"), FAIL, "c")


def test_addresses_that_are_not_told_prove_nothing() -> None:
    hidden = internal(frontends=(frontend(ip="", name="other"),))
    _is(judge_frontends([service()], [hidden], {}, cluster="c"), OPEN)
    outside = service(addresses=("20.1.2.3",))
    known = internal(frontends=(frontend(ip="", public="id"),))
    _is(judge_frontends([outside], [known], {"id": "20.1.2.3"}, cluster="c"), PASS)
    # In another resource group: the name tells whose it is.
    _is(judge_frontends([outside], [known], {}, cluster="c"), PASS)
    shared = internal(frontends=(frontend(ip="", public="id", name="other"),))
    _is(judge_frontends([outside], [shared], {}, cluster="c"), OPEN)
    _is(judge_frontends([outside], [known], {"id": "20.9.9.9"}, cluster="c"), FAIL)
    _is(judge_frontends([service()], [internal(rules=None)], {}, cluster="c"), OPEN)
    nameless = internal(rules=(rule(frontend=""),))
    _is(judge_frontends([service()], [nameless], {}, cluster="c"), OPEN)


def test_what_is_of_no_service_is_left_over() -> None:
    _is(judge_orphans({UID}, [internal()]), PASS)
    _is(judge_orphans(set(), [internal()]), FAIL, "loadbalancingrules")
    _is(judge_orphans(set(), [internal(rules=())]), FAIL, "frontendipconfigurations")
    by_hand = rule(id=f"{INTERNAL}/loadbalancingrules/by-hand")
    mine = internal(rules=(by_hand,), frontends=(frontend(name="by-hand"),))
    _is(judge_orphans(set(), [mine]), PASS)
    _is(judge_orphans({UID}, [internal(frontends=None)]), OPEN)


@pytest.mark.parametrize(
    ("annotations", "found", "outcome"),
    [
        ({}, {}, PASS),
        ({}, {"idle_minutes": 30}, FAIL),
        ({IDLE_ANNOTATION: "30"}, {"idle_minutes": 30}, PASS),
        ({IDLE_ANNOTATION: "30"}, {}, FAIL),
        ({IDLE_ANNOTATION: "soon"}, {}, PASS),
        ({}, {"tcp_reset": False}, FAIL),
        ({f"{IDLE_ANNOTATION[:-16]}disable-tcp-reset": "true"}, {"tcp_reset": False}, PASS),
        ({}, {"protocol": "udp", "tcp_reset": None}, PASS),
        ({}, {"tcp_reset": None}, OPEN),
        ({}, {"idle_minutes": None}, OPEN),
    ],
)
def test_rules_have_the_time_outs_of_their_service(
    annotations: dict[str, str], found: dict[str, object], outcome: Outcome
) -> None:
    balancers = [internal(rules=(rule(**found),))]
    _is(judge_timeouts([service(annotations=annotations)], balancers), outcome)


def test_time_outs_need_rules() -> None:
    _is(judge_timeouts([service()], [internal(rules=())]), OPEN)
    _is(judge_timeouts([service()], [internal(rules=None)]), OPEN)


# -- health ----------------------------------------------------------------------------------


def _health(**states: str) -> RulesHealth:
    """Of the Service's rule: state and reason by node, "n1": "down Down_Admin"."""
    backends = tuple(
        BackendHealth(
            ip=f"10.0.0.{name[1:]}",
            configuration="",
            state=said.partition(" ")[0],
            reason=said.partition(" ")[2],
        )
        for name, said in states.items()
    )
    return RulesHealth(rules=(RuleHealth(rule=rule().id, backends=backends),), left_out=0)


_SILENT = "down Down_Probe_TcpProbeTimeout"


def test_a_local_service_may_be_down_where_it_has_no_pod() -> None:
    nodes, told = [node(1), node(2)], _health(n1="up", n2="down Down_Probe_HttpStatusCodeError")
    _is(judge_health([service(local=True)], [internal()], told, nodes), PASS)
    _is(judge_health([service()], [internal()], told, nodes), FAIL, "probes")
    _is(judge_health([service(ready_on=frozenset())], [internal()], told, nodes), PASS)


def test_a_node_that_is_down_with_ready_pods_is_named() -> None:
    both = service(local=True, ready_on=frozenset({"n1", "n2"}))
    nodes, groups = [node(1), node(2)], [_GROUP]
    one = judge_health([both], [internal()], _health(n1="up", n2=_SILENT), nodes, groups=groups)
    _is(one, FAIL, "probes")
    assert "n2 (Down_Probe_TcpProbeTimeout)" in one.verdict.sentence
    all_down = _health(n1=_SILENT, n2=_SILENT)
    _is(judge_health([both], [internal()], all_down, nodes, groups=groups), FAIL, _GROUP)
    _is(judge_health([both], [internal()], all_down, nodes), FAIL, "probes")
    refused = _health(n1="down Down_Admin", n2="down Down_Admin")
    _is(judge_health([both], [internal()], refused, nodes, groups=groups), FAIL, "probes")


def test_rules_that_are_not_probed_or_not_asked_prove_nothing_bad() -> None:
    nodes, nothing = [node(1)], RulesHealth(rules=(), left_out=0)
    udp = internal(rules=(rule(protocol="udp", probe=""),))
    _is(judge_health([service()], [udp], nothing, nodes), PASS)
    _is(judge_health([service()], [internal(rules=(rule(probe=""),))], nothing, nodes), OPEN)
    _is(judge_health([service()], [internal()], replace(nothing, left_out=1), nodes), PASS)


def test_a_node_is_told_by_its_machine_first() -> None:
    liar = replace(node(1), addresses=("10.0.0.1", "10.0.0.2"))
    backends = tuple(
        BackendHealth(
            ip=f"10.0.0.{number}",
            configuration=f"{node(number).machine}/networkinterfaces/nic/ipconfigurations/one",
            state=state,
            reason="",
        )
        for number, state in ((2, "down"), (1, "up"))
    )
    told = RulesHealth(rules=(RuleHealth(rule=rule().id, backends=backends),), left_out=0)
    _is(judge_health([service(local=True)], [internal()], told, [liar, node(2)]), PASS)


def test_health_that_is_not_told_proves_nothing() -> None:
    nodes, balancers = [node(1), node(2)], [internal()]
    nothing = RulesHealth(rules=(), left_out=0)
    _is(judge_health([service()], balancers, nothing, nodes), OPEN)
    _is(judge_health([service()], [internal(rules=None)], nothing, nodes), OPEN)
    lacking = RulesHealth(rules=(RuleHealth(rule=rule().id, backends=None),), left_out=0)
    _is(judge_health([service()], balancers, lacking, nodes), OPEN)
    _is(judge_health([service()], balancers, _health(n1="up", n2=""), nodes), OPEN)
    # A node that is not probed is missing in the pool, which another check says.
    _is(judge_health([service()], balancers, _health(n1="up"), nodes), PASS)
