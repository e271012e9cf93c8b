"""Table answers (meta.k8s.io/v1 Table): the columns that `kubectl get` prints, per resource.

Columns and cells as in the printers of the API server.
"""

import dataclasses

from pytest_aksnet.lab.api import cells, ingress_cells, job_cells, pod_cells
from pytest_aksnet.lab.api.objects import JsonObject, get_path
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    EVENTS_V1,
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    INGRESS_CLASSES,
    INGRESSES,
    JOBS,
    LEASES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PEER_AUTHENTICATIONS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICE_CIDRS,
    SERVICES,
    STATEFUL_SETS,
    VALIDATING_WEBHOOKS,
    VIRTUAL_SERVICES,
    Resource,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column; priority 1 is shown with `-o wide` only."""

    name: str
    cell: cells.Cell
    kind: str = "string"
    priority: int = 0


_NAME = Column("Name", cells.object_name)
_AGE = Column("Age", cells.age)


def _wide(name: str, cell: cells.Cell) -> Column:
    return Column(name, cell, priority=1)


_TEMPLATE = (
    _wide("Containers", cells.containers("name")),
    _wide("Images", cells.containers("image")),
    _wide("Selector", cells.selector),
)


def _integer(name: str, path: str) -> Column:
    return Column(name, cells.at(path, 0), "integer")


_COLUMNS: dict[Resource, tuple[Column, ...]] = {
    PODS: (
        _NAME,
        Column("Ready", pod_cells.ready),
        Column("Status", pod_cells.status),
        Column("Restarts", pod_cells.restarts),
        _AGE,
        _wide("IP", cells.at("status.podIP")),
        _wide("Node", cells.at("spec.nodeName")),
        _wide("Nominated Node", cells.at("status.nominatedNodeName")),
        _wide("Readiness Gates", cells.pod_gates),
    ),
    SERVICES: (
        _NAME,
        Column("Type", cells.at("spec.type")),
        Column("Cluster-IP", cells.at("spec.clusterIP")),
        Column("External-IP", cells.service_external),
        Column("Port(s)", cells.service_ports),
        _AGE,
        _wide("Selector", cells.plain_selector),
    ),
    NODES: (
        _NAME,
        Column("Status", cells.node_status),
        Column("Roles", cells.node_roles),
        _AGE,
        Column("Version", cells.at("status.nodeInfo.kubeletVersion", "")),
        _wide("Internal-IP", cells.node_address("InternalIP")),
        _wide("External-IP", cells.node_address("ExternalIP")),
        _wide("OS-Image", cells.at("status.nodeInfo.osImage", "<unknown>")),
        _wide("Kernel-Version", cells.node_kernel),
        _wide(
            "Container-Runtime", cells.at("status.nodeInfo.containerRuntimeVersion", "<unknown>")
        ),
    ),
    NAMESPACES: (_NAME, Column("Status", cells.at("status.phase")), _AGE),
    DEPLOYMENTS: (
        _NAME,
        Column("Ready", cells.of_replicas("status.readyReplicas", "spec.replicas")),
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
        Column("Ready", cells.of_replicas("status.readyReplicas", "spec.replicas")),
        _AGE,
        _wide("Containers", cells.containers("name")),
        _wide("Images", cells.containers("image")),
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
            lambda value: cells.format_selector(
                {"matchLabels": get_path(value, "spec.template.spec.nodeSelector") or {}}
            ),
        ),
        _AGE,
        *_TEMPLATE,
    ),
    CONTROLLER_REVISIONS: (
        _NAME,
        Column("Controller", job_cells.controller),
        _integer("Revision", "revision"),
        _AGE,
    ),
    JOBS: (
        _NAME,
        Column("Status", job_cells.status),
        Column("Completions", job_cells.completions),
        Column("Duration", job_cells.duration),
        _AGE,
        *_TEMPLATE,
    ),
    CRON_JOBS: (
        _NAME,
        Column("Schedule", cells.at("spec.schedule")),
        Column("Timezone", cells.at("spec.timeZone")),
        Column("Suspend", lambda value: str(bool(value["spec"].get("suspend")))),
        Column("Active", cells.count_of("status.active"), "integer"),
        Column(
            "Last Schedule", lambda value: cells.since(get_path(value, "status.lastScheduleTime"))
        ),
        _AGE,
    ),
    POD_DISRUPTION_BUDGETS: (
        _NAME,
        Column("Min Available", cells.at("spec.minAvailable", "N/A")),
        Column("Max Unavailable", cells.at("spec.maxUnavailable", "N/A")),
        _integer("Allowed Disruptions", "status.disruptionsAllowed"),
        _AGE,
    ),
    ENDPOINTS: (_NAME, Column("Endpoints", cells.endpoints), _AGE),
    ENDPOINT_SLICES: (
        _NAME,
        Column("AddressType", cells.at("addressType")),
        Column("Ports", cells.slice_ports),
        Column("Endpoints", cells.slice_addresses),
        _AGE,
    ),
    NETWORK_POLICIES: (
        _NAME,
        Column(
            "Pod-Selector",
            lambda value: cells.format_selector(value["spec"].get("podSelector")),
        ),
        _AGE,
    ),
    SERVICE_CIDRS: (
        _NAME,
        Column("CIDRs", cells.joined("spec.cidrs")),
        _AGE,
    ),
    MUTATING_WEBHOOKS: (_NAME, Column("Webhooks", cells.count_of("webhooks"), "integer"), _AGE),
    VALIDATING_WEBHOOKS: (_NAME, Column("Webhooks", cells.count_of("webhooks"), "integer"), _AGE),
    INGRESSES: (
        _NAME,
        Column("Class", cells.at("spec.ingressClassName", "<none>")),
        Column("Hosts", ingress_cells.hosts),
        Column("Address", ingress_cells.addresses),
        Column("Ports", ingress_cells.ports),
        _AGE,
    ),
    INGRESS_CLASSES: (
        _NAME,
        Column("Controller", cells.at("spec.controller")),
        Column("Parameters", ingress_cells.parameters),
        _AGE,
    ),
    GATEWAY_CLASSES: (
        _NAME,
        Column("Controller", cells.at("spec.controllerName")),
        Column("Accepted", ingress_cells.condition("Accepted")),
        _AGE,
    ),
    GATEWAYS: (
        _NAME,
        Column("Class", cells.at("spec.gatewayClassName")),
        Column("Address", ingress_cells.gateway_addresses),
        Column("Programmed", ingress_cells.condition("Programmed")),
        _AGE,
    ),
    HTTP_ROUTES: (_NAME, Column("Hostnames", ingress_cells.hostnames), _AGE),
    PEER_AUTHENTICATIONS: (_NAME, Column("Mode", cells.at("spec.mtls.mode")), _AGE),
    VIRTUAL_SERVICES: (_NAME, Column("Hosts", cells.joined("spec.hosts")), _AGE),
    DESTINATION_RULES: (_NAME, Column("Host", cells.at("spec.host")), _AGE),
    RESOURCE_QUOTAS: (
        _NAME,
        Column("Request", cells.quota(limits=False)),
        Column("Limit", cells.quota(limits=True)),
        _AGE,
    ),
    CONFIG_MAPS: (_NAME, Column("Data", cells.count_of("data")), _AGE),
    SECRETS: (
        _NAME,
        Column("Type", cells.at("type")),
        Column("Data", cells.count_of("data")),
        _AGE,
    ),
    SERVICE_ACCOUNTS: (_NAME, Column("Secrets", cells.count_of("secrets"), "integer"), _AGE),
    LEASES: (_NAME, Column("Holder", cells.at("spec.holderIdentity", "")), _AGE),
    ROLE_BINDINGS: (
        _NAME,
        Column("Role", lambda value: f"{value['roleRef']['kind']}/{value['roleRef']['name']}"),
        _AGE,
    ),
    EVENTS: (
        Column("Last Seen", cells.event_last_seen),
        Column("Type", cells.at("type", "")),
        Column("Reason", cells.at("reason", "")),
        Column("Object", cells.event_object),
        _wide("Subobject", cells.at("involvedObject.fieldPath", "")),
        _wide("Source", cells.at("source.component", "")),
        Column("Message", lambda value: str(value.get("message", value.get("note", ""))).strip()),
        _wide("First Seen", lambda value: cells.since(value.get("firstTimestamp"))),
        _wide("Count", cells.at("count", 1)),
        _wide("Name", cells.object_name),
    ),
}
_COLUMNS[EVENTS_V1] = _COLUMNS[EVENTS]
_DEFAULT = (_NAME, Column("Created At", cells.at("metadata.creationTimestamp"), "date"))


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
