"""Objects of any kind that checks make from manifests: created strictly, read, deleted.

Owns which kinds these are and under which path the API server has them.
"""

from collections.abc import Mapping
from typing import Any

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.objects import not_admitted
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem, SettingsError

# (apiVersion, kind) to the plural in paths. All of them are namespaced.
KINDS: Mapping[tuple[str, str], str] = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("apps/v1", "Deployment"): "deployments",
    ("batch/v1", "Job"): "jobs",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("discovery.k8s.io/v1", "EndpointSlice"): "endpointslices",
    ("networking.k8s.io/v1", "Ingress"): "ingresses",
    ("gateway.networking.k8s.io/v1", "Gateway"): "gateways",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "httproutes",
    ("security.istio.io/v1", "PeerAuthentication"): "peerauthentications",
    ("networking.istio.io/v1", "VirtualService"): "virtualservices",
    ("networking.istio.io/v1", "DestinationRule"): "destinationrules",
}


def create(cluster: Cluster, manifest: Mapping[str, Any]) -> Json:
    """Create an object with name and namespace; unknown fields are refused.

    Raises SettingsError for an unknown kind, EnvironmentProblem where it is not admitted.
    """
    metadata = manifest["metadata"]
    try:
        return cluster.rest.create(_collection(manifest), manifest)
    except ApiRefused as refused:
        raise not_admitted(
            manifest["kind"], metadata["namespace"], metadata["name"], refused
        ) from refused


def change(cluster: Cluster, made: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """Change an object by a JSON merge patch (RFC 7386). Raises EnvironmentProblem."""
    metadata = made["metadata"]
    try:
        return cluster.rest.patch(f"{_collection(made)}{path_of(metadata['name'])}", changes)
    except ApiRefused as refused:
        raise EnvironmentProblem(
            f"the {made['kind']} {metadata['namespace']}/{metadata['name']} is not changed "
            f"({refused})"
        ) from refused


def delete(cluster: Cluster, made: Mapping[str, Any]) -> None:
    """Delete that very object, and what it owns; no error where it is gone."""
    metadata = made["metadata"]
    cluster.rest.delete(
        f"{_collection(made)}{path_of(metadata['name'])}", uid=metadata.get("uid", "")
    )


def _collection(manifest: Mapping[str, Any]) -> str:
    version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
    plural = KINDS.get((version, kind))
    if plural is None:
        known = ", ".join(f"{name} ({group})" for group, name in KINDS)
        raise SettingsError(f"no object of kind {kind} ({version}) is made here; known are {known}")
    root = ("api", "v1") if version == "v1" else ("apis", *version.split("/"))
    return path_of(*root, "namespaces", manifest["metadata"]["namespace"], plural)
