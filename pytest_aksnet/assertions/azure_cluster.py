"""Verbs about the managed cluster in ARM: its pools, profile and state beside the cluster's own."""

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.cluster_state import nodes_of, pods_of
from pytest_aksnet.expectations.azure_network_profile import (
    Shown,
    comparisons,
    judge_network_profile,
)
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.observation import FactSheet


class AzureClusterVerbs(AzureVerbs):
    """What `Arm` says of the managed cluster."""

    def assert_network_profile_agrees(self) -> FactSheet:
        """networkProfile in ARM is what the cluster itself shows, wherever both say something."""
        cluster, pools = self.read(CLUSTER), self.read(POOLS)
        own = {node.name for node in nodes_of(self._engine.api) if node.provider_id}
        pods = [
            ip
            for pod in pods_of(self._engine.api)
            if not pod.host_network and pod.node in own
            for ip in pod.ips
        ]
        services = [
            ip
            for one in self._engine.api.items("/api/v1/services")
            for ip in (one.get("spec") or {}).get("clusterIPs") or ()
            if ip != "None"
        ]
        shown = Shown(facts=self._engine.profile.facts, pods=pods, services=services)
        found = comparisons(cluster, pools, shown)
        facts = {one.what: one.text for one in found}
        finding = judge_network_profile(cluster, found)
        return self.judge("networkProfile", facts, finding, shows=cluster.id)
