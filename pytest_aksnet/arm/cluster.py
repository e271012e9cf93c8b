"""Reads the managed cluster and its agent pools (Microsoft.ContainerService, 2026-08-01)."""

from typing import Any

from pytest_aksnet.arm.place import check_nodes
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.refusals import Refused
from pytest_aksnet.arm.values import id_of, ids_of, text, texts
from pytest_aksnet.model.arm import Refusal, Sort
from pytest_aksnet.model.azure import CLUSTER, POOLS, AzurePool, ManagedCluster, NetworkPlan


def node_group_of(look: Look) -> str:
    """The name of the nodes' resource group. Raises Refused where ARM does not say it."""
    group = look.read(CLUSTER).node_group
    if not group:
        why = "ARM does not say which resource group the nodes are in (nodeResourceGroup)"
        raise Refused(Refusal(sort=Sort.UNREADABLE, why=why))
    return group


def _read_cluster(look: Look) -> ManagedCluster:
    place = look.place
    found = look.door.containers.managed_clusters.get(place.group, place.name)
    check_nodes(place, text(found.node_resource_group))
    access, is_open = found.api_server_access_profile, _is_open(found)
    upgrades = found.auto_upgrade_profile
    return ManagedCluster(
        id=id_of(found) or place.id.lower(),
        region=text(found.location).replace(" ", "").lower(),
        node_group=text(found.node_resource_group),
        version=text(found.current_kubernetes_version or found.kubernetes_version),
        support_plan=text(found.support_plan),
        provisioning_state=text(found.provisioning_state),
        power_state=text(found.power_state.code if found.power_state else None),
        fqdn=text(found.fqdn),
        private_fqdn=text(found.private_fqdn),
        is_private=False if is_open else access.enable_private_cluster if access else None,
        has_public_fqdn=access.enable_private_cluster_public_fqdn if access else None,
        authorized_ranges=texts(access.authorized_ip_ranges) if access else () if is_open else None,
        private_zone=text(access.private_dns_zone if access else None),
        upgrade_channel=text(upgrades.upgrade_channel if upgrades else None),
        node_os_channel=text(upgrades.node_os_upgrade_channel if upgrades else None),
        addons=tuple(
            sorted(name for name, one in (found.addon_profiles or {}).items() if one.enabled)
        ),
        network=_plan(found.network_profile) if found.network_profile else None,
        in_vnet=access.enable_vnet_integration if access else None,
    )


def _is_open(found: Any) -> bool:
    """Whether the cluster says nothing of being private, and has the name of a public one alone.

    A cluster whose API server nobody has restricted may have no apiServerAccessProfile at all (AKS
    docs: the output of az aks create); one that is private has privateFQDN (AKS docs:
    private-clusters).
    """
    access = found.api_server_access_profile
    said = access.enable_private_cluster if access else None
    return said is None and bool(found.fqdn) and not found.private_fqdn


def _plan(found: Any) -> NetworkPlan:
    balancer, gateway = found.load_balancer_profile, found.nat_gateway_profile
    return NetworkPlan(
        plugin=text(found.network_plugin),
        plugin_mode=text(found.network_plugin_mode),
        policy=text(found.network_policy),
        data_plane=text(found.network_dataplane),
        pod_cidrs=texts(found.pod_cidrs),
        service_cidrs=texts(found.service_cidrs),
        dns_service_ip=text(found.dns_service_ip),
        outbound_type=text(found.outbound_type),
        balancer_sku=text(found.load_balancer_sku).lower(),
        ip_families=tuple(sorted(family.lower() for family in texts(found.ip_families))),
        backend_pool_type=text(balancer.backend_pool_type if balancer else None),
        outbound_ids=tuple(
            one
            for owner in (balancer, gateway)
            if owner is not None
            for one in ids_of(owner.effective_outbound_i_ps)
        ),
        outbound_ports=balancer.allocated_outbound_ports if balancer else None,
        outbound_idle_minutes=balancer.idle_timeout_in_minutes if balancer else None,
    )


def _read_pools(look: Look) -> tuple[AzurePool, ...]:
    place = look.place
    return tuple(map(_pool, look.door.containers.agent_pools.list(place.group, place.name)))


def _pool(found: Any) -> AzurePool:
    upgrade = found.upgrade_settings
    scaled = bool(found.enable_auto_scaling)
    return AzurePool(
        id=id_of(found),
        name=text(found.name),
        count=found.count,
        max_pods=int(found.max_pods or 0),
        node_subnet=id_of(found.vnet_subnet_id),
        pod_subnet=id_of(found.pod_subnet_id),
        allocation=text(found.pod_ip_allocation_mode),
        max_surge=text(upgrade.max_surge if upgrade else None),
        max_unavailable=text(upgrade.max_unavailable if upgrade else None),
        vm_size=text(found.vm_size),
        os_sku=text(found.os_sku),
        version=text(found.current_orchestrator_version or found.orchestrator_version),
        kind=text(found.type_properties_type),
        mode=text(found.mode),
        os_type=text(found.os_type),
        image_version=text(found.node_image_version),
        provisioning_state=text(found.provisioning_state),
        power_state=text(found.power_state.code if found.power_state else None),
        public_ips=found.enable_node_public_ip,
        min_count=found.min_count if scaled else None,
        max_count=found.max_count if scaled else None,
    )


READERS = (TopicReader(CLUSTER, _read_cluster), TopicReader(POOLS, _read_pools))
