"""Network interfaces of nodes, judged by network mode, pool and benchmark."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations import azure_interfaces as interfaces
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.model.azure import AzurePool, NetworkPlan
from pytest_aksnet.model.azure_machines import Interface
from pytest_aksnet.model.resource_id import shown_by
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_machine_samples import (
    CONFIGURATION,
    MACHINE_ID,
    NIC,
    NIC_ID,
    NODE,
    SUBNET_ID,
    outcome,
)
from tests.unit.expectations.azure_samples import PLAN, POOL, VNET_ID

_KUBENET = replace(PLAN, plugin="kubenet", plugin_mode="")
_NODE_SUBNET = replace(PLAN, plugin_mode="")
_POOL = replace(POOL, node_subnet=SUBNET_ID, public_ips=False)


def _with(*ips: str) -> Interface:
    return replace(NIC, configurations=tuple(replace(CONFIGURATION, ip=ip) for ip in ips))


@pytest.mark.parametrize(
    ("plugin", "mode", "pod_subnet", "wanted"),
    [
        ("kubenet", "", "", True),
        ("azure", "overlay", "", True),
        ("azure", "", "", False),
        ("azure", "", SUBNET_ID, None),
        ("azure", "something-new", "", None),
        ("none", "", "", None),
        ("", "", "", None),
    ],
)
def test_what_interfaces_should_do_is_known_of_three_modes(
    plugin: str, mode: str, pod_subnet: str, wanted: bool | None
) -> None:
    plan = replace(PLAN, plugin=plugin, plugin_mode=mode)
    pool = replace(POOL, pod_subnet=pod_subnet)
    assert interfaces.wanted_forwarding(plan, pool) is wanted


def test_an_interface_of_kubenet_must_forward() -> None:
    on = interfaces.judge_forwarding(NODE, NIC, plan=_KUBENET, wanted=True)
    assert outcome(on) is Outcome.PASS
    off = interfaces.judge_forwarding(
        NODE, replace(NIC, forwards=False), plan=_KUBENET, wanted=True
    )
    assert outcome(off) is Outcome.FAIL
    assert off.resource == NIC_ID


@pytest.mark.parametrize(("plan", "wanted"), [(PLAN, True), (_NODE_SUBNET, False)])
def test_of_other_modes_it_is_a_warning(plan: NetworkPlan, wanted: bool) -> None:
    nic = replace(NIC, forwards=not wanted)
    found = interfaces.judge_forwarding(NODE, nic, plan=plan, wanted=wanted)
    assert outcome(found) is Outcome.PASS
    assert NIC_ID in found.verdict.warning


def test_forwarding_that_is_not_told_is_open() -> None:
    nic = replace(NIC, forwards=None)
    found = interfaces.judge_forwarding(NODE, nic, plan=_KUBENET, wanted=True)
    assert outcome(found) is Outcome.INCONCLUSIVE


def test_an_address_of_another_interface_is_named() -> None:
    assert outcome(interfaces.judge_node_addresses(NODE, [NIC])) is Outcome.PASS
    node = replace(NODE, addresses=("10.224.0.4", "10.224.0.9"))
    found = interfaces.judge_node_addresses(node, [NIC])
    assert outcome(found) is Outcome.FAIL
    assert found.resource == NIC_ID
    assert "address 10.224.0.9 that node x000000 lists" in found.verdict.sentence


def test_a_second_interface_of_the_machine_counts_too() -> None:
    node = replace(NODE, addresses=("10.224.0.4", "fd00::4"))
    assert outcome(interfaces.judge_node_addresses(node, [NIC, _with("fd00::4")])) is Outcome.PASS


@pytest.mark.parametrize(
    "nic", [replace(NIC, configurations=None), _with("10.224.0.5", ""), _with("")]
)
def test_addresses_that_are_not_told_are_open(nic: Interface) -> None:
    assert outcome(interfaces.judge_node_addresses(NODE, [nic])) is Outcome.INCONCLUSIVE


def test_a_node_without_an_address_is_open() -> None:
    node = replace(NODE, addresses=())
    assert outcome(interfaces.judge_node_addresses(node, [NIC])) is Outcome.INCONCLUSIVE


def test_a_pods_address_is_one_of_its_nodes_interface() -> None:
    nic = _with("10.224.0.4", "10.224.0.10", "10.224.0.11")
    pods = {"shop/cart": ("10.224.0.10",)}
    assert outcome(interfaces.judge_pod_addresses(NODE, pods, [nic])) is Outcome.PASS
    pods["shop/till"] = ("10.224.0.40",)
    found = interfaces.judge_pod_addresses(NODE, pods, [nic])
    assert outcome(found) is Outcome.FAIL
    assert "10.224.0.40 of pod shop/till" in found.verdict.sentence
    assert found.resource == NIC_ID


@pytest.mark.parametrize("ips", [("10.224.0.4",), ("10.224.0.4", "fd00::4")])
def test_an_interface_without_addresses_for_pods_says_nothing_of_pods(ips: tuple[str, ...]) -> None:
    pods = {"shop/cart": ("10.244.0.10",)}
    found = interfaces.judge_pod_addresses(NODE, pods, [_with(*ips)])
    assert outcome(found) is Outcome.INCONCLUSIVE


def _in(*subnets: str) -> Interface:
    made = tuple(replace(CONFIGURATION, subnet=subnet) for subnet in subnets)
    return replace(NIC, configurations=made)


def _subnet(nic: Interface, pool: AzurePool = _POOL, group: str = "MC") -> Finding:
    return interfaces.judge_subnet(NODE, pool, nic, node_group=group)


def test_an_interface_is_in_the_subnet_of_its_pool() -> None:
    assert outcome(_subnet(_in(SUBNET_ID, SUBNET_ID))) is Outcome.PASS
    found = _subnet(_in(SUBNET_ID, f"{VNET_ID}/subnets/other"))
    assert outcome(found) is Outcome.FAIL
    assert found.resource == NIC_ID
    assert "v/other" in found.verdict.sentence


def test_a_pool_without_a_subnet_is_in_the_network_that_aks_made() -> None:
    pool = replace(_POOL, node_subnet="")
    assert outcome(_subnet(_in(SUBNET_ID), pool, "g")) is Outcome.PASS
    assert outcome(_subnet(_in(SUBNET_ID), pool, "mc")) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("nic", [replace(NIC, configurations=None), _in(SUBNET_ID, "")])
def test_a_subnet_that_is_not_told_is_open(nic: Interface) -> None:
    assert outcome(_subnet(nic)) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        (
            NIC_ID,
            "az vmss nic show --subscription=s --resource-group=mc --vmss-name=x "
            "--instance-id=0 --name=x",
        ),
        (MACHINE_ID, "az vmss show --subscription=s --resource-group=mc --name=x --instance-id=0"),
        (
            POOL.id,
            "az aks nodepool show --subscription=s --resource-group=g --cluster-name=c --name=user",
        ),
    ],
)
def test_az_shows_what_is_below_a_scale_set(resource: str, shown: str) -> None:
    assert " ".join(shown_by(resource)) == shown
