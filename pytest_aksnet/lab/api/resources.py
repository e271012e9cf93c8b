"""Which resources the API serves: names, scope, verbs. A table; no behaviour.

Names and short names as in the Kubernetes API reference.
"""

import dataclasses

_ALL_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
_CREATE_ONLY = ("create",)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One resource of one API group version.

    `key` is its GroupResource ("pods", "deployments.apps"). `counts_generation` says that
    metadata.generation rises with each change of what is wanted. `stored_as` names the plural
    under which another group keeps the same objects (events.k8s.io shows those of v1).
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL_VERBS
    subresources: tuple[str, ...] = ()
    counts_generation: bool = False
    returns_deleted_object: bool = False
    stored_as: str = ""

    @property
    def key(self) -> str:
        """The GroupResource, as in error texts."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The lower-case kind."""
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        """The kind of a list of them."""
        return f"{self.kind}List"


NAMESPACES = Resource(
    group="",
    version="v1",
    plural="namespaces",
    kind="Namespace",
    namespaced=False,
    short_names=("ns",),
    subresources=("finalize", "status"),
    verbs=tuple(verb for verb in _ALL_VERBS if verb != "deletecollection"),
)
NODES = Resource(
    group="",
    version="v1",
    plural="nodes",
    kind="Node",
    namespaced=False,
    short_names=("no",),
    subresources=("status",),
)
PODS = Resource(
    group="",
    version="v1",
    plural="pods",
    kind="Pod",
    short_names=("po",),
    categories=("all",),
    subresources=(
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "status",
    ),
    counts_generation=True,
    returns_deleted_object=True,
)
SERVICES = Resource(
    group="",
    version="v1",
    plural="services",
    kind="Service",
    short_names=("svc",),
    categories=("all",),
    subresources=("status",),
    returns_deleted_object=True,
)
ENDPOINTS = Resource(
    group="", version="v1", plural="endpoints", kind="Endpoints", short_names=("ep",)
)
CONFIG_MAPS = Resource(
    group="", version="v1", plural="configmaps", kind="ConfigMap", short_names=("cm",)
)
SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret")
SERVICE_ACCOUNTS = Resource(
    group="",
    version="v1",
    plural="serviceaccounts",
    kind="ServiceAccount",
    short_names=("sa",),
    subresources=("token",),
    returns_deleted_object=True,
)
EVENTS = Resource(group="", version="v1", plural="events", kind="Event", short_names=("ev",))
RESOURCE_QUOTAS = Resource(
    group="",
    version="v1",
    plural="resourcequotas",
    kind="ResourceQuota",
    short_names=("quota",),
    subresources=("status",),
    returns_deleted_object=True,
)
LIMIT_RANGES = Resource(
    group="", version="v1", plural="limitranges", kind="LimitRange", short_names=("limits",)
)
DEPLOYMENTS = Resource(
    group="apps",
    version="v1",
    plural="deployments",
    kind="Deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=("scale", "status"),
    counts_generation=True,
)
REPLICA_SETS = Resource(
    group="apps",
    version="v1",
    plural="replicasets",
    kind="ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    subresources=("scale", "status"),
    counts_generation=True,
)
DAEMON_SETS = Resource(
    group="apps",
    version="v1",
    plural="daemonsets",
    kind="DaemonSet",
    short_names=("ds",),
    categories=("all",),
    subresources=("status",),
    counts_generation=True,
)
STATEFUL_SETS = Resource(
    group="apps",
    version="v1",
    plural="statefulsets",
    kind="StatefulSet",
    short_names=("sts",),
    categories=("all",),
    subresources=("scale", "status"),
    counts_generation=True,
)
CONTROLLER_REVISIONS = Resource(
    group="apps", version="v1", plural="controllerrevisions", kind="ControllerRevision"
)
JOBS = Resource(
    group="batch",
    version="v1",
    plural="jobs",
    kind="Job",
    categories=("all",),
    subresources=("status",),
    counts_generation=True,
)
CRON_JOBS = Resource(
    group="batch",
    version="v1",
    plural="cronjobs",
    kind="CronJob",
    short_names=("cj",),
    categories=("all",),
    subresources=("status",),
    counts_generation=True,
)
NETWORK_POLICIES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="networkpolicies",
    kind="NetworkPolicy",
    short_names=("netpol",),
    counts_generation=True,
)
INGRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="ingresses",
    kind="Ingress",
    short_names=("ing",),
    subresources=("status",),
    counts_generation=True,
)
INGRESS_CLASSES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="ingressclasses",
    kind="IngressClass",
    namespaced=False,
    counts_generation=True,
)
# Gateway API: custom resources, which AKS installs with its managed gateways.
GATEWAY_CLASSES = Resource(
    group="gateway.networking.k8s.io",
    version="v1",
    plural="gatewayclasses",
    kind="GatewayClass",
    namespaced=False,
    short_names=("gc",),
    categories=("gateway-api",),
    subresources=("status",),
    counts_generation=True,
)
GATEWAYS = Resource(
    group="gateway.networking.k8s.io",
    version="v1",
    plural="gateways",
    kind="Gateway",
    short_names=("gtw",),
    categories=("gateway-api",),
    subresources=("status",),
    counts_generation=True,
)
HTTP_ROUTES = Resource(
    group="gateway.networking.k8s.io",
    version="v1",
    plural="httproutes",
    kind="HTTPRoute",
    categories=("gateway-api",),
    subresources=("status",),
    counts_generation=True,
)
# Istio: custom resources of its add-on.
PEER_AUTHENTICATIONS = Resource(
    group="security.istio.io",
    version="v1",
    plural="peerauthentications",
    kind="PeerAuthentication",
    short_names=("pa",),
    categories=("istio-io", "security-istio-io"),
    subresources=("status",),
    counts_generation=True,
)
VIRTUAL_SERVICES = Resource(
    group="networking.istio.io",
    version="v1",
    plural="virtualservices",
    kind="VirtualService",
    short_names=("vs",),
    categories=("istio-io", "networking-istio-io"),
    subresources=("status",),
    counts_generation=True,
)
DESTINATION_RULES = Resource(
    group="networking.istio.io",
    version="v1",
    plural="destinationrules",
    kind="DestinationRule",
    short_names=("dr",),
    categories=("istio-io", "networking-istio-io"),
    subresources=("status",),
    counts_generation=True,
)
SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    kind="ServiceCIDR",
    namespaced=False,
    subresources=("status",),
)
# Objects only: the lab calls nobody's webhook.
MUTATING_WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingwebhookconfigurations",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
    counts_generation=True,
)
VALIDATING_WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingwebhookconfigurations",
    kind="ValidatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
    counts_generation=True,
)
ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io",
    version="v1",
    plural="endpointslices",
    kind="EndpointSlice",
    counts_generation=True,
)
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
EVENTS_V1 = Resource(
    group="events.k8s.io",
    version="v1",
    plural="events",
    kind="Event",
    short_names=("ev",),
    stored_as="events",
)
ROLES = Resource(group="rbac.authorization.k8s.io", version="v1", plural="roles", kind="Role")
ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io", version="v1", plural="rolebindings", kind="RoleBinding"
)
CLUSTER_ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterroles",
    kind="ClusterRole",
    namespaced=False,
)
CLUSTER_ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterrolebindings",
    kind="ClusterRoleBinding",
    namespaced=False,
)
POD_DISRUPTION_BUDGETS = Resource(
    group="policy",
    version="v1",
    plural="poddisruptionbudgets",
    kind="PodDisruptionBudget",
    short_names=("pdb",),
    subresources=("status",),
    counts_generation=True,
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    kind="SelfSubjectAccessReview",
    namespaced=False,
    verbs=_CREATE_ONLY,
)
SELF_SUBJECT_RULES_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectrulesreviews",
    kind="SelfSubjectRulesReview",
    namespaced=False,
    verbs=_CREATE_ONLY,
)
SELF_SUBJECT_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    kind="SelfSubjectReview",
    namespaced=False,
    verbs=_CREATE_ONLY,
)

RESOURCES: tuple[Resource, ...] = (
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    CRON_JOBS,
    JOBS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    LEASES,
    ENDPOINT_SLICES,
    EVENTS_V1,
    INGRESS_CLASSES,
    INGRESSES,
    NETWORK_POLICIES,
    SERVICE_CIDRS,
    POD_DISRUPTION_BUDGETS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    PEER_AUTHENTICATIONS,
    VIRTUAL_SERVICES,
    DESTINATION_RULES,
)
