"""Services, endpoints, policies and nodes as the API gives them."""

from typing import Any

import pytest

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.nodes import read_nodes, why_left_out
from pytest_aksnet.cluster.objects import (
    ServiceRequest,
    await_endpoints,
    await_load_balancer,
    change_service,
    create_network_policy,
    create_service,
    delete_network_policy,
    delete_service,
    read_endpoints,
    read_service,
    service_manifest,
)
from pytest_aksnet.cluster.view import LiveView
from pytest_aksnet.model.errors import EnvironmentProblem, SettingsError
from pytest_aksnet.model.peers import ServiceRef
from tests.unit.cluster.scripted_api import Json, ScriptedApi, status

SERVICES = "/api/v1/namespaces/ns/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies"
SERVICE = ServiceRef(namespace="ns", name="s", cluster_ip="10.0.0.5", port=80)


def test_a_local_load_balancer_is_asked_for_as_the_api_wants_it() -> None:
    request = ServiceRequest(
        namespace="ns",
        name="s",
        selector={"app": "x"},
        target_port=8080,
        type="LoadBalancer",
        external_traffic_policy="Local",
        internal_load_balancer=True,
        udp=True,
    )
    manifest = service_manifest(request)
    assert manifest["spec"] == {
        "type": "LoadBalancer",
        "selector": {"app": "x"},
        "externalTrafficPolicy": "Local",
        "ports": [
            {"name": "tcp", "port": 80, "targetPort": 8080, "protocol": "TCP"},
            {"name": "udp", "port": 80, "targetPort": 8080, "protocol": "UDP"},
        ],
    }
    assert manifest["metadata"]["annotations"] == {
        "service.beta.kubernetes.io/azure-load-balancer-internal": "true"
    }


def test_headless_and_external_name_services_have_their_own_shape() -> None:
    headless = service_manifest(ServiceRequest(namespace="ns", name="s", headless=True))
    assert headless["spec"]["clusterIP"] == "None"
    assert "selector" not in headless["spec"]
    external = service_manifest(
        ServiceRequest(namespace="ns", name="s", external_name="www.example.com")
    )
    assert external["spec"] == {"type": "ExternalName", "externalName": "www.example.com"}


def created(spec: Json, ingress: list[Json] | None = None) -> Json:
    balancer = {"ingress": ingress} if ingress else {}
    return {
        "metadata": {"name": "s", "namespace": "ns"},
        "spec": spec,
        "status": {"loadBalancer": balancer},
    }


def test_a_service_comes_back_as_the_server_completed_it(
    api: ScriptedApi, cluster: Cluster
) -> None:
    port = {"port": 80, "nodePort": 30080}
    spec = {"clusterIP": "10.0.0.5", "ports": [port], "healthCheckNodePort": 31000}
    api.answer("POST", SERVICES, (201, created(spec)))
    service = create_service(
        cluster, ServiceRequest(namespace="ns", name="s"), cluster_domain="corp.local"
    )
    assert service == ServiceRef(
        namespace="ns",
        name="s",
        cluster_ip="10.0.0.5",
        port=80,
        node_port=30080,
        health_check_node_port=31000,
        cluster_domain="corp.local",
    )
    assert service.fqdn == "s.ns.svc.corp.local"
    assert api.sent("POST", SERVICES)[0].query == {"fieldValidation": "Strict"}


def test_a_service_is_changed_by_what_is_given(api: ScriptedApi, cluster: Cluster) -> None:
    ingress: list[Json] = [{"ip": "10.224.200.1"}]
    changed = created({"clusterIP": "10.0.0.5", "ports": [{"port": 81}]}, ingress)
    api.answer("PATCH", f"{SERVICES}/s", (200, changed))
    change = {"spec": {"ports": [{"port": 81}]}}
    service = change_service(cluster, SERVICE, change, cluster_domain="cluster.local")
    assert (service.port, service.load_balancer_ips) == (81, ("10.224.200.1",))
    assert api.sent("PATCH", f"{SERVICES}/s")[0].body == change


