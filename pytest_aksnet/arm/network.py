"""Reads one managed cluster and the network around it into `model.azure.AzureNetwork`.

Owns the way from nodes to their cluster in ARM, and what each answer means as a fact. Sources: the
REST API of Microsoft.ContainerService (2026-08-01) and Microsoft.Network, AKS docs
(egress-outboundtype, concepts-network).
"""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from pytest_aksnet.arm.client import Door, Refused, asked, open_door
from pytest_aksnet.model.azure import AzureNetwork, AzurePool, AzureSubnet

_NODE = re.compile(r"^azure:///subscriptions/([^/]+)/resourceGroups/([^/]+)/", re.IGNORECASE)
_CLUSTER = re.compile(
    r"^/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.ContainerService/managedClusters/([^/]+)/?$",
    re.IGNORECASE,
)
_READ_CLUSTER = "Microsoft.ContainerService/managedClusters/read"
_READ_POOLS = "Microsoft.ContainerService/managedClusters/agentPools/read"
_READ_VNET = "Microsoft.Network/virtualNetworks/read"
_READ_SUBNET = "Microsoft.Network/virtualNetworks/subnets/read"
_READ_USAGE = "Microsoft.Network/virtualNetworks/usages/read"
_READ_ADDRESS = "Microsoft.Network/publicIPAddresses/read"


def read_network(
    provider_ids: Iterable[str],
    *,
    resource_id: str | None,
    cloud: str,
    environment: Mapping[str, str],
    endpoint: str = "",
) -> AzureNetwork:
    """What ARM says of the cluster of these nodes (spec.providerID), or of the named one.

    What cannot be read is left out and said in `unknown`. Raises Refused where the cluster itself
    cannot be found or read.
    """
    named = _CLUSTER.match(resource_id or "")
    if resource_id and not named:
        raise Refused(
            f"--aksnet-resource-id={resource_id} is no id of a managed cluster "
            "(/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/"
            "managedClusters/NAME)"
        )
    subscription, group = named.group(1, 2) if named else _node_group(provider_ids)
    with open_door(subscription, cloud=cloud, environment=environment, endpoint=endpoint) as door:
        if named is None:
            managed_by = str(door.resource_group(subscription, group).get("managedBy") or "")
            named = _CLUSTER.match(managed_by)
            if named is None:
                raise Refused(
                    f"resource group {group} of the nodes does not say which managed cluster it "
                    "belongs to; name it with --aksnet-resource-id"
                )
        return _Reading(door, named).network()


def _node_group(provider_ids: Iterable[str]) -> tuple[str, str]:
    for text in provider_ids:
        found = _NODE.match(text)
        if found:
            return found[1], found[2]
    raise Refused("no node has a providerID of Azure; name the cluster with --aksnet-resource-id")


