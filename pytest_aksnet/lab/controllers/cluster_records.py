"""What CoreDNS knows of the cluster (`dns.records.ClusterRecords`), kept from the store."""

from collections.abc import Sequence

from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import ENDPOINT_SLICES, NAMESPACES, SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoint_slices import SERVICE_NAME_LABEL
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.dns.records import EndpointRecord, PortRecord, ServiceRecord

_Key = tuple[str, str]


class StoreRecords(ControlLoop):
    """Indexes of Services and endpoints by name and by address."""

    watched = (NAMESPACES, SERVICES, ENDPOINT_SLICES)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._namespaces: set[str] = set()
        self._services: dict[_Key, ServiceRecord] = {}
        self._slices: dict[_Key, tuple[EndpointRecord, ...]] = {}
        self._endpoints: dict[_Key, list[EndpointRecord]] = {}
        self._services_by_ip: dict[str, ServiceRecord] = {}
        self._endpoints_by_ip: dict[str, list[EndpointRecord]] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Take in the changes and index anew."""
        for change in changes:
            metadata = change.value["metadata"]
            gone = change.kind == DELETED
            key = (metadata.get("namespace", ""), metadata["name"])
            if change.resource is NAMESPACES:
                if gone:
                    self._namespaces.discard(metadata["name"])
                else:
                    self._namespaces.add(metadata["name"])
            elif change.resource is SERVICES:
                self._services.pop(key, None)
                if not gone:
                    self._services[key] = _service(change.value)
            else:
                self._slices.pop(key, None)
                if not gone:
                    self._slices[key] = _endpoints(change.value)
        self._index()

    def _index(self) -> None:
        self._services_by_ip = {
            ip: record for record in self._services.values() for ip in record.cluster_ips
        }
        self._endpoints = {}
        self._endpoints_by_ip = {}
        for records in self._slices.values():
            for record in records:
                key = (record.namespace, record.service)
                self._endpoints.setdefault(key, []).append(record)
                self._endpoints_by_ip.setdefault(record.ip, []).append(record)

    def namespace_exists(self, namespace: str) -> bool:
        """Whether there is a Namespace of that name."""
        return namespace in self._namespaces

    def service(self, namespace: str, name: str) -> ServiceRecord | None:
        """The Service, or None."""
        return self._services.get((namespace, name))

    def endpoints(self, namespace: str, service: str) -> Sequence[EndpointRecord]:
        """Ready endpoints of a Service."""
        return self._endpoints.get((namespace, service), ())

    def service_with_ip(self, ip: str) -> ServiceRecord | None:
        """The Service that has this cluster IP, or None."""
        return self._services_by_ip.get(ip)

    def endpoints_with_ip(self, ip: str) -> Sequence[EndpointRecord]:
        """Ready endpoints, of any Service, that have this address."""
        return self._endpoints_by_ip.get(ip, ())

    def serial(self) -> int:
        """The store's version: it grows with every change."""
        return self.store.version % 2**32


def _service(value: JsonObject) -> ServiceRecord:
    spec = value["spec"]
    external = spec["type"] == "ExternalName"
    headless = spec.get("clusterIP") in (None, "", "None")
    return ServiceRecord(
        namespace=value["metadata"]["namespace"],
        name=value["metadata"]["name"],
        cluster_ips=() if external or headless else tuple(spec["clusterIPs"]),
        ports=tuple(_port(port) for port in spec.get("ports") or []),
        external_name=spec.get("externalName", "") if external else "",
    )


def _endpoints(value: JsonObject) -> tuple[EndpointRecord, ...]:
    service = (value["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL, "")
    ports = tuple(_port(port) for port in value.get("ports") or [])
    return tuple(
        EndpointRecord(
            namespace=value["metadata"]["namespace"],
            service=service,
            ip=ip,
            hostname=endpoint.get("hostname", ""),
            ports=ports,
        )
        for endpoint in value.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready", True)
        for ip in endpoint["addresses"]
    )


def _port(port: JsonObject) -> PortRecord:
    return PortRecord(
        name=port.get("name", ""), protocol=port.get("protocol", "TCP"), port=port["port"]
    )
