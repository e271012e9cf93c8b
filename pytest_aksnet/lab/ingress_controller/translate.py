"""Ingress, Gateway and HTTPRoute as a plan: pure.

Sources: Kubernetes docs, "Ingress" (path types, hosts, default backend); ingress-nginx docs,
"Annotations" (canary, ssl-redirect); Gateway API specification, HTTPRoute.
"""

import base64
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.ingress_controller.kube import Key, Object, key_of
from pytest_aksnet.lab.ingress_controller.routes import (
    EXACT,
    PREFIX,
    Addresses,
    Backend,
    Plan,
    Route,
)

CLASS = "webapprouting.kubernetes.azure.com"
GATEWAY_CLASS = "nginx"
_ANNOTATION = "nginx.ingress.kubernetes.io/"
_SERVICE_LABEL = "kubernetes.io/service-name"
_PATH_KINDS = {"Exact": EXACT, "Prefix": PREFIX, "ImplementationSpecific": PREFIX}


@dataclass(frozen=True)
class Cluster:
    """The objects that matter, by namespace and name. `defects` are what is broken on purpose."""

    ingresses: Sequence[Object] = ()
    gateways: Sequence[Object] = ()
    http_routes: Sequence[Object] = ()
    services: Mapping[Key, Object] = dataclasses.field(default_factory=dict)
    slices: Sequence[Object] = ()
    secrets: Mapping[Key, Object] = dataclasses.field(default_factory=dict)
    defects: frozenset[str] = frozenset()


def plan_of(cluster: Cluster) -> Plan:
    """What nginx is to do for these objects."""
    plan = Plan(certificates=dict(_certificates(cluster)))
    canaries = []
    for ingress in cluster.ingresses:
        if not is_ours(ingress):
            continue
        if _flag(ingress, "canary"):
            canaries.append(ingress)
        else:
            _add_ingress(plan, ingress, cluster)
    for ingress in canaries:
        _add_canary(plan, ingress, cluster)
    for route in cluster.http_routes:
        if gateways_of(route, cluster.gateways):
            _add_http_route(plan, route, cluster)
    return plan


def is_ours(ingress: Object) -> bool:
    """Whether an Ingress has our class."""
    return bool(ingress["spec"].get("ingressClassName") == CLASS)


def gateways_of(route: Object, gateways: Sequence[Object]) -> list[Object]:
    """Those of our Gateways that an HTTPRoute names as a parent and that take it."""
    place = route["metadata"]["namespace"]
    named = {
        (parent.get("namespace") or place, parent["name"])
        for parent in route["spec"].get("parentRefs") or []
    }
    return [
        gateway
        for gateway in gateways
        if gateway["spec"]["gatewayClassName"] == GATEWAY_CLASS
        and key_of(gateway) in named
        and any(_takes(listener, gateway, place) for listener in gateway["spec"]["listeners"])
    ]


def _takes(listener: Object, gateway: Object, namespace: str) -> bool:
    allowed = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    return allowed.get("from") == "All" or gateway["metadata"]["namespace"] == namespace


# -- Ingress -------------------------------------------------------------------------------


def _add_ingress(plan: Plan, ingress: Object, cluster: Cluster) -> None:
    secure = _secure_hosts(ingress)
    redirects = _annotation(ingress, "ssl-redirect") != "false" and (
        "no-redirect" not in cluster.defects
    )
    for name, path in _paths(ingress):
        host = plan.host(name)
        if name in secure:
            host.secret = secure[name]
        host.routes.append(
            Route(
                path=path.get("path") or "/",
                kind=_PATH_KINDS[path["pathType"]],
                backends=(_ingress_backend(ingress, path["backend"], cluster),),
                to_https=redirects and (name in secure or _flag(ingress, "force-ssl-redirect")),
            )
        )


def _add_canary(plan: Plan, ingress: Object, cluster: Cluster) -> None:
    """A canary shares the paths of another Ingress, and takes a part of their requests."""
    if "weights-ignored" in cluster.defects:
        return
    weight = min(100, int(_annotation(ingress, "canary-weight") or 0))
    for name, path in _paths(ingress):
        for number, route in enumerate(plan.host(name).routes):
            if route.path == (path.get("path") or "/"):
                canary = _ingress_backend(ingress, path["backend"], cluster)
                shares = (
                    dataclasses.replace(route.backends[0], weight=100 - weight),
                    dataclasses.replace(canary, weight=weight),
                )
                plan.host(name).routes[number] = dataclasses.replace(route, backends=shares)


