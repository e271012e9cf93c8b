"""Services: defaults and validation. Their addresses and node ports are `service_addresses`'.

Texts and rules as in the API server ("Service" in the API reference).
"""

import json

from pytest_aksnet.lab.api import errors, ip_families, names
from pytest_aksnet.lab.api.errors import Cause, invalid_value, required, unsupported
from pytest_aksnet.lab.api.objects import JsonObject, clone

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_POLICIES = ("Cluster", "Local")
_AFFINITIES = ("ClientIP", "None")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_DEFAULT_AFFINITY_SECONDS = 10800
_ADDRESS_FIELDS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def default(value: JsonObject) -> None:
    """Fill in what a Service leaves out; take away what its type does not have."""
    spec = value.setdefault("spec", {})
    for field in ("selector", "externalIPs", *_ADDRESS_FIELDS):
        if spec.get(field) in (None, "", [], {}):
            spec.pop(field, None)
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", _DEFAULT_AFFINITY_SECONDS)
    else:
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port")
    if not spec.get("ports"):
        spec.pop("ports", None)
    if kind == "ExternalName":
        for field in _ADDRESS_FIELDS:
            spec.pop(field, None)
        spec.pop("internalTrafficPolicy", None)
    else:
        spec.pop("externalName", None)
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    else:
        spec.pop("externalTrafficPolicy", None)
        for port in spec.get("ports") or []:
            port.pop("nodePort", None)
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    else:
        spec.pop("allocateLoadBalancerNodePorts", None)
        spec.pop("loadBalancerClass", None)
    if not has_health_check(spec):
        spec.pop("healthCheckNodePort", None)
    value.setdefault("status", {}).setdefault("loadBalancer", {})


def carry_over(value: JsonObject, old: JsonObject) -> None:
    """On an update, keep the allocated addresses and ports that the new object leaves out."""
    spec, before = value.setdefault("spec", {}), old["spec"]
    if spec.get("type") == "ExternalName":
        return
    if not spec.get("clusterIP") and before.get("clusterIP"):
        spec["clusterIP"] = before["clusterIP"]
    known = clone(before).get("clusterIPs")
    if spec.get("clusterIP") == before.get("clusterIP"):
        if known and not spec.get("clusterIPs"):
            spec["clusterIPs"] = known
    elif spec.get("clusterIPs") == known:
        spec["clusterIPs"] = [spec["clusterIP"]]
    if "healthCheckNodePort" in before and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before["healthCheckNodePort"]
    ports = {
        (port.get("protocol"), port.get("port")): port.get("nodePort")
        for port in before.get("ports") or []
    }
    for port in spec.get("ports") or []:
        node_port = ports.get((port.get("protocol", "TCP"), port.get("port")))
        if node_port and not port.get("nodePort"):
            port["nodePort"] = node_port


def has_health_check(spec: JsonObject) -> bool:
    """Whether a Service has a health check port of its own."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate(value: JsonObject, old: JsonObject | None) -> list[Cause]:
    """What is wrong with a Service."""
    spec = value["spec"]
    causes: list[Cause] = []
    if spec["type"] not in _TYPES:
        return [unsupported("spec.type", spec["type"], _TYPES)]
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and spec["type"] != "ExternalName":
        causes.append(required("spec.ports"))
    if spec["type"] == "ExternalName":
        name = spec.get("externalName", "")
        if not name:
            causes.append(required("spec.externalName"))
        causes += [
            invalid_value("spec.externalName", f'"{name}"', text)
            for text in (names.subdomain(name.removesuffix(".")) if name else ())
        ]
    if spec["type"] == "LoadBalancer" and headless:
        text = "may not be set to 'None' for LoadBalancer services"
        causes.append(invalid_value("spec.clusterIPs[0]", '"None"', text))
    causes += _validate_ports(ports)
    causes += names.check_labels("spec.selector", spec.get("selector") or {})
    if spec["sessionAffinity"] not in _AFFINITIES:
        causes.append(unsupported("spec.sessionAffinity", spec["sessionAffinity"], _AFFINITIES))
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if field in spec and spec[field] not in _POLICIES:
            causes.append(unsupported(f"spec.{field}", spec[field], _POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        causes.append(unsupported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges") or []):
        causes += names.check_cidr(f"spec.loadBalancerSourceRanges[{index}]", cidr)
    if old is not None:
        causes += ip_families.changed(spec, old["spec"])
    return causes


def _validate_ports(ports: list[JsonObject]) -> list[Cause]:
    causes: list[Cause] = []
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        place = f"spec.ports[{index}]"
        name = port.get("name", "")
        if not name:
            if len(ports) > 1:
                causes.append(required(f"{place}.name"))
        elif name in seen_names:
            causes.append(errors.duplicate(f"{place}.name", f'"{name}"'))
        else:
            causes += [
                invalid_value(f"{place}.name", f'"{name}"', text) for text in names.dns_label(name)
            ]
        seen_names.add(name)
        causes += names.check_port(f"{place}.port", port.get("port", 0))
        if port["protocol"] not in PROTOCOLS:
            causes.append(unsupported(f"{place}.protocol", port["protocol"], PROTOCOLS))
        if isinstance(port.get("targetPort"), int):
            causes += names.check_port(f"{place}.targetPort", port["targetPort"])
        pair = (port["protocol"], port.get("port", 0))
        if pair in seen_ports:
            shown = json.dumps({"protocol": pair[0], "port": pair[1]}, separators=(",", ":"))
            causes.append(errors.duplicate(place, shown))
        seen_ports.add(pair)
    return causes
