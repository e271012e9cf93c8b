"""Whether nodes have no public addresses: pools, interfaces and what nodes list. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_interfaces import unknown_interface
from pytest_aksnet.expectations.azure_machines import ClusterNode
from pytest_aksnet.model.azure import AzurePool
from pytest_aksnet.model.azure_machines import Interface, Machine
from pytest_aksnet.model.resource_id import resource_id

PRIVATE_NODES = "CIS AKS 5.4.3 (private nodes)"
_GATEWAY = "gateway"


def judge_private(
    pools: Sequence[AzurePool],
    machines: Sequence[Machine],
    interfaces: Mapping[str, Sequence[Interface]],
    nodes: Sequence[ClusterNode],
) -> Finding:
    """Whether no pool asks for public addresses, and no interface and no node has one.

    Pools of mode Gateway have public addresses by design ("AKS docs: configure-static-egress-
    gateway"): they are left out.
    """
    gateways = {pool.name for pool in pools if pool.mode.lower() == _GATEWAY}
    spared = {machine.id for machine in machines if machine.pool in gateways}
    findings = [
        finding
        for node in nodes
        if node.machine and node.machine not in spared
        for finding in _private(node, interfaces.get(node.machine, ()))
    ]
    findings += [_asks_for_none(pool) for pool in pools if pool.name not in gateways]
    return together(findings)


def _private(node: ClusterNode, found: Sequence[Interface]) -> Iterable[Finding]:
    if not found:
        yield unknown_interface(node)
    for nic in found:
        public = [one for one in nic.configurations or () if one.public_address]
        if nic.configurations is None:
            yield open_(f"ARM does not tell the addresses of the interface of node {node.name}")
        elif public:
            listed = f", and the node lists {', '.join(node.external)}" if node.external else ""
            yield failed(
                f"the interface of node {node.name} has the public address "
                f"{resource_id(public[0].public_address).name}{listed}",
                resource=nic.id,
                change="take the public address away, or move to a pool without them",
                source=PRIVATE_NODES,
            )
            return
    if node.external:
        yield failed(
            f"node {node.name} lists the public address {', '.join(node.external)}",
            resource=node.machine,
            change="move to a pool without public addresses",
            source=PRIVATE_NODES,
        )
    elif found:
        yield passed(f"node {node.name} has no public address", source=PRIVATE_NODES)


def _asks_for_none(pool: AzurePool) -> Finding:
    if pool.public_ips is None:
        return open_(f"ARM does not say whether nodes of pool {pool.name} get public addresses")
    if not pool.public_ips:
        return passed(f"pool {pool.name} gives no public addresses", source=PRIVATE_NODES)
    return failed(
        f"pool {pool.name} gives every node a public address (enableNodePublicIP)",
        resource=pool.id,
        change="move to a pool without public addresses",
        source=PRIVATE_NODES,
    )