def test_a_headless_service_has_no_address(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("GET", f"{SERVICES}/s", (200, created({"clusterIP": "None"})))
    service = read_service(cluster, "ns", "s", cluster_domain="cluster.local")
    assert service is not None
    assert service.cluster_ip == ""
    assert read_service(cluster, "ns", "none", cluster_domain="cluster.local") is None


def test_a_service_that_is_refused_is_one_line(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("POST", SERVICES, status(422, "Invalid", "Service is invalid:\n spec.ports"))
    with pytest.raises(EnvironmentProblem) as error:
        create_service(cluster, ServiceRequest(namespace="ns", name="s"), cluster_domain="c")
    assert "the Service ns/s is not admitted" in str(error.value)
    assert "\n" not in str(error.value)


def piece(*endpoints: Json, port: int | None = 8080) -> Json:
    return {"ports": [{"port": port}], "endpoints": list(endpoints)}


def endpoint(ip: str, *, ready: bool | None = True, **more: Any) -> Json:
    return {"addresses": [ip], "conditions": {} if ready is None else {"ready": ready}, **more}


def slices(*pieces: Json) -> tuple[int, Json]:
    return 200, {"metadata": {}, "items": list(pieces)}


def test_ready_endpoints_are_read_from_all_slices(api: ScriptedApi, cluster: Cluster) -> None:
    pod = {"kind": "Pod", "name": "p"}
    api.answer(
        "GET",
        SLICES,
        slices(
            piece(
                endpoint("10.1.0.2", nodeName="n", targetRef=pod), endpoint("10.1.0.9", ready=False)
            ),
            piece(endpoint("10.1.0.1", ready=None), port=None),
        ),
    )
    found = LiveView(cluster).endpoints(SERVICE)
    assert [(e.ip, e.port, e.node, e.pod) for e in found] == [
        ("10.1.0.1", 0, "", ""),
        ("10.1.0.2", 8080, "n", "p"),
    ]
    assert api.sent("GET", SLICES)[0].query["labelSelector"] == "kubernetes.io/service-name=s"


def test_endpoints_are_awaited_until_they_are_exactly_these(
    api: ScriptedApi, cluster: Cluster
) -> None:
    api.answer(
        "GET",
        SLICES,
        slices(),
        slices(piece(endpoint("10.1.0.1"), endpoint("10.1.0.7"))),
        slices(piece(endpoint("10.1.0.1"))),
    )
    assert len(await_endpoints(cluster, SERVICE, ["10.1.0.1"])) == 1
    with pytest.raises(EnvironmentProblem) as error:
        await_endpoints(cluster, SERVICE, ["10.1.0.1", "10.1.0.2"], timeout_s=0.1)
    assert "10.1.0.1, 10.1.0.2, but has 10.1.0.1" in str(error.value)
    assert read_endpoints(cluster, "ns", "s")[0].ip == "10.1.0.1"


def test_a_load_balancer_is_awaited(api: ScriptedApi, cluster: Cluster) -> None:
    spec = {"clusterIP": "10.0.0.5", "ports": [{"port": 80}]}
    ready = created(spec, [{"ip": "198.51.100.17"}])
    api.answer("GET", f"{SERVICES}/s", (200, created(spec)), (200, ready))
    assert await_load_balancer(cluster, SERVICE).load_balancer_ips == ("198.51.100.17",)
    api.answer("GET", f"{SERVICES}/s", (200, created(spec)))
    with pytest.raises(EnvironmentProblem, match="got no load balancer address"):
        await_load_balancer(cluster, SERVICE, timeout_s=0.1)
    api.answer("GET", f"{SERVICES}/s", status(404, "NotFound", "gone"))
    with pytest.raises(EnvironmentProblem, match="deleted by somebody else"):
        await_load_balancer(cluster, SERVICE, timeout_s=0.1)


def test_a_policy_is_created_strictly_and_deleted(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("POST", POLICIES, (201, {}))
    create_network_policy(
        cluster,
        namespace="ns",
        name="deny",
        spec={"podSelector": {}},
        labels={"a": "b"},
        annotations={},
    )
    [sent] = api.sent("POST", POLICIES)
    assert sent.query == {"fieldValidation": "Strict"}
    assert (sent.body["kind"], sent.body["spec"]) == ("NetworkPolicy", {"podSelector": {}})
    api.answer("DELETE", f"{POLICIES}/deny", (200, {}))
    delete_network_policy(cluster, "ns", "deny")
    api.answer("DELETE", f"{SERVICES}/s", (200, {}))
    delete_service(cluster, SERVICE)


def node(name: str, **more: Any) -> Json:
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", **more.get("labels", {})}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": more.get("spec", {}),
        "status": {
            "conditions": [{"type": "Ready", "status": more.get("ready", "True")}],
            "addresses": more.get(
                "addresses",
                [
                    {"type": "Hostname", "address": name},
                    {"type": "InternalIP", "address": "fd00::4"},
                    {"type": "InternalIP", "address": "10.224.0.4"},
                ],
            ),
        },
    }


def taint(key: str, effect: str = "NoSchedule", value: str = "") -> Json:
    return {"taints": [{"key": key, "value": value, "effect": effect}]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"labels": {"kubernetes.io/arch": "arm64"}}, ""),
        ({"labels": {"kubernetes.io/os": "windows"}}, "its operating system is windows"),
        ({"labels": {"kubernetes.io/arch": "s390x"}}, "its architecture is s390x"),
        ({"ready": "Unknown"}, "it is not ready"),
        ({"spec": {"unschedulable": True}}, "it is cordoned"),
        ({"spec": taint("team", value="a")}, "it has the taint team=a:NoSchedule"),
        ({"spec": taint("team", "PreferNoSchedule")}, ""),
        ({"spec": taint("CriticalAddonsOnly", value="true")}, ""),
        ({"spec": taint("kubernetes.azure.com/scalesetpriority", value="spot")}, ""),
        ({"addresses": []}, "it has no InternalIP"),
    ],
)
def test_a_node_is_left_out_for_a_reason(changes: dict[str, Any], reason: str) -> None:
    assert why_left_out(node("n", **changes)).startswith(reason)
    assert bool(why_left_out(node("n", **changes))) == bool(reason)


