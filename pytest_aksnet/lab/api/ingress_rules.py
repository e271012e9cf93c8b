"""Defaults and validation of Ingress, Gateway and HTTPRoute.

Sources: Kubernetes docs, "Ingress", and networking/v1 validation of the API server; Gateway API
specification v1, defaults and CEL rules of its CRDs.
"""

from pytest_aksnet.lab.api import names
from pytest_aksnet.lab.api.errors import Cause, invalid_value, required, unsupported
from pytest_aksnet.lab.api.objects import JsonObject

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_MATCH_TYPES = ("Exact", "PathPrefix", "RegularExpression")
_GROUP = "gateway.networking.k8s.io"


def ingress(value: JsonObject) -> list[Cause]:
    """An Ingress."""
    spec = value.get("spec") or {}
    causes = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        text = "either `defaultBackend` or `rules` must be specified"
        causes.append(invalid_value("spec", "", text))
    if spec.get("defaultBackend"):
        causes += _backend("spec.defaultBackend", spec["defaultBackend"])
    for index, rule in enumerate(spec.get("rules") or []):
        place = f"spec.rules[{index}]"
        host = rule.get("host") or ""
        checked = host.removeprefix("*.")
        if checked:
            causes += [
                invalid_value(f"{place}.host", f'"{host}"', text)
                for text in names.subdomain(checked)
            ]
        if "http" not in rule:
            continue
        paths = rule["http"].get("paths") or []
        if not paths:
            causes.append(required(f"{place}.http.paths"))
        for number, path in enumerate(paths):
            causes += _path(f"{place}.http.paths[{number}]", path)
    return causes


def _path(place: str, path: JsonObject) -> list[Cause]:
    kind, text = path.get("pathType"), path.get("path") or ""
    causes = []
    if not kind:
        causes.append(required(f"{place}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        causes.append(unsupported(f"{place}.pathType", kind, _PATH_TYPES))
    if not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        causes.append(invalid_value(f"{place}.path", f'"{text}"', "must be an absolute path"))
    return causes + _backend(f"{place}.backend", path.get("backend") or {})


def _backend(place: str, backend: JsonObject) -> list[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if not service and not resource:
        return [required(f"{place}", "resource or service backend is required")]
    if service and resource:
        text = "cannot set both resource and service backends"
        return [invalid_value(place, "", text)]
    if not service:
        return []
    causes = []
    if not service.get("name"):
        causes.append(required(f"{place}.service.name"))
    port = service.get("port") or {}
    if bool(port.get("name")) == bool(port.get("number")):
        text = "port name or number is required"
        causes.append(required(f"{place}.service.port", text))
    elif port.get("number"):
        causes += names.check_port(f"{place}.service.port.number", port["number"])
    return causes


def default_ingress(value: JsonObject) -> None:
    """An Ingress: its status is there, and empty."""
    value.setdefault("status", {"loadBalancer": {}})


def default_gateway_class(value: JsonObject) -> None:
    """A GatewayClass: it waits for its controller."""
    value.setdefault("status", {"conditions": _waiting("Accepted")})


def _waiting(*kinds: str) -> list[JsonObject]:
    """Conditions of what no controller has looked at, as the CRDs of Gateway API have them."""
    return [
        {
            "type": kind,
            "status": "Unknown",
            "reason": "Pending",
            "message": "Waiting for controller",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }
        for kind in kinds
    ]


def default_gateway(value: JsonObject) -> None:
    """A Gateway: its listeners take routes of its own namespace, and end TLS."""
    value.setdefault("status", {"conditions": _waiting("Accepted", "Programmed")})
    for listener in (value.get("spec") or {}).get("listeners") or []:
        listener.setdefault("allowedRoutes", {}).setdefault("namespaces", {"from": "Same"})
        if listener.get("tls") is not None:
            listener["tls"].setdefault("mode", "Terminate")
            _references(listener["tls"].get("certificateRefs"), group="", kind="Secret")


def default_http_route(value: JsonObject) -> None:
    """An HTTPRoute: parents are Gateways, backends Services of weight 1, every path matches."""
    spec = value.get("spec") or {}
    _references(spec.get("parentRefs"), group=_GROUP, kind="Gateway")
    for rule in spec.get("rules") or []:
        for match in rule.setdefault("matches", [{}]):
            match.setdefault("path", {"type": "PathPrefix", "value": "/"})
            match["path"].setdefault("type", "PathPrefix")
            match["path"].setdefault("value", "/")
        _references(rule.get("backendRefs"), group="", kind="Service")
        for backend in rule.get("backendRefs") or []:
            backend.setdefault("weight", 1)


def _references(found: list[JsonObject] | None, *, group: str, kind: str) -> None:
    for one in found or []:
        one.setdefault("group", group)
        one.setdefault("kind", kind)


def gateway(value: JsonObject) -> list[Cause]:
    """A Gateway."""
    spec = value.get("spec") or {}
    causes = []
    if not spec.get("gatewayClassName"):
        causes.append(required("spec.gatewayClassName"))
    if not spec.get("listeners"):
        causes.append(required("spec.listeners"))
    for index, listener in enumerate(spec.get("listeners") or []):
        place = f"spec.listeners[{index}]"
        for field in ("name", "port", "protocol"):
            if not listener.get(field):
                causes.append(required(f"{place}.{field}"))
        if listener.get("protocol") in ("HTTP", "TCP", "UDP") and listener.get("tls"):
            text = "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"
            causes.append(invalid_value(f"{place}", "", text))
    return causes


def http_route(value: JsonObject) -> list[Cause]:
    """An HTTPRoute."""
    causes = []
    for index, rule in enumerate((value.get("spec") or {}).get("rules") or []):
        place = f"spec.rules[{index}]"
        for number, match in enumerate(rule["matches"]):
            at = f"{place}.matches[{number}].path"
            if match["path"]["type"] not in _MATCH_TYPES:
                causes.append(unsupported(f"{at}.type", match["path"]["type"], _MATCH_TYPES))
            if not match["path"]["value"].startswith("/"):
                text = "value must be an absolute path and start with '/'"
                causes.append(invalid_value(at, f'"{match["path"]["value"]}"', text))
        for number, backend in enumerate(rule.get("backendRefs") or []):
            at = f"{place}.backendRefs[{number}]"
            if not backend.get("name"):
                causes.append(required(f"{at}.name"))
            if backend["kind"] == "Service" and not backend.get("port"):
                causes.append(required(f"{at}.port", "Must have port for Service reference"))
    return causes