class _Reading:
    """One reading: what is there is collected, what is refused is written down."""

    def __init__(self, door: Door, cluster: "re.Match[str]") -> None:
        self._door = door
        self._id = cluster.group(0).rstrip("/")
        self._group, self._name = cluster.group(2), cluster.group(3)
        self._facts: dict[str, tuple[str, str]] = {}
        self._unknown: dict[str, str] = {}

    def network(self) -> AzureNetwork:
        """All of it. Raises Refused where the cluster itself may not be read."""
        cluster = asked(
            lambda: self._door.containers.managed_clusters.get(self._group, self._name),
            _READ_CLUSTER,
        )
        pools = self._pools()
        self._of_cluster(cluster)
        subnets = self._subnets(pools)
        self._of_pools(pools)
        self._ranges(pools, subnets)
        profile = cluster.network_profile
        outbound = self._outbound_ids(profile)
        self._egress(outbound)
        balancer = profile.load_balancer_profile if profile else None
        return AzureNetwork(
            resource_id=self._id,
            facts=self._facts,
            pools=pools,
            subnets=subnets,
            unknown=self._unknown,
            outbound_ports=balancer.allocated_outbound_ports if balancer else None,
            outbound_ips=len(outbound) if outbound else None,
        )

    def _say(self, fact: str, value: str, where: str) -> None:
        if value:
            self._facts[fact] = (value, f"ARM: {where}")

    def _of_cluster(self, cluster: Any) -> None:
        profile = cluster.network_profile
        self._say("support-plan", _text(cluster.support_plan), "supportPlan")
        self._say("region", _text(cluster.location).replace(" ", "").lower(), "location")
        access = cluster.api_server_access_profile
        private = bool(access and access.enable_private_cluster)
        where = "apiServerAccessProfile.enablePrivateCluster"
        self._say("api-server", "private" if private else "public", where)
        if profile is None:
            self._unknown["networkProfile"] = "the managed cluster has none"
            return
        plugin, plane = _text(profile.network_plugin), _text(profile.network_dataplane)
        engine = _text(profile.network_policy) or "none"
        self._say("data-plane", plane, "networkProfile.networkDataplane")
        if plugin != "none":
            self._say("policy-engine", engine, "networkProfile.networkPolicy")
        for fact, found, name in (
            ("pod-cidrs", profile.pod_cidrs, "podCidrs"),
            ("service-cidrs", profile.service_cidrs, "serviceCidrs"),
        ):
            self._say(fact, ",".join(found or ()), f"networkProfile.{name}")
        self._say("dns-service-ip", _text(profile.dns_service_ip), "networkProfile.dnsServiceIP")
        self._say("outbound-type", _text(profile.outbound_type), "networkProfile.outboundType")
        sku = _text(profile.load_balancer_sku).lower()
        self._say("load-balancer-sku", sku, "networkProfile.loadBalancerSku")
        families = sorted(_text(family).lower() for family in profile.ip_families or ())
        self._say("ip-families", ",".join(families), "networkProfile.ipFamilies")
        if plugin in ("kubenet", "none"):
            mode = "kubenet" if plugin == "kubenet" else "byo"
            self._say("mode", mode, f"networkProfile.networkPlugin {plugin}")
        elif _text(profile.network_plugin_mode) == "overlay":
            self._say("mode", "overlay", "networkProfile.networkPluginMode overlay")

    def _pools(self) -> tuple[AzurePool, ...]:
        try:
            found = asked(
                lambda: list(self._door.containers.agent_pools.list(self._group, self._name)),
                _READ_POOLS,
            )
        except Refused as refused:
            self._unknown["agent pools"] = refused.why
            return ()
        return tuple(map(_pool, found))

    def _of_pools(self, pools: tuple[AzurePool, ...]) -> None:
        if not pools:
            return
        known = sorted((pool.name, pool.max_pods) for pool in pools if pool.max_pods)
        sizes = ",".join(f"{name}={number}" for name, number in known)
        self._say("max-pods", sizes, "agentPools maxPods")
        if "mode" not in self._facts:
            in_pod_subnet = any(pool.pod_subnet for pool in pools)
            mode = "pod-subnet" if in_pod_subnet else "node-subnet"
            self._say("mode", mode, "agentPools podSubnetID")

    def _subnets(self, pools: tuple[AzurePool, ...]) -> tuple[AzureSubnet, ...]:
        wanted = {one for pool in pools for one in (pool.node_subnet, pool.pod_subnet) if one}
        found = []
        for vnet in sorted({_vnet_of(one) for one in wanted}):
            group, name = vnet.split("/")[4], vnet.split("/")[8]
            usage = self._usage(group, name)
            self._vnet_ranges(group, name)
            for subnet_id in sorted(one for one in wanted if _vnet_of(one) == vnet):
                subnet = self._subnet(group, name, subnet_id)
                if subnet is not None:
                    limit, used = usage.get(subnet_id, (None, None))
                    cidrs = subnet.address_prefixes or [subnet.address_prefix]
                    found.append(
                        AzureSubnet(
                            id=subnet_id,
                            cidrs=tuple(str(cidr) for cidr in cidrs if cidr),
                            limit=limit,
                            used=used,
                        )
                    )
        return tuple(found)

    def _subnet(self, group: str, vnet: str, subnet_id: str) -> Any:
        name = subnet_id.rpartition("/")[2]
        try:
            return asked(lambda: self._door.network.subnets.get(group, vnet, name), _READ_SUBNET)
        except Refused as refused:
            self._unknown[f"subnet {name}"] = refused.why
            return None

    def _usage(self, group: str, vnet: str) -> dict[str, tuple[int, int]]:
        try:
            found = asked(
                lambda: list(self._door.network.virtual_networks.list_usage(group, vnet)),
                _READ_USAGE,
            )
        except Refused as refused:
            self._unknown[f"usage of {vnet}"] = refused.why
            return {}
        # -1 stands for "not known": a subnet with an address range of more than one prefix.
        return {
            str(one.id).lower(): (int(one.limit), int(one.current_value))
            for one in found
            if one.limit is not None and one.limit >= 0
        }

    def _vnet_ranges(self, group: str, vnet: str) -> None:
        try:
            found = asked(lambda: self._door.network.virtual_networks.get(group, vnet), _READ_VNET)
        except Refused as refused:
            self._unknown[f"virtual network {vnet}"] = refused.why
            return
        ranges = ",".join((found.address_space and found.address_space.address_prefixes) or ())
        self._say("vnet-cidrs", ranges, f"virtual network {vnet}, addressSpace")

    def _ranges(self, pools: tuple[AzurePool, ...], subnets: tuple[AzureSubnet, ...]) -> None:
        cidrs = {subnet.id: subnet.cidrs for subnet in subnets}
        for fact, wanted in (
            ("node-cidrs", {pool.node_subnet for pool in pools}),
            ("pod-cidrs", {pool.pod_subnet for pool in pools if pool.pod_subnet}),
        ):
            known = [cidr for one in sorted(wanted) for cidr in cidrs.get(one, ())]
            if wanted and wanted <= cidrs.keys():
                self._say(fact, ",".join(known), "subnets of the agent pools")

    def _outbound_ids(self, profile: Any) -> list[str]:
        if profile is None:
            return []
        owners = (profile.load_balancer_profile, profile.nat_gateway_profile)
        return [
            str(one.id)
            for owner in owners
            if owner is not None
            for one in owner.effective_outbound_i_ps or ()
        ]

    def _egress(self, ids: list[str]) -> None:
        addresses = []
        for one in ids:
            group, name = one.split("/")[4], one.rpartition("/")[2]
            get = partial(self._door.network.public_ip_addresses.get, group, name)
            try:
                addresses.append(_text(asked(get, _READ_ADDRESS).ip_address))
            except Refused as refused:
                self._unknown[f"public address {name}"] = refused.why
                return
        self._say("egress-ips", ",".join(filter(None, addresses)), "effectiveOutboundIPs")


def _pool(found: Any) -> AzurePool:
    upgrade = found.upgrade_settings
    return AzurePool(
        name=str(found.name),
        count=int(found.count or 0),
        max_pods=int(found.max_pods or 0),
        node_subnet=_text(found.vnet_subnet_id).lower(),
        pod_subnet=_text(found.pod_subnet_id).lower(),
        allocation=_text(found.pod_ip_allocation_mode),
        max_surge=_text(upgrade.max_surge if upgrade else None),
        max_unavailable=_text(upgrade.max_unavailable if upgrade else None),
        vm_size=_text(found.vm_size),
        os_sku=_text(found.os_sku),
        version=_text(found.current_orchestrator_version or found.orchestrator_version),
        kind=_text(found.type_properties_type),
    )


def _vnet_of(subnet_id: str) -> str:
    return subnet_id.rpartition("/subnets/")[0]


def _text(value: Any) -> str:
    """A string of ARM, whether it came as an enum's member, as text or not at all."""
    return "" if value is None else str(getattr(value, "value", value))