def _paths(ingress: Object) -> Iterator[tuple[str, Object]]:
    """Host and path of every route; the default backend is every path of its every host."""
    spec = ingress["spec"]
    rules = spec.get("rules") or []
    for rule in rules:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield rule.get("host") or "", path
    if spec.get("defaultBackend"):
        for name in dict.fromkeys([*(rule.get("host") or "" for rule in rules), ""]):
            yield name, {"path": "/", "pathType": "Prefix", "backend": spec["defaultBackend"]}


def _secure_hosts(ingress: Object) -> dict[str, Key]:
    place = ingress["metadata"]["namespace"]
    return {
        name: (place, entry["secretName"])
        for entry in ingress["spec"].get("tls") or []
        if entry.get("secretName")
        for name in entry.get("hosts") or []
    }


def _ingress_backend(ingress: Object, backend: Object, cluster: Cluster) -> Backend:
    found = backend.get("service") or {}
    port = found.get("port") or {}
    place = ingress["metadata"]["namespace"]
    return backend_of(
        cluster, (place, found.get("name", "")), port.get("number") or port.get("name", "")
    )


# -- Gateway API ---------------------------------------------------------------------------


def _add_http_route(plan: Plan, route: Object, cluster: Cluster) -> None:
    place = route["metadata"]["namespace"]
    for name in route["spec"].get("hostnames") or [""]:
        for rule in route["spec"].get("rules") or []:
            shares = tuple(_weighted(cluster, place, rule.get("backendRefs") or []))
            for match in rule.get("matches") or [{}]:
                path = match.get("path") or {"type": "PathPrefix", "value": "/"}
                kind = EXACT if path["type"] == "Exact" else PREFIX
                plan.host(name).routes.append(Route(path["value"], kind, shares))


def _weighted(cluster: Cluster, place: str, references: Sequence[Object]) -> Iterator[Backend]:
    for number, reference in enumerate(references):
        key = (reference.get("namespace") or place, reference["name"])
        found = backend_of(cluster, key, reference.get("port") or "")
        weight = int(reference.get("weight", 1))
        if "weights-ignored" in cluster.defects:
            weight = 1 if number == 0 else 0
        yield dataclasses.replace(found, weight=weight)


# -- backends ------------------------------------------------------------------------------


def backend_of(cluster: Cluster, key: Key, port: int | str) -> Backend:
    """A Service's port by number or name, with its ready endpoints."""
    return Backend(name=f"{key[0]}/{key[1]}:{port}", addresses=_endpoints(cluster, key, port))


def _endpoints(cluster: Cluster, key: Key, port: int | str) -> Addresses:
    service = cluster.services.get(key)
    ports = (service or {"spec": {}})["spec"].get("ports") or []
    wanted = next((one for one in ports if port in (one["port"], one.get("name"))), None)
    if wanted is None:
        return ()
    any_state = "unready-endpoints" in cluster.defects
    found = []
    for part in cluster.slices:
        labels = part["metadata"].get("labels") or {}
        if (part["metadata"]["namespace"], labels.get(_SERVICE_LABEL)) != key:
            continue
        if part.get("addressType") == "FQDN":
            continue
        for target in part.get("ports") or []:
            if (target.get("name") or "") != (wanted.get("name") or ""):
                continue
            for endpoint in part.get("endpoints") or []:
                if any_state or (endpoint.get("conditions") or {}).get("ready", True):
                    for address in endpoint["addresses"]:
                        host = f"[{address}]" if ":" in address else address
                        found.append(f"{host}:{target['port']}")
    return tuple(sorted(set(found)))


def _certificates(cluster: Cluster) -> Iterator[tuple[Key, tuple[bytes, bytes]]]:
    for key, secret in cluster.secrets.items():
        data = secret.get("data") or {}
        if secret.get("type") == "kubernetes.io/tls" and "tls.crt" in data and "tls.key" in data:
            yield key, (base64.b64decode(data["tls.crt"]), base64.b64decode(data["tls.key"]))


def _annotation(ingress: Object, name: str) -> str:
    found = ingress["metadata"].get("annotations") or {}
    return str(found.get(_ANNOTATION + name, ""))


def _flag(ingress: Object, name: str) -> bool:
    return _annotation(ingress, name) == "true"