def test_a_taint_is_left_out_with_the_option_that_tolerates_it() -> None:
    sku = node("n", spec=taint("sku", value="gpu"))
    assert "(--aksnet-tolerate=sku=gpu uses it)" in why_left_out(sku)
    pressure = node("n", spec=taint("node.kubernetes.io/memory-pressure"))
    assert "--aksnet-tolerate" not in why_left_out(pressure)
    given = [{"key": "sku", "operator": "Equal", "value": "gpu"}]
    assert why_left_out(sku, given) == ""


def test_the_images_that_a_kubelet_lists_are_kept(api: ScriptedApi, cluster: Cluster) -> None:
    having, lacking = node("a"), node("b")
    having["status"]["images"] = [{"names": ["docker.io/x@sha256:1", "docker.io/x:1"]}, {}]
    api.answer("GET", "/api/v1/nodes", (200, {"metadata": {}, "items": [having, lacking]}))
    found = read_nodes(cluster).images
    assert found == {"a": {"docker.io/x@sha256:1", "docker.io/x:1"}, "b": frozenset()}


def test_nodes_are_sorted_and_every_pool_is_seen(api: ScriptedApi, cluster: Cluster) -> None:
    def of(pool: str) -> dict[str, Any]:
        return {
            "labels": {"kubernetes.azure.com/agentpool": pool, "topology.kubernetes.io/zone": "z1"}
        }

    items = [
        node("c", **of("user"), spec={"podCIDR": "10.244.1.0/24"}),
        node("b", **of("system")),
        node("a", **of("system")),
        node("w", labels={"kubernetes.io/os": "windows"}),
    ]
    api.answer("GET", "/api/v1/nodes", (200, {"metadata": {}, "items": items}))
    nodes = read_nodes(cluster)
    assert [n.name for n in nodes.taking_part] == ["a", "b", "c"]
    last = nodes.taking_part[2]
    assert (last.pool, last.zone, last.ip) == ("user", "z1", "10.224.0.4")
    assert (last.addresses, last.pod_cidrs) == (("10.224.0.4", "fd00::4"), ("10.244.1.0/24",))
    assert nodes.left_out == {"w": "its operating system is windows"}
    two = read_nodes(cluster, max_nodes=2)
    assert [n.name for n in two.taking_part] == ["a", "c"]
    assert two.left_out["b"] == "beyond --aksnet-max-nodes=2"
    assert [n.name for n in LiveView(cluster).nodes()] == ["a", "b", "c", "w"]


def test_a_selector_leaves_the_others_out(api: ScriptedApi, cluster: Cluster) -> None:
    both = [node("a"), node("b")]
    api.routes["GET", "/api/v1/nodes"] = lambda request: (
        200,
        {"metadata": {}, "items": both[:1] if "labelSelector" in request.query else both},
    )
    nodes = read_nodes(cluster, selector="x=y")
    assert [n.name for n in nodes.taking_part] == ["a"]
    assert nodes.left_out == {"b": "not selected by --aksnet-node-selector=x=y"}


def test_a_selector_that_is_none_is_a_setting(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("GET", "/api/v1/nodes", status(400, "BadRequest", "unable to parse requirement"))
    with pytest.raises(SettingsError, match="--aksnet-node-selector=a==="):
        read_nodes(cluster, selector="a===")


def test_the_replicas_of_the_clusters_dns_are_each_named_once(
    api: ScriptedApi, cluster: Cluster
) -> None:
    path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    first = piece(endpoint("10.1.0.2"), endpoint("10.1.0.1"), port=53)
    api.answer("GET", path, slices(first, piece(endpoint("10.1.0.1"), port=9153)))
    assert LiveView(cluster).coredns_ips() == ("10.1.0.1", "10.1.0.2")
