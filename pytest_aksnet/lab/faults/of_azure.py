"""What the faults have in common that are a change of Azure's resources.

How a resource was before is what a lab of the same spec starts with: a fault heals to that.
"""

from abc import ABC, abstractmethod

from pytest_aksnet.lab.azure.resources import Route, RouteTable, SecurityRule
from pytest_aksnet.lab.azure.state import (
    CLUSTER_NETWORK,
    NODE_SUBNET,
    POD_SUBNET,
    SECURITY_GROUP,
    AzureState,
)
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, LabSpec


class AzureFault(ABC):
    """A fault of resources; both methods may be called twice."""

    name: str
    describes: str
    node = ""

    @abstractmethod
    def breaks(self, azure: AzureState) -> None:
        """Change the resources."""

    @abstractmethod
    def mends(self, azure: AzureState) -> None:
        """Change them back."""

    async def inject(self, lab: FaultableLab) -> None:
        """Change the resources, and have everybody follow."""
        self.breaks(lab.azure)
        lab.azure.changed()

    async def heal(self, lab: FaultableLab) -> None:
        """Change them back, and have everybody follow."""
        self.mends(lab.azure)
        lab.azure.changed()


class RuleFault(AzureFault):
    """A fault that is rules in the group of the nodes' subnet."""

    @abstractmethod
    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """The rules that do the damage."""

    def breaks(self, azure: AzureState) -> None:
        """Put the rules in."""
        self.mends(azure)
        azure.security_groups[SECURITY_GROUP].rules += self.rules(azure.spec)

    def mends(self, azure: AzureState) -> None:
        """Take the rules out."""
        names = {rule.name for rule in self.rules(azure.spec)}
        rules = azure.security_groups[SECURITY_GROUP].rules
        rules[:] = [rule for rule in rules if rule.name not in names]


def cluster_subnets(spec: LabSpec) -> tuple[str, ...]:
    """The subnets that nodes and pods have their addresses in."""
    return (NODE_SUBNET, POD_SUBNET) if spec.mode == "pod-subnet" else (NODE_SUBNET,)


def put_route(azure: AzureState, subnet_name: str, route: Route) -> None:
    """Have a subnet's route table say this of a prefix; it gets a table where it has none."""
    subnet = azure.networks[CLUSTER_NETWORK].subnet(subnet_name)
    if not subnet.route_table:
        subnet.route_table = f"{subnet_name}-routetable"
        azure.route_tables.setdefault(
            subnet.route_table,
            RouteTable(name=subnet.route_table, resource_group=NODE_RESOURCE_GROUP),
        )
    table = azure.route_tables[subnet.route_table]
    table.routes = [one for one in table.routes if one.prefix != route.prefix] + [route]


def drop_route(azure: AzureState, subnet_name: str, prefix: str) -> None:
    """Have a subnet's route table say nothing of a prefix."""
    table = _table(azure, subnet_name)
    if table is not None:
        table.routes = [route for route in table.routes if route.prefix != prefix]


def restore_route(azure: AzureState, subnet_name: str, prefix: str) -> None:
    """Have a subnet's route table say of a prefix what it said at the start."""
    before = AzureState(azure.spec)
    original = _table(before, subnet_name)
    drop_route(azure, subnet_name, prefix)
    table = _table(azure, subnet_name)
    if table is None:
        return
    if original is not None:
        table.routes += [route for route in original.routes if route.prefix == prefix]
    elif not table.routes:
        azure.networks[CLUSTER_NETWORK].subnet(subnet_name).route_table = ""
        del azure.route_tables[table.name]


def _table(azure: AzureState, subnet_name: str) -> RouteTable | None:
    subnet = azure.networks[CLUSTER_NETWORK].subnet(subnet_name)
    return azure.route_tables.get(subnet.route_table)
