"""The way out: addresses, NAT gateways and SNAT ports, and what ARM does not tell of them."""

import pytest

from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_outbound import (
    addresses_of_rules,
    judge_egress,
    judge_gateways,
    judge_routed_egress,
)
from pytest_aksnet.expectations.azure_snat import (
    Moment,
    count_addresses,
    halved,
    judge_fit,
    judge_halved,
    judge_in_use,
    moments,
)
from pytest_aksnet.model.azure import AzurePool
from pytest_aksnet.model.azure_outbound import NatGateway, OutboundAddress, SnatPorts
from pytest_aksnet.model.azure_vnet import Subnet
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_parts import GROUP, outbound_rule, public

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
_NETWORK = f"{GROUP}/microsoft.network"
_OUT = f"{_NETWORK}/publicipaddresses/out"
_OTHER = f"{_NETWORK}/publicipaddresses/other"
_PREFIX = f"{_NETWORK}/publicipprefixes/many"
_GATEWAY = f"{_NETWORK}/natgateways/nat"
_SUBNET = f"{_NETWORK}/virtualnetworks/vnet/subnets/nodes"
_CLUSTER = f"{GROUP}/microsoft.containerservice/managedclusters/aks"


def _is(finding: Finding, outcome: Outcome, resource: str = "") -> None:
    assert finding.verdict.outcome is outcome, finding.verdict.sentence
    assert resource in finding.resource
    assert bool(finding.resource) == (outcome is FAIL)


def _address(id_: str, range_: str, owner: str = "") -> OutboundAddress:
    return OutboundAddress(id=id_, range=range_, owner=owner)


def _subnet(gateway: str = "", table: str = "") -> Subnet:
    return Subnet(
        id=_SUBNET,
        cidrs=("10.0.0.0/24",),
        security_group="",
        route_table=table,
        nat_gateway=gateway,
        provisioning_state="Succeeded",
        default_outbound=False,
        delegations=(),
    )


_KNOWN = (_address(_OUT, "20.0.0.1"), _address(_OTHER, "20.0.0.9", _GATEWAY))


def _egress(
    seen: dict[str, str],
    *,
    promised: tuple[str, ...] = (_OUT,),
    known: tuple[OutboundAddress, ...] = _KNOWN,
    subnet: Subnet | None = None,
) -> Finding:
    return judge_egress(
        seen,
        promised,
        known,
        [subnet or _subnet()],
        outbound_type="loadBalancer",
        cluster=_CLUSTER,
    )


def test_packets_leave_with_a_promised_address() -> None:
    _is(_egress({"n1": "20.0.0.1", "n2": ""}), PASS)
    many = (_address(_PREFIX, "20.0.1.0/28"),)
    _is(_egress({"n1": "20.0.1.7"}, promised=(_PREFIX,), known=many), PASS)


def test_another_address_blames_what_takes_over() -> None:
    wrong = {"n1": "20.0.0.1", "n2": "20.0.0.9"}
    _is(_egress(wrong), FAIL, _CLUSTER)
    _is(_egress(wrong, subnet=_subnet(gateway=_GATEWAY)), FAIL, _SUBNET)
    table = f"{_NETWORK}/routetables/udr"
    _is(_egress(wrong, subnet=_subnet(table=table)), FAIL, table)
    assert "an address of natgateways/nat" in _egress(wrong).verdict.sentence


def test_addresses_that_are_not_told_prove_nothing() -> None:
    _is(_egress({"n1": ""}), OPEN)
    _is(_egress({"n1": "20.0.0.9"}, promised=()), OPEN)
    _is(_egress({"n1": "20.0.0.9"}, promised=(_OUT, _PREFIX)), OPEN)
    _is(_egress({"n1": "20.0.0.9"}, known=(_address(_OUT, ""),)), OPEN)


def test_routes_must_not_lead_past_the_firewall() -> None:
    rules = addresses_of_rules([public()])
    assert list(rules) == [_OUT]
    _is(judge_routed_egress({"n1": "20.0.0.1"}, rules, _KNOWN), FAIL, "outboundrules")
    _is(judge_routed_egress({"n1": "20.0.0.9"}, rules, _KNOWN), PASS)
    _is(judge_routed_egress({"n1": ""}, rules, _KNOWN), OPEN)


def _gateway(
    addresses: tuple[str, ...] | None = (_OTHER,), subnets: tuple[str, ...] | None = None
) -> NatGateway:
    return NatGateway(
        id=_GATEWAY, sku="standard", addresses=addresses, prefixes=None, subnets=subnets
    )


