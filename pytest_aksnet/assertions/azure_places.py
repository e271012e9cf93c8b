"""Nodes and pods as Azure's network sees them: subnets, security groups, route tables.

Reads ARM and the cluster's objects; a topic that nothing of this cluster needs is not read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_aksnet.assertions.azure_packets import AzurePackets
from pytest_aksnet.assertions.cluster_state import NodeState, nodes_of
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_interfaces import below_machines
from pytest_aksnet.expectations.azure_places import (
    Spot,
    groups_at,
    spot_of,
    surroundings,
    table_of,
)
from pytest_aksnet.expectations.azure_security_between import Machine
from pytest_aksnet.model.azure import CLUSTER, ManagedCluster
from pytest_aksnet.model.azure_machines import INTERFACES, is_of_scale_set, machine_of
from pytest_aksnet.model.azure_routes import ROUTE_TABLES, RouteTable
from pytest_aksnet.model.azure_security import SECURITY_GROUPS, SecurityGroup
from pytest_aksnet.model.azure_vnet import VNETS, Subnet, VirtualNetwork
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.peers import PodRef

_VIRTUAL = "virtual-kubelet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """What is around the cluster's machines, read together. `groups` are empty if not asked for."""

    cluster: ManagedCluster
    vnets: tuple[VirtualNetwork, ...]
    tables: tuple[RouteTable, ...]
    groups: tuple[SecurityGroup, ...]
    nodes: tuple[NodeState, ...]

    def spot(self, node: NodeState) -> Spot:
        """Where a node is. Raises FactUnknown where no subnet that was read has its address."""
        for address in node.addresses:
            if found := spot_of(address, self.vnets):
                return found
        raise FactUnknown(
            f"node {node.name} ({', '.join(node.addresses) or 'without an address'}) is in none of "
            f"the subnets that ARM told ({', '.join(one.name for one in self.vnets) or 'none'})"
        )

    def table(self, subnet: Subnet) -> RouteTable | None:
        """The route table of a subnet, None for none. Raises FactUnknown where it was not told."""
        found = table_of(subnet, self.tables)
        if found is None and subnet.route_table:
            raise FactUnknown(
                f"route table {subnet.route_table} of subnet {subnet.name} is not among those that "
                "ARM told"
            )
        if found is None:
            _deny_use(subnet, self.tables)
        return found

    def node(self, name: str) -> NodeState:
        """The node of that name. Raises FactUnknown where it is gone."""
        for one in self.nodes:
            if one.name == name:
                return one
        raise FactUnknown(f"node {name} is not in the cluster any more")

    def machines(self, nodes: Iterable[NodeState]) -> list[Machine]:
        """Nodes as security groups see them, one for each of their addresses."""
        return [
            self._machine(f"node {node.name}", node, self.spot(node), address)
            for node in nodes
            for address in node.addresses
        ]

    def first_machine(self, node: NodeState) -> Machine:
        """A node by its first address."""
        return self._machine(f"node {node.name}", node, self.spot(node), node.addresses[0])

    def spot_of_pod(self, pod: PodRef) -> Spot | None:
        """The subnet that has a pod's address; None where it is of a range of its own."""
        return spot_of(pod.ip, self.vnets)

    def machines_of_pods(self, pods: Sequence[AnyPod]) -> list[Machine]:
        """The pods' own addresses: those of a subnet are in its groups, others in their node's."""
        found = []
        for pod in map(pod_of, pods):
            node = self.node(pod.node)
            for address in pod.ips or (pod.ip,):
                spot = spot_of(address, self.vnets) or self.spot(node)
                found.append(self._machine(f"pods of node {node.name}", node, spot, address))
        return found

    def _machine(self, what: str, node: NodeState, spot: Spot, address: str) -> Machine:
        groups = groups_at(spot, node.provider_id, self.groups)
        if groups is None:
            raise FactUnknown(
                f"security group {spot.subnet.security_group} of subnet {spot.subnet.name} is not "
                "among those that ARM told"
            )
        if not spot.subnet.security_group:
            _deny_use(spot.subnet, self.groups)
        return Machine(
            what=f"{what} ({address})",
            node=node.name,
            address=address,
            groups=groups,
            around=surroundings(spot, self.tables, self.cluster),
        )


def _deny_use(subnet: Subnet, users: Iterable[RouteTable | SecurityGroup]) -> None:
    """Raise FactUnknown where one of these says that a subnet uses it which names none."""
    for one in users:
        if subnet.id in one.subnets:
            raise FactUnknown(
                f"ARM's answers contradict each other: {one.name} is said to be in use by subnet "
                f"{subnet.name}, which does not name it"
            )


class AzurePlaces(AzurePackets):
    """Verbs that rest on where nodes and pods are in Azure's network."""

    def neighbourhood(
        self, *, groups: bool = True, tables: bool = False, since: float = 0.0
    ) -> Neighbourhood:
        """Read what is around nodes and pods; `since` as in `AzureVerbs.read`.

        Route tables are read where a node's subnet has one, or with `tables`.
        """
        cluster, vnets = self.read(CLUSTER), self.read(VNETS, since=since)
        # A virtual node is no machine, and in no subnet.
        nodes = tuple(
            one for one in nodes_of(self._engine.api) if one.labels.get("type") != _VIRTUAL
        )
        spots = [spot_of(address, vnets) for node in nodes for address in node.addresses]
        routed = any(spot is not None and spot.subnet.route_table for spot in spots)
        return Neighbourhood(
            cluster=cluster,
            vnets=vnets,
            tables=self.read(ROUTE_TABLES, since=since) if routed or tables else (),
            groups=self._groups(nodes, since) if groups else (),
            nodes=nodes,
        )

    def _groups(self, nodes: Sequence[NodeState], since: float) -> tuple[SecurityGroup, ...]:
        """Security groups, with the interfaces that they are on below their machines."""
        found = self.read(SECURITY_GROUPS, since=since)
        machines = [machine_of(node.provider_id) for node in nodes]
        if all(is_of_scale_set(one) for one in machines if one):
            return found
        interfaces = self.read(INTERFACES, since=since)
        return tuple(
            replace(one, interfaces=below_machines(one.interfaces, interfaces)) for one in found
        )
