"""Verbs about address space and upgrades: what they read of objects, and when they do not judge."""

import dataclasses
import datetime
from typing import Any

import pytest

from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.azure import AzureNetwork, AzurePool, AzureSubnet
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    EnvironmentProblem,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.profile import Fact
from pytest_aksnet.model.site import AddressPlan, Site
from tests.unit.scripted import StaticApi, Text, World, always

Json = dict[str, Any]

NODES, PODS, EVENTS = "/api/v1/nodes", "/api/v1/pods", "/api/v1/events"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
SERVICE_CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kube-system/deployments"
AKS = {
    "cloud": "azure",
    "mode": "overlay",
    "kubernetes-version": "v1.34.2",
    "pod-cidrs": "10.244.0.0/16",
    "service-cidrs": "10.0.0.0/16",
    "node-cidrs": "10.224.0.0/24",
    "local-dns": "off",
    "data-plane": "azure",
}
ELSEWHERE = {
    **{"cloud": "other", "mode": None, "policy-engine": None, "vnet-cidrs": None},
    **{"kubernetes-version": "v1.36.0", "pod-cidrs": "10.1.0.0/22", "local-dns": "off"},
    **{"service-cidrs": "10.96.0.0/16", "data-plane": "other"},
}


def node(name: str, ip: str, *, pool: str = "", pods: str = "110", **spec: Any) -> Json:
    labels = {"kubernetes.azure.com/agentpool": pool} if pool else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {
            "addresses": [{"type": "InternalIP", "address": ip}],
            "allocatable": {"pods": pods},
            "nodeInfo": {"kubeletVersion": "v1.34.2", "osImage": "Ubuntu 24.04.3 LTS"},
        },
    }


def pod(name: str, on: str, ip: str, *, owner: str = "", namespace: str = "shop") -> Json:
    owners = [{"kind": owner, "controller": True}] if owner else []
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "ownerReferences": owners,
            "labels": {"k8s-app": "kube-dns"} if namespace == "kube-system" else {},
        },
        "spec": {"nodeName": on},
        "status": {
            "phase": "Running" if ip else "Pending",
            "podIP": ip,
            "podIPs": [{"ip": ip}] if ip else [],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def endpoint_slice(service: str, *pods: str) -> Json:
    return {
        "metadata": {
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": service},
        },
        "endpoints": [
            {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}}
            for name in pods
        ],
    }


def budget(*, pods: int, allowed: int) -> Json:
    status = {"expectedPods": pods, "disruptionsAllowed": allowed}
    return {"metadata": {"namespace": "shop", "name": "b"}, "status": status}


def webhook(service: str) -> Json:
    place = {"namespace": "shop", "name": service}
    return {"name": "w.example.com", "clientConfig": {"service": place}}


TWO = [node("a", "10.224.0.4", pool="p"), node("b", "10.224.0.5", pool="p")]


def inventory(
    lists: dict[str, list[Json]],
    facts: dict[str, str | None] | None = None,
    *,
    site: Site | None = None,
    azure: AzureNetwork | None = None,
    texts: dict[str, str] | None = None,
) -> Inventory:
    api = StaticApi(lists={NODES: TWO, **lists}, texts=texts or {})
    world = World(always(Text()), facts={**AKS, **(facts or {})}, site=site, api=api)
    engine = world.engine
    if azure is not None:
        engine.profile = dataclasses.replace(engine.profile, azure=azure)
    return Inventory(engine)


def test_a_small_subnet_has_no_room_in_node_subnet_mode() -> None:
    facts: dict[str, str | None] = {"mode": "node-subnet", "node-cidrs": "10.224.0.0/24"}
    with pytest.raises(ConformanceFailure, match="at least 218 of 251 used, 33 left"):
        inventory({}, facts).assert_node_subnet_has_room()
    inventory({}).assert_node_subnet_has_room()


