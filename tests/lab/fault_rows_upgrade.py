"""Rows of the faults of address space, and of what stands against an upgrade: seen in the API."""

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from tests.lab.arm_clients import Clients
from tests.lab.arm_server import NODE_GROUP, read_environment
from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_QUIET = 0.4
_ONE_MODE = ("overlay",)
_NODES = "/api/v1/nodes"
_SERVICE_CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"
_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"


def _text(scene: Scene, path: str) -> str:
    client = scene.user.core.api_client
    request = client.param_serialize("GET", path, auth_settings=["BearerToken"])
    answer = client.call_api(*request[:3])
    return bytes(answer.read()).decode()


def _get(scene: Scene, path: str) -> Any:
    return json.loads(_text(scene, path))


def _names(scene: Scene, path: str) -> set[str]:
    return {item["metadata"]["name"] for item in _get(scene, path)["items"]}


def _there(path: str, name: str) -> Callable[[Scene], None]:
    def condition(scene: Scene) -> None:
        assert name in _names(scene, path)

    return condition


def _not_there(path: str, name: str) -> Callable[[Scene], None]:
    def condition(scene: Scene) -> None:
        assert name not in _names(scene, path)

    return condition


def _last_node(scene: Scene) -> Any:
    return _get(scene, f"{_NODES}/{scene.nodes[_LAST]}")


# -- address space ---------------------------------------------------------------------------


def nobody_waits_for_an_address(scene: Scene) -> None:
    assert not _waiting(scene)
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(_LAST))).ok


def a_pod_waits_for_an_address(scene: Scene) -> None:
    [waiting] = _waiting(scene)
    events = _get(scene, "/api/v1/namespaces/default/events")["items"]
    about = [one for one in events if one["involvedObject"]["name"] == waiting]
    assert any(one["reason"] == "FailedCreatePodSandBox" for one in about)
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(_LAST))).ok


def _waiting(scene: Scene) -> list[str]:
    pods = _get(scene, "/api/v1/namespaces/default/pods")["items"]
    return [pod["metadata"]["name"] for pod in pods if not pod["status"].get("podIP")]


def _listed_ranges(scene: Scene) -> str:
    name = "azure-ip-masq-agent-config-reconciled"
    found = _get(scene, f"/api/v1/namespaces/kube-system/configmaps/{name}")
    return str(found["data"]["ip-masq-agent-reconciled"])


def the_pod_range_has_more_blocks(scene: Scene) -> None:
    assert scene.spec.pod_cidr in _listed_ranges(scene)


def the_pod_range_is_the_nodes_blocks(scene: Scene) -> None:
    text = _listed_ranges(scene)
    assert scene.spec.pod_cidr not in text
    assert all(str(node.pod_cidr) in text for node in scene.spec.nodes)


def nodes_have_ranges_of_their_own(scene: Scene) -> None:
    ranges = [item["spec"]["podCIDR"] for item in _get(scene, _NODES)["items"]]
    assert len(set(ranges)) == len(ranges)


def two_nodes_have_one_range(scene: Scene) -> None:
    ranges = [item["spec"]["podCIDR"] for item in _get(scene, _NODES)["items"]]
    assert len(set(ranges)) == len(ranges) - 1


def the_last_node_takes_more_pods(scene: Scene) -> None:
    assert int(_last_node(scene)["status"]["allocatable"]["pods"]) > 20


def the_last_node_takes_no_more_pods(scene: Scene) -> None:
    pods = _get(scene, "/api/v1/pods")["items"]
    there = [pod for pod in pods if pod["spec"].get("nodeName") == scene.nodes[_LAST]]
    assert int(_last_node(scene)["status"]["allocatable"]["pods"]) <= len(there)


def a_service_gets_an_address(scene: Scene) -> None:
    assert _new_service(scene).spec.cluster_ip


