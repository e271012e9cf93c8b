"""Makes facts of the network profile out of readings of ARM.

What could not be read is left out and said in `unknown`. Sources: the REST API of
Microsoft.ContainerService (2026-08-01) and Microsoft.Network, AKS docs (egress-outboundtype,
concepts-network).
"""

import dataclasses

from pytest_aksnet.model.arm import ArmReader, Refusal, Topic, Value
from pytest_aksnet.model.azure import (
    CLUSTER,
    POOLS,
    AzureNetwork,
    AzurePool,
    AzureSubnet,
    ManagedCluster,
    NetworkPlan,
)
from pytest_aksnet.model.azure_vnet import (
    PUBLIC_ADDRESSES,
    SUBNET_USAGE,
    VNETS,
    VirtualNetwork,
)

# Its name in a virtual network that AKS made.
_MANAGED_SUBNET = "aks-subnet"


def network_of(readings: ArmReader) -> AzureNetwork | Refusal:
    """What ARM says of the cluster; the refusal where the cluster itself cannot be read."""
    found = readings.reading(CLUSTER.name)
    if found.refusal is not None:
        return found.refusal
    assert found.value is not None
    return _Network(readings, found.value).network()


def _placed(
    pools: tuple[AzurePool, ...], vnets: tuple[VirtualNetwork, ...]
) -> tuple[AzurePool, ...]:
    """Pools with the subnet that they are in, although they name none.

    Those of a virtual network that AKS made name none (AKS docs: concepts-network); it has one for
    nodes, and may have delegated ones beside it. Where one pool names its subnet, so do all, unless
    the answer lacks it.
    """
    if any(pool.node_subnet for pool in pools):
        return pools
    free = [one for vnet in vnets for one in vnet.subnets if not one.delegations]
    mine = [one for one in free if one.name == _MANAGED_SUBNET] or free
    if len(mine) != 1:
        return pools
    return tuple(dataclasses.replace(pool, node_subnet=mine[0].id) for pool in pools)


