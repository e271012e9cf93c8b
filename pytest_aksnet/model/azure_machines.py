"""What Azure Resource Manager says of machines, their network interfaces and sizes: data only.

A machine is an instance of a scale set or a VM of its own. Ids are in lower case. What ARM's answer
lacks is None, or empty where it is text.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic

_AZURE = "azure://"
FLEXIBLE = "flexible"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSet:
    """One scale set. `pool` is the agent pool that it is tagged with, empty for none.

    `orchestration` is uniform or flexible, in lower case; `capacity` how many machines it is to
    have.
    """

    id: str
    name: str
    pool: str
    orchestration: str
    size: str
    capacity: int | None
    provisioning_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine. `pool` is the agent pool that it is tagged with, empty for none.

    `power_state` is running, deallocated and so on, empty where ARM does not tell it in a list: of
    VMs of their own.
    """

    id: str
    name: str
    computer_name: str
    pool: str
    size: str
    provisioning_state: str
    power_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IpConfiguration:
    """One address of an interface: `subnet` and `public_address` are ids, empty for none."""

    id: str
    ip: str
    subnet: str
    public_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface of a machine, whose id is `machine`, empty where ARM does not say.

    `configurations` are None where the answer had no list of them. `mac` has colons and is in
    lower case. `dns_servers` are its own ones, empty for those of the virtual network.
    """

    id: str
    machine: str
    is_primary: bool | None
    accelerated: bool | None
    forwards: bool | None
    configurations: tuple[IpConfiguration, ...] | None
    mac: str
    security_group: str
    dns_servers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSize:
    """What a size of VM can do, in the cluster's region."""

    name: str
    accelerates: bool | None
    most_interfaces: int | None
    cpus: int | None


def machine_of(provider_id: str) -> str:
    """The id of a node's machine, by its spec.providerID; empty for none of Azure's.

    Source: cloud-provider-azure, providerID ("azure://" and the id of the resource).
    """
    if not provider_id.startswith(f"{_AZURE}/"):
        return ""
    return provider_id.removeprefix(_AZURE).lower()


def is_of_scale_set(machine: str) -> bool:
    """Whether a machine (an id) is an instance of a uniform scale set, by its id."""
    return "/virtualmachinescalesets/" in machine


SCALE_SETS: Topic[tuple[ScaleSet, ...]] = Topic(
    "scale-sets", ("Microsoft.Compute/virtualMachineScaleSets/read",)
)
MACHINES: Topic[tuple[Machine, ...]] = Topic(
    "machines",
    (
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/read",
    ),
)
INTERFACES: Topic[tuple[Interface, ...]] = Topic(
    "interfaces",
    (
        "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
        "Microsoft.Network/networkInterfaces/read",
    ),
)
SIZES: Topic[tuple[VmSize, ...]] = Topic("vm-sizes", ("Microsoft.Compute/skus/read",))