def test_azures_own_count_comes_first() -> None:
    subnet = AzureSubnet(id="/x/subnets/nodes", cidrs=("10.224.0.0/24",), limit=251, used=251)
    pool = AzurePool(name="p", count=2, max_pods=110, node_subnet=subnet.id, max_surge="1")
    azure = AzureNetwork(resource_id="/c", pools=(pool,), subnets=(subnet,))
    with pytest.raises(ConformanceFailure, match=r"subnet nodes .*: 251 of 251 used"):
        inventory({}, azure=azure).assert_node_subnet_has_room()
    with pytest.raises(ConformanceFailure, match="an upgrade must find 1"):
        inventory({}, azure=azure).assert_room_for_upgrade()


def test_a_node_outside_of_the_known_subnets_is_told() -> None:
    with pytest.raises(FactUnknown, match=r"node a \(10.224.0.4\) is in none"):
        inventory({}, {"node-cidrs": "10.9.0.0/24"}).assert_node_subnet_has_room()


def test_an_unknown_subnet_names_all_ways_to_tell_it() -> None:
    with pytest.raises(FactUnknown) as unknown:
        inventory({}, {"node-cidrs": None}).assert_node_subnet_has_room()
    for way in ("--aksnet-profile node-cidrs", "[address_plan] in the site file", "credentials"):
        assert way in str(unknown.value)


def test_only_shares_of_the_pod_range_are_not_the_range() -> None:
    look = inventory({}, {"mode": "kubenet"})
    profile = look._engine.profile
    share = Fact(value="10.244.0.0/23", source="spec.podCIDRs of the nodes")
    look._engine.profile = dataclasses.replace(profile, facts={**profile.facts, "pod-cidrs": share})
    with pytest.raises(FactUnknown, match="only the nodes' own shares"):
        look.assert_pod_range_has_room()


def test_the_surge_of_the_site_file_counts() -> None:
    site = Site(address_plan=AddressPlan(max_surge="0"))
    sheet = inventory({}, site=site).assert_room_for_upgrade()
    assert sheet.facts["surge of pool p"] == "0 of 2 nodes"


@pytest.mark.parametrize(
    "verb",
    [
        "assert_node_subnet_has_room",
        "assert_pod_subnet_has_room",
        "assert_pod_range_has_room",
        "assert_room_for_upgrade",
        "assert_nothing_retired",
        "assert_version_supported",
        "assert_pools_alike",
        "assert_policies_allow_local_dns",
        "assert_policies_mean_the_same",
    ],
)
def test_what_only_azure_has_is_not_judged_elsewhere(verb: str) -> None:
    plain = [node("a", "172.18.0.2", podCIDRs=["10.1.0.0/24"])]
    with pytest.raises(NotApplicable):
        getattr(inventory({NODES: plain}, ELSEWHERE), verb)()


@pytest.mark.parametrize(
    "verb",
    [
        "assert_pods_fit_nodes",
        "assert_no_address_pressure",
        "assert_ranges_disjoint",
        "assert_service_range_has_room",
        "assert_node_ranges_distinct",
        "assert_versions_within_skew",
        "assert_parts_go_together",
        "assert_nothing_left_over",
        "assert_no_removed_api_asked",
        "assert_budgets_let_drain",
        "assert_webhooks_answered",
        "assert_services_outlive_drain",
        "assert_dns_outlives_drain",
    ],
)
def test_the_rest_is_judged_on_any_cluster(verb: str) -> None:
    plain = [
        node("a", "172.18.0.2", podCIDRs=["10.1.0.0/24"]),
        node("b", "172.18.0.3", podCIDRs=["10.1.1.0/24"]),
    ]
    coredns = {"metadata": {"name": "coredns", "labels": {"k8s-app": "kube-dns"}},
               "spec": {"replicas": 2}}  # fmt: skip
    lists = {
        NODES: plain,
        SERVICE_CIDRS: [{"spec": {"cidrs": ["10.96.0.0/16"]}}],
        DEPLOYMENTS: [coredns],
        PODS: [
            pod("d1", "a", "10.1.0.2", owner="ReplicaSet", namespace="kube-system"),
            pod("d2", "b", "10.1.1.2", owner="ReplicaSet", namespace="kube-system"),
        ],
        SLICES: [endpoint_slice("kube-dns", "d1", "d2")],
        BUDGETS: [budget(pods=2, allowed=1)],
        VALIDATING: [{"metadata": {"name": "v"}, "webhooks": [webhook("kube-dns")]}],
    }
    texts = {"/metrics": "# HELP apiserver_request_total x\n"}
    getattr(inventory(lists, ELSEWHERE, texts=texts), verb)()


