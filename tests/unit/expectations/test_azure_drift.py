"""Wanted and live settings: each difference with both values; what is pasted back is no drift."""

import tomllib
from dataclasses import replace
from pathlib import Path

from pytest_aksnet.expectations import azure_drift
from pytest_aksnet.expectations.azure_drift import Live, judge_drift, written
from pytest_aksnet.model.azure_profile import Setting
from pytest_aksnet.model.azure_routes import RouteTable
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.site_file import read_site
from tests.unit.expectations.azure_samples import (
    CLUSTER,
    CLUSTER_ID,
    DEFAULT_ROUTE,
    GROUP_ID,
    NETWORK,
    POOL,
    SUBNET,
    TABLE_ID,
)


def _rule(name: str, priority: int, *, is_default: bool = False) -> SecurityRule:
    return SecurityRule(
        id=f"{GROUP_ID}/securityrules/{name}",
        name=name,
        priority=priority,
        direction="Inbound",
        access="Deny",
        protocol="Tcp",
        sources=("Internet",),
        source_ports=("*",),
        destinations=("*",),
        destination_ports=("22", "3389"),
        is_default=is_default,
    )


_GROUPS = (
    SecurityGroup(
        id=GROUP_ID,
        rules=(_rule("b", 200), _rule("a", 100), _rule("deny", 65500, is_default=True)),
        subnets=(SUBNET.id,),
        interfaces=(),
    ),
)
_TABLES = (RouteTable(id=TABLE_ID, routes=(DEFAULT_ROUTE,), subnets=(SUBNET.id,)),)


def _live() -> dict[tuple[str, ...], Live]:
    return (
        azure_drift.of_cluster(CLUSTER)
        | azure_drift.of_pools([POOL])
        | azure_drift.of_networks([NETWORK], _GROUPS, _TABLES)
        | azure_drift.of_groups(_GROUPS)
        | azure_drift.of_tables(_TABLES)
    )


def test_what_is_written_is_wanted_when_it_is_read(tmp_path: Path) -> None:
    text = written(_live())
    content = tomllib.loads(text)["azure_profile"]
    assert content["route_tables"]["to.firewall"] == [
        "0.0.0.0/0 -> VirtualAppliance 10.227.0.4 (default)"
    ]
    assert content["security_groups"]["n"] == [
        "Inbound 100 Deny Tcp Internet -> * 22,3389 (a)",
        "Inbound 200 Deny Tcp Internet -> * 22,3389 (b)",
    ]
    site = tmp_path / "aksnet.toml"
    site.write_text(text, encoding="utf-8")
    wanted = read_site(site).azure_profile
    assert ("pools", "user", "vm_size") in wanted
    assert ("subnets", "nodes", "nat_gateway") not in wanted  # nobody says that there is none
    assert judge_drift(wanted, _live()).verdict.outcome is Outcome.PASS


def test_each_difference_is_named_with_both_values() -> None:
    found = judge_drift(
        {
            ("outbound_type",): "loadBalancer",
            ("network_policy",): "Calico",
            ("pools", "user", "vm_size"): "Standard_D8s_v5",
            ("route_tables", "to.Firewall"): (),
        },
        _live(),
    )
    assert found.verdict.outcome is Outcome.FAIL
    said = found.verdict.sentence
    assert "outbound_type should be loadBalancer and is userDefinedRouting" in said
    assert "pools.user.vm_size should be Standard_D8s_v5 and is Standard_D4s_v5" in said
    assert "should be none and is 0.0.0.0/0 -> VirtualAppliance" in said
    assert "network_policy" not in said
    assert found.resource == CLUSTER_ID
    assert "without 0.0.0.0/0" in found.change
    assert "az aks nodepool show" in found.change
    assert "az network route-table show --ids" in found.change


def test_what_arm_does_not_tell_is_left_open() -> None:
    for path in (
        ("pools", "other", "vm_size"),
        ("pools", "user", "pod_subnet"),
        ("outbound_ips",),
        ("subnets", "nodes", "nat_gateway"),
    ):
        wanted: dict[tuple[str, ...], Setting] = {path: "x"}
        found = judge_drift(wanted, _live())
        assert found.verdict.outcome is Outcome.INCONCLUSIVE, path


def test_a_detached_table_takes_both_sides_to_say_so() -> None:
    bare = replace(SUBNET, security_group="", route_table="")
    wanted: dict[tuple[str, ...], Setting] = {("subnets", "nodes", "route_table"): "to.firewall"}
    for tables, outcome in (
        (None, Outcome.INCONCLUSIVE),
        (_TABLES, Outcome.INCONCLUSIVE),
        ((), Outcome.FAIL),
    ):
        live = azure_drift.of_networks([replace(NETWORK, subnets=(bare,))], None, tables)
        assert judge_drift(wanted, live).verdict.outcome is outcome
