"""Accelerated networking in ARM and on the node, judged together."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_acceleration import (
    judge_shown,
    judge_turned_on,
)
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.model.azure_machines import Interface, VmSize
from pytest_aksnet.model.observation import Interface as Shown
from pytest_aksnet.model.observation import NicState
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_machine_samples import NIC, NIC_ID, NODE

_SIZE = VmSize(name="Standard_D4s_v5", accelerates=True, most_interfaces=2, cpus=4)
_OFF = replace(NIC, accelerated=False)
_UNTOLD = replace(NIC, accelerated=None)


def _shown(name: str, driver: str, *, master: str = "", mac: str = NIC.mac) -> Shown:
    return Shown(
        name=name, mac=mac, driver=driver, master=master, mtu=1500, rx_packets=0, tx_packets=0
    )


_ETH0 = _shown("eth0", "hv_netvsc")
_VF = _shown("enP1s1", "mlx5_core", master="eth0")


def _state(*found: Shown) -> NicState:
    return NicState(interfaces=found, vf_counters={}, losses={})


def test_the_primary_interface_counts() -> None:
    second = replace(_OFF, is_primary=False)
    sizes = {_SIZE.name.lower(): _SIZE}
    found = judge_turned_on(NODE, [second, NIC], _SIZE.name, sizes, shows_vf=None)
    assert found.verdict.outcome is Outcome.PASS


def test_a_node_shows_what_arm_says() -> None:
    assert judge_shown(_state(_ETH0, _VF), [NIC], node="n").outcome is Outcome.PASS


def test_a_node_without_it_names_interface_and_command() -> None:
    verdict = judge_shown(_state(_ETH0), [NIC], node="n")
    assert verdict.outcome is Outcome.FAIL
    assert NIC_ID in verdict.sentence
    assert "`az vmss nic show --subscription=s --resource-group=mc" in verdict.sentence


def test_an_interface_with_another_mac_is_another_one() -> None:
    other = _shown("eth0", "hv_netvsc", mac="00:0d:3a:00:00:09")
    assert judge_shown(_state(other), [NIC], node="n").outcome is Outcome.INCONCLUSIVE
    untold = replace(NIC, mac="")
    assert judge_shown(_state(other), [untold], node="n").outcome is Outcome.FAIL


def test_a_node_that_is_no_virtual_machine_says_nothing() -> None:
    state = _state(_shown("eth0", "virtio_net"))
    assert judge_shown(state, [NIC], node="n").outcome is Outcome.INCONCLUSIVE


def _turned_on(
    nic: Interface, *, size: str = _SIZE.name, can: bool | None = True, vf: bool | None = False
) -> Finding:
    sizes = {_SIZE.name.lower(): replace(_SIZE, accelerates=can)}
    return judge_turned_on(NODE, [nic], size, sizes, shows_vf=vf)


@pytest.mark.parametrize("vf", [False, None])
def test_it_is_off_where_the_size_can(vf: bool | None) -> None:
    found = _turned_on(_OFF, vf=vf)
    assert found.verdict.outcome is Outcome.FAIL
    assert found.resource == NIC_ID


@pytest.mark.parametrize(
    "found",
    [
        _turned_on(_UNTOLD),
        _turned_on(_OFF, vf=True),
        _turned_on(_OFF, can=None),
        _turned_on(_OFF, size="Standard_New"),
        _turned_on(_OFF, size=""),
    ],
)
def test_what_is_not_told_or_does_not_fit_is_open(found: Finding) -> None:
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


def test_it_is_on() -> None:
    assert _turned_on(NIC).verdict.outcome is Outcome.PASS
    assert _turned_on(NIC, can=None).verdict.outcome is Outcome.PASS


def test_a_size_that_cannot_is_a_warning() -> None:
    verdict = _turned_on(_OFF, can=False).verdict
    assert verdict.outcome is Outcome.PASS
    assert "Standard_D4s_v5" in verdict.warning
