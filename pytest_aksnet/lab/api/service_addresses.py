"""The allocation of cluster IPs and node ports to Services.

Texts and rules as in the API server (service-cluster-ip-range and service-node-port-range
30000-32767).
"""

import ipaddress
import json
import random
from collections.abc import Sequence

from pytest_aksnet.lab.api import errors, ip_families
from pytest_aksnet.lab.api.errors import invalid_value
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.api.services import PROTOCOLS, has_health_check

_NODE_PORTS = range(30000, 32768)
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FAMILY = {4: ip_families.IPV4, 6: ip_families.IPV6}


class Allocator:
    """Which cluster IPs and node ports are taken. All or nothing per Service."""

    def __init__(self, *service_cidrs: str) -> None:
        networks = [ipaddress.ip_network(cidr) for cidr in service_cidrs]
        self._networks = {_FAMILY[network.version]: network for network in networks}
        self._addresses: set[str] = set()
        self._ports: set[tuple[str, int]] = set()

    def allocate(self, value: JsonObject, old: JsonObject | None) -> None:
        """Give a Service what its type needs. Raises ApiError 422 where it asks for a taken one."""
        if old is not None:
            self.release(old)
        try:
            self._allocate(value, old)
        except errors.ApiError:
            if old is not None:
                self._take(old)
            raise

    def restrict(self, cidr: str) -> None:
        """Allocate addresses of this range from now on; what is allocated stays."""
        network = ipaddress.ip_network(cidr)
        self._networks[_FAMILY[network.version]] = network

    def release(self, value: JsonObject) -> None:
        """Take back what a Service has."""
        spec = value.get("spec", {})
        self._addresses -= _held_addresses(spec)
        self._ports -= _held_ports(spec)

    def _take(self, value: JsonObject) -> None:
        spec = value["spec"]
        self._addresses |= _held_addresses(spec)
        self._ports |= _held_ports(spec)

    def _allocate(self, value: JsonObject, old: JsonObject | None) -> None:
        spec = value["spec"]
        name = value["metadata"]["name"]
        before = None if old is None else old["spec"]
        causes = ip_families.settle(spec, before, tuple(self._networks))
        if causes:
            raise errors.invalid(SERVICES.kind, "", name, causes)
        if spec["type"] == "ExternalName":
            return
        for address in _held_addresses(spec):
            self._require_free_address(name, address, spec["clusterIPs"])
        for index, port in enumerate(spec.get("ports") or []):
            if port.get("nodePort"):
                field = f"spec.ports[{index}].nodePort"
                self._require_free_port(name, field, port["protocol"], port["nodePort"])
        if spec.get("clusterIP") != ip_families.HEADLESS:
            given = spec.get("clusterIPs") or []
            missing = spec["ipFamilies"][len(given) :]
            spec["clusterIPs"] = [*given, *map(self._free_address, missing)]
            spec["clusterIP"] = spec["clusterIPs"][0]
        wants_ports = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts")
        if spec["type"] in ("NodePort", "LoadBalancer") and wants_ports:
            shared: dict[int, int] = {}
            for port in spec.get("ports") or []:
                if not port.get("nodePort"):
                    port["nodePort"] = shared.get(port["port"]) or self._free_port()
                shared[port["port"]] = port["nodePort"]
                self._ports.add((port["protocol"], port["nodePort"]))
        if has_health_check(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._free_port()
        self._take(value)

    def _require_free_address(self, name: str, address: str, wanted: Sequence[str]) -> None:
        text = f"failed to allocate IP {address}: "
        if ipaddress.ip_address(address) not in self._networks[ip_families.family_of(address)]:
            text += "the provided network does not match the current range"
        elif address in self._addresses:
            text += "provided IP is already allocated"
        else:
            return
        shown = json.dumps([*wanted], separators=(",", ":"))
        causes = [invalid_value("spec.clusterIPs", shown, text)]
        raise errors.invalid(SERVICES.kind, "", name, causes)

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

    def _free_address(self, family: str) -> str:
        # The lower part of the range is left to addresses that are asked for by number, as the
        # API server does (KEP-3070): fixed and dynamic ones seldom collide.
        network = self._networks[family]
        size = network.num_addresses
        reserved = min(max(16, size // 16), 256)
        if size <= 2 * reserved:
            return self._any_free_address(network)
        while True:
            address = str(network[random.randrange(reserved, size - 1)])
            if address not in self._addresses:
                return address

    def _any_free_address(self, network: _Network) -> str:
        """Of a small range, which has no part for addresses that are asked for by number."""
        free = [str(ip) for ip in network.hosts() if str(ip) not in self._addresses]
        if not free:
            raise errors.internal("failed to allocate a serviceIP: range is full")
        return random.choice(free)

    def _free_port(self) -> int:
        while True:
            port = random.choice(_NODE_PORTS)
            if not any((protocol, port) in self._ports for protocol in PROTOCOLS):
                return port


def _held_addresses(spec: JsonObject) -> set[str]:
    """Its cluster IPs; none for a headless Service."""
    return {*(spec.get("clusterIPs") or ())} - {ip_families.HEADLESS}


def _held_ports(spec: JsonObject) -> set[tuple[str, int]]:
    held = {
        (port.get("protocol", "TCP"), port["nodePort"])
        for port in spec.get("ports") or []
        if port.get("nodePort")
    }
    if spec.get("healthCheckNodePort"):
        held.add(("TCP", spec["healthCheckNodePort"]))
    return held
