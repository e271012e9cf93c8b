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
    MACHINE,
    MACHINE_ID,
    NIC,
    NIC_ID,
    NODE,
    SUBNET_ID,
)
from tests.unit.expectations.azure_samples import PLAN, POOL, VNET_ID

_KUBENET = replace(PLAN, plugin="kubenet", plugin_mode="")
_NODE_SUBNET = replace(PLAN, plugin_mode="")
_PUBLIC = f"{NIC_ID}/ipconfigurations/ipconfig1/publicipaddresses/node-public-ip"
_POOL = replace(POOL, node_subnet=SUBNET_ID, public_ips=False)


def _outcome(found: Finding) -> Outcome:
    return found.verdict.outcome


def _with(*ips: str) -> Interface:
    return replace(NIC, configurations=tuple(replace(CONFIGURATION, ip=ip) for ip in ips))


# -- IP forwarding ---------------------------------------------------------------------------


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
    assert _outcome(on) is Outcome.PASS
    off = interfaces.judge_forwarding(
        NODE, replace(NIC, forwards=False), plan=_KUBENET, wanted=True
    )
    assert _outcome(off) is Outcome.FAIL
    assert off.resource == NIC_ID


@pytest.mark.parametrize(("plan", "wanted"), [(PLAN, True), (_NODE_SUBNET, False)])
def test_of_other_modes_it_is_a_warning(plan: NetworkPlan, wanted: bool) -> None:
    nic = replace(NIC, forwards=not wanted)
    found = interfaces.judge_forwarding(NODE, nic, plan=plan, wanted=wanted)
    assert _outcome(found) is Outcome.PASS
    assert NIC_ID in found.verdict.warning


def test_forwarding_that_is_not_told_is_open() -> None:
    nic = replace(NIC, forwards=None)
    found = interfaces.judge_forwarding(NODE, nic, plan=_KUBENET, wanted=True)
    assert _outcome(found) is Outcome.INCONCLUSIVE


# -- addresses -------------------------------------------------------------------------------


def test_an_address_of_another_interface_is_named() -> None:
    assert _outcome(interfaces.judge_node_addresses(NODE, [NIC])) is Outcome.PASS
    node = replace(NODE, addresses=("10.224.0.4", "10.224.0.9"))
    found = interfaces.judge_node_addresses(node, [NIC])
    assert _outcome(found) is Outcome.FAIL
    assert found.resource == NIC_ID
    assert "address 10.224.0.9 that node x000000 lists" in found.verdict.sentence


def test_a_second_interface_of_the_machine_counts_too() -> None:
    node = replace(NODE, addresses=("10.224.0.4", "fd00::4"))
    assert _outcome(interfaces.judge_node_addresses(node, [NIC, _with("fd00::4")])) is Outcome.PASS


@pytest.mark.parametrize(
    "nic", [replace(NIC, configurations=None), _with("10.224.0.5", ""), _with("")]
)
def test_addresses_that_are_not_told_are_open(nic: Interface) -> None:
    assert _outcome(interfaces.judge_node_addresses(NODE, [nic])) is Outcome.INCONCLUSIVE


def test_a_node_without_an_address_is_open() -> None:
    node = replace(NODE, addresses=())
    assert _outcome(interfaces.judge_node_addresses(node, [NIC])) is Outcome.INCONCLUSIVE


def test_a_pods_address_is_one_of_its_nodes_interface() -> None:
    nic = _with("10.224.0.4", "10.224.0.10", "10.224.0.11")
    pods = {"shop/cart": ("10.224.0.10",)}
    assert _outcome(interfaces.judge_pod_addresses(NODE, pods, [nic])) is Outcome.PASS
    pods["shop/till"] = ("10.224.0.40",)
    found = interfaces.judge_pod_addresses(NODE, pods, [nic])
    assert _outcome(found) is Outcome.FAIL
    assert "10.224.0.40 of pod shop/till" in found.verdict.sentence
    assert found.resource == NIC_ID


@pytest.mark.parametrize("ips", [("10.224.0.4",), ("10.224.0.4", "fd00::4")])
def test_an_interface_without_addresses_for_pods_says_nothing_of_pods(ips: tuple[str, ...]) -> None:
    pods = {"shop/cart": ("10.244.0.10",)}
    found = interfaces.judge_pod_addresses(NODE, pods, [_with(*ips)])
    assert _outcome(found) is Outcome.INCONCLUSIVE


