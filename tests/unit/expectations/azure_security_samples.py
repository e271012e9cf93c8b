"""Security groups with their default rules, flows and machines, for tests to change."""

from pytest_aksnet.expectations.azure_security_between import (
    Machine,
)
from pytest_aksnet.expectations.azure_security_rules import (
    INBOUND,
    OUTBOUND,
    Flow,
    Surroundings,
    networks,
)
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule

NSG_ID = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/networksecuritygroups/nsg"
AROUND = Surroundings(networks=networks(["10.224.0.0/12", "10.244.0.0/16"]))


def rule(
    name: str = "r",
    priority: int | None = 100,
    access: str = "Deny",
    *,
    direction: str = "Inbound",
    protocol: str = "*",
    sources: tuple[str, ...] = ("*",),
    destinations: tuple[str, ...] = ("*",),
    ports: tuple[str, ...] = ("*",),
    default: bool = False,
    members: bool = False,
) -> SecurityRule:
    return SecurityRule(
        id=f"{NSG_ID}/securityrules/{name}",
        name=name,
        priority=priority,
        direction=direction,
        access=access,
        protocol=protocol,
        sources=sources,
        source_ports=("*",),
        destinations=destinations,
        destination_ports=ports,
        is_default=default,
        is_by_members=members,
    )


DEFAULTS = (
    rule(
        "vnet-in",
        65000,
        "Allow",
        sources=("VirtualNetwork",),
        destinations=("VirtualNetwork",),
        default=True,
    ),
    rule("lb-in", 65001, "Allow", sources=("AzureLoadBalancer",), default=True),
    rule("deny-in", 65500, default=True),
    rule(
        "vnet-out",
        65000,
        "Allow",
        direction="Outbound",
        sources=("VirtualNetwork",),
        destinations=("VirtualNetwork",),
        default=True,
    ),
    rule(
        "internet-out",
        65001,
        "Allow",
        direction="Outbound",
        destinations=("Internet",),
        default=True,
    ),
    rule("deny-out", 65500, direction="Outbound", default=True),
)


def group(*rules: SecurityRule, whole: bool = True) -> SecurityGroup:
    return SecurityGroup(id=NSG_ID, rules=(*rules, *DEFAULTS), is_whole=whole)


def flow(
    source: str, destination: str, port: int = 443, *, protocol: str = "tcp", out: bool = False
) -> Flow:
    return Flow(
        direction=OUTBOUND if out else INBOUND,
        protocol=protocol,
        source=source,
        destination=destination,
        port=port,
    )


def machine(node: str, address: str, *rules: SecurityRule) -> Machine:
    return Machine(
        what=f"node {node}", node=node, address=address, groups=(group(*rules),), around=AROUND
    )
