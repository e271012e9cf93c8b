"""Table answers (meta.k8s.io/v1 Table): the columns that `kubectl get` prints, per resource.

Columns and cells as in the printers of the API server.
"""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

from pytest_aksnet.lab.api.objects import JsonObject, get_path
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    EVENTS_V1,
    LEASES,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    REPLICA_SETS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

Cell = Callable[[JsonObject], object]
_NONE = "<none>"


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column; priority 1 is shown with `-o wide` only."""

    name: str
    cell: Cell
    kind: str = "string"
    priority: int = 0


def human_duration(seconds: float) -> str:
    """An age as kubectl prints it (apimachinery util/duration HumanDuration)."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole > -2 else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        rest = whole % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        rest = hours % 24
        return f"{days}d{rest}h" if rest else f"{days}d"
    return f"{days}d"


def _since(text: object) -> str:
    if not isinstance(text, str):
        return "<unknown>"
    moment = datetime.datetime.fromisoformat(text)
    return human_duration((datetime.datetime.now(datetime.UTC) - moment).total_seconds())


def _age(value: JsonObject) -> str:
    return _since(value["metadata"].get("creationTimestamp"))


def _at(path: str, default: object = _NONE) -> Cell:
    def cell(value: JsonObject) -> object:
        found = get_path(value, path)
        return default if found in (None, "", [], {}) else found

    return cell


def _name(value: JsonObject) -> object:
    return value["metadata"]["name"]


def _count(path: str) -> Cell:
    def cell(value: JsonObject) -> object:
        found = get_path(value, path)
        return len(found) if isinstance(found, list | dict) else 0

    return cell