@pytest.mark.parametrize(
    ("verb", "facts", "raised", "words"),
    [
        ("assert_budgets_let_drain", {}, NotApplicable, "no PodDisruptionBudget"),
        ("assert_webhooks_answered", {}, NotApplicable, "no admission webhook"),
        ("assert_services_outlive_drain", {}, FactUnknown, "no EndpointSlice"),
        ("assert_policies_allow_local_dns", {"local-dns": "on"}, NotApplicable, "nobody has"),
        ("assert_policies_mean_the_same", {"policy-engine": "azure"}, NotApplicable, "nobody has"),
        ("assert_parts_go_together", {"kube-proxy-mode": None}, FactUnknown, "kube-proxy-mode"),
        (
            "assert_parts_go_together",
            {"kube-proxy-mode": "ipvs", "policy-engine": None},
            FactUnknown,
            "policy-engine",
        ),
        ("assert_node_ranges_distinct", {"mode": "pod-subnet"}, NotApplicable, "no node has"),
    ],
)
def test_where_nothing_is_there_to_look_at_nothing_passes(
    verb: str, facts: dict[str, str | None], raised: type[Exception], words: str
) -> None:
    with pytest.raises(raised, match=words):
        getattr(inventory({}, facts), verb)()


def test_one_of_a_kind_does_not_pass_for_being_like_the_others() -> None:
    one = node("a", "10.224.0.4", pool="p", podCIDRs=["10.244.0.0/24"])
    other = node("b", "10.224.0.5", pool="q")
    with pytest.raises(NotApplicable, match="two nodes that could differ"):
        inventory({NODES: [one, other]}).assert_pools_alike()
    with pytest.raises(NotApplicable, match="one node"):
        inventory({NODES: [one]}).assert_node_ranges_distinct()
    with pytest.raises(FactUnknown, match="of one node alone is known: a"):
        inventory({NODES: [one, other]}).assert_node_ranges_distinct()


def test_a_node_that_does_not_say_how_many_pods_it_takes_has_no_known_cost() -> None:
    silent = [node("a", "10.224.0.4", pool="p", pods=""), node("b", "10.224.0.5", pool="q")]
    facts: dict[str, str | None] = {"mode": "node-subnet", "node-cidrs": "10.224.0.0/24"}
    with pytest.raises(FactUnknown, match="of pool p takes is not known"):
        inventory({NODES: silent}, facts).assert_node_subnet_has_room()


def test_a_cluster_without_nodes_is_not_believed() -> None:
    with pytest.raises(EnvironmentProblem, match="lists no node"):
        inventory({NODES: []}).assert_versions_within_skew()


def event(reason: str, message: str, pod_name: str) -> Json:
    about = {"kind": "Pod", "namespace": "shop", "name": pod_name, "uid": f"uid-{pod_name}"}
    return {"reason": reason, "message": message, "involvedObject": about}


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FailedCreatePodSandBox", "Failed to allocate address: No available addresses"),
        ("FailedCreatePodSandBox", "AllocateIPConfig failed: not enough IPs available for x"),
        (
            "FailedCreatePodSandBox",
            "failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-9",
        ),
        ("FailedScheduling", "0/3 nodes are available: 3 Too many pods."),
    ],
)
def test_a_pod_that_waits_for_an_address_fails_and_one_that_runs_by_now_warns(
    reason: str, message: str
) -> None:
    lists = {EVENTS: [event(reason, message, "web")], PODS: [pod("web", "a", "")]}
    with pytest.raises(ConformanceFailure, match="shop/web"):
        inventory(lists).assert_no_address_pressure()
    runs = {**lists, PODS: [pod("web", "a", "10.244.0.9")]}
    sheet = inventory(runs).assert_no_address_pressure()
    assert "shop/web" in sheet.facts["over"]


