"""The objects that publish Services: Ingress, Gateway, HTTPRoute, Secrets of certificates. Pure."""

import base64
from collections.abc import Mapping, Sequence

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.ingress import HTTP_PORT, PathRule
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.probes.self_signed import SelfSigned

GATEWAY_API = "gateway.networking.k8s.io/v1"
_LISTENER = "http"


def ingress(
    class_name: str,
    rules: Sequence[PathRule],
    *,
    tls: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """An Ingress; `tls` maps hosts to the names of their Secrets."""
    by_host: dict[str, list[Json]] = {}
    for rule in rules:
        port = {"number": rule.service.port}
        backend = {"service": {"name": rule.service.name, "port": port}}
        by_host.setdefault(rule.name, []).append(
            {"path": rule.path, "pathType": rule.kind, "backend": backend}
        )
    spec: Json = {
        "ingressClassName": class_name,
        "rules": [{"host": host, "http": {"paths": paths}} for host, paths in by_host.items()],
    }
    if tls:
        spec["tls"] = [{"hosts": [host], "secretName": name} for host, name in tls.items()]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"annotations": dict(annotations or {})},
        "spec": spec,
    }


def secret(certificate: SelfSigned) -> Json:
    """A Secret of type kubernetes.io/tls."""
    parts = {"tls.crt": certificate.certificate, "tls.key": certificate.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in parts.items()},
    }


def gateway(class_name: str, annotations: Mapping[str, str]) -> Json:
    """A Gateway with one HTTP listener, for routes of its own namespace."""
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"annotations": dict(annotations)},
        "spec": {
            "gatewayClassName": class_name,
            "listeners": [{"name": _LISTENER, "port": HTTP_PORT, "protocol": "HTTP"}],
        },
    }


def http_route(
    gateway_name: str, host: str, paths: Sequence[tuple[PathRule, Mapping[ServiceRef, int]]]
) -> Json:
    """An HTTPRoute of a host: for each path its Services with their weights."""
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "spec": {
            "parentRefs": [{"name": gateway_name}],
            "hostnames": [host],
            "rules": [
                {
                    "matches": [{"path": {"type": _match(rule.kind), "value": rule.path}}],
                    "backendRefs": [
                        {"name": service.name, "port": service.port, "weight": weight}
                        for service, weight in weights.items()
                    ],
                }
                for rule, weights in paths
            ],
        },
    }


def _match(kind: str) -> str:
    return "PathPrefix" if kind == "Prefix" else kind
