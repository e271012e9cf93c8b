"""Reads what a cluster and its pools can be upgraded to, and what they must reach outside.

Source: the REST API of Microsoft.ContainerService (2026-08-01).
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import text
from pytest_aksnet.model.azure import POOLS
from pytest_aksnet.model.azure_upgrades import (
    EGRESS_ENDPOINTS,
    POOL_UPGRADE_PROFILES,
    UPGRADE_PROFILE,
    RequiredEndpoint,
    Target,
    UpgradeProfile,
)


def _read_cluster(look: Look) -> UpgradeProfile:
    place = look.place
    clusters = look.door.containers.managed_clusters
    plane = clusters.get_upgrade_profile(place.group, place.name).control_plane_profile
    return _profile("", plane)


def _read_pools(look: Look) -> tuple[UpgradeProfile, ...]:
    names = [pool.name for pool in look.read(POOLS)]
    return tuple(look.together(partial(_read_pool, look, name) for name in names))


def _read_pool(look: Look, name: str) -> UpgradeProfile:
    place = look.place
    pools = look.door.containers.agent_pools
    return _profile(name, pools.get_upgrade_profile(place.group, place.name, name))


def _profile(pool: str, found: Any) -> UpgradeProfile:
    """Of a control plane or of a pool: both have these fields."""
    upgrades = found.upgrades if found else None
    return UpgradeProfile(
        pool=pool,
        version=text(found.kubernetes_version if found else None),
        targets=None
        if upgrades is None
        else tuple(
            Target(version=text(one.kubernetes_version), is_preview=one.is_preview)
            for one in upgrades
        ),
        newest_image=text(found.latest_node_image_version) if pool and found else "",
    )


def _read_endpoints(look: Look) -> tuple[RequiredEndpoint, ...]:
    place = look.place
    clusters = look.door.containers.managed_clusters
    listed = clusters.list_outbound_network_dependencies_endpoints(place.group, place.name)
    return tuple(endpoint for one in listed for endpoint in _endpoints(one))


def _endpoints(found: Any) -> Iterable[RequiredEndpoint]:
    for one in found.endpoints or ():
        for detail in one.endpoint_details or (None,):
            yield RequiredEndpoint(
                category=text(found.category),
                domain=text(one.domain_name).lower(),
                protocol=text(detail.protocol if detail else None),
                port=detail.port if detail else None,
            )


READERS = (
    TopicReader(UPGRADE_PROFILE, _read_cluster),
    TopicReader(POOL_UPGRADE_PROFILES, _read_pools),
    TopicReader(EGRESS_ENDPOINTS, _read_endpoints),
)