# -- subnets ---------------------------------------------------------------------------------


def _in(*subnets: str) -> Interface:
    made = tuple(replace(CONFIGURATION, subnet=subnet) for subnet in subnets)
    return replace(NIC, configurations=made)


def _subnet(nic: Interface, pool: AzurePool = _POOL, group: str = "MC") -> Finding:
    return interfaces.judge_subnet(NODE, pool, nic, node_group=group)


def test_an_interface_is_in_the_subnet_of_its_pool() -> None:
    assert _outcome(_subnet(_in(SUBNET_ID, SUBNET_ID))) is Outcome.PASS
    found = _subnet(_in(SUBNET_ID, f"{VNET_ID}/subnets/other"))
    assert _outcome(found) is Outcome.FAIL
    assert found.resource == NIC_ID
    assert "v/other" in found.verdict.sentence


def test_a_pool_without_a_subnet_is_in_the_network_that_aks_made() -> None:
    pool = replace(_POOL, node_subnet="")
    assert _outcome(_subnet(_in(SUBNET_ID), pool, "g")) is Outcome.PASS
    assert _outcome(_subnet(_in(SUBNET_ID), pool, "mc")) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("nic", [replace(NIC, configurations=None), _in(SUBNET_ID, "")])
def test_a_subnet_that_is_not_told_is_open(nic: Interface) -> None:
    assert _outcome(_subnet(nic)) is Outcome.INCONCLUSIVE


# -- public addresses ------------------------------------------------------------------------


def _private(
    *, nic: Interface | None = NIC, pool: AzurePool = _POOL, external: tuple[str, ...] = ()
) -> Finding:
    found = {} if nic is None else {MACHINE_ID: [nic]}
    nodes = [replace(NODE, external=external)]
    return interfaces.judge_private([pool], [MACHINE], found, nodes)


def test_nobody_has_a_public_address() -> None:
    assert _outcome(_private()) is Outcome.PASS


@pytest.mark.parametrize(
    ("found", "resource"),
    [
        (_private(pool=replace(_POOL, public_ips=True)), POOL.id),
        (_private(external=("198.51.100.7",)), MACHINE_ID),
        (
            _private(
                nic=replace(NIC, configurations=(replace(CONFIGURATION, public_address=_PUBLIC),))
            ),
            NIC_ID,
        ),
    ],
)
def test_each_side_alone_tells_of_a_public_address(found: Finding, resource: str) -> None:
    assert _outcome(found) is Outcome.FAIL
    assert found.resource == resource


@pytest.mark.parametrize(
    "found",
    [
        _private(nic=None),
        _private(nic=replace(NIC, configurations=None)),
        _private(pool=replace(_POOL, public_ips=None)),
    ],
)
def test_what_is_not_told_of_them_is_open(found: Finding) -> None:
    assert _outcome(found) is Outcome.INCONCLUSIVE


def test_gateway_pools_have_public_addresses_by_design() -> None:
    gateway = replace(_POOL, name="egress", mode="Gateway", public_ips=True)
    machine = replace(MACHINE, id=f"{MACHINE_ID}9", pool="egress")
    nic = replace(
        NIC,
        machine=machine.id,
        configurations=(replace(CONFIGURATION, public_address=_PUBLIC),),
    )
    node = replace(NODE, name="gateway", machine=machine.id, external=("198.51.100.8",))
    found = interfaces.judge_private(
        [_POOL, gateway],
        [MACHINE, machine],
        interfaces.by_machine([NIC, nic]),
        [NODE, node],
    )
    assert _outcome(found) is Outcome.PASS


# -- the resources ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        (
            NIC_ID,
            "az vmss nic show --resource-group=mc --vmss-name=x --instance-id=0 --name=x",
        ),
        (MACHINE_ID, "az vmss show --resource-group=mc --name=x --instance-id=0"),
        (
            POOL.id,
            "az aks nodepool show --resource-group=g --cluster-name=c --name=user",
        ),
    ],
)
def test_az_shows_what_is_below_a_scale_set(resource: str, shown: str) -> None:
    assert " ".join(shown_by(resource)) == shown
