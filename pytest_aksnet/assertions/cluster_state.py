"""Nodes and pods as the API server has them, read for verbs that judge objects instead of packets.

What a run of pytest-aksnet made itself is told apart: it is gone before any upgrade.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_aksnet.model.api import ApiReader, Json
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.marks import RUN_LABEL

_LABEL = "kubernetes.azure.com/"
_POOL_LABELS = (f"{_LABEL}agentpool", "agentpool")
_ENDED = ("Succeeded", "Failed")
_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One node. `info` is its status.nodeInfo, `pod_room` its allocatable pods, None if unsaid.

    `addresses` are its internal ones, `external` those that the cloud says are public.
    """

    name: str
    pool: str
    addresses: tuple[str, ...]
    pod_cidrs: tuple[str, ...]
    pod_room: int | None
    labels: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, str] = field(default_factory=dict)
    provider_id: str = ""
    external: tuple[str, ...] = ()
    is_ready: bool = False

    @property
    def is_linux(self) -> bool:
        """Whether its kubelet says linux, or nothing."""
        return self.info.get("operatingSystem", "linux") == "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """One pod that has not ended. `owner` is the kind of its controller, empty for none."""

    namespace: str
    name: str
    node: str
    ips: tuple[str, ...]
    host_network: bool
    phase: str
    owner: str
    is_ready: bool = False
    is_mirror: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


def nodes_of(api: ApiReader) -> tuple[NodeState, ...]:
    """Every node, sorted by name. Raises EnvironmentProblem, also where none is listed."""
    found = sorted(map(_node, api.items("/api/v1/nodes")), key=lambda node: node.name)
    if not found:
        raise EnvironmentProblem("the API server lists no node")
    return tuple(found)


def pods_of(api: ApiReader) -> tuple[PodState, ...]:
    """Every pod that has not ended. Raises EnvironmentProblem."""
    return tuple(
        _pod(pod)
        for pod in api.items("/api/v1/pods")
        if (pod.get("status") or {}).get("phase") not in _ENDED
    )


def own_namespaces(api: ApiReader) -> frozenset[str]:
    """Namespaces that runs of pytest-aksnet made. Raises EnvironmentProblem."""
    found = api.items("/api/v1/namespaces", {"labelSelector": RUN_LABEL})
    return frozenset(str(one["metadata"]["name"]) for one in found)


def of_others(found: Iterable[Json], own: frozenset[str]) -> list[Json]:
    """The objects that no run of pytest-aksnet made; `own` are its namespaces."""
    return [
        one
        for one in found
        if one["metadata"].get("namespace", "") not in own
        and RUN_LABEL not in (one["metadata"].get("labels") or {})
    ]


def _node(found: Json) -> NodeState:
    metadata, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    labels = metadata.get("labels") or {}
    room = str((status.get("allocatable") or {}).get("pods", ""))
    return NodeState(
        name=metadata["name"],
        pool=next((labels[key] for key in _POOL_LABELS if labels.get(key)), ""),
        addresses=_addresses(status, "InternalIP"),
        pod_cidrs=tuple(spec.get("podCIDRs") or filter(None, [spec.get("podCIDR")])),
        pod_room=int(room) if room.isdecimal() else None,
        labels=labels,
        info=status.get("nodeInfo") or {},
        provider_id=str(spec.get("providerID") or ""),
        external=_addresses(status, "ExternalIP"),
        is_ready=_is_ready(status),
    )


def _addresses(status: Json, kind: str) -> tuple[str, ...]:
    found = status.get("addresses") or ()
    return tuple(one["address"] for one in found if one.get("type") == kind)


def _is_ready(status: Json) -> bool:
    found = status.get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def _pod(found: Json) -> PodState:
    metadata, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    owners = [one for one in metadata.get("ownerReferences") or () if one.get("controller")]
    return PodState(
        namespace=metadata["namespace"],
        name=metadata["name"],
        node=str(spec.get("nodeName") or ""),
        ips=tuple(one["ip"] for one in status.get("podIPs") or () if one.get("ip")),
        host_network=bool(spec.get("hostNetwork")),
        phase=str(status.get("phase") or ""),
        owner=str(owners[0]["kind"]) if owners else "",
        is_ready=_is_ready(status),
        is_mirror=_MIRROR in (metadata.get("annotations") or {}),
        labels=metadata.get("labels") or {},
    )
