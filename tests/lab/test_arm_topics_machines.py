"""What the readers make of machines, interfaces and sizes, of every kind of pool."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.mgmt.compute.models import VirtualMachine, VirtualMachineScaleSet
from azure.mgmt.network.models import NetworkInterface

from pytest_aksnet.arm import machines
from pytest_aksnet.arm.refusals import Refused
from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.lab.options import LabOptions, PoolOptions
from pytest_aksnet.model.arm import Sort, Topic
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_machines import (
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    SIZES,
    Interface,
    Machine,
    machine_of,
)
from tests.lab.arm_readings import readings_of
from tests.lab.arm_server import NODE_GROUP, RunningArm, arm_server

_COMPUTE = f"/subscriptions/s/resourceGroups/{NODE_GROUP}/providers/Microsoft.Compute"
_NETWORK = f"/subscriptions/s/resourceGroups/{NODE_GROUP}/providers/Microsoft.Network"


def _values(arm: RunningArm, *topics: Topic[Any]) -> list[Any]:
    with readings_of(arm) as readings:
        found = [readings.reading(topic.name) for topic in topics]
    assert [one.refusal for one in found] == [None] * len(topics)
    return [one.value for one in found]


@pytest.mark.parametrize("mode", ["overlay", "node-subnet"])
def test_each_node_has_its_machine_and_interface(tmp_path: Path, mode: str) -> None:
    with arm_server(tmp_path, LabOptions(mode=mode, engine="none")) as arm:
        sets, found, interfaces = _values(arm, SCALE_SETS, MACHINES, INTERFACES)
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
        [sizes] = _values(arm, SIZES)
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


# -- kinds of pools that the stand-in has not ------------------------------------------------


class _Scripted:
    """A Look on lists of what ARM would answer; see arm.reader.Look."""

    def __init__(
        self,
        sets: Iterable[VirtualMachineScaleSet] = (),
        single: Iterable[VirtualMachine] = (),
        interfaces: Iterable[NetworkInterface] = (),
    ) -> None:
        def answer(found: Iterable[Any]) -> Any:
            return lambda _group: iter(found)

        self.below: list[str] = []
        self.door = SimpleNamespace(
            compute=SimpleNamespace(
                virtual_machine_scale_sets=SimpleNamespace(list=answer(sets)),
                virtual_machine_scale_set_vms=SimpleNamespace(list=self._below),
                virtual_machines=SimpleNamespace(list=answer(single)),
            ),
            network=SimpleNamespace(
                network_interfaces=SimpleNamespace(
                    list=answer(interfaces),
                    list_virtual_machine_scale_set_network_interfaces=self._below,
                )
            ),
        )
        self._values: dict[str, Any] = {
            CLUSTER.name: SimpleNamespace(node_group=NODE_GROUP, region="westeurope"),
            POOLS.name: (),
        }

    def _below(self, _group: str, name: str, **_more: Any) -> Any:
        self.below.append(name)
        return iter(())

    def read(self, topic: Topic[Any]) -> Any:
        if topic.name not in self._values:
            [reader] = [one for one in READERS if one.topic is topic]
            self._values[topic.name] = reader.read(self)  # type: ignore[arg-type]
        return self._values[topic.name]

    def answer(self, topic: Topic[Any], value: Any) -> None:
        self._values[topic.name] = value

    def together(self, asks: Iterable[Any]) -> list[Any]:
        return [ask() for ask in asks]


def _machine(name: str, **properties: Any) -> VirtualMachine:
    return VirtualMachine(
        {
            "id": f"{_COMPUTE}/virtualMachines/{name}",
            "name": name,
            "tags": {"AKS-managed-poolName": "apps"},
            "properties": {
                "provisioningState": "Succeeded",
                "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
                "osProfile": {"computerName": name},
                **properties,
            },
        }
    )


def _interface(name: str, machine: str) -> NetworkInterface:
    owner = {"virtualMachine": {"id": f"{_COMPUTE}/virtualMachines/{machine}"}} if machine else {}
    return NetworkInterface(
        {
            "id": f"{_NETWORK}/networkInterfaces/{name}",
            "name": name,
            "properties": {
                **owner,
                "primary": True,
                "enableAcceleratedNetworking": True,
                "enableIPForwarding": False,
                "macAddress": "00-0D-3A-00-00-01",
                "networkSecurityGroup": {"id": f"{_NETWORK}/networkSecurityGroups/Own"},
                "dnsSettings": {"dnsServers": ["10.0.0.4"]},
                "ipConfigurations": [
                    {
                        "id": f"{_NETWORK}/networkInterfaces/{name}/ipConfigurations/one",
                        "properties": {
                            "privateIPAddress": "10.224.0.7",
                            "subnet": {"id": f"{_NETWORK}/virtualNetworks/v/subnets/Nodes"},
                            "publicIPAddress": {"id": f"{_NETWORK}/publicIPAddresses/Own"},
                        },
                    }
                ],
            },
        }
    )


_KINDS = {
    # A pool of kind VirtualMachines has no scale set at all.
    "VirtualMachines": (),
    "Flexible": (
        VirtualMachineScaleSet(
            {
                "id": f"{_COMPUTE}/virtualMachineScaleSets/aks-apps",
                "name": "aks-apps",
                "properties": {"orchestrationMode": "Flexible"},
            }
        ),
    ),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_machines_of_their_own_are_read_from_the_group(kind: str) -> None:
    look = _Scripted(
        _KINDS[kind],
        [_machine("aks-apps-1")],
        [_interface("nic-1", "aks-apps-1"), _interface("endpoint", "")],
    )
    found: tuple[Machine, ...] = look.read(MACHINES)
    interfaces: tuple[Interface, ...] = look.read(INTERFACES)
    [machine], [nic] = found, interfaces
    provider = f"azure://{_COMPUTE}/virtualMachines/aks-apps-1"
    assert machine.id == machine_of(provider) == nic.machine
    assert (machine.pool, machine.size) == ("apps", "Standard_D4s_v5")
    assert (machine.provisioning_state, machine.power_state) == ("Succeeded", "")
    assert (nic.accelerated, nic.forwards, nic.mac) == (True, False, "00:0d:3a:00:00:01")
    assert nic.security_group.endswith("/networksecuritygroups/own")
    assert nic.dns_servers == ("10.0.0.4",)
    assert nic.configurations is not None
    [configuration] = nic.configurations
    assert configuration.ip == "10.224.0.7"
    assert configuration.subnet.endswith("/subnets/nodes")
    assert configuration.public_address.endswith("/publicipaddresses/own")
    assert look.below == []


def test_without_the_nodes_group_nothing_is_asked() -> None:
    look = _Scripted()
    look.answer(CLUSTER, SimpleNamespace(node_group="", region="westeurope"))
    for topic in (SCALE_SETS, MACHINES, INTERFACES):
        with pytest.raises(Refused, match="nodeResourceGroup"):
            look.read(topic)


def test_a_scale_set_that_does_not_say_how_it_is_made_is_asked_for_its_machines() -> None:
    untold = VirtualMachineScaleSet({"id": f"{_COMPUTE}/virtualMachineScaleSets/x", "name": "x"})
    look = _Scripted([untold])
    assert look.read(MACHINES) == ()
    assert look.read(INTERFACES) == ()
    assert look.below == ["x", "x"]


def test_an_interface_without_an_owner_is_of_the_machine_that_it_is_below() -> None:
    id_ = f"{_COMPUTE}/virtualMachineScaleSets/x/virtualMachines/3/networkInterfaces/x"
    found = machines._interface(NetworkInterface({"id": id_, "name": "x"}))
    assert found.machine == f"{_COMPUTE}/virtualMachineScaleSets/x/virtualMachines/3".lower()
    assert (found.configurations, found.forwards, found.mac) == (None, None, "")


def test_only_ids_of_azure_name_a_machine() -> None:
    assert machine_of("azure:///Subscriptions/S/x") == "/subscriptions/s/x"
    assert machine_of("aws:///eu-west-1a/i-0") == machine_of("") == machine_of("azure://") == ""
