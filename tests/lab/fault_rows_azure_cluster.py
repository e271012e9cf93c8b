"""Faults of the managed cluster, as clients of ARM see them; of its API server, as packets do."""

from tests.lab.arm_server import GROUP
from tests.lab.fault_rows import Condition, FaultRow, Scene
from tests.lab.fault_rows_arm import clients

_CLUSTER = "aksnet-lab"
_ONE_MODE = ("overlay",)


def _policy_is(engine: str) -> Condition:
    def condition(scene: Scene) -> None:
        found = clients(scene).aks.managed_clusters.get(GROUP, _CLUSTER)
        assert found.network_profile.network_policy == engine

    return condition


def _pool_is(state: str) -> Condition:
    def condition(scene: Scene) -> None:
        pool = clients(scene).aks.agent_pools.get(GROUP, _CLUSTER, "user")
        assert pool.provisioning_state == state
        cluster = clients(scene).aks.managed_clusters.get(GROUP, _CLUSTER)
        assert cluster.provisioning_state == "Succeeded"

    return condition


def _surge_is(surge: str) -> Condition:
    def condition(scene: Scene) -> None:
        pool = clients(scene).aks.agent_pools.get(GROUP, _CLUSTER, "user")
        assert pool.upgrade_settings.max_surge == surge
        assert pool.upgrade_settings.max_unavailable == "0"

    return condition


def _ranges(scene: Scene) -> list[str]:
    found = clients(scene).aks.managed_clusters.get(GROUP, _CLUSTER)
    return list(found.api_server_access_profile.authorized_ip_ranges or ())


def _connects(scene: Scene) -> bool:
    """Whether a node connects to the API server's public address."""
    words = ("nc", "-z", "-w", "2", "203.0.113.10", "443")
    return scene.lab.tool("exec", scene.node(0), "--", *words).returncode == 0


def _nodes_are_let_in(scene: Scene) -> None:
    assert not _ranges(scene) or len(_ranges(scene)) == 2
    assert _connects(scene)


def _nodes_are_kept_out(scene: Scene) -> None:
    assert _ranges(scene) == ["203.0.113.200/32"]
    assert not _connects(scene)


def _all_are_let_in(scene: Scene) -> None:
    assert _ranges(scene) == []
    assert _connects(scene)


def _two_are_let_in(scene: Scene) -> None:
    assert _ranges(scene) == ["203.0.113.200/32", "198.51.100.1/32"]
    assert _connects(scene)


ROWS = (
    FaultRow(
        fault="arm-policy-engine-differs",
        healthy=_policy_is("calico"),
        broken=_policy_is("azure"),
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="pool-upgrade-failed",
        healthy=_pool_is("Succeeded"),
        broken=_pool_is("Failed"),
        modes=_ONE_MODE,
    ),
    FaultRow(fault="surge-zero", healthy=_surge_is("10%"), broken=_surge_is("0"), modes=_ONE_MODE),
    FaultRow(
        fault="api-ranges-lack-egress",
        healthy=_nodes_are_let_in,
        broken=_nodes_are_kept_out,
        settings=("egress=firewall",),
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="api-ranges-removed",
        healthy=_two_are_let_in,
        broken=_all_are_let_in,
        settings=("authorized-ranges=true",),
        modes=_ONE_MODE,
    ),
)