def test_each_subnet_has_a_gateway_with_an_address() -> None:
    def judged(subnet: Subnet, *gateways: NatGateway, seen: tuple[str, ...] = ()) -> Finding:
        return judge_gateways([subnet], gateways, seen=seen, addresses=_KNOWN)

    attached, detached = _subnet(gateway=_GATEWAY), _subnet()
    _is(judged(attached, _gateway()), PASS)
    _is(judged(detached, _gateway(subnets=(_SUBNET,))), PASS)
    _is(judged(detached, _gateway()), FAIL, _SUBNET)
    _is(judged(detached), FAIL, _SUBNET)
    _is(judged(attached, _gateway(addresses=None)), FAIL, _GATEWAY)
    _is(judged(attached), OPEN)
    # ARM's answer lacks what packets show.
    _is(judged(detached, _gateway(), seen=("20.0.0.9",)), OPEN)
    _is(judge_gateways([], [_gateway()], seen=(), addresses=()), OPEN)


# -- SNAT ports ------------------------------------------------------------------------------


def _pool(count: int, surge: str = "", most: int | None = None) -> AzurePool:
    return AzurePool(name="user", count=count, max_pods=30, max_surge=surge, max_count=most)


def test_nodes_are_counted_now_in_an_upgrade_and_at_the_most() -> None:
    found = moments([_pool(10, "33%", 60), _pool(3, "1")])
    assert [one.nodes for one in found] == [13, 18, 63]
    assert [one.nodes for one in moments([_pool(2, "0")])] == [2]
    with pytest.raises(ValueError, match="x"):
        moments([_pool(2, "x")])


def test_addresses_are_counted_by_family_and_prefix() -> None:
    balancers, rule = [public()], outbound_rule()
    assert count_addresses(rule, balancers, [_address(_OUT, "20.0.0.1")]) == 1
    assert count_addresses(rule, balancers, [_address(_OUT, "20.0.1.0/30")]) == 4
    assert count_addresses(rule, balancers, [_address(_OUT, "2001:db8::1")]) == 0
    assert count_addresses(rule, balancers, [_address(_OUT, "")]) is None
    assert count_addresses(rule, balancers, []) is None


def _times(*nodes: int) -> list[Moment]:
    return [Moment(when=f"at {number}", nodes=one) for number, one in enumerate(nodes)]


def test_fixed_ports_must_fit_the_addresses() -> None:
    fixed = outbound_rule(8000)
    _is(judge_fit(fixed, 1, _times(7, 8)), PASS)
    late = judge_fit(fixed, 1, _times(7, 8, 9))
    _is(late, FAIL, "outboundrules")
    assert "9 at 2" in late.verdict.sentence
    _is(judge_fit(fixed, 2, _times(7, 9)), PASS)
    _is(judge_fit(fixed, None, _times(7)), OPEN)
    _is(judge_fit(outbound_rule(0), None, _times(900)), PASS)
    _is(judge_fit(outbound_rule(None), 1, _times(7)), OPEN)


def _ports(used: float | None, allocated: float | None = 1024) -> SnatPorts:
    return SnatPorts(
        balancer="b", ip="10.0.0.1", protocol="TCP", allocated=allocated, used=used, at=1.0
    )


def test_ports_in_use_are_held_against_the_baseline() -> None:
    rule, names = outbound_rule(), {"10.0.0.1": "n1"}
    _is(judge_in_use([_ports(900)], names, rule=rule), PASS)
    full = judge_in_use([_ports(3), _ports(901)], names, rule=rule)
    _is(full, FAIL, "outboundrules")
    assert "901 of 1024 SNAT ports of n1 for TCP were in use at 1970" in full.verdict.sentence
    _is(judge_in_use([_ports(8, 8)], names, rule=rule), FAIL)
    for lacking in ([], [_ports(None)], [_ports(3, None)], [_ports(0, 0)]):
        _is(judge_in_use(lacking, names, rule=rule), OPEN)


def test_a_size_that_halves_ports_matters_to_those_in_use() -> None:
    rule = outbound_rule()
    assert halved(_times(49, 50)) is None
    then = halved(_times(49, 50, 51))
    assert then is not None
    assert then.nodes == 51
    _is(judge_halved(then, [_ports(513)], {}, rule=rule), FAIL, "outboundrules")
    fine = judge_halved(then, [_ports(512)], {}, rule=rule)
    _is(fine, PASS)
    assert "512 SNAT ports" in fine.verdict.warning
    _is(judge_halved(then, [_ports(None)], {}, rule=rule), OPEN)
