"""Who is in the backend pools of load balancers, held against the cluster's nodes. Pure."""

from collections.abc import Iterable, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure_balancers import BackendPool, Balancer
from pytest_aksnet.model.balanced import BackendNode

POOLS = "AKS docs: load-balancer-standard, backend pool types; cloud-provider-azure"
OUTBOUND = "Azure docs: load-balancer-outbound-connections, outbound rules"
# The cloud provider's own pools (lower case); Local Services of several load balancers have others.
_OF_ALL_NODES = ("kubernetes", "kubernetes-ipv6")
_SCALE_SET = "/virtualmachinescalesets/"
_MACHINE = "/virtualmachines/"


def is_member(node: BackendNode, pool: BackendPool) -> bool | None:
    """Whether a node is in a backend pool; None where ARM's answer does not say.

    A NIC that is none of a scale set does not name its machine.
    """
    if node.machine and any(one.startswith(f"{node.machine}/") for one in pool.configurations):
        return True
    if set(node.addresses) & set(pool.addresses):
        return True
    nameless = any(_MACHINE not in one for one in pool.configurations)
    if not pool.is_known or not node.machine or (nameless and _SCALE_SET not in node.machine):
        return None
    return False


def judge_inbound_pools(balancers: Sequence[Balancer], nodes: Sequence[BackendNode]) -> Finding:
    """Each node that must serve frontends is in the backend pools that rules spread over.

    Several load balancers share the nodes: each is in the pool of one of them.
    """
    if not _whole(balancers):
        return open_("ARM's answer lacks pools or rules of a load balancer", source=POOLS)
    groups: dict[tuple[str, bool], list[BackendPool]] = {}
    for balancer in balancers:
        used = {one for rule in balancer.rules or () for one in rule.pools}
        internal = balancer.name.endswith("-internal")
        for pool in balancer.pools or ():
            if pool.id in used and pool.name in _OF_ALL_NODES:
                groups.setdefault((pool.name, internal), []).append(pool)
    if not groups:
        return open_("no load balancing rule spreads over a backend pool", source=POOLS)
    return together(
        _judge(pools, nodes, "no frontend sends to it", POOLS) for pools in groups.values()
    )


def judge_outbound_pools(balancers: Sequence[Balancer], nodes: Sequence[BackendNode]) -> Finding:
    """Each node is in the backend pool of an outbound rule that has an address.

    Nodes need not be Ready for it, yet one that is not in the cluster's service is left alone.
    """
    if not _whole(balancers):
        return open_("ARM's answer lacks pools or rules of a load balancer", source=OUTBOUND)
    rules = [rule for balancer in balancers for rule in balancer.outbound_rules or ()]
    pools = {pool.id: pool for balancer in balancers for pool in balancer.pools or ()}
    if not rules:
        if not balancers:
            return open_("ARM shows no load balancer of the cluster", source=OUTBOUND)
        return failed(
            "outbound type loadBalancer needs an outbound rule, and the load balancer has none, so "
            "no node has a way out",
            resource=balancers[0].id,
            change="have AKS reconcile its outbound rule: az aks update",
            source=OUTBOUND,
        )
    if any(rule.frontends is None or rule.pool not in pools for rule in rules):
        return open_("ARM's answer lacks addresses or the pool of an outbound rule")
    for rule in rules:
        if not rule.frontends:
            return failed(
                f"outbound rule {rule.id.rpartition('/')[2]} should have an address, but has none",
                resource=rule.id,
                change="give it a frontend",
                source=OUTBOUND,
            )
    return _judge([pools[rule.pool] for rule in rules], nodes, "it has no way out", OUTBOUND)


def _judge(
    pools: Sequence[BackendPool], nodes: Iterable[BackendNode], so: str, source: str
) -> Finding:
    missing: list[str] = []
    unknown: list[str] = []
    there: list[str] = []
    for node in nodes:
        if node.spared:
            continue
        found = [is_member(node, pool) for pool in pools]
        (there if True in found else unknown if None in found else missing).append(node.name)
    name = pools[0].name
    if missing:
        return failed(
            f"node {', '.join(missing)} should be in backend pool {name} and is not, so {so}",
            resource=pools[0].id,
            change=f"have the cloud provider add {', '.join(missing)}",
            source=source,
        )
    if unknown:
        return open_(
            f"whether node {', '.join(unknown)} is in backend pool {name} is not in ARM's answer",
            source=source,
        )
    return passed(f"backend pool {name} has {', '.join(there) or 'no node'}", source=source)


def _whole(balancers: Iterable[Balancer]) -> bool:
    return all(
        part is not None for one in balancers for part in (one.pools, one.rules, one.outbound_rules)
    )
