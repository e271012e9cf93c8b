"""Verbs about upgrades in ARM: versions and states, surge, and what AKS retires."""

import datetime

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.azure_settling import confirmed
from pytest_aksnet.assertions.cluster_state import NodeState, nodes_of
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_retired import judge_retired, retired_in
from pytest_aksnet.expectations.azure_versions import judge_surge, judge_upgrade, judge_versions
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_upgrades import POOL_UPGRADE_PROFILES, UPGRADE_PROFILE
from pytest_aksnet.model.observation import FactSheet


class AzureUpgradeVerbs(AzureVerbs):
    """What `Arm` says of what an upgrade meets."""

    def assert_versions_agree(self) -> FactSheet:
        """API server and kubelets have the versions that ARM names for the cluster and its pools.

        Raises FactUnknown while an operation is going on.
        """
        cluster, pools = self.read(CLUSTER), self.read(POOLS)
        server = self._engine.profile.need("kubernetes-version")
        kubelets = self._by_pool("kubeletVersion")
        facts = {"control plane": f"{cluster.version or 'not told'} in ARM, {server} at /version"}
        for pool in pools:
            seen = ", ".join(sorted(set(kubelets.get(pool.name, {}).values()))) or "no node"
            facts[f"pool {pool.name}"] = f"{pool.version or 'not told'} in ARM, kubelets {seen}"

        def judge(since: float) -> Finding:
            cluster, pools = self.read(CLUSTER, since=since), self.read(POOLS, since=since)
            now = self._by_pool("kubeletVersion")
            return judge_versions(cluster, pools, server=server, kubelets=now)

        # An upgrade may have begun since ARM was read: then that is what ARM says of it by now.
        finding = confirmed(judge)
        return self.judge("versions", facts, finding, shows=cluster.id)

    def assert_upgrade_possible(self) -> FactSheet:
        """Cluster and pools are in a state in which AKS upgrades them, and no pool is behind."""
        cluster, pools = self.read(CLUSTER), self.read(POOLS)
        plane, profiles = self.read(UPGRADE_PROFILE), self.read(POOL_UPGRADE_PROFILES)
        targets = [one.version for one in plane.targets or ()]
        facts = {
            "cluster": f"{cluster.version}, {cluster.provisioning_state}, {cluster.power_state}",
            "upgrades on offer": ", ".join(targets) or "none",
        } | {
            f"pool {pool.name}": f"{pool.version}, {pool.provisioning_state}, {pool.power_state}"
            for pool in pools
        }
        finding = judge_upgrade(cluster, pools, plane, profiles)
        return self.judge("what an upgrade needs", facts, finding, shows=cluster.id)

    def assert_surge_settings(self) -> FactSheet:
        """Each pool can add a node, or take one out, while it is upgraded."""
        cluster, pools = self.read(CLUSTER), self.read(POOLS)
        facts = {
            f"pool {pool.name}": f"maxSurge {pool.max_surge or 'unset'}, maxUnavailable "
            f"{pool.max_unavailable or 'unset'}, {pool.count} nodes"
            for pool in pools
        }
        return self.judge("surge settings", facts, judge_surge(pools), shows=cluster.id)

    def assert_nothing_retired(self) -> FactSheet:
        """Nothing that ARM or the nodes show has been retired by AKS."""
        cluster, pools = self.read(CLUSTER), self.read(POOLS)
        today = self._engine.site.as_of or datetime.datetime.now(datetime.UTC).date()
        images = self._by_pool("osImage")
        found = retired_in(cluster, pools, images)
        plan = cluster.network
        facts = {
            "loadBalancerSku": plan.balancer_sku if plan else "not told",
            "networkPlugin": plan.plugin if plan else "not told",
            "networkPolicy": plan.policy if plan else "not told",
            **{
                f"pool {pool.name}": f"{pool.kind}, {pool.os_sku}, {pool.image_version}, nodes "
                f"{', '.join(sorted(set(images.get(pool.name, {}).values()))) or 'none'}"
                for pool in pools
            },
            **{where: f"{one.what.what}: {one.what.ends}" for where, one in found.items()},
        }
        finding = judge_retired(cluster, pools, found, today)
        return self.judge(f"what AKS retires, as of {today}", facts, finding, shows=cluster.id)

    def _by_pool(self, key: str) -> dict[str, dict[str, str]]:
        """status.nodeInfo of that key by node by pool."""
        found: dict[str, dict[str, str]] = {}
        node: NodeState
        for node in nodes_of(self._engine.api):
            found.setdefault(node.pool, {})[node.name] = node.info.get(key, "")
        return found