def format_selector(selector: JsonObject | None) -> str:
    """A LabelSelector on one line."""
    selector = selector or {}
    parts = [f"{key}={item}" for key, item in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or []:
        values = ",".join(term.get("values") or [])
        text = {
            "In": f"{term['key']} in ({values})",
            "NotIn": f"{term['key']} notin ({values})",
            "Exists": term["key"],
            "DoesNotExist": f"!{term['key']}",
        }.get(term["operator"], "")
        parts.append(text)
    return ",".join(parts) or _NONE


def _selector(value: JsonObject) -> object:
    return format_selector(value["spec"].get("selector"))


def _plain_selector(value: JsonObject) -> object:
    return format_selector({"matchLabels": value["spec"].get("selector") or {}})


# -- pods -----------------------------------------------------------------------------------


def _statuses(value: JsonObject) -> list[JsonObject]:
    return list(value.get("status", {}).get("containerStatuses") or [])


def _pod_ready(value: JsonObject) -> object:
    ready = sum(bool(item.get("ready")) for item in _statuses(value))
    return f"{ready}/{len(value['spec'].get('containers') or [])}"


def _pod_status(value: JsonObject) -> object:
    status = value.get("status", {})
    reason = status.get("reason") or status.get("phase", "Unknown")
    for item in reversed(_statuses(value)):
        state: dict[str, Any] = item.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = terminated.get("reason") or f"ExitCode:{terminated.get('exitCode')}"
    if reason == "Completed" and any(
        item.get("ready") and "running" in (item.get("state") or {}) for item in _statuses(value)
    ):
        reason = "Running"
    if "deletionTimestamp" in value["metadata"]:
        reason = "Terminating"
    return reason


def _pod_restarts(value: JsonObject) -> object:
    count = sum(int(item.get("restartCount", 0)) for item in _statuses(value))
    finished = [
        moment
        for item in _statuses(value)
        if (moment := get_path(item, "lastState.terminated.finishedAt"))
    ]
    if count and finished:
        return f"{count} ({_since(max(map(str, finished)))} ago)"
    return str(count)


def _pod_gates(value: JsonObject) -> object:
    gates = value["spec"].get("readinessGates") or []
    if not gates:
        return _NONE
    conditions = value.get("status", {}).get("conditions") or []
    true = {item["type"] for item in conditions if item.get("status") == "True"}
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


# -- services -------------------------------------------------------------------------------


def _service_external(value: JsonObject) -> object:
    spec = value["spec"]
    if spec["type"] == "ExternalName":
        return spec.get("externalName")
    if spec["type"] == "LoadBalancer":
        ingress = get_path(value, "status.loadBalancer.ingress")
        found = [
            item.get("ip") or item.get("hostname")
            for item in (ingress if isinstance(ingress, list) else [])
        ]
        found += spec.get("externalIPs") or []
        return ",".join(found) or "<pending>"
    return ",".join(spec.get("externalIPs") or []) or _NONE


def _service_ports(value: JsonObject) -> object:
    texts = []
    for port in value["spec"].get("ports") or []:
        middle = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{middle}/{port['protocol']}")
    return ",".join(texts) or _NONE


# -- nodes ----------------------------------------------------------------------------------


def _node_status(value: JsonObject) -> object:
    conditions = value.get("status", {}).get("conditions") or []
    ready = next((item for item in conditions if item["type"] == "Ready"), None)
    texts = ["Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"]
    if value.get("spec", {}).get("unschedulable"):
        texts.append("SchedulingDisabled")
    return ",".join(texts)


def _node_roles(value: JsonObject) -> object:
    labels = value["metadata"].get("labels") or {}
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    roles |= {item for key, item in labels.items() if key == "kubernetes.io/role" and item}
    return ",".join(sorted(roles)) or _NONE


def _node_address(kind: str) -> Cell:
    def cell(value: JsonObject) -> object:
        addresses = value.get("status", {}).get("addresses") or []
        return next((item["address"] for item in addresses if item["type"] == kind), _NONE)

    return cell


def _node_kernel(value: JsonObject) -> object:
    info = value.get("status", {}).get("nodeInfo") or {}
    version, machine = info.get("kernelVersion", "<unknown>"), info.get("architecture")
    return f"{version} ({machine})" if machine else version


# -- workloads, endpoints, events -----------------------------------------------------------


def _of_replicas(path: str, wanted: str) -> Cell:
    def cell(value: JsonObject) -> object:
        return f"{get_path(value, path) or 0}/{get_path(value, wanted) or 0}"

    return cell


def _containers(field: str) -> Cell:
    def cell(value: JsonObject) -> object:
        found = get_path(value, "spec.template.spec.containers")
        return ",".join(item[field] for item in (found if isinstance(found, list) else []))

    return cell


def _endpoints(value: JsonObject) -> object:
    texts = []
    for subset in value.get("subsets") or []:
        ports = subset.get("ports") or []
        for address in subset.get("addresses") or []:
            texts += [f"{address['ip']}:{port['port']}" for port in ports] or [address["ip"]]
    return _at_most(texts, 3)


def _at_most(texts: list[str], count: int) -> str:
    if not texts:
        return _NONE
    more = len(texts) - count
    return ",".join(texts[:count]) + (f" + {more} more..." if more > 0 else "")


def _slice_ports(value: JsonObject) -> object:
    texts = [str(port.get("port", "*")) for port in value.get("ports") or []]
    return _at_most(texts, 3) if texts else "<unset>"


def _slice_addresses(value: JsonObject) -> object:
    texts = [text for item in value.get("endpoints") or [] for text in item["addresses"]]
    return _at_most(texts, 3) if texts else "<unset>"


def _event_last_seen(value: JsonObject) -> object:
    for path in ("series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp"):
        if moment := get_path(value, path):
            return _since(moment)
    return _age(value)


def _event_object(value: JsonObject) -> object:
    involved = value.get("involvedObject") or value.get("regarding") or {}
    kind, name = str(involved.get("kind", "")).lower(), involved.get("name", "")
    return f"{kind}/{name}" if name else kind


_NAME = Column("Name", _name)
_AGE = Column("Age", _age)


def _wide(name: str, cell: Cell) -> Column:
    return Column(name, cell, priority=1)


_TEMPLATE = (
    _wide("Containers", _containers("name")),
    _wide("Images", _containers("image")),
    _wide("Selector", _selector),
)


def _integer(name: str, path: str) -> Column:
    return Column(name, _at(path, 0), "integer")


_COLUMNS: dict[Resource, tuple[Column, ...]] = {
    PODS: (
        _NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        _AGE,
        _wide("IP", _at("status.podIP")),
        _wide("Node", _at("spec.nodeName")),
        _wide("Nominated Node", _at("status.nominatedNodeName")),
        _wide("Readiness Gates", _pod_gates),
    ),
    SERVICES: (
        _NAME,
        Column("Type", _at("spec.type")),
        Column("Cluster-IP", _at("spec.clusterIP")),
        Column("External-IP", _service_external),
        Column("Port(s)", _service_ports),
        _AGE,
        _wide("Selector", _plain_selector),
    ),
    NODES: (
        _NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        _AGE,
        Column("Version", _at("status.nodeInfo.kubeletVersion", "")),
        _wide("Internal-IP", _node_address("InternalIP")),
        _wide("External-IP", _node_address("ExternalIP")),
        _wide("OS-Image", _at("status.nodeInfo.osImage", "<unknown>")),
        _wide("Kernel-Version", _node_kernel),
        _wide("Container-Runtime", _at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
    ),
    NAMESPACES: (_NAME, Column("Status", _at("status.phase")), _AGE),
    DEPLOYMENTS: (
        _NAME,
        Column("Ready", _of_replicas("status.readyReplicas", "spec.replicas")),
        _integer("Up-to-date", "status.updatedReplicas"),
        _integer("Available", "status.availableReplicas"),
        _AGE,
        *_TEMPLATE,
    ),
    REPLICA_SETS: (
        _NAME,
        _integer("Desired", "spec.replicas"),
        _integer("Current", "status.replicas"),
        _integer("Ready", "status.readyReplicas"),
        _AGE,
        *_TEMPLATE,
    ),
    STATEFUL_SETS: (
        _NAME,
        Column("Ready", _of_replicas("status.readyReplicas", "spec.replicas")),
        _AGE,
        _wide("Containers", _containers("name")),
        _wide("Images", _containers("image")),
    ),
    DAEMON_SETS: (
        _NAME,
        _integer("Desired", "status.desiredNumberScheduled"),
        _integer("Current", "status.currentNumberScheduled"),
        _integer("Ready", "status.numberReady"),
        _integer("Up-to-date", "status.updatedNumberScheduled"),
        _integer("Available", "status.numberAvailable"),
        Column(
            "Node Selector",
            lambda value: format_selector(
                {"matchLabels": get_path(value, "spec.template.spec.nodeSelector") or {}}
            ),
        ),
        _AGE,
        *_TEMPLATE,
    ),
    ENDPOINTS: (_NAME, Column("Endpoints", _endpoints), _AGE),
    ENDPOINT_SLICES: (
        _NAME,
        Column("AddressType", _at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        _AGE,
    ),
    NETWORK_POLICIES: (
        _NAME,
        Column(
            "Pod-Selector",
            lambda value: format_selector(value["spec"].get("podSelector")),
        ),
        _AGE,
    ),
    CONFIG_MAPS: (_NAME, Column("Data", _count("data")), _AGE),
    SECRETS: (_NAME, Column("Type", _at("type")), Column("Data", _count("data")), _AGE),
    SERVICE_ACCOUNTS: (_NAME, Column("Secrets", _count("secrets"), "integer"), _AGE),
    LEASES: (_NAME, Column("Holder", _at("spec.holderIdentity", "")), _AGE),
    ROLE_BINDINGS: (
        _NAME,
        Column("Role", lambda value: f"{value['roleRef']['kind']}/{value['roleRef']['name']}"),
        _AGE,
    ),
    EVENTS: (
        Column("Last Seen", _event_last_seen),
        Column("Type", _at("type", "")),
        Column("Reason", _at("reason", "")),
        Column("Object", _event_object),
        _wide("Subobject", _at("involvedObject.fieldPath", "")),
        _wide("Source", _at("source.component", "")),
        Column("Message", lambda value: str(value.get("message", value.get("note", ""))).strip()),
        _wide("First Seen", lambda value: _since(value.get("firstTimestamp"))),
        _wide("Count", _at("count", 1)),
        _wide("Name", _name),
    ),
}
_COLUMNS[EVENTS_V1] = _COLUMNS[EVENTS]
_DEFAULT = (_NAME, Column("Created At", _at("metadata.creationTimestamp")))


def render(
    resource: Resource, values: list[JsonObject], metadata: JsonObject, include: str
) -> JsonObject:
    """A Table of objects. `include` is Metadata, Object or None: what each row carries along."""
    columns = _COLUMNS.get(resource, _DEFAULT)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": column.name,
                "type": column.kind,
                "format": "name" if column.name == "Name" else "",
                "description": column.name,
                "priority": column.priority,
            }
            for column in columns
        ],
        "rows": [
            {
                "cells": [column.cell(value) for column in columns],
                "object": _row_object(value, include),
            }
            for value in values
        ],
    }


def _row_object(value: JsonObject, include: str) -> JsonObject | None:
    if include == "None":
        return None
    if include == "Object":
        return value
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": value["metadata"],
    }
