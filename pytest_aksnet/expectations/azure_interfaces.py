"""How the network interfaces of the nodes' machines should be, as the cluster is built. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_machines import ClusterNode
from pytest_aksnet.model.azure import AzurePool, NetworkPlan
from pytest_aksnet.model.azure_machines import Interface
from pytest_aksnet.model.resource_id import resource_id

FORWARDING = "AKS docs: configure-kubenet; Azure docs: virtual-network-network-interface"
ADDRESSES = "Azure docs: virtual-network-network-interface-addresses"
POD_ADDRESSES = "AKS docs: configure-azure-cni (pods have addresses of their node's interface)"
SUBNETS = "REST API: Agent Pools (vnetSubnetID: the subnet which nodes join on startup)"


def by_machine(interfaces: Iterable[Interface]) -> dict[str, list[Interface]]:
    """The interfaces of each machine, by its id."""
    found: dict[str, list[Interface]] = defaultdict(list)
    for one in interfaces:
        found[one.machine].append(one)
    return dict(found)


def below_machines(ids: Iterable[str], interfaces: Iterable[Interface]) -> tuple[str, ...]:
    """Ids of interfaces, or of parts of them, each below its machine as far as that is known.

    Those of scale sets are; a machine of its own has interfaces that do not name it.
    """
    owners = {one.id: one.machine for one in interfaces}
    return tuple(_below(one, owners) for one in ids)


def _below(id_: str, owners: Mapping[str, str]) -> str:
    above, part, below = id_.partition("/networkinterfaces/")
    own = owners.get(f"{above}{part}{below.partition('/')[0]}", "")
    return f"{own}{part}{below}" if own and part else id_


def main_interface(found: Sequence[Interface]) -> Interface:
    """The one of several that ARM calls primary, or else the first."""
    return next((one for one in found if one.is_primary), found[0])


def unknown_interface(node: ClusterNode) -> Finding:
    """What is said of a node whose interface ARM does not list."""
    return open_(f"ARM lists no interface of the machine of node {node.name}")


def wanted_forwarding(plan: NetworkPlan, pool: AzurePool) -> bool | None:
    """Whether interfaces of a pool should forward; None where nothing says it.

    Of kubenet it is documented; of overlay and of pods in the nodes' subnet it was only seen.
    """
    if plan.plugin == "kubenet":
        return True
    if plan.plugin != "azure":
        return None
    if plan.plugin_mode == "overlay":
        return True
    return None if plan.plugin_mode or pool.pod_subnet else False


def judge_forwarding(
    node: ClusterNode, found: Interface, *, plan: NetworkPlan, wanted: bool
) -> Finding:
    """Whether an interface forwards as its network mode needs it: only of kubenet a promise."""
    if found.forwards is None:
        return open_(f"ARM does not say whether the interface of node {node.name} forwards")
    said = f"the interface of node {node.name} has IP forwarding {_on(found.forwards)}"
    if found.forwards == wanted:
        return passed(said, source=FORWARDING)
    if plan.plugin == "kubenet":
        return failed(
            f"{said}: the virtual network drops what its pods send, and delivers nothing that the "
            "route table sends to them",
            resource=found.id,
            change="enable IP forwarding",
            source=FORWARDING,
        )
    mode = plan.plugin_mode or "node subnet"
    return passed(
        said,
        source=FORWARDING,
        warning=f"{said}, and AKS makes it {_on(wanted)} for {plan.plugin} {mode}: {found.id}",
    )


def _on(value: bool) -> str:
    return "on" if value else "off"


def judge_node_addresses(node: ClusterNode, found: Sequence[Interface]) -> Finding:
    """Whether each internal address of a node is one of its own machine's interfaces."""
    if not node.addresses:
        return open_(f"node {node.name} lists no internal address")
    return _judge_held(
        f"address {{}} that node {node.name} lists", node.addresses, found, source=ADDRESSES
    )


def judge_pod_addresses(
    node: ClusterNode, pods: Mapping[str, Sequence[str]], found: Sequence[Interface]
) -> Finding:
    """Whether each address of a node's pods is one that its interface has for them.

    `pods` are their addresses by namespace and name: those that run in a network of their own.
    Nothing is said of an interface without further addresses: the answer that pods have those of
    the nodes' subnet may have lacked a field.
    """
    if not _reserves_for_pods(found):
        return open_(f"ARM tells no addresses for pods of the interface of node {node.name}")
    return together(
        _judge_held(
            f"address {{}} of pod {pod} on node {node.name}", ips, found, source=POD_ADDRESSES
        )
        for pod, ips in pods.items()
    )


def _reserves_for_pods(found: Sequence[Interface]) -> bool:
    ips = [one.ip for nic in found for one in nic.configurations or ()]
    return sum(":" not in ip for ip in ips) > len(found)


def _judge_held(
    what: str, ips: Sequence[str], found: Sequence[Interface], *, source: str
) -> Finding:
    held = {one.ip for nic in found for one in nic.configurations or ()}
    missing = [ip for ip in ips if ip not in held]
    if missing and all(":" in ip for ip in missing) and not any(":" in ip for ip in held):
        # The API version with interfaces of scale sets is older than IPv6 in virtual networks.
        return open_(f"ARM tells no IPv6 address of {main_interface(found).id}", source=source)
    if not missing:
        return passed(
            f"{what.format(', '.join(ips))} is an IP configuration of its interface", source=source
        )
    said = what.format(", ".join(missing))
    if "" in held or any(nic.configurations is None for nic in found):
        nic = main_interface(found).id
        return open_(f"{said} is none of those that ARM tells of {nic}, and it does not tell all")
    return failed(
        f"{said} is no IP configuration of its machine's interface, which has "
        f"{_some(sorted(held)) or 'none'}: the virtual network delivers it elsewhere or nowhere",
        resource=main_interface(found).id,
        change=f"it should have {', '.join(missing)}: reimage the machine, or add the address",
        source=source,
    )


def _some(values: Sequence[str], most: int = 5) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def judge_subnet(
    node: ClusterNode, pool: AzurePool, found: Interface, *, node_group: str
) -> Finding:
    """Whether an interface is in the subnet that its pool names.

    A pool without one is in the virtual network that AKS made, in the nodes' resource group.
    """
    if found.configurations is None or not all(one.subnet for one in found.configurations):
        return open_(f"ARM does not say which subnet the interface of node {node.name} is in")
    subnets = sorted({one.subnet for one in found.configurations})
    said = f"the interface of node {node.name} is in {', '.join(map(_short, subnets)) or 'none'}"
    if pool.node_subnet:
        if pool.node_subnet in subnets and {*subnets} <= {pool.node_subnet, pool.pod_subnet}:
            return passed(f"{said}, as pool {pool.name}", source=SUBNETS)
        return failed(
            f"{said}, and pool {pool.name} is in {_short(pool.node_subnet)}: groups and routes of "
            "the pool's subnet do not hold for the node",
            resource=found.id,
            change=f"make the node anew in {_short(pool.node_subnet)}",
            source=SUBNETS,
        )
    if all(resource_id(one).group == node_group.lower() for one in subnets) and subnets:
        return passed(f"{said} of the virtual network that AKS made", source=SUBNETS)
    return open_(f"{said}, and ARM does not say which subnet pool {pool.name} is in")


def _short(subnet: str) -> str:
    return "/".join(resource_id(subnet).names)
