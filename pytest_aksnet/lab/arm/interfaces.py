"""The network interfaces of a lab: those of scale-set instances, VMs and private endpoints."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_aksnet.lab.arm.endpoints import endpoints
from pytest_aksnet.lab.arm.ids import guid, resource_id
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, NODE_SUBNET
from pytest_aksnet.lab.network.ports import fabric_ports
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, RESOURCE_GROUP, NodeSpec, OutsideHost

SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCES = f"{SCALE_SETS}/virtualMachines"
MACHINES = "Microsoft.Compute/virtualMachines"
INTERFACES = "Microsoft.Network/networkInterfaces"
PUBLIC_NAME = "node-public-ip"
"""What a node's public address is called in Azure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface.

    `machine` is the id of what has it, "" for a private endpoint's, whose own is `endpoint`, with
    the name that it answers to as `fqdn` and its `group_id`.
    `ips` are the primary IPv4 address and those after it, `ip6` one more, `node` the node's name,
    `public_ip` the public address of the primary one, "" for none.
    """

    id: str
    name: str
    machine: str
    network: str
    subnet: str
    ips: tuple[str, ...]
    mac: str
    accelerated: bool = False
    forwarding: bool = False
    ip6: str | None = None
    node: str = ""
    public_ip: str = ""
    endpoint: str = ""
    fqdn: str = ""
    group_id: str = ""

    def configuration_id(self, number: int) -> str:
        """The id of its IP configuration of that number; the IPv6 one comes last."""
        return f"{self.id}/ipConfigurations/{self.configuration_name(number)}"

    def configuration_name(self, number: int) -> str:
        """Its name."""
        if self.endpoint:
            return f"privateEndpointIpConfig.{guid(self.id)}"
        return f"ipconfig{number + 1}"


def interfaces(world: World) -> Iterator[Interface]:
    """All of them."""
    for node in machines(world):
        yield node_interface(world, node)
    private = endpoints(world)
    taken = {endpoint.ip for endpoint in private}
    macs = {port.ip: port.mac for port in fabric_ports(world.azure)}
    for host in world.spec.hosts:
        is_machine = host.domain in ("vnet", "peered") and host.role != "firewall"
        if is_machine and host.ip not in taken:
            yield _machine_interface(world, host, macs[host.ip])
    for number, endpoint in enumerate(private):
        place = locate(world, endpoint.ip)
        if place is None:
            continue
        name = f"{endpoint.name}.nic.{guid(endpoint.name)}"
        yield Interface(
            id=resource_id(endpoint.resource_group, INTERFACES, name),
            name=name,
            machine="",
            network=place[0],
            subnet=place[1],
            ips=(endpoint.ip,),
            mac=macs.get(endpoint.ip, f"00:0d:3a:5e:30:{number:02x}"),
            endpoint=resource_id(
                endpoint.resource_group, "Microsoft.Network/privateEndpoints", endpoint.name
            ),
            fqdn=endpoint.fqdn,
            group_id=endpoint.group_id,
        )


def machines(world: World) -> tuple[NodeSpec, ...]:
    """The machines of the pools: all nodes, and those that never became one."""
    return (*world.spec.nodes, *_unjoined(world))


def _unjoined(world: World) -> Iterator[NodeSpec]:
    subnet = ipaddress.ip_network(world.spec.node_subnet)
    for number, pool in enumerate(sorted(world.azure.machines.unjoined)):
        last = [node for node in world.spec.nodes if node.pool == pool][-1]
        instance = last.instance + 1
        yield replace(
            last,
            name=f"{last.name[:-6]}{instance:06d}",
            instance=instance,
            ip=str(subnet.broadcast_address - 1 - number),
            ip6=None,
            mac=f"00:0d:3a:5e:40:{number:02x}",
            pod_cidr=None,
            pod_cidr6=None,
            reserved_pod_ips=(),
        )


def node_interface(world: World, node: NodeSpec) -> Interface:
    """The interface of a node, named as its scale set."""
    machine = instance_id(node)
    state = world.azure.machines
    reserved = node.reserved_pod_ips if world.spec.mode == "node-subnet" else ()
    secondary = [ip for ip in reserved if ip not in state.taken_off]
    return Interface(
        id=f"{machine}/networkInterfaces/{node.vmss}",
        name=node.vmss,
        machine=machine,
        network=CLUSTER_NETWORK,
        subnet=state.moved.get(node.name, NODE_SUBNET),
        ips=(node.ip, *secondary),
        mac=node.mac,
        accelerated=node.name not in world.trouble.accelerated_networking_off,
        # "AKS docs: configure-kubenet, azure-cni-overlay": pods' packets leave with their own
        # addresses. What the pod-subnet mode sets is not documented.
        forwarding=world.spec.pods_have_cidr and node.name not in state.without_forwarding,
        ip6=node.ip6,
        public_ip=state.public_ip(node),
        node=node.name,
    )


def instance_id(node: NodeSpec) -> str:
    """The id of a node's scale-set instance."""
    return resource_id(NODE_RESOURCE_GROUP, INSTANCES, node.vmss, str(node.instance))


def machine_id(host: OutsideHost) -> str:
    """The id of a VM that is no node."""
    return resource_id(RESOURCE_GROUP, MACHINES, host.name)


def _machine_interface(world: World, host: OutsideHost, mac: str) -> Interface:
    place = locate(world, host.ip)
    assert place is not None
    name = f"{host.name}-nic"
    return Interface(
        id=resource_id(RESOURCE_GROUP, INTERFACES, name),
        name=name,
        machine=machine_id(host),
        network=place[0],
        subnet=place[1],
        ips=(host.ip,),
        mac=mac,
        ip6=host.ip6,
    )