class _Network:
    """One cluster: what is there is collected, what is refused is written down."""

    def __init__(self, readings: ArmReader, cluster: ManagedCluster) -> None:
        self._readings = readings
        self._cluster = cluster
        self._facts: dict[str, tuple[str, str]] = {}
        self._unknown: dict[str, str] = {}

    def network(self) -> AzureNetwork:
        """All of it."""
        plan = self._cluster.network
        pools = self._read(POOLS, "agent pools") or ()
        self._of_cluster(plan)
        vnets = self._read(VNETS, "virtual networks") or ()
        pools = _placed(pools, vnets)
        subnets = self._subnets(pools, vnets)
        self._of_pools(plan, pools)
        ranges = ",".join(cidr for vnet in vnets for cidr in vnet.ranges)
        self._say("vnet-cidrs", ranges, "virtual networks, addressSpace")
        self._ranges(pools, subnets)
        self._egress(plan)
        return AzureNetwork(
            resource_id=self._cluster.id,
            facts=self._facts,
            pools=pools,
            subnets=subnets,
            unknown=self._unknown,
            outbound_ports=plan.outbound_ports if plan else None,
            outbound_ips=len(plan.outbound_ids) if plan and plan.outbound_ids else None,
        )

    def _read(self, topic: Topic[Value], what: str) -> Value | None:
        reading = self._readings.reading(topic.name)
        if reading.refusal is not None:
            self._unknown[what] = reading.refusal.why
        return reading.value

    def _say(self, fact: str, value: str, where: str) -> None:
        if value:
            self._facts[fact] = (value, f"ARM: {where}")

    def _of_cluster(self, plan: NetworkPlan | None) -> None:
        cluster = self._cluster
        self._say("support-plan", cluster.support_plan, "supportPlan")
        self._say("region", cluster.region, "location")
        if cluster.is_private is not None:
            where = "apiServerAccessProfile.enablePrivateCluster"
            self._say("api-server", "private" if cluster.is_private else "public", where)
        if plan is None:
            self._unknown["networkProfile"] = "the managed cluster has none"
            return
        self._say("data-plane", plan.data_plane, "networkProfile.networkDataplane")
        if plan.plugin != "none":
            self._say("policy-engine", plan.policy or "none", "networkProfile.networkPolicy")
        self._say("pod-cidrs", ",".join(plan.pod_cidrs), "networkProfile.podCidrs")
        self._say("service-cidrs", ",".join(plan.service_cidrs), "networkProfile.serviceCidrs")
        self._say("dns-service-ip", plan.dns_service_ip, "networkProfile.dnsServiceIP")
        self._say("outbound-type", plan.outbound_type, "networkProfile.outboundType")
        self._say("load-balancer-sku", plan.balancer_sku, "networkProfile.loadBalancerSku")
        self._say("ip-families", ",".join(plan.ip_families), "networkProfile.ipFamilies")
        if plan.plugin in ("kubenet", "none"):
            mode = "kubenet" if plan.plugin == "kubenet" else "byo"
            self._say("mode", mode, f"networkProfile.networkPlugin {plan.plugin}")
        elif plan.plugin_mode == "overlay":
            self._say("mode", "overlay", "networkProfile.networkPluginMode overlay")

    def _of_pools(self, plan: NetworkPlan | None, pools: tuple[AzurePool, ...]) -> None:
        if not pools:
            return
        known = sorted((pool.name, pool.max_pods) for pool in pools if pool.max_pods)
        sizes = ",".join(f"{name}={number}" for name, number in known)
        self._say("max-pods", sizes, "agentPools maxPods")
        if plan is not None and plan.plugin == "azure" and plan.plugin_mode != "overlay":
            in_pod_subnet = any(pool.pod_subnet for pool in pools)
            mode = "pod-subnet" if in_pod_subnet else "node-subnet"
            self._say("mode", mode, "agentPools podSubnetID")

    def _subnets(
        self, pools: tuple[AzurePool, ...], vnets: tuple[VirtualNetwork, ...]
    ) -> tuple[AzureSubnet, ...]:
        """Those that pools are in, with how full they are."""
        wanted = {one for pool in pools for one in (pool.node_subnet, pool.pod_subnet) if one}
        usage = {one.subnet: one for one in self._read(SUBNET_USAGE, "usage of subnets") or ()}
        return tuple(
            AzureSubnet(
                id=subnet.id,
                cidrs=subnet.cidrs,
                limit=usage[subnet.id].limit if subnet.id in usage else None,
                used=usage[subnet.id].used if subnet.id in usage else None,
            )
            for vnet in vnets
            for subnet in vnet.subnets
            if subnet.id in wanted
        )

    def _ranges(self, pools: tuple[AzurePool, ...], subnets: tuple[AzureSubnet, ...]) -> None:
        cidrs = {subnet.id: subnet.cidrs for subnet in subnets}
        for fact, wanted in (
            ("node-cidrs", {pool.node_subnet for pool in pools}),
            ("pod-cidrs", {pool.pod_subnet for pool in pools if pool.pod_subnet}),
        ):
            known = [cidr for one in sorted(wanted) for cidr in cidrs.get(one, ())]
            if wanted and wanted <= cidrs.keys():
                self._say(fact, ",".join(known), "subnets of the agent pools")

    def _egress(self, plan: NetworkPlan | None) -> None:
        if plan is None or not plan.outbound_ids:
            return
        known = {one.id: one.ip for one in self._read(PUBLIC_ADDRESSES, "public addresses") or ()}
        # Of a prefix the addresses in use are not told.
        if all(known.get(one) for one in plan.outbound_ids):
            addresses = ",".join(known[one] for one in plan.outbound_ids)
            self._say("egress-ips", addresses, "effectiveOutboundIPs")
