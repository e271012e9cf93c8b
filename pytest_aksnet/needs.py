"""What each fixture, and each need that a marker names, asks of cluster and user: data.

Required is what a check cannot do without: where it is missing the check is skipped, with the
reason. Optional is what is only read to know or to explain more: where it is missing that stays
unknown, which is said. `docs/rbac.yaml` grants exactly what stands here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from pytest_aksnet.model.rights import RIGHTS_PAGE, Preflight, Right, Where
from pytest_aksnet.options import ACTION_CLASSES

MARKER = "aksnet"
_OURS = "pytest_aksnet.fixtures"
_POLICIES = "networking.k8s.io"
_SLICES = "discovery.k8s.io"
_GATEWAYS = "gateway.networking.k8s.io"
_MESH = "networking.istio.io"
_LEASES = "coordination.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
CONFIG_MAPS = ("azure-ip-masq-agent-config-reconciled", "coredns", "cilium-config", "kube-proxy")
RUN_LEASE = "pytest-aksnet"
BANDWIDTH_LEASE = "pytest-aksnet-bandwidth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What something asks for. `optional` maps a right to what stays unknown without it.

    `actions` are classes of actions. `two_nodes` says that one node is not enough, `namespaces`
    that namespaces are created for it, `azure` that Azure Resource Manager is asked.
    """

    rights: frozenset[Right] = frozenset()
    optional: Mapping[Right, str] = field(default_factory=dict)
    actions: frozenset[str] = frozenset()
    two_nodes: bool = False
    namespaces: bool = False
    azure: bool = False

    def __or__(self, other: "Need") -> "Need":
        """What both together ask for."""
        rights = self.rights | other.rights
        optional = {**self.optional, **other.optional}
        return Need(
            rights=rights,
            optional={right: why for right, why in optional.items() if right not in rights},
            actions=self.actions | other.actions,
            two_nodes=self.two_nodes or other.two_nodes,
            namespaces=self.namespaces or other.namespaces,
            azure=self.azure or other.azure,
        )


def _rights(
    resource: str,
    *verbs: str,
    group: str = "",
    subresource: str = "",
    name: str = "",
    where: Where = Where.RUN,
) -> frozenset[Right]:
    return frozenset(
        Right(
            resource=resource,
            verb=verb,
            group=group,
            subresource=subresource,
            name=name,
            where=where,
        )
        for verb in verbs
    )


def _lease(name: str) -> frozenset[Right]:
    # RBAC cannot restrict create by name: the name of a new object is not known to it.
    return _rights("leases", "create", group=_LEASES, where=Where.LEASE) | _rights(
        "leases", "delete", "get", "update", group=_LEASES, name=name, where=Where.LEASE
    )


_NODES = Need(rights=_rights("nodes", "list", where=Where.CLUSTER))
# Who may make a namespace and not remove it would leave one behind with every run.
_NAMESPACES = Need(
    rights=_rights("namespaces", "create", "delete", "get", "list", where=Where.CLUSTER),
    optional=dict.fromkeys(
        _rights("pods", "list", where=Where.CLUSTER)
        | _rights("services", "list", where=Where.CLUSTER)
        | _rights("networkpolicies", "list", group=_POLICIES, where=Where.CLUSTER)
        | _rights("leases", "list", group=_LEASES, where=Where.LEASE),
        "what a killed run left outside of its namespaces is not found by --aksnet-cleanup",
    ),
    namespaces=True,
)
_UNEXPLAINED = "why a pod does not start or has gone is told less clearly"
_PODS = _NAMESPACES | Need(
    rights=_rights("pods", "create", "delete", "list")
    # An exec over a WebSocket is a GET that starts something: it needs both verbs.
    | _rights("pods", "create", "get", subresource="exec"),
    optional={
        **dict.fromkeys(_rights("pods", "get"), _UNEXPLAINED),
        **dict.fromkeys(_rights("events", "list"), _UNEXPLAINED),
        **dict.fromkeys(_rights("pods", "watch"), "pods are polled, which takes longer"),
        **dict.fromkeys(
            _rights("resourcequotas", "list") | _rights("limitranges", "list"),
            "a pod that a quota or limit range refuses is told less clearly",
        ),
    },
)
_FACTS = Need(
    optional={
        **dict.fromkeys(
            _rights("daemonsets", "list", group="apps", where=Where.CLUSTER),
            "network mode, policy engine and kind of kube-proxy stay unknown",
        ),
        **dict.fromkeys(
            _rights("servicecidrs", "list", group=_POLICIES, where=Where.CLUSTER),
            "the ranges of Services stay unknown",
        ),
        **{
            right: f"what ConfigMap {name} says stays unknown"
            for name in CONFIG_MAPS
            for right in _rights("configmaps", "get", name=name, where=Where.SYSTEM)
        },
        **dict.fromkeys(
            _rights("pods", "list", where=Where.SYSTEM),
            "the pod ranges are not compared with pods in kube-system",
        ),
        **dict.fromkeys(
            _rights("services", "get", name="kube-dns", where=Where.SYSTEM),
            "the address of the cluster's DNS stays unknown",
        ),
        **dict.fromkeys(
            _rights("endpointslices", "list", group=_SLICES, where=Where.SYSTEM),
            "a failing name is explained without asking the replicas of CoreDNS",
        ),
        **dict.fromkeys(
            _lease(RUN_LEASE), "a second run on the same cluster at the same time is not noticed"
        ),
    }
)

