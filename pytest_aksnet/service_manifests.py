"""Manifests that checks of Services hand to the API: EndpointSlices of their own. Pure."""

from collections.abc import Sequence

from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.peers import ServiceRef


def endpoint_slice(service: ServiceRef, pods: Sequence[AnyPod]) -> Json:
    """An EndpointSlice that sends a Service without a selector to these pods' reflectors.

    Kubernetes docs: concepts/services-networking/service, Services without selectors. The name of
    its port is that of the Service's first one.
    """
    found = [pod_of(pod) for pod in pods]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": service.namespace,
            "labels": {
                "kubernetes.io/service-name": service.name,
                "endpointslice.kubernetes.io/managed-by": "pytest-aksnet",
            },
        },
        "addressType": "IPv6" if ":" in found[0].ip else "IPv4",
        "ports": [{"name": "tcp", "protocol": "TCP", "port": found[0].port}],
        "endpoints": [
            {"addresses": [pod.ip], "conditions": {"ready": True}, "nodeName": pod.node}
            for pod in found
        ],
    }
