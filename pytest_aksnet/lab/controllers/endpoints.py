"""EndpointSlices and Endpoints of Services with a selector, as the endpoint controllers write them.

One slice per address family and set of ports, since a named target port may differ from pod to
pod. Endpoints have the addresses of the Service's first family alone. Slices and Endpoints of
Services without a selector belong to whoever made them.
"""

from collections.abc import Iterable, Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import endpoint_slices as slices
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.spec import LabSpec

_ENDED = ("Succeeded", "Failed")

_Key = tuple[str, str]


class EndpointsController(ControlLoop):
    """Keeps slices and Endpoints of all Services right."""

    watched = (SERVICES, PODS)

    def __init__(self, store: Store, spec: LabSpec) -> None:
        super().__init__(store)
        self._zones = {node.name: node.zone for node in spec.nodes}
        self._services: dict[_Key, JsonObject] = {}
        self._pods: dict[_Key, JsonObject] = {}
        self._withheld = False
        self._keeps_ready = False
        self._were_ready: set[str] = set()

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

    def withhold(self, withheld: bool) -> None:
        """Whether Services outside kube-system get endpoints no more, whatever their pods are."""
        if withheld != self._withheld:
            self._withheld = withheld
            for key in sorted(self._services):
                self._write(key)

    def keep_ready(self, kept: bool) -> None:
        """Whether pods stay ready endpoints that stop being ready, until they end."""
        if kept != self._keeps_ready:
            self._keeps_ready = kept
            self._were_ready.clear()
            for key in sorted(self._services):
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

    def _members(self, service: JsonObject) -> list[tuple[JsonObject, slices.Ports]]:
        """The pods of a Service that have an address and are not over, with their ports."""
        found: list[tuple[JsonObject, slices.Ports]] = []
        if self._withheld and service["metadata"]["namespace"] != "kube-system":
            return found
        for (namespace, _), pod in sorted(self._pods.items()):
            status = pod.get("status") or {}
            if (
                namespace == service["metadata"]["namespace"]
                and _selects(service, pod)
                and status.get("podIP")
                and status.get("phase") not in _ENDED
            ):
                found.append((pod, slices.resolve_ports(service, pod)))
        return found

    # -- slices ----------------------------------------------------------------------------

    def _owned_slices(self, namespace: str, service: str) -> list[JsonObject]:
        labels = f"{slices.SERVICE_NAME_LABEL}={service},{slices.MANAGED_BY}={slices.CONTROLLER}"
        return self.store.list(ENDPOINT_SLICES, namespace, labels=labels)

    def _write_slices(
        self, service: JsonObject, members: Sequence[tuple[JsonObject, slices.Ports]]
    ) -> None:
        namespace, name = _key(service)
        groups: dict[slices.Group, list[JsonObject]] = {}
        for family in service["spec"]["ipFamilies"]:
            found: dict[slices.Group, list[JsonObject]] = {}
            for pod, ports in members:
                for address in slices.addresses(pod, family):
                    endpoint = self._endpoint(service, pod, address)
                    found.setdefault((family, ports), []).append(endpoint)
            groups |= found or {(family, ()): []}
        existing = self._owned_slices(namespace, name)
        by_group = {slices.slice_group(item): item for item in existing}
        spare = [item for item in existing if slices.slice_group(item) not in groups]
        labels = slices.slice_labels(service)
        for (family, ports), endpoints in groups.items():
            wanted = {
                "addressType": family,
                "endpoints": endpoints,
                "ports": [
                    {"name": port, "protocol": protocol, "port": number}
                    for port, protocol, number in ports
                ],
            }
            item = by_group.get((family, ports)) or slices.take_spare(spare, family)
            if item is None:
                self.store.create(
                    ENDPOINT_SLICES, slices.new_slice(service, labels, wanted), namespace
                )
            elif any(item.get(field) != value for field, value in wanted.items()) or (
                item["metadata"].get("labels") != labels
            ):
                item |= wanted
                item["metadata"]["labels"] = labels
                item["metadata"].setdefault("annotations", {})[slices.TRIGGER_TIME] = timestamp()
                self.store.update(ENDPOINT_SLICES, item, namespace)
        for item in spare:
            self.store.delete(ENDPOINT_SLICES, item["metadata"]["name"], namespace)

    def _endpoint(self, service: JsonObject, pod: JsonObject, ip: str) -> JsonObject:
        terminating = "deletionTimestamp" in pod["metadata"]
        serving = self._is_ready(pod)
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        endpoint: JsonObject = {
            "addresses": [ip],
            "conditions": {
                "ready": publish or (serving and not terminating),
                "serving": serving,
                "terminating": terminating,
            },
        }
        if slices.is_named_host_of(pod, service):
            endpoint["hostname"] = pod["spec"]["hostname"]
        endpoint["targetRef"] = slices.reference(pod)
        endpoint["nodeName"] = pod["spec"]["nodeName"]
        zone = self._zones.get(pod["spec"]["nodeName"])
        if zone is not None:
            endpoint["zone"] = zone
        hints = _hints(service, endpoint)
        if hints:
            endpoint["hints"] = hints
        return endpoint

    def _is_ready(self, pod: JsonObject) -> bool:
        ready, uid = is_ready(pod), str(pod["metadata"]["uid"])
        if self._keeps_ready and ready:
            self._were_ready.add(uid)
        return ready or uid in self._were_ready

    # -- Endpoints -------------------------------------------------------------------------

    def _write_endpoints(
        self, service: JsonObject, members: Iterable[tuple[JsonObject, slices.Ports]]
    ) -> None:
        namespace, name = _key(service)
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        family = service["spec"]["ipFamilies"][0]
        groups: dict[slices.Ports, dict[str, list[JsonObject]]] = {}
        for pod, ports in members:
            terminating = "deletionTimestamp" in pod["metadata"]
            ips = slices.addresses(pod, family)
            if (terminating and not publish) or not ips:
                continue
            address: JsonObject = {"ip": ips[0]}
            if slices.is_named_host_of(pod, service):
                address["hostname"] = pod["spec"]["hostname"]
            address |= {"nodeName": pod["spec"]["nodeName"], "targetRef": slices.reference(pod)}
            ready = publish or self._is_ready(pod)
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
        if slices.is_headless(service):
            labels[slices.HEADLESS] = ""
        wanted: JsonObject = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {slices.TRIGGER_TIME: timestamp()},
            }
        }
        if subsets:
            wanted["subsets"] = subsets
        if current is None:
            self.store.create(ENDPOINTS, wanted, namespace)
        else:
            self.store.update(ENDPOINTS, wanted, namespace)


def _hints(service: JsonObject, endpoint: JsonObject) -> JsonObject:
    """Where a ready endpoint should be used, by spec.trafficDistribution (KEP-4444, KEP-3015)."""
    wanted = service["spec"].get("trafficDistribution")
    if not endpoint["conditions"]["ready"] or not wanted or "zone" not in endpoint:
        return {}
    hints: JsonObject = {"forZones": [{"name": endpoint["zone"]}]}
    if wanted == "PreferSameNode":
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints


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