# By the names in a test's fixture closure, internal fixtures included.
FIXTURES: Mapping[str, Need] = {
    "aksnet_session": _NODES,
    "aks": _FACTS,
    "aksnet_test": _FACTS,
    "aksnet_node": _NODES,
    "aksnet_node_pair": _NODES | Need(two_nodes=True),
    "aksnet_node_pool": _NODES,
    "netshoot": _PODS,
    "iperf": _PODS | Need(rights=_lease(BANDWIDTH_LEASE), actions=frozenset({"bandwidth"})),
    "namespace": _NAMESPACES,
    "service": _NAMESPACES
    | Need(
        rights=_rights("services", "create", "delete")
        | _rights("endpointslices", "list", group=_SLICES)
    ),
    # The kinds that a test makes or reads are named by its marker (NAMED, below).
    "manifest": _NAMESPACES,
    "inventory": _FACTS,
    # What the identity may not read in Azure is known when it is read.
    "arm": _FACTS | Need(azure=True),
    # Runs what the site file says, or a process here: it asks nothing of the cluster.
    "outside": _FACTS,
    "policy_table": _PODS
    | Need(
        rights=_rights("networkpolicies", "create", "delete", group=_POLICIES)
        # Pods that have ended in the middle of a table are replaced.
        | _rights("pods", "list")
    ),
    "network_policy": Need(rights=_rights("networkpolicies", "create", "delete", group=_POLICIES)),
}

# What a marker may name in `needs`, as no fixture shows it: arguments that a test gives to a
# factory, and objects of the cluster that it reads.
NAMED: Mapping[str, Need] = {
    **{action: Need(actions=frozenset({action})) for action in sorted(ACTION_CLASSES)},
    "load-balancer": Need(actions=frozenset({"load-balancer"}), rights=_rights("services", "get")),
    "service-change": Need(rights=_rights("services", "patch")),
    "two-nodes": Need(two_nodes=True),
    "kubernetes-service": Need(
        rights=_rights("services", "get", name="kubernetes", where=Where.DEFAULT),
        optional=dict.fromkeys(
            _rights("endpointslices", "list", group=_SLICES, where=Where.DEFAULT),
            "a Service kubernetes that does not answer is explained less clearly",
        ),
    ),
    "api-endpoints": Need(
        rights=_rights("endpointslices", "list", group=_SLICES, where=Where.DEFAULT)
    ),
    "coredns-pods": Need(
        rights=_rights("pods", "list", where=Where.SYSTEM)
        | _rights("services", "get", name="kube-dns", where=Where.SYSTEM)
    ),
    "coredns-endpoints": Need(
        rights=_rights("endpointslices", "list", group=_SLICES, where=Where.SYSTEM)
    ),
    "corefile": Need(rights=_rights("configmaps", "get", name="coredns", where=Where.SYSTEM)),
    "coredns-custom": Need(
        rights=_rights("configmaps", "get", name="coredns-custom", where=Where.SYSTEM)
    ),
    "masquerade-config": Need(
        rights=_rights(
            "configmaps", "get", name="azure-ip-masq-agent-config-reconciled", where=Where.SYSTEM
        )
        | _rights("configmaps", "get", name="azure-ip-masq-agent-config", where=Where.SYSTEM)
        | _rights("pods", "list", where=Where.SYSTEM)
    ),
    "daemonsets": Need(rights=_rights("daemonsets", "list", group="apps", where=Where.CLUSTER)),
    "root-ca": Need(rights=_rights("configmaps", "get", name="kube-root-ca.crt")),
    "pod-logs": Need(rights=_rights("pods", "get", subresource="log")),
    "jobs": Need(
        rights=_rights("jobs", "create", "delete", "get", group="batch")
        | _rights("events", "list")
        | _rights("pods", "get")
    ),
    "all-services": Need(rights=_rights("services", "list", where=Where.CLUSTER)),
    "all-events": Need(rights=_rights("events", "list", where=Where.CLUSTER)),
    "all-deployments": Need(
        rights=_rights("deployments", "list", group="apps", where=Where.CLUSTER)
    ),
    "all-policies": Need(
        rights=_rights("networkpolicies", "list", group=_POLICIES, where=Where.CLUSTER)
        | _rights("namespaces", "list", where=Where.CLUSTER)
    ),
    "all-endpoints": Need(
        rights=_rights("endpointslices", "list", group=_SLICES, where=Where.CLUSTER)
    ),
    "disruption-budgets": Need(
        rights=_rights("poddisruptionbudgets", "list", group="policy", where=Where.CLUSTER)
    ),
    "admission-webhooks": Need(
        rights=_rights(
            "validatingwebhookconfigurations", "list", group=_ADMISSION, where=Where.CLUSTER
        )
        | _rights("mutatingwebhookconfigurations", "list", group=_ADMISSION, where=Where.CLUSTER)
    ),
    "own-masquerade-config": Need(
        rights=_rights("configmaps", "get", name="azure-ip-masq-agent-config", where=Where.SYSTEM)
    ),
    "ingress-classes": Need(
        rights=_rights("ingressclasses", "list", group=_POLICIES, where=Where.CLUSTER)
    ),
    "api-metrics": Need(
        rights=frozenset({Right(resource="", verb="get", path="/metrics", where=Where.CLUSTER)})
    ),
    "policy-changes": Need(
        rights=_rights("networkpolicies", "update", group=_POLICIES)
        | _rights("pods", "patch")
        | _rights("namespaces", "patch", where=Where.CLUSTER)
    ),
    "all-pods": Need(rights=_rights("pods", "list", where=Where.CLUSTER)),
    "endpoint-slices": Need(rights=_rights("endpointslices", "create", "delete", group=_SLICES)),
    "deployments": Need(
        rights=_rights("deployments", "create", "delete", "get", "patch", group="apps")
    ),
    "ingress": Need(
        rights=_rights("ingresses", "create", "delete", "get", "patch", group=_POLICIES)
        | _rights("ingressclasses", "list", group=_POLICIES, where=Where.CLUSTER)
        | _rights("services", "list", where=Where.CLUSTER)
    ),
    "tls-secret": Need(rights=_rights("secrets", "create", "delete")),
    "gateway": Need(
        rights=_rights("gateways", "create", "delete", "get", group=_GATEWAYS)
        | _rights("httproutes", "create", "delete", group=_GATEWAYS)
        | _rights("gatewayclasses", "list", group=_GATEWAYS, where=Where.CLUSTER)
        | _rights("gateways", "list", group=_GATEWAYS, where=Where.CLUSTER)
        | _rights("services", "list", where=Where.CLUSTER)
    ),
    "mesh": Need(
        rights=_rights("deployments", "list", group="apps", where=Where.CLUSTER)
        | _rights("pods", "get")
    ),
    "mesh-authentication": Need(
        rights=_rights(
            "peerauthentications", "create", "delete", "patch", group="security.istio.io"
        )
    ),
    "mesh-routes": Need(
        rights=_rights("virtualservices", "create", "delete", group=_MESH)
        | _rights("destinationrules", "create", "delete", group=_MESH)
    ),
    "node-leases": Need(
        rights=_rights("leases", "list", group=_LEASES, where=Where.NODE_LEASES),
    ),
}


