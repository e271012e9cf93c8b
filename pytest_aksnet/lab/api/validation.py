"""What the API server refuses with 422: metadata of all kinds, pods, policies, leases.

Each function returns causes and changes nothing. Services and workloads have modules of their own.
"""

import ipaddress

from pytest_aksnet.lab.api import names, quantity
from pytest_aksnet.lab.api.errors import (
    Cause,
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import NAMESPACES, SERVICES, Resource

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_PULL = ("Always", "IfNotPresent", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_POD_UPDATE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_RBAC_GROUP = "rbac.authorization.k8s.io"


def metadata(resource: Resource, value: JsonObject) -> list[Cause]:
    """Name, labels and annotations of any object."""
    found = value["metadata"]
    name = found.get("name", "")
    causes = []
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    else:
        if resource in (NAMESPACES, SERVICES):
            wrong = names.dns_label(name)
        elif resource.group == _RBAC_GROUP:
            wrong = names.path_segment(name)
        else:
            wrong = names.subdomain(name)
        causes += [invalid_value("metadata.name", f'"{name}"', text) for text in wrong]
    causes += names.check_labels("metadata.labels", found.get("labels") or {})
    for key in found.get("annotations") or {}:
        causes += [
            invalid_value("metadata.annotations", f'"{key}"', text)
            for text in names.label_key(key.lower())
        ]
    return causes


def pod(value: JsonObject, old: JsonObject | None) -> list[Cause]:
    """A Pod; with `old`, also what may not change."""
    if old is not None:
        return _pod_change(value["spec"], old["spec"])
    return pod_spec("spec", value["spec"])


def pod_spec(field: str, spec: JsonObject) -> list[Cause]:
    """The spec of a Pod or of a template at `field`."""
    causes = []
    containers = spec.get("containers") or []
    if not containers:
        causes.append(required(f"{field}.containers"))
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group) or []):
            place = f"{field}.{group}[{index}]"
            causes += _container(place, container, seen, host_network=_host_network(spec))
    if spec["restartPolicy"] not in RESTART_POLICIES:
        causes.append(
            unsupported(f"{field}.restartPolicy", spec["restartPolicy"], RESTART_POLICIES)
        )
    if spec["dnsPolicy"] not in _DNS:
        causes.append(unsupported(f"{field}.dnsPolicy", spec["dnsPolicy"], _DNS))
    if spec["dnsPolicy"] == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.append(required(f"{field}.dnsConfig.nameservers", text))
    if spec["terminationGracePeriodSeconds"] < 0:
        shown = str(spec["terminationGracePeriodSeconds"])
        place = f"{field}.terminationGracePeriodSeconds"
        causes.append(invalid_value(place, shown, "must be greater than or equal to 0"))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 1:
        text = "must be between 1 and 2147483647, inclusive"
        causes.append(invalid_value(f"{field}.activeDeadlineSeconds", str(deadline), text))
    causes += names.check_labels(f"{field}.nodeSelector", spec.get("nodeSelector") or {})
    for part in ("hostname", "subdomain"):
        if spec.get(part):
            causes += [
                invalid_value(f"{field}.{part}", f'"{spec[part]}"', text)
                for text in names.dns_label(spec[part])
            ]
    return causes


def _host_network(spec: JsonObject) -> bool:
    return bool(spec.get("hostNetwork"))


