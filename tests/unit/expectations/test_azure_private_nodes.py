"""Nodes without public addresses, and who tells of one."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations import azure_interfaces as interfaces
from pytest_aksnet.expectations import azure_private_nodes
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.model.azure import AzurePool
from pytest_aksnet.model.azure_machines import Interface
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_machine_samples import (
    CONFIGURATION,
    MACHINE,
    MACHINE_ID,
    NIC,
    NIC_ID,
    NODE,
    SUBNET_ID,
    outcome,
)
from tests.unit.expectations.azure_samples import POOL

_PUBLIC = f"{NIC_ID}/ipconfigurations/ipconfig1/publicipaddresses/node-public-ip"
_POOL = replace(POOL, node_subnet=SUBNET_ID, public_ips=False)


def _private(
    *, nic: Interface | None = NIC, pool: AzurePool = _POOL, external: tuple[str, ...] = ()
) -> Finding:
    found = {} if nic is None else {MACHINE_ID: [nic]}
    nodes = [replace(NODE, external=external)]
    return azure_private_nodes.judge_private([pool], [MACHINE], found, nodes)


def test_nobody_has_a_public_address() -> None:
    assert outcome(_private()) is Outcome.PASS


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
    assert outcome(found) is Outcome.FAIL
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
    assert outcome(found) is Outcome.INCONCLUSIVE


def test_gateway_pools_have_public_addresses_by_design() -> None:
    gateway = replace(_POOL, name="egress", mode="Gateway", public_ips=True)
    machine = replace(MACHINE, id=f"{MACHINE_ID}9", pool="egress")
    nic = replace(
        NIC,
        machine=machine.id,
        configurations=(replace(CONFIGURATION, public_address=_PUBLIC),),
    )
    node = replace(NODE, name="gateway", machine=machine.id, external=("198.51.100.8",))
    found = azure_private_nodes.judge_private(
        [_POOL, gateway],
        [MACHINE, machine],
        interfaces.by_machine([NIC, nic]),
        [NODE, node],
    )
    assert outcome(found) is Outcome.PASS