def no_service_gets_an_address(scene: Scene) -> None:
    with pytest.raises(ApiException, match="range is full") as refused:
        _new_service(scene)
    assert refused.value.status == 500


def _new_service(scene: Scene) -> Any:
    name = f"new-{secrets.token_hex(3)}"
    body = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
    core, namespace = scene.user.core, scene.user.namespace
    made = core.create_namespaced_service(namespace, body)
    core.delete_namespaced_service(name, namespace)
    return made


# -- before an upgrade -----------------------------------------------------------------------


def _budget(scene: Scene) -> Any:
    found = _get(scene, "/apis/policy/v1/poddisruptionbudgets")["items"]
    return [one for one in found if one["metadata"]["name"] == "coredns-always"]


def no_budget_blocks(scene: Scene) -> None:
    assert not _budget(scene)


def a_budget_blocks(scene: Scene) -> None:
    [budget] = _budget(scene)
    assert budget["status"]["expectedPods"] == 2
    assert budget["status"]["disruptionsAllowed"] == 0


def a_lone_pod_serves(scene: Scene) -> None:
    pod = _get(scene, "/api/v1/namespaces/default/pods/legacy")
    assert "ownerReferences" not in pod["metadata"]
    slices = _get(scene, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")["items"]
    targets = [
        endpoint["targetRef"]["name"]
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("targetRef")
    ]
    assert "legacy" in targets


def _dns_pods(scene: Scene) -> int:
    pods = _get(scene, "/api/v1/namespaces/kube-system/pods")["items"]
    return sum(pod["metadata"].get("labels", {}).get("k8s-app") == "kube-dns" for pod in pods)


def two_replicas_of_coredns(scene: Scene) -> None:
    assert _dns_pods(scene) == 2


def one_replica_of_coredns(scene: Scene) -> None:
    assert _dns_pods(scene) == 1


def the_last_node_has_its_image(scene: Scene) -> None:
    node = _last_node(scene)
    assert node["status"]["nodeInfo"]["osImage"].startswith("Ubuntu 24.04")
    assert node["metadata"]["labels"]["kubernetes.azure.com/os-sku"] == "Ubuntu"


def the_last_node_has_a_retired_image(scene: Scene) -> None:
    node = _last_node(scene)
    assert node["status"]["nodeInfo"]["osImage"] == "CBL-Mariner/Linux"
    assert node["metadata"]["labels"]["kubernetes.azure.com/os-sku"] == "CBLMariner"


def _versions(scene: Scene) -> set[str]:
    nodes = _get(scene, _NODES)["items"]
    kubelets = {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}
    return kubelets | {_get(scene, "/version")["gitVersion"]}


def all_have_the_labs_version(scene: Scene) -> None:
    assert _versions(scene) == {scene.spec.kubernetes_version}


def one_kubelet_is_too_old(scene: Scene) -> None:
    assert _versions(scene) == {scene.spec.kubernetes_version, "v1.29.15"}


def all_have_an_old_version(scene: Scene) -> None:
    assert _versions(scene) == {"v1.31.9"}


def _cilium(scene: Scene) -> str:
    found = _get(scene, "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def cilium_is_new(scene: Scene) -> None:
    assert "v1.14" not in _cilium(scene)


def cilium_is_old(scene: Scene) -> None:
    assert _cilium(scene).endswith(":v1.14.19")


def _removed(scene: Scene) -> bool:
    text = _text(scene, "/metrics")
    assert "apiserver_request_total" in text
    return 'removed_release="1.35",resource="volumeattributesclasses"' in text


def nobody_asks_for_what_goes(scene: Scene) -> None:
    assert not _removed(scene)


def somebody_asks_for_what_goes(scene: Scene) -> None:
    assert _removed(scene)


def pods_reach_the_premises(scene: Scene) -> None:
    assert scene.tcp(scene.pod(0), scene.ip(scene.host("on-prem")), 80).ok


def pods_do_not_reach_the_premises(scene: Scene) -> None:
    look = scene.tcp(scene.pod(0), scene.ip(scene.host("on-prem")), 80, seconds=_QUIET)
    assert look.outcome == "timeout"
    assert scene.tcp(scene.pod(0), scene.ip(scene.host("vm")), 80).ok


def _ports(scene: Scene) -> int:
    clients = Clients(read_environment(scene.lab.azure))
    try:
        balancer = clients.network.load_balancers.get(NODE_GROUP, "kubernetes")
        return int(balancer.outbound_rules[0].allocated_outbound_ports or 0)
    finally:
        clients.close()


def ports_go_by_the_pools_size(scene: Scene) -> None:
    assert _ports(scene) == 0


def ports_are_for_the_nodes_only(scene: Scene) -> None:
    assert _ports(scene) * len(scene.nodes) <= 64_000 < _ports(scene) * (len(scene.nodes) + 1)


ROWS = (
    FaultRow(
        fault="snat-ports-for-nodes-only",
        healthy=ports_go_by_the_pools_size,
        broken=ports_are_for_the_nodes_only,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="pods-without-address",
        healthy=nobody_waits_for_an_address,
        broken=a_pod_waits_for_an_address,
    ),
    FaultRow(
        fault="pod-range-full",
        healthy=the_pod_range_has_more_blocks,
        broken=the_pod_range_is_the_nodes_blocks,
        modes=("overlay", "kubenet"),
    ),
    FaultRow(
        fault="pod-cidr-twice@LAST",
        healthy=nodes_have_ranges_of_their_own,
        broken=two_nodes_have_one_range,
        modes=("kubenet",),
    ),
    FaultRow(
        fault="node-full-of-pods@LAST",
        healthy=the_last_node_takes_more_pods,
        broken=the_last_node_takes_no_more_pods,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="service-range-overlaps",
        healthy=_not_there(_SERVICE_CIDRS, "more-services"),
        broken=_there(_SERVICE_CIDRS, "more-services"),
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="service-range-full",
        healthy=a_service_gets_an_address,
        broken=no_service_gets_an_address,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="budget-blocks-drain",
        healthy=no_budget_blocks,
        broken=a_budget_blocks,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="webhook-unanswered",
        healthy=_not_there(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            "orders-policy",
        ),
        broken=_there(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            "orders-policy",
        ),
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="lone-pod-serves",
        healthy=_not_there("/api/v1/namespaces/default/pods", "legacy"),
        broken=a_lone_pod_serves,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="coredns-single",
        healthy=two_replicas_of_coredns,
        broken=one_replica_of_coredns,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="node-image-retired@LAST",
        healthy=the_last_node_has_its_image,
        broken=the_last_node_has_a_retired_image,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="kubelet-too-old@LAST",
        healthy=all_have_the_labs_version,
        broken=one_kubelet_is_too_old,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="kubernetes-unsupported",
        healthy=all_have_the_labs_version,
        broken=all_have_an_old_version,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="cilium-too-old",
        healthy=cilium_is_new,
        broken=cilium_is_old,
        modes=_ONE_MODE,
        engine="cilium",
    ),
    FaultRow(
        fault="deprecated-api-asked",
        healthy=nobody_asks_for_what_goes,
        broken=somebody_asks_for_what_goes,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="masquerade-leftover",
        healthy=pods_reach_the_premises,
        broken=pods_do_not_reach_the_premises,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="policy-forgets-local-dns",
        healthy=_not_there(_POLICIES, "policy-forgets-local-dns"),
        broken=_there(_POLICIES, "policy-forgets-local-dns"),
        settings=("local-dns=true",),
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="policy-names-nodes",
        healthy=_not_there(_POLICIES, "policy-names-nodes"),
        broken=_there(_POLICIES, "policy-names-nodes"),
        modes=_ONE_MODE,
        engine="cilium",
    ),
)
