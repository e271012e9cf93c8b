"""Reads scale sets, machines, their network interfaces and what their sizes can do.

The interfaces of uniform scale sets are listed below the scale set, which the SDK does with the
API version of 2018-10-01; those of other machines are network interfaces of the nodes' resource
group. Sources: the REST API of Microsoft.Compute (2026-04-01, sizes 2021-07-01) and
Microsoft.Network (2026-03-01).
"""

from functools import partial
from typing import Any

from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, text, texts
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_machines import (
    FLEXIBLE,
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    SIZES,
    Interface,
    IpConfiguration,
    Machine,
    ScaleSet,
    VmSize,
)

_POOL_TAG = "aks-managed-poolname"
_POWER = "powerstate/"
_VIEW = "instanceView"


def _read_scale_sets(look: Look) -> tuple[ScaleSet, ...]:
    group = node_group_of(look)
    return tuple(map(_scale_set, look.door.compute.virtual_machine_scale_sets.list(group)))


def _scale_set(found: Any) -> ScaleSet:
    return ScaleSet(
        id=id_of(found),
        name=text(found.name),
        pool=_pool_of(found),
        orchestration=text(found.orchestration_mode).lower(),
        size=text(found.sku.name if found.sku else None),
        capacity=found.sku.capacity if found.sku else None,
        provisioning_state=text(found.provisioning_state),
    )


def _pool_of(found: Any) -> str:
    """The agent pool in the tags, whose names ARM compares without case."""
    tags = {key.lower(): value for key, value in (found.tags or {}).items()}
    return text(tags.get(_POOL_TAG))


def _read_machines(look: Look) -> tuple[Machine, ...]:
    group = node_group_of(look)
    lists = look.together(
        [
            *(partial(_instances, look, group, one) for one in _uniform(look)),
            partial(_single_machines, look, group),
        ],
    )
    return tuple(machine for machines in lists for machine in machines)


def _uniform(look: Look) -> list[ScaleSet]:
    """Those whose machines and interfaces are told below the scale set."""
    return [one for one in look.read(SCALE_SETS) if one.orchestration != FLEXIBLE]


def _instances(look: Look, group: str, of: ScaleSet) -> list[Machine]:
    instances = look.door.compute.virtual_machine_scale_set_vms
    return [_machine(one, of.pool) for one in instances.list(group, of.name, expand=_VIEW)]


def _single_machines(look: Look, group: str) -> list[Machine]:
    """Without their power state: a list of VMs has it only with a filter by one scale set."""
    machines = look.door.compute.virtual_machines
    return [_machine(one, _pool_of(one)) for one in machines.list(group)]


def _machine(found: Any, pool: str) -> Machine:
    view, profile, hardware = found.instance_view, found.os_profile, found.hardware_profile
    codes = [text(one.code).lower() for one in (view.statuses if view else None) or ()]
    powers = [code.removeprefix(_POWER) for code in codes if code.startswith(_POWER)]
    return Machine(
        id=id_of(found),
        name=text(found.name),
        computer_name=text(profile.computer_name if profile else None).lower(),
        pool=pool,
        size=text(hardware.vm_size if hardware else None),
        provisioning_state=text(found.provisioning_state),
        power_state=powers[0] if powers else "",
    )


def _read_interfaces(look: Look) -> tuple[Interface, ...]:
    group = node_group_of(look)
    lists = look.together(
        [
            *(partial(_of_scale_set, look, group, one) for one in _uniform(look)),
            partial(_of_single_machines, look, group),
        ],
    )
    return tuple(interface for interfaces in lists for interface in interfaces)


def _of_scale_set(look: Look, group: str, of: ScaleSet) -> list[Interface]:
    interfaces = look.door.network.network_interfaces
    found = interfaces.list_virtual_machine_scale_set_network_interfaces(group, of.name)
    return list(map(_interface, found))


def _of_single_machines(look: Look, group: str) -> list[Interface]:
    """Private endpoints have interfaces there as well, and no machine."""
    found = map(_interface, look.door.network.network_interfaces.list(group))
    return [one for one in found if one.machine]


def _interface(found: Any) -> Interface:
    configurations, names = found.ip_configurations, found.dns_settings
    # That of an instance is a part of it: its id says so too.
    above, part, _ = id_of(found).partition("/networkinterfaces/")
    own = above if part and "/virtualmachines/" in above else ""
    return Interface(
        id=id_of(found),
        machine=id_of(found.virtual_machine) or own,
        is_primary=found.primary,
        accelerated=found.enable_accelerated_networking,
        forwards=found.enable_ip_forwarding,
        configurations=(
            None if configurations is None else tuple(map(_configuration, configurations))
        ),
        mac=text(found.mac_address).replace("-", ":").lower(),
        security_group=id_of(found.network_security_group),
        dns_servers=texts(names.dns_servers if names else None),
    )


def _configuration(found: Any) -> IpConfiguration:
    return IpConfiguration(
        id=id_of(found),
        ip=text(found.private_ip_address),
        subnet=id_of(found.subnet),
        public_address=id_of(found.public_ip_address),
    )


def _read_sizes(look: Look) -> tuple[VmSize, ...]:
    """Those of the pools alone: a region has about a thousand."""
    pools = look.read(POOLS)
    wanted = {pool.vm_size.lower() for pool in pools if pool.vm_size}
    if not all(pool.vm_size for pool in pools):
        # A pool of kind VirtualMachines has no size of its own.
        wanted |= {machine.size.lower() for machine in look.read(MACHINES)}
    region = look.read(CLUSTER).region
    found = look.door.compute.resource_skus.list(filter=f"location eq '{region}'")
    return tuple(
        _size(one)
        for one in found
        if text(one.resource_type).lower() == "virtualmachines" and text(one.name).lower() in wanted
    )


def _size(found: Any) -> VmSize:
    can = {text(one.name).lower(): text(one.value) for one in found.capabilities or ()}
    accelerates = can.get("acceleratednetworkingenabled", "").lower()
    return VmSize(
        name=text(found.name),
        accelerates={"true": True, "false": False}.get(accelerates),
        most_interfaces=_number(can.get("maxnetworkinterfaces", "")),
        cpus=_number(can.get("vcpus", "")),
    )


def _number(value: str) -> int | None:
    return int(value) if value.isdecimal() else None


READERS = (
    TopicReader(SCALE_SETS, _read_scale_sets),
    TopicReader(MACHINES, _read_machines),
    TopicReader(INTERFACES, _read_interfaces),
    TopicReader(SIZES, _read_sizes),
)
