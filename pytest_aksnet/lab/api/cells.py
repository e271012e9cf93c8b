"""The cells of tables: what `kubectl get` prints about one object in one column.

Pure functions of objects; which column has which cell is in `tables`.
"""

import datetime
from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject, get_path

Cell = Callable[[JsonObject], object]
_NONE = "<none>"


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


def since(text: object) -> str:
    """How long ago a timestamp was."""
    if not isinstance(text, str):
        return "<unknown>"
    moment = datetime.datetime.fromisoformat(text)
    return human_duration((datetime.datetime.now(datetime.UTC) - moment).total_seconds())


def age(value: JsonObject) -> str:
    """How old an object is."""
    return since(value["metadata"].get("creationTimestamp"))


def at(path: str, default: object = _NONE) -> Cell:
    """A cell of the value at a path, or of `default` where there is none."""

    def cell(value: JsonObject) -> object:
        found = get_path(value, path)
        return default if found in (None, "", [], {}) else found

    return cell


def joined(path: str) -> Cell:
    """A cell of the entries of a list at a path, with commas."""

    def cell(value: JsonObject) -> object:
        found = get_path(value, path)
        return ",".join(map(str, found)) if isinstance(found, list) else _NONE

    return cell


def object_name(value: JsonObject) -> object:
    """The name of an object."""
    return value["metadata"]["name"]


def count_of(path: str) -> Cell:
    """A cell of the number of entries of a list or map at a path."""

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


def selector(value: JsonObject) -> object:
    """The LabelSelector in spec.selector."""
    return format_selector(value["spec"].get("selector"))


def plain_selector(value: JsonObject) -> object:
    """The label map in spec.selector (Services)."""
    return format_selector({"matchLabels": value["spec"].get("selector") or {}})


# -- pods -----------------------------------------------------------------------------------


def pod_gates(value: JsonObject) -> object:
    """True readiness gates of all."""
    gates = value["spec"].get("readinessGates") or []
    if not gates:
        return _NONE
    conditions = value.get("status", {}).get("conditions") or []
    true = {item["type"] for item in conditions if item.get("status") == "True"}
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


# -- services -------------------------------------------------------------------------------


def service_external(value: JsonObject) -> object:
    """Where a Service is reached from outside."""
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


def service_ports(value: JsonObject) -> object:
    """Ports with node ports and protocols."""
    texts = []
    for port in value["spec"].get("ports") or []:
        middle = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{middle}/{port['protocol']}")
    return ",".join(texts) or _NONE


# -- nodes ----------------------------------------------------------------------------------


def node_status(value: JsonObject) -> object:
    """Whether a node is ready, and whether it takes pods."""
    conditions = value.get("status", {}).get("conditions") or []
    ready = next((item for item in conditions if item["type"] == "Ready"), None)
    texts = ["Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"]
    if value.get("spec", {}).get("unschedulable"):
        texts.append("SchedulingDisabled")
    return ",".join(texts)


def node_roles(value: JsonObject) -> object:
    """Roles from the labels of a node."""
    labels = value["metadata"].get("labels") or {}
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    roles |= {item for key, item in labels.items() if key == "kubernetes.io/role" and item}
    return ",".join(sorted(roles)) or _NONE


def node_address(kind: str) -> Cell:
    """A cell of the first address of a kind."""

    def cell(value: JsonObject) -> object:
        addresses = value.get("status", {}).get("addresses") or []
        return next((item["address"] for item in addresses if item["type"] == kind), _NONE)

    return cell


def node_kernel(value: JsonObject) -> object:
    """Kernel version and architecture of a node."""
    info = value.get("status", {}).get("nodeInfo") or {}
    version, machine = info.get("kernelVersion", "<unknown>"), info.get("architecture")
    return f"{version} ({machine})" if machine else version


# -- workloads, endpoints, events -----------------------------------------------------------


def of_replicas(path: str, wanted: str) -> Cell:
    """A cell of two numbers: how many of how many."""

    def cell(value: JsonObject) -> object:
        return f"{get_path(value, path) or 0}/{get_path(value, wanted) or 0}"

    return cell


def containers(field: str) -> Cell:
    """A cell of one field of all containers of the pod template."""

    def cell(value: JsonObject) -> object:
        found = get_path(value, "spec.template.spec.containers")
        return ",".join(item[field] for item in (found if isinstance(found, list) else []))

    return cell


def endpoints(value: JsonObject) -> object:
    """The first addresses and ports of Endpoints."""
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


def slice_ports(value: JsonObject) -> object:
    """The first ports of an EndpointSlice."""
    texts = [str(port.get("port", "*")) for port in value.get("ports") or []]
    return _at_most(texts, 3) if texts else "<unset>"


def slice_addresses(value: JsonObject) -> object:
    """The first addresses of an EndpointSlice."""
    texts = [text for item in value.get("endpoints") or [] for text in item["addresses"]]
    return _at_most(texts, 3) if texts else "<unset>"


def quota(*, limits: bool) -> Cell:
    """A cell of what is used of a ResourceQuota: of its `limits.*`, or of all others."""

    def cell(value: JsonObject) -> object:
        status = value.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        return ", ".join(
            f"{name}: {used.get(name, '0')}/{hard[name]}"
            for name in sorted(hard)
            if name.startswith("limits.") == limits
        )

    return cell


def event_last_seen(value: JsonObject) -> object:
    """How long ago an event was seen last."""
    for path in ("series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp"):
        if moment := get_path(value, path):
            return since(moment)
    return age(value)


def event_object(value: JsonObject) -> object:
    """What an event is about."""
    involved = value.get("involvedObject") or value.get("regarding") or {}
    kind, name = str(involved.get("kind", "")).lower(), involved.get("name", "")
    return f"{kind}/{name}" if name else kind
