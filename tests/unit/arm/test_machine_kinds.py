"""What is read of machines and interfaces of pools that the lab's ARM has not."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from azure.mgmt.compute.models import VirtualMachine, VirtualMachineScaleSet
from azure.mgmt.network.models import NetworkInterface

from pytest_aksnet.arm import machines
from pytest_aksnet.arm.refusals import Refused
from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.model.arm import Topic
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_machines import (
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    Interface,
    Machine,
    machine_of,
)

_GROUP = "MC_g_c_westeurope"
_COMPUTE = f"/subscriptions/s/resourceGroups/{_GROUP}/providers/Microsoft.Compute"
_NETWORK = f"/subscriptions/s/resourceGroups/{_GROUP}/providers/Microsoft.Network"


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
            CLUSTER.name: SimpleNamespace(node_group=_GROUP, region="westeurope"),
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