def fixtures_of(item: pytest.Item) -> tuple[str, ...]:
    """The names of our fixtures that a test rests on; projects have a `service` of their own."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = getattr(info, "name2fixturedefs", {})
    return tuple(
        name
        for name in getattr(item, "fixturenames", ())
        if name in FIXTURES
        and any(
            getattr(found.func, "__module__", "") == _OURS or name.startswith("aksnet_")
            for found in definitions.get(name, ())
        )
    )


def need_of(item: pytest.Item) -> Need:
    """What a test needs, as its fixtures and its marker tell."""
    need = Need()
    for name in fixtures_of(item):
        need |= FIXTURES[name]
    for name in named_by(item):
        need |= NAMED.get(name, Need())
    return need


def named_by(item: pytest.Item) -> tuple[str, ...]:
    """The needs that the marker of a test names."""
    marker = item.get_closest_marker(MARKER)
    return tuple(marker.kwargs.get("needs", ())) if marker is not None else ()


def together(needs: Iterable[Need]) -> Need:
    """What all of them need."""
    whole = Need()
    for need in needs:
        whole |= need
    return whole


def forbidden(action: str) -> str:
    """Why a check is skipped that needs this class of actions."""
    return f"needs {action}, which is not allowed in this run; --aksnet-allow={action} allows it"


def why_not(
    need: Need,
    found: Preflight,
    *,
    allowed: frozenset[str],
    nodes: int,
    left_out: Mapping[str, str],
    no_azure: str = "",
) -> str:
    """Why something with this need cannot run here; empty where it can.

    `nodes` is how many take part, `no_azure` why Azure is not asked in this run. What could not be
    found out is not held against the check.
    """
    if need.azure and no_azure:
        return no_azure
    for action in sorted(need.actions - allowed):
        return forbidden(action)
    if need.two_nodes and nodes < 2:
        others = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        return "needs two nodes that take part; there is one" + (
            f" (left out: {others})" if others else ""
        )
    if missing := sorted(str(right) for right in need.rights & found.denied):
        return f"needs {', '.join(missing)}, which this user may not: see {RIGHTS_PAGE}"
    if need.namespaces and found.no_namespace:
        return found.no_namespace
    for action in sorted(need.actions & found.impossible.keys()):
        return f"needs {action}, which is not possible here: {found.impossible[action]}"
    return ""
