"""EndpointSlices and Endpoints of Services with a selector, as the endpoint controllers write them.

One slice per set of ports, since a named target port may differ from pod to pod. Slices and
Endpoints of Services without a selector belong to whoever made them.
"""

from collections.abc import Iterable, Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.spec import LabSpec

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_CONTROLLER = "endpointslice-controller.k8s.io"
_HEADLESS = "service.kubernetes.io/headless"
_TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
_ENDED = ("Succeeded", "Failed")

_Ports = tuple[tuple[str, str, int], ...]
_Key = tuple[str, str]


class EndpointsController(ControlLoop):
    """Keeps slices and Endpoints of all Services right."""

    watched = (SERVICES, PODS)

    def __init__(self, store: Store, spec: LabSpec) -> None:
        super().__init__(store)
        self._zones = {node.name: node.zone for node in spec.nodes}
        self._services: dict[_Key, JsonObject] = {}
        self._pods: dict[_Key, JsonObject] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Write what the changed Services, and the Services of the changed pods, need."""
        touched: set[_Key] = set()
        for change in changes:
            key = _key(change.value)
            if change.resource is SERVICES:
                if change.kind == DELETED:
                    self._services.pop(key, None)
                else:
                    self._services[key] = change.value
                touched.add(key)
                continue
            if change.kind == DELETED:
                self._pods.pop(key, None)
            else:
                self._pods[key] = change.value
            before = change.previous.value if change.previous else {}
            for service_key, service in self._services.items():
                selected = _selects(service, change.value) or _selects(service, before)
                if service_key[0] == key[0] and selected:
                    touched.add(service_key)
        for key in sorted(touched):
            self._write(key)

    def _write(self, key: _Key) -> None:
        namespace, name = key
        service = self._services.get(key)
        try:
            if service is None:
                self._delete(namespace, name)
            elif service["spec"].get("selector") and service["spec"]["type"] != "ExternalName":
                members = self._members(service)
                self._write_slices(service, members)
                self._write_endpoints(service, members)
        except ApiError as error:
            if error.code not in (403, 404, 409):  # its namespace is going, or a race was lost
                raise

    def _delete(self, namespace: str, name: str) -> None:
        for item in self._owned_slices(namespace, name):
            self.store.delete(ENDPOINT_SLICES, item["metadata"]["name"], namespace)
        if self.store.find(ENDPOINTS, name, namespace) is not None:
            self.store.delete(ENDPOINTS, name, namespace)

    def _members(self, service: JsonObject) -> list[tuple[JsonObject, _Ports]]:
        """The pods of a Service that have an address and are not over, with their ports."""
        found = []
        for (namespace, _), pod in sorted(self._pods.items()):
            status = pod.get("status") or {}
            if (
                namespace == service["metadata"]["namespace"]
                and _selects(service, pod)
                and status.get("podIP")
                and status.get("phase") not in _ENDED
            ):
                found.append((pod, _resolve_ports(service, pod)))
        return found

    # -- slices ----------------------------------------------------------------------------

    def _owned_slices(self, namespace: str, service: str) -> list[JsonObject]:
        labels = f"{SERVICE_NAME_LABEL}={service},{_MANAGED_BY}={_CONTROLLER}"
        return self.store.list(ENDPOINT_SLICES, namespace, labels=labels)

    def _write_slices(
        self, service: JsonObject, members: Iterable[tuple[JsonObject, _Ports]]
    ) -> None:
        namespace, name = _key(service)
        groups: dict[_Ports, list[JsonObject]] = {}
        for pod, ports in members:
            groups.setdefault(ports, []).append(self._endpoint(service, pod))
        if not groups:
            groups[()] = []
        existing = self._owned_slices(namespace, name)
        by_ports = {_slice_ports(item): item for item in existing}
        spare = [item for item in existing if _slice_ports(item) not in groups]
        labels = _slice_labels(service)
        for ports, endpoints in groups.items():
            wanted = {
                "endpoints": endpoints,
                "ports": [
                    {"name": port, "protocol": protocol, "port": number}
                    for port, protocol, number in ports
                ],
            }
            item = by_ports.get(ports) or (spare.pop() if spare else None)
            if item is None:
                self.store.create(ENDPOINT_SLICES, _new_slice(service, labels, wanted), namespace)
            elif any(item.get(field) != value for field, value in wanted.items()) or (
                item["metadata"].get("labels") != labels
            ):
                item |= wanted
                item["metadata"]["labels"] = labels
                item["metadata"].setdefault("annotations", {})[_TRIGGER_TIME] = timestamp()
                self.store.update(ENDPOINT_SLICES, item, namespace)
        for item in spare:
            self.store.delete(ENDPOINT_SLICES, item["metadata"]["name"], namespace)

    def _endpoint(self, service: JsonObject, pod: JsonObject) -> JsonObject:
        terminating = "deletionTimestamp" in pod["metadata"]
        serving = is_ready(pod)
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        endpoint: JsonObject = {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {
                "ready": publish or (serving and not terminating),
                "serving": serving,
                "terminating": terminating,
            },
        }
        if _is_named_host_of(pod, service):
            endpoint["hostname"] = pod["spec"]["hostname"]
        endpoint["targetRef"] = _reference(pod)
        endpoint["nodeName"] = pod["spec"]["nodeName"]
        zone = self._zones.get(pod["spec"]["nodeName"])
        if zone is not None:
            endpoint["zone"] = zone
        return endpoint

    # -- Endpoints -------------------------------------------------------------------------

    def _write_endpoints(
        self, service: JsonObject, members: Iterable[tuple[JsonObject, _Ports]]
    ) -> None:
        namespace, name = _key(service)
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        groups: dict[_Ports, dict[str, list[JsonObject]]] = {}
        for pod, ports in members:
            terminating = "deletionTimestamp" in pod["metadata"]
            if terminating and not publish:
                continue
            address: JsonObject = {"ip": pod["status"]["podIP"]}
            if _is_named_host_of(pod, service):
                address["hostname"] = pod["spec"]["hostname"]
            address |= {"nodeName": pod["spec"]["nodeName"], "targetRef": _reference(pod)}
            ready = publish or is_ready(pod)
            field = "addresses" if ready else "notReadyAddresses"
            groups.setdefault(ports, {}).setdefault(field, []).append(address)
        subsets = []
        for ports, addresses in groups.items():
            shown = [
                {**({"name": port} if port else {}), "port": number, "protocol": protocol}
                for port, protocol, number in ports
            ]
            subsets.append({**addresses, **({"ports": shown} if shown else {})})
        current = self.store.find(ENDPOINTS, name, namespace)
        if current is not None and (current.get("subsets") or []) == subsets:
            return
        labels = dict(service["metadata"].get("labels") or {})
        labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller"
        if _is_headless(service):
            labels[_HEADLESS] = ""
        wanted: JsonObject = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {_TRIGGER_TIME: timestamp()},
            }
        }
        if subsets:
            wanted["subsets"] = subsets
        if current is None:
            self.store.create(ENDPOINTS, wanted, namespace)
        else:
            self.store.update(ENDPOINTS, wanted, namespace)


def is_ready(pod: JsonObject) -> bool:
    """Whether the pod's Ready condition holds."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _key(value: JsonObject) -> _Key:
    return value["metadata"]["namespace"], value["metadata"]["name"]


