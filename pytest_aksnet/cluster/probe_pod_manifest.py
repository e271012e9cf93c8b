"""What a probe pod looks like to the API: pure data in, a Pod manifest out.

As restrictive as a looking pod can be: no service account, no privilege, no capability, not root,
a short grace, and an end of its own if whoever started it dies.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.model.api import Json

CONTAINER = "probe"
# Taints that AKS itself puts on nodes: a system pool reserved for add-ons, and spot pools.
TOLERATIONS: tuple[Mapping[str, str], ...] = (
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
    {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Exists"},
)
_NOBODY = 65534


class Readiness(enum.Enum):
    """When a pod counts as ready."""

    PORT = "its TCP port accepts connections"
    RUNNING = "its container runs"
    NEVER = "never, although it runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePodRequest:
    """One pod that is wanted.

    `command` gives the main process's argv for a port; it finds POD_NAME, POD_IP and NODE_NAME in
    its environment. `port` is where it listens, 0 where it does not. `host_port_choices` are
    further ports for a host-network pod whose port is taken on its node. `spec` and `container` are
    further fields of the pod's spec and of its container, and win over what stands here. With
    `capabilities` the pod runs as root with just these. `lifetime_s` is after how many seconds the
    pod ends by itself.
    """

    namespace: str
    name: str
    node: str
    image: str
    command: Callable[[int], Sequence[str]]
    port: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    host_port_choices: tuple[int, ...] = ()
    readiness: Readiness = Readiness.PORT
    capabilities: tuple[str, ...] = ()
    pull_secret: str = ""
    tolerations: tuple[Mapping[str, str], ...] = TOLERATIONS
    lifetime_s: int = 4 * 3600
    spec: Mapping[str, object] = field(default_factory=dict)
    container: Mapping[str, object] = field(default_factory=dict)


def pod_manifest(request: ProbePodRequest, name: str, port: int) -> Json:
    """The Pod of a request under this name and with this port."""
    spec: Json = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": request.lifetime_s,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": _on_node(request.node),
        "tolerations": [dict(toleration) for toleration in request.tolerations],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(request, port)],
    }
    if request.host_network:
        spec["hostNetwork"] = True
        spec["dnsPolicy"] = "ClusterFirstWithHostNet"
    if request.pull_secret:
        spec["imagePullSecrets"] = [{"name": request.pull_secret}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": request.namespace,
            "labels": dict(request.labels),
            "annotations": dict(request.annotations),
        },
        "spec": {**spec, **request.spec},
    }


def _on_node(node: str) -> Json:
    # Not spec.nodeName: that goes past the scheduler, and with it past taints, ports and resources.
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"nodeSelectorTerms": [term]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _container(request: ProbePodRequest, port: int) -> Json:
    environment: list[Json] = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in (
            ("POD_NAME", "metadata.name"),
            ("POD_IP", "status.podIP"),
            ("NODE_NAME", "spec.nodeName"),
        )
    ]
    container: Json = {
        "name": CONTAINER,
        "image": request.image,
        "imagePullPolicy": "IfNotPresent",
        # The kubelet expands $(NAME) in a command; a doubled $ is a plain one.
        "command": [word.replace("$", "$$") for word in request.command(port)],
        "env": environment,
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": _security(request.capabilities),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if port:
        container["ports"] = [
            {"name": "tcp", "containerPort": port, "protocol": "TCP"},
            {"name": "udp", "containerPort": port, "protocol": "UDP"},
        ]
    if request.readiness is Readiness.PORT and port:
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    elif request.readiness is Readiness.NEVER:
        container["readinessProbe"] = {"exec": {"command": ["false"]}, "periodSeconds": 10}
    return {**container, **request.container}


def _security(capabilities: tuple[str, ...]) -> Json:
    if capabilities:
        return {"capabilities": {"drop": ["ALL"], "add": list(capabilities)}}
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": _NOBODY,
        "runAsGroup": _NOBODY,
    }
