"""Which nodes take part, and why the others do not.

Reads nodes only. Pools and zones come from the labels that AKS sets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.probe_pod_manifest import TOLERATIONS
from pytest_aksnet.cluster.reading import pool_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, SettingsError
from pytest_aksnet.model.peers import NodeRef

_ZONE_LABEL = "topology.kubernetes.io/zone"
_TYPE_LABEL = "node.kubernetes.io/instance-type"
_ARCHITECTURES = ("amd64", "arm64")  # what the netshoot image is built for


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The nodes that take part, sorted by name; of the others the reason, by name.

    `images` are the names of images that each node's kubelet lists, which are 50 at most.
    `provider_ids` are spec.providerID of all nodes that have one.
    """

    taking_part: tuple[NodeRef, ...]
    left_out: Mapping[str, str]
    images: Mapping[str, frozenset[str]] = field(default_factory=dict)
    provider_ids: tuple[str, ...] = ()


def read_nodes(
    cluster: Cluster,
    *,
    selector: str | None = None,
    max_nodes: int | None = None,
    tolerations: Sequence[Mapping[str, str]] = TOLERATIONS,
) -> Nodes:
    """Ready, schedulable Linux nodes that probe pods may run on; the rest with a reason.

    With `max_nodes` the first ones of each pool in turn are taken, so that every pool is seen.
    Raises SettingsError for a label selector that the API server does not understand.
    """
    selected = {node["metadata"]["name"] for node in _list(cluster, selector)} if selector else None
    fitting: list[NodeRef] = []
    left_out: dict[str, str] = {}
    images: dict[str, frozenset[str]] = {}
    provider_ids = []
    for node in _list(cluster, None):
        name = node["metadata"]["name"]
        provider_ids.append(str((node.get("spec") or {}).get("providerID") or ""))
        reason = (
            f"not selected by --aksnet-node-selector={selector}"
            if selected is not None and name not in selected
            else why_left_out(node, tolerations)
        )
        if reason:
            left_out[name] = reason
        else:
            fitting.append(node_ref(node))
            images[name] = frozenset(
                one
                for image in node["status"].get("images") or ()
                for one in image.get("names") or ()
            )
    fitting.sort(key=lambda one: one.name)
    chosen = {one.name for one in _first_of_each_pool(fitting, max_nodes)}
    for one in fitting:
        if one.name not in chosen:
            left_out[one.name] = f"beyond --aksnet-max-nodes={max_nodes}"
    return Nodes(
        taking_part=tuple(one for one in fitting if one.name in chosen),
        left_out=dict(sorted(left_out.items())),
        images={name: found for name, found in images.items() if name in chosen},
        provider_ids=tuple(filter(None, provider_ids)),
    )


def every_node(cluster: Cluster) -> tuple[NodeRef, ...]:
    """All nodes with an address, also those that take no part, sorted by name."""
    nodes = [node_ref(node) for node in _list(cluster, None)]
    return tuple(sorted((node for node in nodes if node.addresses), key=lambda node: node.name))


def why_left_out(node: Json, tolerations: Sequence[Mapping[str, str]] = TOLERATIONS) -> str:
    """Why no probe pod can run on a node; empty where one can."""
    labels, spec = node["metadata"].get("labels") or {}, node.get("spec") or {}
    system = labels.get("kubernetes.io/os", "linux")
    if system != "linux":
        return f"its operating system is {system}"
    architecture = labels.get("kubernetes.io/arch", "amd64")
    if architecture not in _ARCHITECTURES:
        return f"its architecture is {architecture}"
    ready: Json = next(
        (c for c in node["status"].get("conditions") or () if c.get("type") == "Ready"), {}
    )
    if ready.get("status") != "True":
        return f"it is not ready ({ready.get('reason') or 'no Ready condition'})"
    if spec.get("unschedulable"):
        return "it is cordoned"
    for taint in spec.get("taints") or ():
        if taint.get("effect") != "PreferNoSchedule" and not _tolerated(taint, tolerations):
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"it has the taint {taint.get('key')}{value}:{taint.get('effect')}" + _remedy(
                f"{taint.get('key')}{value}"
            )
    if not _addresses(node):
        return "it has no InternalIP"
    return ""


def node_ref(node: Json) -> NodeRef:
    """A node of the API as the other layers see it."""
    labels = node["metadata"].get("labels") or {}
    spec = node.get("spec") or {}
    single = [spec["podCIDR"]] if spec.get("podCIDR") else []
    return NodeRef(
        name=node["metadata"]["name"],
        addresses=_addresses(node),
        pool=pool_of(node),
        zone=labels.get(_ZONE_LABEL, ""),
        instance_type=labels.get(_TYPE_LABEL, ""),
        labels=dict(labels),
        pod_cidrs=tuple(spec.get("podCIDRs") or single),
    )


def _list(cluster: Cluster, selector: str | None) -> list[Json]:
    try:
        return cluster.rest.items("/api/v1/nodes", {"labelSelector": selector} if selector else {})
    except ApiRefused as refused:
        if selector and refused.status == 400:
            raise SettingsError(
                f"--aksnet-node-selector={selector}: no label selector ({refused}); write it as "
                "kubectl's -l, such as agentpool=user"
            ) from refused
        raise


def _addresses(node: Json) -> tuple[str, ...]:
    found = [
        address["address"]
        for address in node["status"].get("addresses") or ()
        if address.get("type") == "InternalIP"
    ]
    return tuple(sorted(found, key=lambda address: ":" in address))


def _tolerated(taint: Mapping[str, str], tolerations: Sequence[Mapping[str, str]]) -> bool:
    return any(
        (not t.get("key") or t["key"] == taint.get("key"))
        and (not t.get("effect") or t["effect"] == taint.get("effect"))
        and (t.get("operator", "Equal") == "Exists" or t.get("value", "") == taint.get("value", ""))
        for t in tolerations
    )


def _remedy(taint: str) -> str:
    # Kubernetes' own taints tell of a state of the node, and go with it.
    own = taint.partition("/")[0].endswith("node.kubernetes.io")
    return "" if own else f" (--aksnet-tolerate={taint} uses it)"


def _first_of_each_pool(nodes: Sequence[NodeRef], limit: int | None) -> Sequence[NodeRef]:
    if limit is None or limit >= len(nodes):
        return nodes
    ranks: dict[str, int] = {}
    ranked = []
    for node in nodes:
        rank = ranks[node.pool] = ranks.get(node.pool, -1) + 1
        ranked.append((rank, node.name, node))
    return [node for _, _, node in sorted(ranked, key=lambda entry: entry[:2])[:limit]]
