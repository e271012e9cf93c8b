"""The managed ingress of AKS application routing, in front of pods that run nginx.

IngressClass and GatewayClass are there from the start. What serves them comes with the first
Ingress or Gateway, so that labs without any are as light as before; AKS has it always. Names as
AKS gives them (AKS docs: app-routing; Azure/aks-app-routing-operator: pkg/manifests). The
GatewayClass is that of NGINX Gateway Fabric, for which the same pods stand in: AKS brings none.
"""

from collections.abc import Iterable, Sequence
from importlib import resources

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    GATEWAY_CLASSES,
    GATEWAYS,
    INGRESS_CLASSES,
    INGRESSES,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.loop import ControlLoop

INGRESS_NAMESPACE = "app-routing-system"
INGRESS_NAME = "nginx"
_PROGRAM = "pytest_aksnet.lab.ingress_controller"
_CLASS = "webapprouting.kubernetes.azure.com"
_GATEWAY_CLASS = "nginx"
_GATEWAY_CONTROLLER = "gateway.nginx.org/nginx-gateway-controller"
_IMAGE = "mcr.microsoft.com/oss/v2/kubernetes/ingress/nginx-ingress-controller:v1.13.3"
_FILES = "nginx-ingress-controller"
_FOLDER = "/srv/ingress-controller"
_REPLICAS = 2
_DEFECTS_KEY = "aksnet-lab-defects"
_LABELS = {"app": INGRESS_NAME}
_SHOWN = {
    "app.kubernetes.io/component": "ingress-controller",
    "app.kubernetes.io/managed-by": "aks-app-routing-operator",
}


def create_classes(store: Store) -> None:
    """The classes that users name."""
    store.create(
        INGRESS_CLASSES,
        {
            "metadata": {"name": _CLASS, "labels": _SHOWN},
            "spec": {"controller": f"{_CLASS}/nginx"},
        },
    )
    store.create(
        GATEWAY_CLASSES,
        {"metadata": {"name": _GATEWAY_CLASS}, "spec": {"controllerName": _GATEWAY_CONTROLLER}},
    )


class IngressOperator(ControlLoop):
    """Has the controller run once there is something for it."""

    watched = (INGRESSES, GATEWAYS)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._defects: frozenset[str] = frozenset()
        self._runs = True

    @property
    def defects(self) -> frozenset[str]:
        """What the controller's pods do wrong, in their own words (`ingress_controller`)."""
        return self._defects

    @defects.setter
    def defects(self, words: Iterable[str]) -> None:
        self._defects = frozenset(words)
        self._change(CONFIG_MAPS, {"data": self._settings()})

    def scale(self, runs: bool) -> None:
        """Whether the controller's pods run."""
        self._runs = runs
        self._change(DEPLOYMENTS, {"spec": {"replicas": self._replicas()}})

    def handle(self, changes: Sequence[Change]) -> None:
        """Create everything with the first object."""
        if changes and self.store.find(NAMESPACES, INGRESS_NAMESPACE) is None:
            self._install()

    def _install(self) -> None:
        self._create(NAMESPACES, {}, INGRESS_NAMESPACE, place="")
        self._create(SERVICE_ACCOUNTS, {}, INGRESS_NAME)
        self._create(CLUSTER_ROLES, {"rules": _RULES}, INGRESS_NAME, place="")
        self._create(CLUSTER_ROLE_BINDINGS, _BINDING, INGRESS_NAME, place="")
        self._create(CONFIG_MAPS, {"data": self._settings()}, INGRESS_NAME)
        self._create(CONFIG_MAPS, {"data": _program()}, _FILES)
        self._create(SERVICES, {"spec": _SERVICE}, INGRESS_NAME)
        self._create(DEPLOYMENTS, {"spec": _deployment(self._replicas())}, INGRESS_NAME)

    def _settings(self) -> dict[str, str]:
        return {_DEFECTS_KEY: " ".join(sorted(self._defects))} if self._defects else {}

    def _replicas(self) -> int:
        return _REPLICAS if self._runs else 0

    def _change(self, resource: Resource, parts: JsonObject) -> None:
        """Change the controller's object of that kind, where it is there already."""

        def change(value: JsonObject) -> None:
            for part, fields in parts.items():
                value[part] = fields if part == "data" else {**value[part], **fields}

        if self.store.find(resource, INGRESS_NAME, INGRESS_NAMESPACE) is not None:
            self.store.mutate(resource, INGRESS_NAME, INGRESS_NAMESPACE, change=change)

    def _create(
        self, resource: Resource, value: JsonObject, name: str, *, place: str = INGRESS_NAMESPACE
    ) -> None:
        whole = {**value, "metadata": {"name": name, "labels": {**_LABELS, **_SHOWN}}}
        try:
            self.store.create(resource, whole, place)
        except ApiError as error:
            if error.code != 409:
                raise


