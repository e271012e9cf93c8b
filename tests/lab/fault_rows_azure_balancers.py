"""Rows of the faults of load balancers and of the way out that ARM shows, by unmodified clients."""

import time

from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, RESOURCE_GROUP
from tests.lab.fault_rows import FaultRow, Scene
from tests.lab.fault_rows_arm import clients

_ONE_MODE = ("overlay",)
_INTERNET = ("203.0.113.80", 80)
_QUIET = 0.5
_ORPHAN = "a0f1e2d3c4b5a4968877665544332211-TCP-80"
_SERVICE = "silent"
_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-"
_BALANCERS = (
    f"/resourceGroups/{NODE_RESOURCE_GROUP}/providers/Microsoft.Network/loadBalancers/kubernetes"
)


# -- lb-rules-left-over, lb-sku-basic ---------------------------------------------------------


def _rules(scene: Scene) -> list[str]:
    network = clients(scene).network
    found = network.load_balancer_load_balancing_rules.list(NODE_RESOURCE_GROUP, "kubernetes")
    return [rule.name for rule in found]


def no_rule_is_left_over(scene: Scene) -> None:
    assert _ORPHAN not in _rules(scene)


def a_rule_is_left_over(scene: Scene) -> None:
    assert _ORPHAN in _rules(scene)
    rules = clients(scene).network.load_balancer_load_balancing_rules
    health = rules.begin_health(NODE_RESOURCE_GROUP, "kubernetes", _ORPHAN).result()
    assert (health.up, health.down) == (0, len(scene.nodes))


def _skus(scene: Scene) -> set[str]:
    found = clients(scene).network.load_balancers.list(NODE_RESOURCE_GROUP)
    return {balancer.sku.name for balancer in found}


def balancers_are_standard(scene: Scene) -> None:
    assert _skus(scene) == {"Standard"}


def balancers_are_basic(scene: Scene) -> None:
    assert _skus(scene) == {"Basic"}


# -- lb-timeouts-default ----------------------------------------------------------------------


def _timeouts(scene: Scene) -> tuple[int, bool]:
    """Those of the rule of a Service that asks for its own."""
    core, namespace = scene.user.core, scene.user.namespace
    if _SERVICE not in [one.metadata.name for one in core.list_namespaced_service(namespace).items]:
        wanted = {"internal": "true", "tcp-idle-timeout": "9", "disable-tcp-reset": "true"}
        annotations = {f"{_ANNOTATION}{name}": value for name, value in wanted.items()}
        body = {
            "metadata": {"name": _SERVICE, "annotations": annotations},
            "spec": {"type": "LoadBalancer", "selector": {"app": "none"}, "ports": [{"port": 80}]},
        }
        core.create_namespaced_service(namespace, body)
    uid = core.read_namespaced_service(_SERVICE, namespace).metadata.uid.replace("-", "")
    network = clients(scene).network
    [rule] = [
        rule
        for rule in network.load_balancer_load_balancing_rules.list(
            NODE_RESOURCE_GROUP, "kubernetes-internal"
        )
        if rule.name.startswith(f"a{uid}"[:32])
    ]
    return rule.idle_timeout_in_minutes, rule.enable_tcp_reset


def rules_follow_annotations(scene: Scene) -> None:
    assert _timeouts(scene) == (9, False)


def rules_have_the_default(scene: Scene) -> None:
    assert _timeouts(scene) == (4, True)


# -- outbound-backend-missing, nat-gateway-attached -------------------------------------------


def _out(scene: Scene, number: int) -> str:
    """The address that the internet sees of a node, or how the look ended."""
    return scene.seen(scene.node(number), *_INTERNET, seconds=_QUIET)


def _outbound_members(scene: Scene) -> int:
    pools = clients(scene).network.load_balancer_backend_address_pools
    pool = pools.get(NODE_RESOURCE_GROUP, "kubernetes", "aksOutboundBackendPool")
    return len(pool.backend_ip_configurations)


def all_nodes_get_out(scene: Scene) -> None:
    assert _out(scene, 0) == _out(scene, -1) == "198.51.100.1"
    assert _outbound_members(scene) == len(scene.nodes)


def the_last_node_does_not_get_out(scene: Scene) -> None:
    assert (_out(scene, 0), _out(scene, -1)) == ("198.51.100.1", "timeout")
    assert _outbound_members(scene) == len(scene.nodes) - 1


def _gateway(scene: Scene) -> str:
    subnets = clients(scene).network.subnets
    found = subnets.get(RESOURCE_GROUP, "vnet-aksnet-lab", "aks-nodes").nat_gateway
    return found.id.rpartition("/")[2] if found else ""


def the_balancer_lets_out(scene: Scene) -> None:
    assert _out(scene, -1) == "198.51.100.1"
    assert _gateway(scene) == ""


def a_gateway_lets_out(scene: Scene) -> None:
    assert _out(scene, -1) == "198.51.100.2"
    assert _gateway(scene) == "by-hand"
    cluster = clients(scene).aks.managed_clusters.get(RESOURCE_GROUP, "aksnet-lab")
    [known] = cluster.network_profile.load_balancer_profile.effective_outbound_i_ps
    assert known.id.endswith("/outbound-ip")


# -- autoscaler-max-high, connections-leaked --------------------------------------------------


def _most(scene: Scene) -> int | None:
    pools = clients(scene).aks.agent_pools.list(RESOURCE_GROUP, "aksnet-lab")
    [user] = [pool for pool in pools if pool.name == "user"]
    return user.max_count if user.enable_auto_scaling else None


def nobody_scales(scene: Scene) -> None:
    assert _most(scene) is None


def a_pool_may_grow(scene: Scene) -> None:
    assert _most(scene) == 60


def _used(scene: Scene) -> float:
    """The most SNAT ports of the last minute that a node uses for TCP."""
    one = clients(scene)
    now = time.time()
    times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now - 60, now + 1)]
    answer = one.monitor.metrics.list(
        f"/subscriptions/{one.subscription}{_BALANCERS}",
        timespan="/".join(times),
        interval="PT1M",
        metricnames="UsedSnatPorts",
        aggregation="Maximum",
        filter="BackendIPAddress eq '*' and ProtocolType eq 'TCP'",
        top=100,
    )
    return max(
        point.maximum or 0 for series in answer.value[0].timeseries for point in series.data[-1:]
    )


def few_ports_are_used(scene: Scene) -> None:
    assert scene.tcp(scene.node(0), *_INTERNET).ok


def many_ports_are_used(scene: Scene) -> None:
    assert _used(scene) >= 400
    assert scene.tcp(scene.node(-1), *_INTERNET).ok


ROWS = (
    FaultRow(
        fault="lb-rules-left-over",
        healthy=no_rule_is_left_over,
        broken=a_rule_is_left_over,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="lb-sku-basic",
        healthy=balancers_are_standard,
        broken=balancers_are_basic,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="lb-timeouts-default",
        healthy=rules_follow_annotations,
        broken=rules_have_the_default,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="outbound-backend-missing@LAST",
        healthy=all_nodes_get_out,
        broken=the_last_node_does_not_get_out,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="nat-gateway-attached",
        healthy=the_balancer_lets_out,
        broken=a_gateway_lets_out,
        modes=("overlay", "pod-subnet"),
    ),
    FaultRow(
        fault="autoscaler-max-high",
        healthy=nobody_scales,
        broken=a_pool_may_grow,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="connections-leaked=400@LAST",
        healthy=few_ports_are_used,
        broken=many_ports_are_used,
        modes=_ONE_MODE,
    ),
)
