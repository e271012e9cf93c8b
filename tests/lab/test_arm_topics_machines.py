"""What the readers make of machines, interfaces and sizes, of every kind of pool."""

from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.lab.options import LabOptions, PoolOptions
from pytest_aksnet.model.arm import Sort, Topic
from pytest_aksnet.model.azure_machines import (
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    SIZES,
    Interface,
    machine_of,
)
from tests.lab.arm_readings import readings_of, values_of
from tests.lab.arm_server import arm_server


@pytest.mark.parametrize("mode", ["overlay", "node-subnet"])
def test_each_node_has_its_machine_and_interface(tmp_path: Path, mode: str) -> None:
    with arm_server(tmp_path, LabOptions(mode=mode, engine="none")) as arm:
        sets, found, interfaces = values_of(arm, SCALE_SETS, MACHINES, INTERFACES)
        spec = arm.world.spec
    assert {one.pool: (one.orchestration, one.capacity) for one in sets} == {
        "system": ("uniform", 1),
        "user": ("uniform", 2),
    }
    by_id = {one.id: one for one in found}
    by_machine = {one.machine: one for one in interfaces}
    assert len(by_id) == len(by_machine) == len(spec.nodes)
    for node in spec.nodes:
        machine = by_id[machine_of(node.provider_id)]
        assert (machine.computer_name, machine.pool) == (node.name, node.pool)
        assert (machine.provisioning_state, machine.power_state) == ("Succeeded", "running")
        assert machine.size == node.instance_type
        nic = by_machine[machine.id]
        assert (nic.mac, nic.accelerated, nic.is_primary) == (node.mac, True, True)
        assert nic.forwards is (mode == "overlay")
        assert nic.configurations is not None
        reserved = node.reserved_pod_ips if mode == "node-subnet" else ()
        assert [one.ip for one in nic.configurations] == [node.ip, *reserved]
        assert {one.subnet.rpartition("/")[2] for one in nic.configurations} == {"aks-nodes"}
        assert {one.public_address for one in nic.configurations} == {""}


def test_of_a_region_only_the_sizes_of_the_pools_are_kept(tmp_path: Path) -> None:
    pools = (PoolOptions(name="system", mode="System", size="Standard_D8ds_v5"),)
    with arm_server(tmp_path, LabOptions(pools=pools)) as arm:
        [sizes] = values_of(arm, SIZES)
    [size] = sizes
    assert (size.name, size.accelerates) == ("Standard_D8ds_v5", True)
    assert (size.cpus, size.most_interfaces) == (8, 4)


def test_what_is_not_told_is_not_known(tmp_path: Path) -> None:
    with arm_server(tmp_path, LabOptions(mode="node-subnet", engine="none")) as arm:
        arm.trouble.fields_missing = 1.0
        for _ in range(20):
            with readings_of(arm) as readings:
                reading = readings.reading(INTERFACES.name)
            if reading.refusal is not None:
                assert reading.refusal.sort is not Sort.FAILED, reading.refusal
                continue
            found: tuple[Interface, ...] = reading.value or ()
            if any(one.forwards is None for one in found):
                break
        else:
            pytest.fail("no field was ever missing")
        assert all(one.machine for one in found)


@pytest.mark.parametrize(
    ("topic", "action"),
    [
        (MACHINES, "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read"),
        (INTERFACES, "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read"),
        (SIZES, "Microsoft.Compute/skus/read"),
    ],
)
def test_a_topic_that_is_refused_names_its_action_and_spares_the_others(
    tmp_path: Path, topic: Topic[Any], action: str
) -> None:
    with arm_server(tmp_path, LabOptions()) as arm:
        arm.trouble.denied.add(action)
        with readings_of(arm) as readings:
            refusal = readings.reading(topic.name).refusal
            others = {one.name for one in (SCALE_SETS, MACHINES, INTERFACES, SIZES)} - {topic.name}
            assert [readings.reading(name).refusal for name in others] == [None] * 3
    assert refusal is not None
    assert refusal.sort is Sort.FORBIDDEN
    assert refusal.action.lower() == action.lower()
    assert action in topic.actions


def test_requests_do_not_grow_with_nodes(tmp_path: Path) -> None:
    sent = []
    for count in (1, 9):
        pools = (PoolOptions(name="system", mode="System", count=count),)
        with arm_server(tmp_path, LabOptions(pools=pools)) as arm, readings_of(arm) as readings:
            found = [readings.reading(one.name) for one in (SCALE_SETS, MACHINES, INTERFACES)]
            sent.append([len(one.exchanges) for one in found])
    assert sent[0] == sent[1] == [1, 2, 2]