def _selects(service: JsonObject, pod: JsonObject) -> bool:
    selector = service["spec"].get("selector")
    if not selector or not pod:
        return False
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _resolve_ports(service: JsonObject, pod: JsonObject) -> _Ports:
    """The Service's ports at this pod; a named one that the pod does not have is left out."""
    named = {
        (port.get("name"), port.get("protocol", "TCP")): int(port["containerPort"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
    }
    found = []
    for port in service["spec"].get("ports") or []:
        target, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
        is_name = isinstance(target, str) and not target.isdigit()
        number = named.get((target, protocol)) if is_name else int(target)
        if number is not None:
            found.append((port.get("name", ""), protocol, number))
    return tuple(found)


def _slice_ports(item: JsonObject) -> _Ports:
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), port["port"])
        for port in item.get("ports") or []
    )


def _slice_labels(service: JsonObject) -> dict[str, str]:
    labels = dict(service["metadata"].get("labels") or {})
    labels |= {
        _MANAGED_BY: _CONTROLLER,
        SERVICE_NAME_LABEL: service["metadata"]["name"],
    }
    if _is_headless(service):
        labels[_HEADLESS] = ""
    return labels


def _new_slice(service: JsonObject, labels: dict[str, str], wanted: JsonObject) -> JsonObject:
    metadata = service["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "metadata": {
            "generateName": f"{metadata['name']}-",
            "labels": labels,
            "annotations": {_TRIGGER_TIME: timestamp()},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        **wanted,
    }


def _reference(pod: JsonObject) -> JsonObject:
    metadata = pod["metadata"]
    return {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def _is_headless(service: JsonObject) -> bool:
    return str(service["spec"].get("clusterIP")) == "None"


def _is_named_host_of(pod: JsonObject, service: JsonObject) -> bool:
    spec = pod["spec"]
    named = bool(spec.get("hostname"))
    return named and str(spec.get("subdomain")) == str(service["metadata"]["name"])
