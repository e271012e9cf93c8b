"""Services: defaults, validation, and the allocation of cluster IPs and node ports.

Texts and rules as in the API server ("Service" in the API reference; service-cluster-ip-range
and service-node-port-range 30000-32767).
"""

import ipaddress
import json
import random

from pytest_aksnet.lab.api import errors, names
from pytest_aksnet.lab.api.errors import Cause, invalid_value, required, unsupported
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import SERVICES

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_POLICIES = ("Cluster", "Local")
_AFFINITIES = ("ClientIP", "None")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_DEFAULT_AFFINITY_SECONDS = 10800
_NODE_PORTS = range(30000, 32768)


def default(value: JsonObject) -> None:
    """Fill in what a Service leaves out; take away what its type does not have."""
    spec = value.setdefault("spec", {})
    for field in ("selector", "externalIPs", "clusterIP"):
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
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(field, None)
        spec.pop("internalTrafficPolicy", None)
    else:
        spec.pop("externalName", None)
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
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
    if not _has_health_check(spec):
        spec.pop("healthCheckNodePort", None)
    value.setdefault("status", {}).setdefault("loadBalancer", {})


def carry_over(value: JsonObject, old: JsonObject) -> None:
    """On an update, keep the allocated addresses and ports that the new object leaves out."""
    spec, before = value.setdefault("spec", {}), old["spec"]
    if spec.get("type") == "ExternalName":
        return
    if not spec.get("clusterIP"):
        for field in ("clusterIP", "clusterIPs"):
            if field in before:
                spec[field] = clone(before)[field]
    elif spec["clusterIP"] != before.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if "healthCheckNodePort" in before and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before["healthCheckNodePort"]
    known = {
        (port.get("protocol"), port.get("port")): port.get("nodePort")
        for port in before.get("ports") or []
    }
    for port in spec.get("ports") or []:
        node_port = known.get((port.get("protocol", "TCP"), port.get("port")))
        if node_port and not port.get("nodePort"):
            port["nodePort"] = node_port


def _has_health_check(spec: JsonObject) -> bool:
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
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        causes.append(invalid_value("spec.ipFamilyPolicy", '"RequireDualStack"', text))
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges") or []):
        causes += names.check_cidr(f"spec.loadBalancerSourceRanges[{index}]", cidr)
    if old is not None:
        causes += _validate_change(spec, old["spec"])
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
        if port["protocol"] not in _PROTOCOLS:
            causes.append(unsupported(f"{place}.protocol", port["protocol"], _PROTOCOLS))
        if isinstance(port.get("targetPort"), int):
            causes += names.check_port(f"{place}.targetPort", port["targetPort"])
        pair = (port["protocol"], port.get("port", 0))
        if pair in seen_ports:
            shown = json.dumps({"protocol": pair[0], "port": pair[1]}, separators=(",", ":"))
            causes.append(errors.duplicate(place, shown))
        seen_ports.add(pair)
    return causes


def _validate_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    if "ExternalName" in (spec["type"], before.get("type")):
        return []
    address, known = spec.get("clusterIP"), before.get("clusterIP")
    if address and known and address != known:
        shown = json.dumps([address])
        return [invalid_value("spec.clusterIPs[0]", shown, "may not change once set")]
    return []


class Allocator:
    """Which cluster IPs and node ports are taken. All or nothing per Service."""

    def __init__(self, service_cidr: str) -> None:
        self._network = ipaddress.ip_network(service_cidr)
        self._addresses: set[str] = set()
        self._ports: set[tuple[str, int]] = set()

    def allocate(self, value: JsonObject, old: JsonObject | None) -> None:
        """Give a Service what its type needs. Raises ApiError 422 where it asks for a taken one."""
        if old is not None:
            self.release(old)
        try:
            self._allocate(value)
        except errors.ApiError:
            if old is not None:
                self._take(old)
            raise

    def release(self, value: JsonObject) -> None:
        """Take back what a Service has."""
        spec = value.get("spec", {})
        self._addresses.discard(spec.get("clusterIP", ""))
        self._ports -= _held_ports(spec)

    def _take(self, value: JsonObject) -> None:
        spec = value["spec"]
        if spec.get("clusterIP") not in (None, "", "None"):
            self._addresses.add(spec["clusterIP"])
        self._ports |= _held_ports(spec)

    def _allocate(self, value: JsonObject) -> None:
        spec = value["spec"]
        name = value["metadata"]["name"]
        if spec["type"] == "ExternalName":
            return
        address = spec.get("clusterIP")
        if address and address != "None":
            self._require_free_address(name, address)
        for index, port in enumerate(spec.get("ports") or []):
            if port.get("nodePort"):
                field = f"spec.ports[{index}].nodePort"
                self._require_free_port(name, field, port["protocol"], port["nodePort"])
        if not address:
            spec["clusterIP"] = self._free_address()
        spec["clusterIPs"] = [spec["clusterIP"]]
        wants_ports = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts")
        if spec["type"] in ("NodePort", "LoadBalancer") and wants_ports:
            shared: dict[int, int] = {}
            for port in spec.get("ports") or []:
                if not port.get("nodePort"):
                    port["nodePort"] = shared.get(port["port"]) or self._free_port()
                shared[port["port"]] = port["nodePort"]
                self._ports.add((port["protocol"], port["nodePort"]))
        if _has_health_check(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._free_port()
        self._take(value)

    def _require_free_address(self, name: str, address: str) -> None:
        field, shown = "spec.clusterIPs", json.dumps([address])
        try:
            inside = ipaddress.ip_address(address) in self._network
        except ValueError:
            text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            causes = [invalid_value(f"{field}[0]", f'"{address}"', text)]
            raise errors.invalid(SERVICES.kind, "", name, causes) from None
        text = f"failed to allocate IP {address}: "
        if not inside:
            text += "the provided network does not match the current range"
        elif address in self._addresses:
            text += "provided IP is already allocated"
        else:
            return
        raise errors.invalid(SERVICES.kind, "", name, [invalid_value(field, shown, text)])

    def _require_free_port(self, name: str, field: str, protocol: str, port: int) -> None:
        if port not in _NODE_PORTS:
            text = (
                "provided port is not in the valid range. The range of valid ports is "
                f"{_NODE_PORTS.start}-{_NODE_PORTS.stop - 1}"
            )
        elif (protocol, port) in self._ports:
            text = "provided port is already allocated"
        else:
            return
        causes = [invalid_value(field, str(port), text)]
        raise errors.invalid(SERVICES.kind, "", name, causes)

    def _free_address(self) -> str:
        # The lower part of the range is left to addresses that are asked for by number, as the
        # API server does (KEP-3070): fixed and dynamic ones seldom collide.
        size = self._network.num_addresses
        reserved = min(max(16, size // 16), 256)
        while True:
            address = str(self._network[random.randrange(reserved, size - 1)])
            if address not in self._addresses:
                return address

    def _free_port(self) -> int:
        while True:
            port = random.choice(_NODE_PORTS)
            if not any((protocol, port) in self._ports for protocol in _PROTOCOLS):
                return port


def _held_ports(spec: JsonObject) -> set[tuple[str, int]]:
    held = {
        (port.get("protocol", "TCP"), port["nodePort"])
        for port in spec.get("ports") or []
        if port.get("nodePort")
    }
    if spec.get("healthCheckNodePort"):
        held.add(("TCP", spec["healthCheckNodePort"]))
    return held
