"""What must get to nodes for Services of type LoadBalancer: health probes and clients.

Sources: AKS docs load-balancer-standard (annotations); cloud-provider-azure,
azure_loadbalancer.go (probes, floating IP).
"""

from collections.abc import Iterator, Sequence

from pytest_aksnet.assertions.cluster_state import of_others, own_namespaces
from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.azure_security import Arrival, internet_address, probe_arrival
from pytest_aksnet.expectations.azure_security_rules import networks
from pytest_aksnet.model.api import ApiReader, Json
from pytest_aksnet.model.peers import ServiceRef

_ANNOTATION = "service.beta.kubernetes.io/azure-"
_RANGES = f"{_ANNOTATION}allowed-ip-ranges"
# With these the sources are tags, or packets get to the nodes' own addresses.
_NOT_JUDGED = (
    f"{_ANNOTATION}allowed-service-tags",
    f"{_ANNOTATION}disable-load-balancer-floating-ip",
)


def load_balanced(api: ApiReader, own: Sequence[ServiceRef]) -> list[Json]:
    """Services of Azure's load balancer that have an address.

    Those that runs of pytest-aksnet made come and go while one looks: only `own` count of them.
    """
    found = api.items("/api/v1/services")
    mine = {(one.namespace, one.name) for one in own}
    others = of_others(found, own_namespaces(api))
    return [
        one
        for one in found
        if (one in others or (one["metadata"].get("namespace"), one["metadata"]["name"]) in mine)
        and one["spec"].get("type") == "LoadBalancer"
        and not one["spec"].get("loadBalancerClass")
        and _addresses(one)
    ]


def public_name(service: Json) -> str:
    """The name of a Service that has a public frontend, empty of others."""
    return "" if all(map(is_private, _addresses(service))) else _key(service)


def probes_of(service: Json) -> Iterator[Arrival]:
    """The load balancer's probes of one Service; UDP ports have none."""
    name = f"health probes of Service {_key(service)}"
    spec = service["spec"]
    if spec.get("externalTrafficPolicy") == "Local" and spec.get("healthCheckNodePort"):
        yield probe_arrival(name, "tcp", int(spec["healthCheckNodePort"]))
        return
    for port in spec.get("ports") or ():
        if port.get("protocol", "TCP") == "TCP" and port.get("nodePort"):
            yield probe_arrival(name, "tcp", int(port["nodePort"]))


def clients_of(service: Json, inside: str) -> Iterator[Arrival]:
    """Clients from where the Service may be called; `inside` is an address of the network.

    Packets come with the frontend's address, as floating IP is on.
    """
    metadata, spec = service["metadata"], service["spec"]
    annotations = metadata.get("annotations") or {}
    if any(annotations.get(one) for one in _NOT_JUDGED):
        return
    said = [*(spec.get("loadBalancerSourceRanges") or ()), *_listed(annotations.get(_RANGES))]
    ranges = networks(said)
    for frontend in _addresses(service):
        version = 6 if ":" in frontend else 4
        sources = [str(one.network_address) for one in ranges if one.version == version]
        if not said:
            sources = [inside if is_private(frontend) else internet_address(version)]
        for source in sources:
            for port in spec.get("ports") or ():
                if (":" in source) == (":" in frontend) and port.get("protocol") != "SCTP":
                    yield Arrival(
                        why=f"clients of Service {_key(service)}, such as {source},",
                        source=source,
                        protocol=str(port.get("protocol", "TCP")).lower(),
                        destination=frontend,
                        port=int(port["port"]),
                        is_example=not said,
                    )


def _addresses(service: Json) -> list[str]:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return [one["ip"] for one in balancer.get("ingress") or () if one.get("ip")]


def _listed(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def _key(service: Json) -> str:
    return f"{service['metadata'].get('namespace')}/{service['metadata']['name']}"
