"""Names that kube-proxy gives to what belongs to a Service port (kubernetes pkg/proxy)."""

import base64
import hashlib
from functools import lru_cache

from pytest_aksnet.lab.network_views import EndpointView, ServicePortView


def port_name(service: ServicePortView) -> str:
    """NAMESPACE/NAME:PORT, or NAMESPACE/NAME where the port has no name."""
    named = f":{service.port_name}" if service.port_name else ""
    return f"{service.namespace}/{service.service}{named}"


def endpoint_text(endpoint: EndpointView) -> str:
    """ADDRESS:PORT, IPv6 addresses in brackets."""
    host = f"[{endpoint.ip}]" if ":" in endpoint.ip else endpoint.ip
    return f"{host}:{endpoint.port}"


def iptables_chain(prefix: str, service: ServicePortView) -> str:
    """KUBE-SVC-, KUBE-SVL-, KUBE-EXT- or KUBE-FW- with the hash of the port."""
    return f"KUBE-{prefix}-{_hashed(port_name(service) + service.protocol.lower(), 16)}"


def iptables_endpoint_chain(service: ServicePortView, endpoint: EndpointView) -> str:
    """KUBE-SEP- with the hash of the port and the endpoint."""
    identity = port_name(service) + service.protocol.lower() + endpoint_text(endpoint)
    return f"KUBE-SEP-{_hashed(identity, 16)}"


def nftables_name(service: ServicePortView) -> str:
    """HASH-NAMESPACE/NAME/PROTOCOL/PORT, what the chains of a port have behind their kind."""
    parts = (service.namespace, service.service, service.protocol.lower(), service.port_name)
    return _with_hash("/".join(parts))


def nftables_endpoint_name(service: ServicePortView, endpoint: EndpointView) -> str:
    """The same for an endpoint of it: .../PORT__ADDRESS/PORT, with dots in IPv6 addresses."""
    parts = (service.namespace, service.service, service.protocol.lower(), service.port_name)
    ip = endpoint.ip.replace(":", ".")
    return _with_hash(f"{'/'.join(parts)}__{ip}/{endpoint.port}")


def _with_hash(name: str) -> str:
    # nft's names have at most 255 characters; kube-proxy leaves room for a prefix.
    shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
    return f"{_hashed(name, 8)}-{shown}"


@lru_cache(maxsize=16384)
def _hashed(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode()[:length]


_LONGEST = 210
