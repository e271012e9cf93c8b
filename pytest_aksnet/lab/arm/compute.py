"""Microsoft.Compute: the nodes' scale sets, with uniform orchestration, and the other VMs.

A facade in it: every machine runs, as none of the lab can be stopped.
"""

from collections.abc import Iterable

from aiohttp import web

from pytest_aksnet.lab.arm.balancers import pool_id, pools
from pytest_aksnet.lab.arm.documents import (
    SUCCEEDED,
    Document,
    reference,
    references,
    resource,
    tagged,
    without_nothing,
)
from pytest_aksnet.lab.arm.ids import guid
from pytest_aksnet.lab.arm.interfaces import (
    INSTANCES,
    MACHINES,
    PUBLIC_NAME,
    SCALE_SETS,
    Interface,
    interfaces,
    machine_id,
    machines,
    node_interface,
)
from pytest_aksnet.lab.arm.kinds import Call, Provider
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.options import PoolOptions
from pytest_aksnet.lab.spec import (
    NODE_RESOURCE_GROUP,
    REGION,
    RESOURCE_GROUP,
    NodeSpec,
    OutsideHost,
)

_MACHINE_SIZE = "Standard_D2ds_v5"
_RUNNING = {
    "statuses": [
        {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
        },
        {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"},
    ]
}


def pools_of(world: World) -> list[tuple[PoolOptions, list[NodeSpec]]]:
    """The node pools with their machines. AKS keeps the scale set of an empty pool, the lab not."""
    return [
        (pool, [node for node in machines(world) if node.pool == pool.name])
        for pool in world.spec.options.pools
    ]


def _scale_sets(world: World) -> Iterable[Document]:
    for pool, nodes in pools_of(world):
        if not nodes:
            continue
        first = nodes[0]
        yield resource(
            NODE_RESOURCE_GROUP,
            SCALE_SETS,
            first.vmss,
            {
                "uniqueId": guid(first.vmss),
                "orchestrationMode": "Uniform",
                "singlePlacementGroup": False,
                "overprovision": False,
                "platformFaultDomainCount": 1,
                "upgradePolicy": {"mode": "Manual"},
                "virtualMachineProfile": {
                    "osProfile": {"computerNamePrefix": first.name[:-6]},
                    "networkProfile": {
                        "networkInterfaceConfigurations": [
                            _interface_template(world, node_interface(world, first))
                        ]
                    },
                },
            },
            sku={"name": pool.size, "tier": "Standard", "capacity": len(nodes)},
            zones=list(pool.zones),
            tags=_tags(pool),
        )


def _tags(pool: PoolOptions) -> Document:
    return {
        "aks-managed-poolName": pool.name,
        "aks-managed-orchestrator": "Kubernetes",
        "aks-managed-createOperationID": guid(f"create {pool.name}"),
    }


def _interface_template(world: World, one: Interface) -> Document:
    """The scale set's network profile: its interfaces look as those of its instances."""
    subnet = reference(subnet_id(world.azure.networks[one.network], one.subnet))
    behind = references(pool_id(*pool) for pool in pools(world)) or None
    return {
        "name": one.name,
        "properties": without_nothing(
            {
                "primary": True,
                "enableAcceleratedNetworking": one.accelerated,
                "enableIPForwarding": one.forwarding,
                "disableTcpStateTracking": False,
                "dnsSettings": {"dnsServers": []},
                "ipConfigurations": [
                    {
                        "name": one.configuration_name(number),
                        "properties": without_nothing(
                            {
                                "primary": number == 0,
                                "subnet": subnet,
                                "publicIPAddressConfiguration": {"name": PUBLIC_NAME}
                                if one.public_ip and not number
                                else None,
                                "privateIPAddressVersion": "IPv4",
                                "loadBalancerBackendAddressPools": behind if not number else None,
                            }
                        ),
                    }
                    for number in range(len(one.ips))
                ],
            }
        ),
    }


def _instances(world: World, parent: Document) -> Iterable[Document]:
    for node in machines(world):
        if node.vmss != parent["name"]:
            continue
        interface = node_interface(world, node)
        document = {
            "id": interface.machine,
            "name": f"{node.vmss}_{node.instance}",
            "instanceId": str(node.instance),
            "type": INSTANCES,
            "location": REGION,
            "zones": [node.zone.rpartition("-")[2]],
            "sku": {"name": node.instance_type, "tier": "Standard"},
            "tags": parent["tags"],
            "properties": {
                "provisioningState": _state(world, node),
                "latestModelApplied": True,
                "modelDefinitionApplied": "VirtualMachineScaleSet",
                "vmId": guid(node.name),
                "hardwareProfile": {"vmSize": node.instance_type},
                "osProfile": {"computerName": node.name},
                "instanceView": _RUNNING,
                "networkProfile": {"networkInterfaces": [_use(interface)]},
                "networkProfileConfiguration": {
                    "networkInterfaceConfigurations": [_interface_template(world, interface)]
                },
            },
        }
        yield tagged(document)


def _state(world: World, node: NodeSpec) -> str:
    return "Failed" if node.name in world.azure.machines.failed else SUCCEEDED


def _use(interface: Interface) -> Document:
    return {"id": interface.id, "properties": {"primary": True}}


def _machines(world: World) -> Iterable[Document]:
    by_machine = {one.machine: one for one in interfaces(world)}
    for host in world.spec.hosts:
        interface = by_machine.get(machine_id(host))
        if interface is not None:
            yield _machine(host, interface)


def _machine(host: OutsideHost, interface: Interface) -> Document:
    return resource(
        RESOURCE_GROUP,
        MACHINES,
        host.name,
        {
            "vmId": guid(host.name),
            "hardwareProfile": {"vmSize": _MACHINE_SIZE},
            "osProfile": {"computerName": host.name},
            "instanceView": _RUNNING,
            "networkProfile": {"networkInterfaces": [_use(interface)]},
        },
        tags={},
    )


def _instance_view(call: Call) -> web.Response:
    return web.json_response(call.parent["properties"]["instanceView"])


def _public_addresses(world: World, parent: Document) -> Iterable[Document]:
    """Those of the instances: AKS gives them only where a pool asks for them."""
    for node in world.spec.nodes:
        ip = world.azure.machines.public_ip(node)
        if ip and node.vmss == parent["name"]:
            of = node_interface(world, node).configuration_id(0)
            properties = {
                "provisioningState": SUCCEEDED,
                "ipAddress": ip,
                "publicIPAddressVersion": "IPv4",
                "publicIPAllocationMethod": "Static",
                "ipConfiguration": reference(of),
            }
            name = PUBLIC_NAME
            yield tagged(
                {"id": f"{of}/publicIPAddresses/{name}", "name": name, "properties": properties}
            )


PROVIDER = Provider(
    tops={SCALE_SETS: _scale_sets, MACHINES: _machines},
    parts={INSTANCES: _instances, f"{SCALE_SETS}/publicIPAddresses": _public_addresses},
    reads={f"{INSTANCES}/instanceView": _instance_view, f"{MACHINES}/instanceView": _instance_view},
)
