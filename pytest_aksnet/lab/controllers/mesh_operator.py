"""The Istio add-on of AKS: its control plane, identities of workloads, and what breaks them.

Names as AKS gives them (AKS docs: istio-about, istio-deploy-addon). The control plane runs in a pod
(`lab.mesh.istiod`). Certificates are handed out as Secrets, as Istio's Citadel did: istiod signs
requests of the sidecars instead.
"""

import base64
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
    NAMESPACES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import mesh_injection
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.tls import Authority

MESH_NAMESPACE = "aks-istio-system"
REVISION = mesh_injection.REVISION
_NAME = f"istiod-{REVISION}"
_SETTINGS = f"istio-{REVISION}"
_FILES = f"{_NAME}-program"
_TRUST_DOMAIN = "cluster.local"
_IMAGE = "mcr.microsoft.com/oss/v2/istio/pilot:v1.27.3"
_PROGRAM = "pytest_aksnet.lab.mesh"
_KUBE = "pytest_aksnet.lab.ingress_controller"
_FOLDER = "/srv/istiod"
_PORT = 15010
_DEFECTS_KEY = "aksnet-lab-defects"
_IDENTITY_WRONG = "identity-wrong"
_LABELS = {"app": "istiod", "istio.io/rev": REVISION}


class MeshOperator(ControlLoop):
    """Installs the control plane, and has pods of labelled namespaces get their sidecar."""

    watched = (NAMESPACES,)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.injects = True
        """Whether new pods get sidecars."""
        self._defects: frozenset[str] = frozenset()
        self._authority: Authority | None = None
        store.mutate_pod = self._inject

    @property
    def defects(self) -> frozenset[str]:
        """What is broken in the mesh, in the words of `lab.mesh`, and identity-wrong."""
        return self._defects

    @defects.setter
    def defects(self, words: Iterable[str]) -> None:
        before, self._defects = self._defects, frozenset(words)
        if _IDENTITY_WRONG in before ^ self._defects:
            for revision in self.store.revisions(SECRETS):
                metadata = revision.value["metadata"]
                if metadata["name"].startswith(mesh_injection.SECRET_PREFIX):
                    self.store.delete(SECRETS, metadata["name"], metadata["namespace"])
        if self.store.find(CONFIG_MAPS, _SETTINGS, MESH_NAMESPACE) is not None:
            self.store.mutate(
                CONFIG_MAPS,
                _SETTINGS,
                MESH_NAMESPACE,
                change=lambda value: value.update(data=self._settings()),
            )

    def handle(self, changes: Sequence[Change]) -> None:
        """Create everything where it is not there."""
        if self.store.find(NAMESPACES, MESH_NAMESPACE) is None:
            self._install()

    # -- workloads -------------------------------------------------------------------------

    def _inject(self, pod: JsonObject) -> None:
        place = pod["metadata"]["namespace"]
        found = self.store.find(NAMESPACES, place)
        if not self.injects or found is None or not mesh_injection.wanted(found, pod):
            return
        account = pod["spec"].get("serviceAccountName") or "default"
        self._create(SECRETS, self._identity(place, account), _secret_of(account), place=place)
        program = resources.files(_PROGRAM).joinpath("proxy.py").read_text(encoding="utf-8")
        self._create(
            CONFIG_MAPS, {"data": {"proxy.py": program}}, mesh_injection.PROGRAM, place=place
        )
        mesh_injection.inject(
            pod,
            secret=_secret_of(account),
            identity=_identity_of(place, account),
            istiod=f"{_NAME}.{MESH_NAMESPACE}.svc.cluster.local:{_PORT}",
        )

    def _identity(self, place: str, account: str) -> JsonObject:
        if self._authority is None:
            self._authority = Authority("istiod")
        uri = _identity_of(place, account)
        if _IDENTITY_WRONG in self._defects:
            uri = _identity_of("default", "default")
        certificate, key = self._authority.issue_identity(uri)
        files = {
            "root-cert.pem": self._authority.certificate_pem,
            "cert-chain.pem": certificate,
            "key.pem": key,
        }
        data = {name: base64.b64encode(content).decode() for name, content in files.items()}
        return {"type": "istio.io/key-and-cert", "data": data}

    # -- the control plane -----------------------------------------------------------------

    def _install(self) -> None:
        self._create(NAMESPACES, {}, MESH_NAMESPACE, place="")
        self._create(SERVICE_ACCOUNTS, {}, _NAME)
        self._create(CLUSTER_ROLES, {"rules": _RULES}, _NAME, place="")
        self._create(CLUSTER_ROLE_BINDINGS, _BINDING, _NAME, place="")
        self._create(CONFIG_MAPS, {"data": self._settings()}, _SETTINGS)
        self._create(CONFIG_MAPS, {"data": _program()}, _FILES)
        self._create(SERVICES, {"spec": _SERVICE}, _NAME)
        self._create(DEPLOYMENTS, {"spec": _deployment()}, _NAME)

    def _settings(self) -> dict[str, str]:
        told = self._defects - {_IDENTITY_WRONG}
        return {_DEFECTS_KEY: " ".join(sorted(told))} if told else {}

    def _create(
        self, resource: Resource, value: JsonObject, name: str, *, place: str = MESH_NAMESPACE
    ) -> None:
        labels = _LABELS if place == MESH_NAMESPACE else {}
        try:
            self.store.create(
                resource, {**value, "metadata": {"name": name, "labels": labels}}, place
            )
        except ApiError as error:
            if error.code != 409:
                raise