def _container(
    place: str, container: JsonObject, seen: set[str], *, host_network: bool
) -> list[Cause]:
    causes = []
    name = container.get("name", "")
    if not name:
        causes.append(required(f"{place}.name"))
    else:
        causes += [
            invalid_value(f"{place}.name", f'"{name}"', text) for text in names.dns_label(name)
        ]
        if name in seen:
            causes.append(duplicate(f"{place}.name", f'"{name}"'))
        seen.add(name)
    if not container.get("image"):
        causes.append(required(f"{place}.image"))
    if container["imagePullPolicy"] not in _PULL:
        causes.append(unsupported(f"{place}.imagePullPolicy", container["imagePullPolicy"], _PULL))
    for index, port in enumerate(container.get("ports") or []):
        at = f"{place}.ports[{index}]"
        if not port.get("containerPort"):
            causes.append(required(f"{at}.containerPort"))
        else:
            causes += names.check_port(f"{at}.containerPort", port["containerPort"])
        if port.get("hostPort"):
            causes += names.check_port(f"{at}.hostPort", port["hostPort"])
            if host_network and port["hostPort"] != port.get("containerPort"):
                text = "must match `containerPort` when `hostNetwork` is true"
                causes.append(invalid_value(f"{at}.hostPort", str(port["hostPort"]), text))
        if port["protocol"] not in _PROTOCOLS:
            causes.append(unsupported(f"{at}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
    for index, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            causes.append(required(f"{place}.env[{index}].name"))
    return causes + _resources(f"{place}.resources", container.get("resources") or {})


def _resources(place: str, resources: JsonObject) -> list[Cause]:
    """No request above its limit, a limit that a LimitRange has filled in included."""
    limits = resources.get("limits") or {}
    return [
        invalid_value(
            f"{place}.requests",
            f'"{quantity.canonical(request)}"',
            f"must be less than or equal to {name} limit of {quantity.canonical(limits[name])}",
        )
        for name, request in (resources.get("requests") or {}).items()
        if name in limits and _exceeds(request, limits[name])
    ]


def _exceeds(request: object, limit: object) -> bool:
    try:
        return quantity.parse(request) > quantity.parse(limit)
    except ValueError:  # text that is no quantity is not judged here
        return False


def _pod_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Only images, tolerations that are added and the active deadline may change."""
    same, old = clone(spec), clone(before)
    for item in (same, old):
        item.pop("activeDeadlineSeconds", None)
        for group in ("containers", "initContainers"):
            for container in item.get(group) or []:
                container.pop("image", None)
    kept = old.pop("tolerations", [])
    added = same.pop("tolerations", [])
    if same == old and all(toleration in added for toleration in kept):
        return []
    return [forbidden_field("spec", _POD_UPDATE)]


def ephemeral_containers(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Ephemeral containers can be added, but neither changed nor taken away."""
    field = "spec.ephemeralContainers"
    present = {item.get("name"): item for item in spec.get("ephemeralContainers") or []}
    causes = []
    for item in before.get("ephemeralContainers") or []:
        if item["name"] not in present:
            text = f'existing ephemeral containers "{item["name"]}" may not be removed'
            causes.append(forbidden_field(field, f"{text}\n"))
        elif present[item["name"]] != item:
            text = f'existing ephemeral containers "{item["name"]}" may not be changed'
            causes.append(forbidden_field(field, f"{text}\n"))
    seen = {
        item["name"] for group in ("containers", "initContainers") for item in spec.get(group) or []
    }
    for index, item in enumerate(spec.get("ephemeralContainers") or []):
        causes += _container(f"{field}[{index}]", item, seen, host_network=_host_network(spec))
    return causes


def network_policy(value: JsonObject) -> list[Cause]:
    """A NetworkPolicy."""
    spec = value["spec"]
    causes = names.check_selector("spec.podSelector", spec["podSelector"])
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or []):
            place = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or []):
                causes += _policy_port(f"{place}.ports[{number}]", port)
            for number, peer in enumerate(rule.get(side) or []):
                causes += _policy_peer(f"{place}.{side}[{number}]", peer)
    types = spec["policyTypes"]
    for index, name in enumerate(types):
        if name not in ("Ingress", "Egress"):
            causes.append(unsupported(f"spec.policyTypes[{index}]", name, ("Ingress", "Egress")))
    if len(types) > 2:
        text = "may not specify more than two policyTypes"
        causes.append(invalid_value("spec.policyTypes", str(types), text))
    return causes


def _policy_port(place: str, port: JsonObject) -> list[Cause]:
    causes = []
    if port["protocol"] not in _PROTOCOLS:
        causes.append(unsupported(f"{place}.protocol", port["protocol"], _PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        causes += names.check_port(f"{place}.port", number)
    if end is None:
        return causes
    if number is None:
        text = "may not be specified when `port` is not specified"
        causes.append(invalid_value(f"{place}.endPort", str(end), text))
    elif isinstance(number, str):
        text = "may not be specified when `port` is non-numeric"
        causes.append(invalid_value(f"{place}.endPort", str(end), text))
    elif end < number:
        # The API server shows the port here, not the endPort.
        text = "must be greater than or equal to `port`"
        causes.append(invalid_value(f"{place}.endPort", str(number), text))
    return causes


def _policy_peer(place: str, peer: JsonObject) -> list[Cause]:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if name in peer]
    if not given:
        return [required(place, "must specify a peer")]
    if "ipBlock" in given and len(given) > 1:
        return [forbidden_field(place, "may not specify both ipBlock and another peer")]
    causes = []
    for name in given:
        if name != "ipBlock":
            causes += names.check_selector(f"{place}.{name}", peer[name])
            continue
        block = peer["ipBlock"]
        cidr = block.get("cidr", "")
        if not cidr:
            causes.append(required(f"{place}.ipBlock.cidr"))
            continue
        wrong = names.check_cidr(f"{place}.ipBlock.cidr", cidr)
        causes += wrong
        for index, part in enumerate(block.get("except") or []):
            at = f"{place}.ipBlock.except[{index}]"
            bad = names.check_cidr(at, part)
            causes += bad
            if not bad and not wrong and not _strict_subset(part, cidr):
                text = "must be a strict subset of `cidr`"
                causes.append(invalid_value(at, f'"{part}"', text))
    return causes


def _strict_subset(part: str, whole: str) -> bool:
    inner, outer = ipaddress.ip_network(part), ipaddress.ip_network(whole)
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner != outer and inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner != outer and inner.subnet_of(outer)
    return False


def lease(value: JsonObject, old: JsonObject | None) -> list[Cause]:
    """A Lease; an update must say which state it replaces."""
    if old is not None and not value["metadata"].get("resourceVersion"):
        text = "must be specified for an update"
        return [invalid_value("metadata.resourceVersion", "0x0", text)]
    spec = value.get("spec") or {}
    causes = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        place = "spec.leaseDurationSeconds"
        causes.append(invalid_value(place, str(duration), "must be greater than 0"))
    if transitions is not None and transitions < 0:
        text = "must be greater than or equal to 0"
        causes.append(invalid_value("spec.leaseTransitions", str(transitions), text))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        text = "may only be specified when `strategy` is defined"
        causes.append(forbidden_field("spec.preferredHolder", text))
    return causes
