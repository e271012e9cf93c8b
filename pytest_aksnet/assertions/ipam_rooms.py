"""How much room the subnets and ranges of a cluster have, from Azure's own count or the cluster's.

Without Azure the count is the least that the cluster's nodes and pods show, so that what is found
too small is too small. Raises NotApplicable where a network mode has no such subnet, and
FactUnknown where its range is not known.
"""

import ipaddress
from collections import Counter
from collections.abc import Sequence

from pytest_aksnet.assertions.azure import require_azure
from pytest_aksnet.assertions.cluster_state import NodeState, nodes_of, pods_of
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations import ipam_arithmetic as arithmetic
from pytest_aksnet.expectations.ipam import Room
from pytest_aksnet.expectations.ipam_arithmetic import Cost, Network, PoolPlan
from pytest_aksnet.expectations.ipam_upgrade import Demand
from pytest_aksnet.model.azure import AzureSubnet
from pytest_aksnet.model.errors import FactUnknown, NotApplicable

_KEYS = "or [address_plan] in the site file, or credentials for Azure"
_STATIC = "kubernetes.azure.com/podnetwork-type"
_POD_RANGES = ("overlay", "kubenet")


class Rooms:
    """Rooms of one cluster at the moment of reading; each comes with what a node takes of it."""

    def __init__(self, engine: Engine) -> None:
        """Read nodes. Raises NotApplicable off Azure, FactUnknown, EnvironmentProblem."""
        self._engine = engine
        self._profile = engine.profile
        require_azure(engine, "subnets and surge are Azure's")
        self.mode = self._profile.need("mode")
        self.nodes = nodes_of(engine.api)
        self.pools = self._pools()

    def of_nodes(self) -> list[Demand]:
        """The nodes' subnets."""
        return self._in_subnets("node-cidrs", of_pods=False)

    def of_pods(self) -> list[Demand]:
        """The pods' subnets. Raises NotApplicable in modes without."""
        if self.mode != "pod-subnet":
            raise NotApplicable(
                f"pods have no subnet of their own in network mode {self.mode} "
                f"({self._profile.facts['mode'].source})"
            )
        return self._in_subnets("pod-cidrs", of_pods=True)

    def of_pod_range(self) -> list[Demand]:
        """Blocks of the pods' range, and routes. Raises NotApplicable in modes without."""
        if self.mode not in _POD_RANGES:
            raise NotApplicable(
                f"pods have addresses of a subnet in network mode {self.mode} "
                f"({self._profile.facts['mode'].source})"
            )
        ranges = self._need_ranges("pod-cidrs")
        source = self._profile.facts["pod-cidrs"].source
        if source == "spec.podCIDRs of the nodes":
            raise FactUnknown(
                "only the nodes' own shares of the pod range are known; set the whole of it with "
                f"--aksnet-profile pod-cidrs=VALUE {_KEYS}"
            )
        blocks = [ipaddress.ip_network(node.pod_cidrs[0]) for node in self.nodes if node.pod_cidrs]
        prefix = blocks[0].prefixlen if blocks else arithmetic.NODE_BLOCK_PREFIX
        rooms = [
            Room(
                what=f"blocks /{prefix} of the pod range {self._profile.need('pod-cidrs')}",
                size=arithmetic.node_blocks(ranges, prefix),
                used=len(self.nodes),
                is_measured=True,
            )
        ]
        if self.mode == "kubenet":
            most = arithmetic.MOST_ROUTES // len({one.version for one in ranges})
            rooms.append(
                Room(
                    what="routes to nodes in the route table",
                    size=most,
                    used=len(self.nodes),
                    is_measured=True,
                )
            )
        one = Cost(sure=1, planned=1)
        return [Demand(room=room, pools=[(pool, one) for pool in self.pools]) for room in rooms]

    def _need_ranges(self, fact: str) -> tuple[Network, ...]:
        try:
            return self._profile.networks(fact)
        except FactUnknown as unknown:
            raise FactUnknown(f"{unknown}, {_KEYS}") from unknown

    def _pools(self) -> tuple[PoolPlan, ...]:
        azure = self._profile.azure
        surges = {pool.name: pool.max_surge for pool in azure.pools} if azure else {}
        said = self._engine.site.address_plan.max_surge
        nodes = Counter(node.pool or "nodes" for node in self.nodes)
        rooms = {
            pool: [node.pod_room for node in self.nodes if (node.pool or "nodes") == pool]
            for pool in nodes
        }
        return tuple(
            PoolPlan(
                name=pool,
                nodes=count,
                max_pods=max((room for room in rooms[pool] if room is not None), default=0),
                max_surge=surges.get(pool) or said or arithmetic.DEFAULT_SURGE,
            )
            for pool, count in sorted(nodes.items())
        )

    def _in_subnets(self, fact: str, *, of_pods: bool) -> list[Demand]:
        measured = self._measured(of_pods=of_pods)
        if measured:
            return measured
        cidrs = self._need_ranges(fact)
        used = self._held_for_pods() if of_pods else self._held_by_nodes(cidrs)
        names = ", ".join(map(str, cidrs))
        room = Room(
            what=f"addresses of the {'pods' if of_pods else 'nodes'}' subnet {names}",
            size=arithmetic.subnet_size(map(str, cidrs)),
            used=used,
        )
        costs = [(pool, self._cost(pool, of_pods=of_pods)) for pool in self.pools]
        return [Demand(room=room, pools=costs)]

    def _measured(self, *, of_pods: bool) -> list[Demand]:
        """By Azure's own count; empty where it does not say."""
        azure = self._profile.azure
        if azure is None:
            return []
        plans = {pool.name: pool for pool in self.pools}
        demands: dict[str, Demand] = {}
        for pool in azure.pools:
            subnet_id = pool.pod_subnet if of_pods else pool.node_subnet
            subnet = azure.subnet(subnet_id)
            if subnet is None or subnet.free is None or pool.name not in plans:
                return []
            before = demands[subnet.id].pools if subnet.id in demands else ()
            plan = plans[pool.name]
            pools = (*before, (plan, self._cost(plan, of_pods=of_pods)))
            demands[subnet.id] = Demand(room=_room(subnet), pools=pools)
        return list(demands.values())

    def _cost(self, pool: PoolPlan, *, of_pods: bool) -> Cost:
        if not pool.max_pods and (of_pods or self.mode == "node-subnet"):
            raise FactUnknown(
                f"how many pods a node of pool {pool.name} takes is not known, and so not how many "
                "addresses: status.allocatable.pods is missing of its nodes"
            )
        if not of_pods:
            return arithmetic.cost_in_node_subnet(self.mode, pool.max_pods)
        return arithmetic.cost_in_pod_subnet(pool.max_pods, static_blocks=self._static(self.nodes))

    def _static(self, nodes: Sequence[NodeState]) -> bool:
        return any(node.labels.get(_STATIC) == "vnetblock" for node in nodes)

    def _held_by_nodes(self, cidrs: Sequence[Network]) -> int:
        inside = [
            node
            for node in self.nodes
            if any(ipaddress.ip_address(ip) in cidr for ip in node.addresses for cidr in cidrs)
        ]
        if len(inside) < len(self.nodes):
            stranger = next(node for node in self.nodes if node not in inside)
            raise FactUnknown(
                f"node {stranger.name} ({', '.join(stranger.addresses)}) is in none of the nodes' "
                f"subnets that are known; set all of them with --aksnet-profile node-cidrs=VALUE "
                f"{_KEYS}"
            )
        return sum(
            arithmetic.cost_in_node_subnet(self.mode, node.pod_room or 1).sure for node in inside
        )

    def _held_for_pods(self) -> int:
        if self._static(self.nodes):
            return sum(
                arithmetic.cost_in_pod_subnet(node.pod_room or 1, static_blocks=True).sure
                for node in self.nodes
            )
        pods = Counter(pod.node for pod in pods_of(self._engine.api) if not pod.host_network)
        return sum(arithmetic.batches(pods[node.name]) for node in self.nodes)


def _room(subnet: AzureSubnet) -> Room:
    assert subnet.limit is not None
    assert subnet.used is not None
    return Room(
        what=f"addresses of subnet {subnet.name} ({', '.join(subnet.cidrs)})",
        size=subnet.limit,
        used=subnet.used,
        is_measured=True,
    )
