"""The statuses of Ingress, GatewayClass, Gateway and HTTPRoute, as merge patches: pure.

Sources: Kubernetes docs, "Ingress"; Gateway API specification, conditions Accepted, Programmed and
ResolvedRefs.
"""

import time
from collections.abc import Iterator, Sequence

from pytest_aksnet.lab.ingress_controller.kube import Object
from pytest_aksnet.lab.ingress_controller.translate import (
    GATEWAY_CLASS,
    Cluster,
    gateways_of,
    is_ours,
)

CONTROLLER_NAME = "gateway.nginx.org/nginx-gateway-controller"
_GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
Patch = tuple[str, Object]


def frontend(service: Object | None) -> list[str]:
    """The addresses at which the world reaches the controller's Service."""
    status = (service or {}).get("status") or {}
    found = (status.get("loadBalancer") or {}).get("ingress") or []
    return [one.get("ip") or one.get("hostname") for one in found]


def patches(cluster: Cluster, classes: Sequence[Object], addresses: list[str]) -> Iterator[Patch]:
    """Path and merge patch of everything whose status is not what it should be."""
    for ingress in cluster.ingresses:
        if not is_ours(ingress):
            continue
        wanted: Object = {"loadBalancer": {"ingress": [{"ip": one} for one in addresses]}}
        if addresses and (ingress.get("status") or {}) != wanted:
            yield _path("/apis/networking.k8s.io/v1", "ingresses", ingress), {"status": wanted}
    for one in classes:
        if one["spec"]["controllerName"] == CONTROLLER_NAME:
            yield from _changed("gatewayclasses", one, {"conditions": _conditions(one, "Accepted")})
    for gateway in cluster.gateways:
        if gateway["spec"]["gatewayClassName"] == GATEWAY_CLASS and addresses:
            yield from _changed("gateways", gateway, _gateway_status(gateway, cluster, addresses))
    for route in cluster.http_routes:
        if gateways_of(route, cluster.gateways):
            yield from _changed("httproutes", route, _route_status(route))


def _gateway_status(gateway: Object, cluster: Cluster, addresses: list[str]) -> Object:
    routes = sum(gateway in gateways_of(route, cluster.gateways) for route in cluster.http_routes)
    return {
        "addresses": [{"type": "IPAddress", "value": one} for one in addresses],
        "conditions": _conditions(gateway, "Accepted", "Programmed"),
        "listeners": [
            {
                "name": listener["name"],
                "attachedRoutes": routes,
                "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
                "conditions": _conditions(gateway, "Accepted", "Programmed", "ResolvedRefs"),
            }
            for listener in gateway["spec"]["listeners"]
        ],
    }


def _route_status(route: Object) -> Object:
    return {
        "parents": [
            {
                "parentRef": parent,
                "controllerName": CONTROLLER_NAME,
                "conditions": _conditions(route, "Accepted", "ResolvedRefs"),
            }
            for parent in route["spec"].get("parentRefs") or []
        ]
    }


def _changed(plural: str, value: Object, wanted: Object) -> Iterator[Patch]:
    if _timeless(value.get("status")) != _timeless(wanted):
        yield _path(_GATEWAYS, plural, value), {"status": wanted}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(v) for key, v in value.items() if key != "lastTransitionTime"}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _conditions(value: Object, *kinds: str) -> list[Object]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "observedGeneration": value["metadata"].get("generation", 1),
            "lastTransitionTime": now,
        }
        for kind in kinds
    ]


def _path(root: str, plural: str, value: Object) -> str:
    place = value["metadata"].get("namespace")
    middle = f"/namespaces/{place}" if place else ""
    return f"{root}{middle}/{plural}/{value['metadata']['name']}/status"
