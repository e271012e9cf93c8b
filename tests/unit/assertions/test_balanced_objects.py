"""Nodes and Services as a load balancer sees them: who is spared, and where pods are Ready."""

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_aksnet.assertions.balanced_objects import (
    backend_nodes,
    balanced_services,
    service_uids,
)
from pytest_aksnet.model.api import Json

_READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class _Api:
    """Answers lists from what a test tells."""

    def __init__(self, lists: Mapping[str, list[Json]]) -> None:
        self._lists = lists

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        return self._lists.get(path, [])

    def get(self, path: str) -> Json | None:
        raise NotImplementedError

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        raise NotImplementedError


def _node(**more: Any) -> Json:
    metadata = {"name": "n1", "labels": more.get("labels", {})}
    spec = {"providerID": "azure:///subscriptions/S/x/virtualMachines/1", **more.get("spec", {})}
    return {"metadata": metadata, "spec": spec, "status": more.get("status", _READY)}


@pytest.mark.parametrize(
    ("node", "spared"),
    [
        (_node(), ""),
        (_node(status={}), "not Ready"),
        (_node(labels={"type": "virtual-kubelet"}), "a virtual node"),
        (_node(labels={"kubernetes.azure.com/managed": "false"}), "managed=false"),
        (_node(labels={"node.kubernetes.io/exclude-from-external-load-balancers": ""}), "exclude"),
        (_node(spec={"taints": [{"key": "ToBeDeletedByClusterAutoscaler"}]}), "taint ToBe"),
    ],
)
def test_some_nodes_need_no_place(node: Json, spared: str) -> None:
    [found] = backend_nodes(_Api({"/api/v1/nodes": [node]}))
    assert found.machine == "/subscriptions/s/x/virtualmachines/1"
    assert spared in found.spared
    assert bool(found.spared) == bool(spared)


def _service(name: str, ip: str = "10.0.0.9", **spec: Any) -> Json:
    ingress = [{"ip": ip}] if ip else []
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": f"uid-{name}"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def _slice(name: str, **conditions: Any) -> Json:
    return {
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"nodeName": "n1", "conditions": conditions}],
    }


def test_services_that_azure_serves_are_told_with_their_ready_nodes() -> None:
    going = _service("going")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    services = [
        _service("web", externalTrafficPolicy="Local"),
        _service("unready"),
        _service("unsaid"),
        _service("pending", ip=""),
        _service("other", loadBalancerClass="example.com/other"),
        _service("inside", type="ClusterIP"),
        going,
    ]
    slices = [_slice("web", ready=True), _slice("unready", ready=False), _slice("unsaid")]
    api = _Api(
        {
            "/api/v1/services": services,
            "/apis/discovery.k8s.io/v1/endpointslices": slices,
        }
    )
    found = {one.key: one for one in balanced_services(api)}
    assert list(found) == ["shop/web", "shop/unready", "shop/unsaid"]
    assert found["shop/web"].local
    assert found["shop/web"].ports == (("tcp", 80),)
    ready = {key: bool(one.ready_on) for key, one in found.items()}
    assert ready == {"shop/web": True, "shop/unready": False, "shop/unsaid": True}
    assert len(service_uids(api)) == len(services)


def test_names_of_rules_begin_with_the_uid() -> None:
    service = _service("web")
    service["metadata"]["uid"] = "0F1E2D3C-4b5a-4968-8776-655443322110"
    [found] = balanced_services(_Api({"/api/v1/services": [service]}))
    assert found.prefix == "a0f1e2d3c4b5a4968877665544332211"
