"""The verb about room in subnets for the nodes that an upgrade adds, by Azure's own count."""

from collections import Counter

from pytest_aksnet.assertions.azure_places import AzurePlaces, Neighbourhood
from pytest_aksnet.expectations import ipam_arithmetic as arithmetic
from pytest_aksnet.expectations.azure_blame import Finding, open_, together
from pytest_aksnet.expectations.ipam import PLANNING, Room
from pytest_aksnet.expectations.ipam_arithmetic import Cost, PoolPlan
from pytest_aksnet.expectations.ipam_upgrade import Demand, judge_surge
from pytest_aksnet.expectations.upgrade_versions import minor_of
from pytest_aksnet.model.azure import POOLS, AzurePool
from pytest_aksnet.model.azure_vnet import SUBNET_USAGE
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.verdict import Outcome

_STATIC_BLOCKS = "staticblock"


class AzureSurgeVerbs(AzurePlaces):
    """What `Arm` says of room in subnets."""

    def assert_subnets_have_room_for_surge(self) -> FactSheet:
        """Each subnet has the addresses that the surge of all its pools takes.

        Raises FactUnknown where ARM does not tell how full the subnets are.
        """
        around, pools = self.neighbourhood(groups=False), self.read(POOLS)
        usage = {one.subnet: one for one in self.read(SUBNET_USAGE)}
        mode = self._engine.profile.need("mode")
        taken: dict[str, list[tuple[PoolPlan, Cost]]] = {}
        nodes = Counter(node.pool for node in around.nodes)
        for pool in pools:
            plan = _plan(pool, nodes[pool.name])
            of_nodes = arithmetic.cost_in_node_subnet(mode, plan.max_pods)
            taken.setdefault(_node_subnet(pool, around), []).append((plan, of_nodes))
            if pool.pod_subnet:
                blocks = pool.allocation.lower() == _STATIC_BLOCKS
                of_pods = arithmetic.cost_in_pod_subnet(plan.max_pods, static_blocks=blocks)
                taken.setdefault(pool.pod_subnet, []).append((plan, of_pods))
        if not taken:
            raise FactUnknown("ARM told no agent pool")
        falls_back = arithmetic.falls_back(minor_of(around.cluster.version))
        facts: dict[str, str] = {}
        findings: list[Finding] = []
        for subnet, costs in taken.items():
            name = subnet.rpartition("/")[2]
            found = usage.get(subnet)
            if found is None:
                facts[f"subnet {name}"] = "not counted"
                findings.append(
                    open_(f"ARM does not tell how full subnet {name} is", source=PLANNING)
                )
                continue
            room = Room(
                what=f"addresses of subnet {name}",
                size=found.limit,
                used=found.used,
                is_measured=True,
            )
            facts[f"subnet {name}"] = f"{room}; pools " + ", ".join(
                f"{plan.name} +{plan.surge} of {plan.nodes}" for plan, _ in costs
            )
            findings.append(_found(Demand(room=room, pools=costs), subnet, falls_back=falls_back))
        return self.judge("room for surge", facts, together(findings), shows=next(iter(taken)))


def _found(demand: Demand, subnet: str, *, falls_back: bool) -> Finding:
    verdict = judge_surge([demand], falls_back=falls_back)
    if verdict.outcome is not Outcome.FAIL:
        return Finding(verdict=verdict)
    change = "extend its range, or lower maxSurge of the pools"
    return Finding(verdict=verdict, resource=subnet, change=change)


def _plan(pool: AzurePool, nodes: int) -> PoolPlan:
    if not pool.max_pods:
        raise FactUnknown(f"ARM does not tell maxPods of pool {pool.name}")
    surge = pool.max_surge or arithmetic.DEFAULT_SURGE
    if not surge.removesuffix("%").isdecimal():
        raise FactUnknown(f"maxSurge of pool {pool.name} is {surge!r}")
    return PoolPlan(
        name=pool.name,
        nodes=max(nodes, pool.count or 0),
        max_pods=pool.max_pods,
        max_surge=surge,
    )


def _node_subnet(pool: AzurePool, around: Neighbourhood) -> str:
    """By the pool, or by its nodes: pools in a network that AKS made name no subnet."""
    if pool.node_subnet:
        return pool.node_subnet
    nodes = [node for node in around.nodes if node.pool == pool.name] or list(around.nodes)
    return around.spot(nodes[0]).subnet.id
