"""The defaults that the API server writes into objects before it checks and stores them.

One function per kind; each edits the object in place. Sources: Kubernetes API reference
(field descriptions), Service account token volume and toleration admission.
"""

import base64
import random
from typing import Any

from pytest_aksnet.lab.api.objects import JsonObject

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_EVICTION_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_CONTAINER_LISTS = ("initContainers", "containers")


def pod(value: JsonObject) -> None:
    """A Pod that is about to be created."""
    spec = value.setdefault("spec", {})
    pod_spec(spec, value)
    spec.setdefault("serviceAccountName", spec.get("serviceAccount", "default"))
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("enableServiceLinks", True)
    tolerations = spec.setdefault("tolerations", [])
    for key in _EVICTION_TAINTS:
        if not any(_tolerates(item, key) for item in tolerations):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
            )
    if spec.get("automountServiceAccountToken") is not False:
        _mount_token(spec)
    value["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}


def _tolerates(toleration: JsonObject, key: str) -> bool:
    return toleration.get("key", key) in (key, "") and toleration.get("effect", "") in (
        "",
        "NoExecute",
    )


def pod_spec(spec: JsonObject, owner: JsonObject) -> None:
    """The spec of a Pod or of a pod template; `owner` is the whole object."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for name in _CONTAINER_LISTS:
        for container in spec.get(name) or []:
            _container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "downwardAPI", "projected", "secret"):
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", 420)
        if isinstance(volume.get("hostPath"), dict):
            volume["hostPath"].setdefault("type", "")


def ephemeral_containers(spec: JsonObject) -> None:
    """The ephemeral containers of a pod's spec."""
    for container in spec.get("ephemeralContainers") or []:
        _container(container, host_network=bool(spec.get("hostNetwork")))


def _container(container: JsonObject, *, host_network: bool) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    floating = "@" not in image and tag in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container["resources"]
    limits = resources.get("limits") or {}
    if limits:
        resources["requests"] = {**limits, **(resources.get("requests") or {})}
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if host_network:
            port.setdefault("hostPort", port.get("containerPort"))
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if isinstance(reference, dict):
            reference.setdefault("apiVersion", "v1")
    for name in _PROBES:
        if isinstance(container.get(name), dict):
            _probe(container[name])


def _probe(probe: JsonObject) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _mount_token(spec: JsonObject) -> None:
    name = "kube-api-access-" + "".join(random.choices(_ALPHABET, k=5))
    mounted = False
    for group in _CONTAINER_LISTS:
        for container in spec.get(group) or []:
            mounts = container.setdefault("volumeMounts", [])
            if not any(mount.get("mountPath") == _TOKEN_PATH for mount in mounts):
                mounts.append({"name": name, "readOnly": True, "mountPath": _TOKEN_PATH})
                mounted = True
    if mounted:
        spec.setdefault("volumes", []).append(_token_volume(name))


def _token_volume(name: str) -> JsonObject:
    namespace_field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace_field}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


def qos_class(spec: JsonObject) -> str:
    """Guaranteed, Burstable or BestEffort, from requests and limits of cpu and memory."""
    containers = spec.get("containers") or []
    stated = [container.get("resources") or {} for container in containers]
    names = ("cpu", "memory")
    if not any(
        name in (item.get(part) or {})
        for item in stated
        for part in ("requests", "limits")
        for name in names
    ):
        return "BestEffort"
    guaranteed = all(
        name in (item.get("limits") or {})
        and (item.get("requests") or {}).get(name) == item["limits"][name]
        for item in stated
        for name in names
    )
    return "Guaranteed" if guaranteed else "Burstable"


def network_policy(value: JsonObject) -> None:
    """A NetworkPolicy: pod selector, policyTypes and protocols."""
    spec = value.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or []:
            for port in rule.get("ports") or []:
                port.setdefault("protocol", "TCP")


def namespace(value: JsonObject) -> None:
    """A Namespace: its own name as a label, the finalizer and the phase."""
    metadata = value["metadata"]
    labels = metadata.get("labels") or {}
    metadata["labels"] = {**labels, "kubernetes.io/metadata.name": metadata.get("name", "")}
    value["spec"] = {"finalizers": ["kubernetes"]}
    value["status"] = {"phase": "Active"}


def secret(value: JsonObject) -> None:
    """A Secret: stringData becomes data, and the type is Opaque."""
    data = dict(value.get("data") or {})
    for key, text in (value.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(str(text).encode()).decode()
    if data:
        value["data"] = data
    value.setdefault("type", "Opaque")


def endpoint_slice(value: JsonObject) -> None:
    """An EndpointSlice: names and protocols of its ports, and its list of endpoints."""
    value["endpoints"] = value.get("endpoints") or []
    value["ports"] = value.get("ports") or []
    for port in value["ports"]:
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def endpoints(value: JsonObject) -> None:
    """Endpoints: protocols of the ports."""
    for subset in value.get("subsets") or []:
        for port in subset.get("ports") or []:
            port.setdefault("protocol", "TCP")


def event(value: JsonObject) -> None:
    """An Event (core/v1): the fields that are always shown."""
    for field, initial in (
        ("source", {}),
        ("firstTimestamp", None),
        ("lastTimestamp", None),
        ("eventTime", None),
        ("reportingComponent", ""),
        ("reportingInstance", ""),
    ):
        value.setdefault(field, initial)


def role_binding(value: JsonObject) -> None:
    """A RoleBinding or ClusterRoleBinding: API groups of role and subjects."""
    group = "rbac.authorization.k8s.io"
    reference = value.get("roleRef")
    if isinstance(reference, dict):
        reference.setdefault("apiGroup", group)
    for subject in value.get("subjects") or []:
        if subject.get("kind") == "ServiceAccount":
            subject.setdefault("namespace", value["metadata"].get("namespace", ""))
        else:
            subject.setdefault("apiGroup", group)
