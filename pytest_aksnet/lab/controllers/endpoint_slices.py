"""EndpointSlices as objects: ports, labels and addresses, made from Services and pods. Pure."""

from pytest_aksnet.lab.api.ip_families import family_of
from pytest_aksnet.lab.api.objects import JsonObject, timestamp

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"

Ports = tuple[tuple[str, str, int], ...]
"""Name, protocol and number of each port."""
Group = tuple[str, Ports]
"""What the endpoints of one slice have in common: the address type and the ports."""


def resolve_ports(service: JsonObject, pod: JsonObject) -> Ports:
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


def slice_group(item: JsonObject) -> Group:
    """What the endpoints of a slice have in common."""
    return item["addressType"], tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), port["port"])
        for port in item.get("ports") or []
    )


def take_spare(spare: list[JsonObject], family: str) -> JsonObject | None:
    """A slice that is free to get other ports: its address type may not change."""
    found = next((item for item in spare if item["addressType"] == family), None)
    if found is not None:
        spare.remove(found)
    return found


def addresses(pod: JsonObject, family: str) -> list[str]:
    """The pod's addresses of a family: one or none."""
    found = [item["ip"] for item in pod["status"].get("podIPs") or []]
    return [ip for ip in found if family_of(ip) == family]


def slice_labels(service: JsonObject) -> dict[str, str]:
    """The labels of a Service's slices: its own, and those of the controller."""
    labels = dict(service["metadata"].get("labels") or {})
    labels |= {
        MANAGED_BY: CONTROLLER,
        SERVICE_NAME_LABEL: service["metadata"]["name"],
    }
    if is_headless(service):
        labels[HEADLESS] = ""
    return labels


def new_slice(service: JsonObject, labels: dict[str, str], wanted: JsonObject) -> JsonObject:
    """A slice of a Service with this content, named after it and its property."""
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
            "annotations": {TRIGGER_TIME: timestamp()},
            "ownerReferences": [owner],
        },
        **wanted,
    }


def reference(pod: JsonObject) -> JsonObject:
    """The targetRef of an endpoint that is a pod."""
    metadata = pod["metadata"]
    return {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def is_headless(service: JsonObject) -> bool:
    """Whether a Service has no cluster IP by choice."""
    return str(service["spec"].get("clusterIP")) == "None"


def is_named_host_of(pod: JsonObject, service: JsonObject) -> bool:
    """Whether a pod has a name of its own below a Service's (spec.hostname, spec.subdomain)."""
    spec = pod["spec"]
    named = bool(spec.get("hostname"))
    return named and str(spec.get("subdomain")) == str(service["metadata"]["name"])
