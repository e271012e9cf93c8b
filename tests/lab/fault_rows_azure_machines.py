"""Faults of the nodes' machines and interfaces in Azure, by ARM's clients and by packets."""

from typing import Any

from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP
from tests.lab.fault_rows import FaultRow, Scene
from tests.lab.fault_rows_arm import clients

_ONE_MODE = ("overlay",)
_FIRST, _LAST = 0, -1


def _interfaces(scene: Scene) -> list[Any]:
    """The interface of each node, in the order of the lab's nodes, and of what is none."""
    network = clients(scene).network.network_interfaces
    by_mac = {
        nic.mac_address.replace("-", ":").lower(): nic
        for scale_set in {node.vmss for node in scene.spec.nodes}
        for nic in network.list_virtual_machine_scale_set_network_interfaces(
            NODE_RESOURCE_GROUP, scale_set
        )
    }
    of_nodes = [by_mac.pop(node.mac) for node in scene.spec.nodes]
    return [*of_nodes, *by_mac.values()]


def _instances(scene: Scene) -> list[Any]:
    compute = clients(scene).compute.virtual_machine_scale_set_vms
    return list(compute.list(NODE_RESOURCE_GROUP, scene.spec.nodes[_LAST].vmss))


def _pods_cross(scene: Scene, *, reached: bool) -> None:
    """Whether the last pod of the last node is reached from another node, and reaches it."""
    one, beside = scene.pod(_FIRST), scene.pod(_LAST, "beside")
    last = scene.pod(_LAST)
    assert scene.tcp(one, scene.ip(last)).ok == reached
    assert scene.tcp(last, scene.ip(one)).ok == reached
    assert scene.tcp(beside, scene.ip(last)).ok


def _forwards(scene: Scene) -> None:
    assert all(nic.enable_ip_forwarding for nic in _interfaces(scene))
    _pods_cross(scene, reached=True)


def _does_not_forward(scene: Scene) -> None:
    assert [nic.enable_ip_forwarding for nic in _interfaces(scene)][_LAST] is False
    _pods_cross(scene, reached=False)


def _addresses(scene: Scene) -> set[str]:
    return {one.private_ip_address for one in _interfaces(scene)[_LAST].ip_configurations}


def _has_all_addresses(scene: Scene) -> None:
    node = scene.spec.nodes[_LAST]
    assert _addresses(scene) == {node.ip, *node.reserved_pod_ips}
    _pods_cross(scene, reached=True)


def _lacks_an_address(scene: Scene) -> None:
    [gone] = set(scene.spec.nodes[_LAST].reserved_pod_ips) - _addresses(scene)
    assert gone == scene.ip(scene.pod(_LAST))
    _pods_cross(scene, reached=False)


def _subnets(scene: Scene) -> list[str]:
    found = [nic.ip_configurations[0].subnet.id for nic in _interfaces(scene)]
    return [one.rpartition("/")[2] for one in found]


def _in_the_nodes_subnet(scene: Scene) -> None:
    assert set(_subnets(scene)) == {"aks-nodes"}


def _in_another_subnet(scene: Scene) -> None:
    assert _subnets(scene)[_LAST] == "vms"
    assert set(_subnets(scene)[:_LAST]) == {"aks-nodes"}


def _states(scene: Scene) -> list[str]:
    return [one.provisioning_state for one in _instances(scene)]


def _all_succeeded(scene: Scene) -> None:
    assert set(_states(scene)) == {"Succeeded"}


def _last_failed(scene: Scene) -> None:
    assert _states(scene)[_LAST] == "Failed"
    assert "Failed" not in _states(scene)[:_LAST]
    assert _is_ready(scene)


def _is_ready(scene: Scene) -> bool:
    conditions = scene.user.core.read_node(scene.nodes[_LAST]).status.conditions
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def _machines_are_nodes(scene: Scene) -> None:
    names = {one.os_profile.computer_name for one in _instances(scene)}
    assert names <= set(scene.nodes)
    assert len(_interfaces(scene)) == len(scene.nodes)


def _one_is_no_node(scene: Scene) -> None:
    [name] = {one.os_profile.computer_name for one in _instances(scene)} - set(scene.nodes)
    [nic] = _interfaces(scene)[len(scene.nodes) :]
    assert name not in scene.user.nodes()
    assert not scene.tcp(scene.pod(_FIRST), nic.ip_configurations[0].private_ip_address).ok


def _public(scene: Scene) -> list[str]:
    """What the last scale set, its interfaces and its Nodes list as public addresses."""
    vmss = scene.spec.nodes[_LAST].vmss
    addresses = clients(scene).network.public_ip_addresses
    listed = addresses.list_virtual_machine_scale_set_public_ip_addresses(NODE_RESOURCE_GROUP, vmss)
    known = {one.id: one.ip_address for one in listed}
    references = [nic.ip_configurations[0].public_ip_address for nic in _interfaces(scene)]
    of_nodes = [
        one.address
        for node in scene.user.core.list_node().items
        for one in node.status.addresses
        if one.type == "ExternalIP"
    ]
    assert sorted(known[one.id] for one in references if one) == sorted(of_nodes)
    return of_nodes


def _no_public_addresses(scene: Scene) -> None:
    assert _public(scene) == []


def _public_addresses(scene: Scene) -> None:
    last = scene.spec.nodes[_LAST].pool
    assert len(_public(scene)) == sum(node.pool == last for node in scene.spec.nodes)


ROWS = (
    FaultRow(
        fault="nic-ip-forwarding-off@LAST",
        healthy=_forwards,
        broken=_does_not_forward,
        modes=("kubenet",),
    ),
    FaultRow(
        fault="nic-address-removed@LAST",
        healthy=_has_all_addresses,
        broken=_lacks_an_address,
        modes=("node-subnet",),
    ),
    FaultRow(
        fault="nic-in-other-subnet@LAST",
        healthy=_in_the_nodes_subnet,
        broken=_in_another_subnet,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="machine-failed@LAST", healthy=_all_succeeded, broken=_last_failed, modes=_ONE_MODE
    ),
    FaultRow(
        fault="machine-never-joined",
        healthy=_machines_are_nodes,
        broken=_one_is_no_node,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="nodes-public",
        healthy=_no_public_addresses,
        broken=_public_addresses,
        modes=_ONE_MODE,
    ),
)