def _program() -> dict[str, str]:
    """The files of the controller's package, as an image would have them."""
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in resources.files(_PROGRAM).iterdir()
        if file.name.endswith(".py")
    }


def _deployment(replicas: int) -> JsonObject:
    below = _PROGRAM.replace(".", "/")
    items = [{"key": name, "path": f"{below}/{name}"} for name in sorted(_program())]
    probe = {"httpGet": {"path": "/healthz", "port": 10254}, "periodSeconds": 1}
    container: JsonObject = {
        "name": "controller",
        "image": _IMAGE,
        "command": ["python3", "-u", "-m", _PROGRAM],
        "env": [
            {"name": "PYTHONPATH", "value": _FOLDER},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {
                "name": "POD_NAMESPACE",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
            },
        ],
        "ports": [
            {"name": "http", "containerPort": 80},
            {"name": "https", "containerPort": 443},
        ],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "program", "mountPath": _FOLDER, "readOnly": True}],
    }
    return {
        "replicas": replicas,
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": {**_LABELS, **_SHOWN}},
            "spec": {
                "serviceAccountName": INGRESS_NAME,
                "priorityClassName": "system-cluster-critical",
                "affinity": {"nodeAffinity": {_PREFERRED: [_SYSTEM_NODES]}},
                "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                "containers": [container],
                "volumes": [{"name": "program", "configMap": {"name": _FILES, "items": items}}],
            },
        },
    }


# As all that AKS manages, on system nodes where there is room.
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_SYSTEM_NODES: JsonObject = {
    "weight": 100,
    "preference": {
        "matchExpressions": [
            {"key": "kubernetes.azure.com/mode", "operator": "In", "values": ["system"]}
        ]
    },
}
_SERVICE: JsonObject = {
    "type": "LoadBalancer",
    # The address of the client reaches nginx (aks-app-routing-operator: nginx.go).
    "externalTrafficPolicy": "Local",
    "selector": _LABELS,
    "ports": [
        {"name": "http", "port": 80, "targetPort": "http"},
        {"name": "https", "port": 443, "targetPort": "https"},
    ],
}
_READ = ["get", "list", "watch"]
_RULES = [
    {"apiGroups": [""], "resources": ["services", "secrets", "configmaps"], "verbs": _READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": _READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["patch"]},
    {
        "apiGroups": ["gateway.networking.k8s.io"],
        "resources": ["gatewayclasses", "gateways", "httproutes"],
        "verbs": _READ,
    },
    {
        "apiGroups": ["gateway.networking.k8s.io"],
        "resources": ["gatewayclasses/status", "gateways/status", "httproutes/status"],
        "verbs": ["patch"],
    },
]
_BINDING: JsonObject = {
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": INGRESS_NAME,
    },
    "subjects": [{"kind": "ServiceAccount", "name": INGRESS_NAME, "namespace": INGRESS_NAMESPACE}],
}
