"""How many addresses AKS takes of a subnet, and how many nodes an upgrade adds. Pure numbers.

Sources: AKS docs concepts-network-ip-address-planning, upgrade-cluster (surge),
concepts-network-azure-cni-pod-subnet (batches and blocks of 16), configure-kubenet (routes), and
messages of the AKS resource provider (InsufficientSubnetSize).
"""

import ipaddress
import math
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESERVED_BY_AZURE = 5
BATCH = 16
NODE_BLOCK_PREFIX = 24
MOST_ROUTES = 400
DEFAULT_SURGE = "10%"
_FALLBACK_SINCE = (1, 35)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """One agent pool as an upgrade sees it. `max_surge` is a number of nodes or a percentage."""

    name: str
    nodes: int
    max_pods: int
    max_surge: str = DEFAULT_SURGE

    @property
    def surge(self) -> int:
        """How many nodes an upgrade adds to it."""
        return surge_nodes(self.nodes, self.max_surge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Addresses of one node: what it takes for sure, and what the documentation plans for it."""

    sure: int
    planned: int


def subnet_size(cidrs: Iterable[str]) -> int:
    """The IPv4 addresses of a subnet that Azure gives out: it keeps five of each range."""
    ranges = [ipaddress.ip_network(cidr) for cidr in cidrs]
    return sum(max(0, one.num_addresses - RESERVED_BY_AZURE) for one in ranges if one.version == 4)


def preallocated(nodes: int, max_pods: int) -> int:
    """What AKS asks of the subnet for a pool in node-subnet mode, before it makes the nodes.

    Pods on the node's network need no address of their own, so it is one less than the most pods
    of each node, the node's own address included.
    """
    return max_pods * nodes - nodes


def surge_nodes(nodes: int, max_surge: str) -> int:
    """The nodes that `max_surge` adds to a pool: a percentage is rounded up, the pool the most.

    Raises ValueError where it is neither a number nor a percentage.
    """
    text = max_surge.strip() or DEFAULT_SURGE
    share = text.endswith("%")
    number = int(text.removesuffix("%"))
    return min(nodes, math.ceil(nodes * number / 100) if share else number)


def cost_in_node_subnet(mode: str, max_pods: int) -> Cost:
    """What one more node takes of the nodes' subnet, by network mode."""
    if mode != "node-subnet":
        return Cost(sure=1, planned=1)
    return Cost(sure=preallocated(1, max_pods), planned=max_pods + 1)


def cost_in_pod_subnet(max_pods: int, *, static_blocks: bool) -> Cost:
    """What one more node takes of the pods' subnet: a batch of 16 at first, or all its blocks."""
    if static_blocks:
        whole = math.ceil((max_pods + 1) / BATCH) * BATCH
        return Cost(sure=whole, planned=whole)
    return Cost(sure=BATCH, planned=math.ceil(max_pods / BATCH) * BATCH)


def batches(pods: int) -> int:
    """The addresses that a node holds of the pods' subnet for so many pods, at least."""
    return max(1, math.ceil(pods / BATCH)) * BATCH


def node_blocks(ranges: Iterable[Network], prefix: int = NODE_BLOCK_PREFIX) -> int:
    """How many nodes the IPv4 ranges of pods have a block of that prefix length for."""
    return sum(
        2 ** (prefix - one.prefixlen)
        for one in ranges
        if one.version == 4 and one.prefixlen <= prefix
    )


def falls_back(version: tuple[int, int]) -> bool:
    """Whether an upgrade goes on with one node at a time where there is no room for the surge."""
    return version >= _FALLBACK_SINCE


def service_addresses(ranges: Iterable[Network]) -> int:
    """The cluster IPs of the ranges of Services: not the first of each, nor IPv4's last."""
    return sum(max(0, one.num_addresses - (2 if one.version == 4 else 1)) for one in ranges)