def _secret_of(account: str) -> str:
    return f"{mesh_injection.SECRET_PREFIX}{account}"


def _identity_of(place: str, account: str) -> str:
    return f"spiffe://{_TRUST_DOMAIN}/ns/{place}/sa/{account}"


def _program() -> dict[str, str]:
    """The files of the control plane, as an image would have them."""
    names = {_PROGRAM: ("__init__.py", "istiod.py", "translate.py"), _KUBE: ("kube.py",)}
    return {
        f"{package.rpartition('.')[2]}.{name}": resources.files(package)
        .joinpath(name)
        .read_text(encoding="utf-8")
        for package, files in names.items()
        for name in files
    }


def _deployment() -> JsonObject:
    below = _PROGRAM.rpartition(".")[0].replace(".", "/")
    items = []
    for key in sorted(_program()):
        package, _, name = key.partition(".")
        items.append({"key": key, "path": f"{below}/{package}/{name}"})
    container: JsonObject = {
        "name": "discovery",
        "image": _IMAGE,
        "command": ["python3", "-u", "-m", f"{_PROGRAM}.istiod"],
        "env": [
            {"name": "PYTHONPATH", "value": _FOLDER},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "REVISION", "value": REVISION},
            {
                "name": "POD_NAMESPACE",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
            },
        ],
        "ports": [{"name": "grpc-xds", "containerPort": _PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": _PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "program", "mountPath": _FOLDER, "readOnly": True}],
    }
    return {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS},
            "spec": {
                "serviceAccountName": _NAME,
                "priorityClassName": "system-cluster-critical",
                "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                "containers": [container],
                "volumes": [{"name": "program", "configMap": {"name": _FILES, "items": items}}],
            },
        },
    }


_SERVICE: JsonObject = {
    "selector": _LABELS,
    "ports": [{"name": "grpc-xds", "port": _PORT, "targetPort": _PORT}],
}
_READ = ["get", "list", "watch"]
_RULES = [
    {"apiGroups": [""], "resources": ["services", "pods", "configmaps"], "verbs": _READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    {"apiGroups": ["security.istio.io"], "resources": ["*"], "verbs": _READ},
    {"apiGroups": ["networking.istio.io"], "resources": ["*"], "verbs": _READ},
]
_BINDING: JsonObject = {
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME},
    "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": MESH_NAMESPACE}],
}
