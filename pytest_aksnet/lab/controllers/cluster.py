"""The objects that an AKS cluster has before anybody uses it.

Nodes, system namespaces, the API server's Service, and cluster DNS; `node_agents` has what AKS runs
on nodes.
"""

from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    NODES,
    SERVICE_ACCOUNTS,
    SERVICE_CIDRS,
    SERVICES,
)
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import node_agents
from pytest_aksnet.lab.controllers.endpoint_slices import SERVICE_NAME_LABEL
from pytest_aksnet.lab.controllers.ingress_operator import create_classes
from pytest_aksnet.lab.controllers.kubelet.images import resolve
from pytest_aksnet.lab.controllers.kubelet.node_images import listed
from pytest_aksnet.lab.controllers.nodes import node_object
from pytest_aksnet.lab.dns.aks_corefile import COREFILE
from pytest_aksnet.lab.spec import LabSpec

API_HOST = "api-server"
SERVICE_CIDR = "kubernetes"
COREDNS_REPLICAS = 2
CUSTOM_COREFILE = ("kube-system", "coredns-custom")
STUB_KEY = "corp.server"
_REGISTRY = "mcr.microsoft.com"
_COREDNS_IMAGE = f"{_REGISTRY}/oss/v2/kubernetes/coredns:v1.12.1-7"
_PAUSE_IMAGE = f"{_REGISTRY}/oss/v2/kubernetes/pause:3.6"
_SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_SYSTEM = "kube-system"
_API_PORT = 443
_RECONCILED = {"addonmanager.kubernetes.io/mode": "Reconcile"}


def create_cluster(store: Store, spec: LabSpec) -> None:
    """Put everything into an empty store; controllers make the rest."""
    namespaces = list(_SYSTEM_NAMESPACES)
    if spec.engine == "calico":
        namespaces.append(node_agents.CALICO_NAMESPACE)
    for name in namespaces:
        store.create(NAMESPACES, {"metadata": {"name": name}})
    images = listed(map(resolve, system_images(spec)))
    for node in spec.nodes:
        store.create(NODES, node_object(spec, node, images))
    _create_service_cidr(store, spec)
    _create_api_service(store, spec)
    _create_dns(store, spec)
    node_agents.create_agents(store, spec)
    if spec.options.ingress == "nginx":
        create_classes(store)


def system_images(spec: LabSpec) -> tuple[str, ...]:
    """References of the images that all nodes have from the start: AKS puts them on its disks."""
    return (_PAUSE_IMAGE, _COREDNS_IMAGE, *node_agents.images(spec))


def _create_service_cidr(store: Store, spec: LabSpec) -> None:
    cidrs = [spec.service_cidr, *([spec.service_cidr6] if spec.dual_stack else [])]
    metadata = {"name": SERVICE_CIDR, "finalizers": ["networking.k8s.io/service-cidr-finalizer"]}
    store.create(SERVICE_CIDRS, {"metadata": metadata, "spec": {"cidrs": cidrs}})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": timestamp(),
    }

    def change(value: JsonObject) -> None:
        value["status"] = {"conditions": [ready]}

    store.mutate(SERVICE_CIDRS, SERVICE_CIDR, change=change, subresource="status")


def _create_api_service(store: Store, spec: LabSpec) -> None:
    address = next(host.ip for host in spec.hosts if host.name == API_HOST)
    labels = {"component": "apiserver", "provider": "kubernetes"}
    store.create(
        SERVICES,
        {
            "metadata": {"name": "kubernetes", "labels": labels},
            "spec": {
                "clusterIP": spec.kubernetes_service_ip,
                "ports": [{"name": "https", "port": _API_PORT, "targetPort": _API_PORT}],
            },
        },
        "default",
    )
    port = {"name": "https", "protocol": "TCP", "port": _API_PORT}
    store.create(
        ENDPOINTS,
        {
            "metadata": {
                "name": "kubernetes",
                "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
            },
            "subsets": [{"addresses": [{"ip": address}], "ports": [port]}],
        },
        "default",
    )
    store.create(
        ENDPOINT_SLICES,
        {
            "metadata": {"name": "kubernetes", "labels": {SERVICE_NAME_LABEL: "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [port],
        },
        "default",
    )


def _create_dns(store: Store, spec: LabSpec) -> None:
    store.create(SERVICE_ACCOUNTS, {"metadata": {"name": "coredns"}}, _SYSTEM)
    store.create(
        CONFIG_MAPS,
        {"metadata": {"name": "coredns", "labels": _RECONCILED}, "data": {"Corefile": COREFILE}},
        _SYSTEM,
    )
    stub = {STUB_KEY: stub_corefile(spec, spec.stub_servers)} if spec.stub_servers else {}
    store.create(CONFIG_MAPS, custom_corefile(stub), _SYSTEM)
    labels = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
    store.create(
        SERVICES,
        {
            "metadata": {
                "name": "kube-dns",
                "labels": {**labels, **_RECONCILED, "kubernetes.io/cluster-service": "true"},
            },
            "spec": {
                "selector": {"k8s-app": "kube-dns"},
                "clusterIP": spec.dns_service_ip,
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                ],
            },
        },
        _SYSTEM,
    )
    selector = {"k8s-app": "kube-dns", "version": "v20"}
    store.create(
        DEPLOYMENTS,
        {
            "metadata": {"name": "coredns", "labels": {**labels, **_RECONCILED}},
            "spec": {
                "replicas": COREDNS_REPLICAS,
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": selector}, "spec": _coredns_pod()},
            },
        },
        _SYSTEM,
    )


def _coredns_pod() -> JsonObject:
    return {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "priorityClassName": "system-node-critical",
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "containers": [
            {
                "name": "coredns",
                "image": _COREDNS_IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "ports": [
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                ],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "70Mi"},
                    "limits": {"cpu": "3", "memory": "500Mi"},
                },
            }
        ],
    }


def custom_corefile_data(store: Store) -> dict[str, str]:
    """What the cluster's owner has put into coredns-custom."""
    namespace, name = CUSTOM_COREFILE
    found = store.find(CONFIG_MAPS, name, namespace)
    return dict((found or {}).get("data") or {})


def stub_corefile(spec: LabSpec, servers: Sequence[str]) -> str:
    """The server block by which CoreDNS asks these servers about the site's own zone."""
    lines = ("errors", "cache 30", f"forward . {' '.join(servers)}")
    return f"{spec.stub_zone}:53 {{\n    " + "\n    ".join(lines) + "\n}\n"


def custom_corefile(data: Mapping[str, str]) -> JsonObject:
    """The ConfigMap with the parts of the Corefile that belong to the cluster's owner."""
    return {
        "metadata": {"name": CUSTOM_COREFILE[1], "labels": _RECONCILED},
        "data": dict(data),
    }
