"""Versions and states of a managed cluster and its pools in ARM, and what an upgrade needs. Pure.

Sources: AKS docs (upgrade-aks-cluster, upgrade-aks-node-pools-rolling, supported-kubernetes-
versions), the troubleshooting guide of AKS, and the REST API of agent pools.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure import AzurePool, ManagedCluster
from pytest_aksnet.model.azure_upgrades import UpgradeProfile

VERSIONS = "REST API: Managed Clusters and Agent Pools (currentKubernetesVersion)"
STATES = (
    "AKS troubleshooting guide: operations are not allowed while a cluster or a node pool is in a "
    "failed state"
)
SKEW = "AKS docs: supported-kubernetes-versions, node pools and the control plane"
ROLLING = "AKS docs: upgrade-aks-node-pools-rolling (maxSurge, maxUnavailable)"
_DONE, _RUNNING = "Succeeded", "Running"
_BROKEN = ("Failed", "Canceled")
_MOST_BEHIND = 3
_NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def judge_versions(
    cluster: ManagedCluster,
    pools: Sequence[AzurePool],
    *,
    server: str,
    kubelets: Mapping[str, Mapping[str, str]],
) -> Finding:
    """Whether API server and kubelets have the versions that ARM names.

    `server` is what /version says, `kubelets` are versions by node by pool.
    """
    findings = [
        _same_version("the control plane", cluster.id, cluster.version, {"the API server": server})
        if _is_settled(cluster.provisioning_state)
        else _operation("the cluster", cluster.provisioning_state)
    ]
    for pool in pools:
        what = f"pool {pool.name}"
        if _is_settled(pool.provisioning_state):
            nodes = kubelets.get(pool.name, {})
            findings.append(_same_version(what, pool.id, pool.version, nodes))
        else:
            findings.append(_operation(what, pool.provisioning_state))
    return together(findings)


def _same_version(what: str, resource: str, wanted: str, seen: Mapping[str, str]) -> Finding:
    if not _NUMBERS.match(wanted):
        return open_(f"ARM does not say which version {what} has")
    unread = [name for name, version in seen.items() if not _NUMBERS.match(version)]
    if unread:
        return open_(f"the version of {unread[0]} is not known")
    unlike = [f"{name} is {version}" for name, version in seen.items() if _differ(wanted, version)]
    if unlike:
        return failed(
            f"ARM has {what} at {wanted}, and {'; '.join(unlike)}",
            resource=resource,
            change=f"upgrade or reimage what is not at {wanted}",
            source=VERSIONS,
        )
    return passed(f"{what} is at {wanted} on both sides", source=VERSIONS)


def _differ(wanted: str, version: str) -> bool:
    """Whether two versions differ in what both name: 1.34 may be any 1.34."""
    one, other = _numbers(wanted), _numbers(version)
    length = min(len(one), len(other))
    return one[:length] != other[:length]


def _numbers(text: str) -> tuple[int, ...]:
    found = _NUMBERS.match(text)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def judge_upgrade(
    cluster: ManagedCluster,
    pools: Sequence[AzurePool],
    plane: UpgradeProfile,
    profiles: Sequence[UpgradeProfile],
) -> Finding:
    """Whether nothing that ARM says stands against an upgrade."""
    findings = [_state("the managed cluster", cluster.id, cluster)]
    findings += [_state(f"pool {pool.name}", pool.id, pool) for pool in pools]
    findings += [_pool_skew(pool, cluster.version) for pool in pools]
    findings.append(_targets(plane, profiles))
    return together(findings)


def _state(what: str, resource: str, found: ManagedCluster | AzurePool) -> Finding:
    state, power = found.provisioning_state, found.power_state
    if state in _BROKEN:
        return failed(
            f"{what} is in provisioning state {state}, in which AKS refuses an upgrade",
            resource=resource,
            change="repeat the operation that failed, or az resource update --ids, until it is "
            "Succeeded",
            source=STATES,
        )
    if not state or not power:
        return open_(f"ARM does not tell the state of {what}")
    if state != _DONE:
        return _operation(what, state)
    if power != _RUNNING:
        return passed(
            f"{what} is {power}", source=STATES, warning=f"{what} is {power}: start it first"
        )
    return passed(f"{what} is {state} and {power}", source=STATES)


def _pool_skew(pool: AzurePool, server: str) -> Finding:
    plane, own = _numbers(server)[:2], _numbers(pool.version)[:2]
    if len(plane) < 2 or len(own) < 2:
        return open_(f"ARM does not tell the versions of the control plane and of pool {pool.name}")
    behind = plane[1] - own[1]
    if plane[0] == own[0] and 0 <= behind <= _MOST_BEHIND:
        last = behind == _MOST_BEHIND
        warning = f"pool {pool.name} must be upgraded before the control plane is" if last else ""
        return passed(f"pool {pool.name} goes with {server}", source=SKEW, warning=warning)
    return failed(
        f"pool {pool.name} is at {pool.version} and the control plane at {server}: a pool may be "
        f"at most {_MOST_BEHIND} minor versions older, and not newer",
        resource=pool.id,
        change=f"az aks nodepool upgrade to {server}",
        source=SKEW,
    )


def _targets(plane: UpgradeProfile, profiles: Iterable[UpgradeProfile]) -> Finding:
    offered = [one.version for one in plane.targets or () if one.version and not one.is_preview]
    images = ", ".join(
        f"pool {one.pool}: {one.newest_image}" for one in profiles if one.newest_image
    )
    to = ", ".join(offered)
    return passed(
        f"AKS offers {to or 'no upgrade'} for {plane.version}; newest images: {images or 'none'}",
        source=SKEW,
        warning=""
        if offered
        else "AKS offers no newer version, previews apart: wait for one, "
        "or see whether the region has it (az aks get-versions)",
    )


def judge_surge(pools: Sequence[AzurePool]) -> Finding:
    """Whether each pool can be upgraded with its surge settings, and keeps nodes meanwhile."""
    return together([_surge(pool) for pool in pools])


def _surge(pool: AzurePool) -> Finding:
    surge, unavailable = pool.max_surge, pool.max_unavailable
    what = f"pool {pool.name} (maxSurge {surge or 'unset'}, maxUnavailable {unavailable or 'unset'}"
    what += f", {'?' if pool.count is None else pool.count} nodes)"
    if not surge and not unavailable:
        return open_(f"ARM tells no upgradeSettings of pool {pool.name} (AKS adds 10 % by default)")
    if not _is_zero(surge):
        is_odd = pool.mode == "System" and bool(unavailable) and not _is_zero(unavailable)
        warning = f"{what}: AKS takes maxUnavailable of user pools only" if is_odd else ""
        return passed(f"{what} has surge nodes", source=ROLLING, warning=warning)
    if not unavailable:
        return open_(f"{what}: without surge nodes it takes maxUnavailable, which ARM does not say")
    if _is_zero(unavailable):
        return failed(
            f"{what} can neither add a node nor take one out, so that no upgrade can begin",
            resource=pool.id,
            change="az aks nodepool update --max-surge 33%",
            source=ROLLING,
        )
    alone = pool.count == 1 or unavailable == "100%"
    return passed(
        f"{what} is upgraded in place",
        source=ROLLING,
        warning=f"{what}: an upgrade takes all nodes of the pool out at once" if alone else "",
    )


def _is_zero(setting: str) -> bool:
    return setting.strip().removesuffix("%") == "0"


def _is_settled(state: str) -> bool:
    """Whether nothing is being changed, as far as ARM says."""
    return state in (_DONE, *_BROKEN)


def _operation(what: str, state: str) -> Finding:
    said = f"an operation is going on ({state})" if state else "ARM does not tell its state"
    return open_(f"{what}: {said}; look again when it is Succeeded")