def test_other_events_say_nothing() -> None:
    others = [
        event("FailedCreatePodSandBox", "failed to pull image pause", "web"),
        event("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", "web"),
    ]
    inventory({EVENTS: others, PODS: [pod("web", "a", "")]}).assert_no_address_pressure()


def test_a_service_is_lost_where_all_its_pods_are_alone() -> None:
    alone = {
        PODS: [pod("old", "a", "10.244.0.3"), pod("new", "b", "10.244.1.3", owner="ReplicaSet")],
        SLICES: [endpoint_slice("legacy", "old")],
    }
    with pytest.raises(ConformanceFailure, match="shop/legacy is served by shop/old only"):
        inventory(alone).assert_services_outlive_drain()
    both = {**alone, SLICES: [endpoint_slice("legacy", "old", "new")]}
    inventory(both).assert_services_outlive_drain()


def test_what_a_run_made_itself_is_no_obstacle() -> None:
    own = {
        "/api/v1/namespaces": [{"metadata": {"name": "shop"}}],
        PODS: [pod("old", "a", "10.244.0.3")],
        SLICES: [endpoint_slice("legacy", "old")],
        BUDGETS: [budget(pods=1, allowed=0)],
    }
    with pytest.raises(FactUnknown, match="no EndpointSlice"):
        inventory(own).assert_services_outlive_drain()
    with pytest.raises(NotApplicable, match="no PodDisruptionBudget"):
        inventory(own).assert_budgets_let_drain()
    others = {**own, "/api/v1/namespaces": []}
    with pytest.raises(ConformanceFailure, match="shop/b"):
        inventory(others).assert_budgets_let_drain()


def test_a_budget_without_a_status_is_not_judged() -> None:
    new = {"metadata": {"namespace": "shop", "name": "b"}}
    with pytest.raises(FactUnknown, match="shop/b has no status yet"):
        inventory({BUDGETS: [new]}).assert_budgets_let_drain()


def test_a_webhook_without_endpoints() -> None:
    hook = webhook("policy")
    outside = {"name": "x.example.com", "clientConfig": {"url": "https://example.com"}}
    lists = {VALIDATING: [{"metadata": {"name": "v"}, "webhooks": [hook, outside]}]}
    with pytest.raises(ConformanceFailure, match=r"v/w\.example\.com"):
        inventory(lists).assert_webhooks_answered()
    inventory({**lists, SLICES: [endpoint_slice("policy", "p1", "p2")]}).assert_webhooks_answered()


def test_retirements_are_judged_by_the_day_of_the_site_file() -> None:
    site = Site(as_of=datetime.date(2028, 4, 1))
    with pytest.raises(ConformanceFailure, match="kubenet ended on 2028-03-31"):
        inventory({}, {"mode": "kubenet"}, site=site).assert_nothing_retired()
    today = Site(as_of=datetime.date(2026, 11, 21))
    inventory({}, {"mode": "kubenet"}, site=today).assert_nothing_retired()


def test_mixed_pools_are_told_apart() -> None:
    old = node("c", "10.224.0.6", pool="p")
    old["status"]["nodeInfo"]["osImage"] = "Ubuntu 22.04.5 LTS"
    with pytest.raises(ConformanceFailure, match="pool p has"):
        inventory({NODES: [*TWO, old]}).assert_pools_alike()
    old["metadata"]["labels"] = {"kubernetes.azure.com/agentpool": "q"}
    inventory({NODES: [*TWO, old]}).assert_pools_alike()
