"""What a managed cluster says of itself in ARM, held against the cluster's own objects. Pure."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, passed
from pytest_aksnet.model.azure import AzurePool

POOL_SIZE = "REST API: Agent Pools (count: number of agents to host containers)"


def judge_pool_sizes(pools: Sequence[AzurePool], nodes: Mapping[str, Sequence[str]]) -> Finding:
    """Whether each pool has as many nodes as ARM gave it; `nodes` are names by pool."""
    for pool in pools:
        there = nodes.get(pool.name, ())
        if len(there) != pool.count:
            return failed(
                f"ARM has {pool.count} machines in pool {pool.name}, and {len(there)} nodes of it "
                f"are in the cluster ({', '.join(there) or 'none'})",
                resource=pool.id,
                change="reimage or delete the machines that did not join",
                source=POOL_SIZE,
            )
    sizes = ", ".join(f"{pool.name} {pool.count}" for pool in pools)
    return passed(f"each pool has its nodes: {sizes}", source=POOL_SIZE)
