"""Verbs about the managed cluster in ARM: its pools, profile and state beside the cluster's own."""

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.cluster_state import nodes_of
from pytest_aksnet.expectations.azure_cluster import judge_pool_sizes
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.observation import FactSheet


class AzureClusterVerbs(AzureVerbs):
    """What `Arm` says of the managed cluster."""

    def assert_pools_have_their_nodes(self) -> FactSheet:
        """Every machine that ARM counts in a pool has joined the cluster, and no other."""
        cluster, pools = self.read(CLUSTER), self.read(POOLS)
        nodes: dict[str, list[str]] = {}
        for node in nodes_of(self._engine.api):
            nodes.setdefault(node.pool, []).append(node.name)
        facts = {
            f"pool {pool.name}": f"{pool.count} in ARM, {len(nodes.get(pool.name, ()))} nodes"
            for pool in pools
        }
        finding = judge_pool_sizes(pools, nodes)
        return self.judge("pools and their nodes", facts, finding, shows=cluster.id)
