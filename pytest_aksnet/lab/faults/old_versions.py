"""Versions and images that stand in the way of an upgrade, and replicas that are too few."""

from pytest_aksnet.lab.api.metrics import Deprecated
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import DAEMON_SETS, DEPLOYMENTS, NODES
from pytest_aksnet.lab.controllers import node_agents
from pytest_aksnet.lab.controllers.cluster import COREDNS_REPLICAS
from pytest_aksnet.lab.controllers.nodes import node_object
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

_SYSTEM = "kube-system"
_OLD_VERSION = "v1.31.9"
_TOO_OLD_KUBELET = "v1.29.15"
_OLD_CILIUM = "v1.14.19"
_OLD_OS = "CBL-Mariner/Linux"
_OLD_IMAGE = "AKSCBLMariner-V2gen2-202503.13.0"
_OS_LABEL, _IMAGE_LABEL = (
    "kubernetes.azure.com/os-sku",
    "kubernetes.azure.com/node-image-version",
)


class CorednsSingle:
    """CoreDNS has one replica."""

    name = "coredns-single"
    describes = (
        "The Deployment of CoreDNS is scaled to one replica, so no name resolves while its node is "
        "drained (Kubernetes docs: Autoscale the DNS Service; AKS docs: coredns-custom)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Scale it down."""
        _scale(lab, 1)

    async def heal(self, lab: FaultableLab) -> None:
        """Scale it up."""
        _scale(lab, COREDNS_REPLICAS)


def _scale(lab: FaultableLab, replicas: int) -> None:
    def change(value: JsonObject) -> None:
        value["spec"]["replicas"] = replicas

    lab.store.mutate(DEPLOYMENTS, "coredns", _SYSTEM, change=change)


class NodeImageRetired:
    """A node with an operating system that AKS has retired."""

    name = "node-image-retired"
    describes = (
        "One node of a pool still has Azure Linux 2.0, which ended in November 2025, while the "
        "others have the present image (AKS docs: upgrade-os-version, Azure Linux 2.0 retirement)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let the node say so."""
        self._set(lab, _OLD_OS, {_OS_LABEL: "CBLMariner", _IMAGE_LABEL: _OLD_IMAGE})

    async def heal(self, lab: FaultableLab) -> None:
        """Let it say what it said."""
        said = node_object(lab.spec, lab.spec.node(self.node), ())
        labels = said["metadata"]["labels"]
        self._set(
            lab,
            said["status"]["nodeInfo"]["osImage"],
            {key: labels[key] for key in (_OS_LABEL, _IMAGE_LABEL)},
        )

    def _set(self, lab: FaultableLab, image: str, labels: dict[str, str]) -> None:
        def change_labels(node: JsonObject) -> None:
            node["metadata"]["labels"] |= labels

        def change_status(node: JsonObject) -> None:
            node["status"]["nodeInfo"]["osImage"] = image

        lab.store.mutate(NODES, self.node, change=change_labels)
        lab.store.mutate(NODES, self.node, change=change_status, subresource="status")


class KubeletTooOld:
    """A kubelet that upgrades passed by."""

    name = "kubelet-too-old"
    describes = (
        f"The kubelet of one node is {_TOO_OLD_KUBELET}, five minor versions older than the API "
        "server, where three are the most (Kubernetes docs: Version Skew Policy)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let the node say so."""
        _set_kubelet(lab, self.node, _TOO_OLD_KUBELET)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it say the cluster's version."""
        _set_kubelet(lab, self.node, lab.spec.kubernetes_version)


def _set_kubelet(lab: FaultableLab, node: str, version: str) -> None:
    def change(value: JsonObject) -> None:
        value["status"]["nodeInfo"]["kubeletVersion"] = version

    lab.store.mutate(NODES, node, change=change, subresource="status")


class KubernetesUnsupported:
    """A version of Kubernetes that is supported no more."""

    name = "kubernetes-unsupported"
    describes = (
        f"API server and kubelets are {_OLD_VERSION}, which AKS does not support any more (AKS "
        "docs: supported-kubernetes-versions)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Let all say so."""
        self._set(lab, _OLD_VERSION)

    async def heal(self, lab: FaultableLab) -> None:
        """Let all say the lab's version."""
        self._set(lab, lab.spec.kubernetes_version)

    @staticmethod
    def _set(lab: FaultableLab, version: str) -> None:
        lab.trouble.version = "" if version == lab.spec.kubernetes_version else version
        for node in lab.spec.nodes:
            _set_kubelet(lab, node.name, version)


class CiliumTooOld:
    """Agents of Cilium that are older than this version of Kubernetes needs."""

    name = "cilium-too-old"
    describes = (
        f"The agents of Cilium are {_OLD_CILIUM}, older than AKS has with this version of "
        "Kubernetes (AKS docs: azure-cni-powered-by-cilium, versions)."
    )
    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """Only one engine has them."""
        return "" if spec.engine == "cilium" else "set engine=cilium"

    async def inject(self, lab: FaultableLab) -> None:
        """Give the DaemonSet an older image."""
        self._set(lab, f"{_cilium_image(lab.spec).rpartition(':')[0]}:{_OLD_CILIUM}")

    async def heal(self, lab: FaultableLab) -> None:
        """Give it its own."""
        self._set(lab, _cilium_image(lab.spec))

    @staticmethod
    def _set(lab: FaultableLab, image: str) -> None:
        def change(value: JsonObject) -> None:
            value["spec"]["template"]["spec"]["containers"][0]["image"] = image

        lab.store.mutate(DAEMON_SETS, "cilium", _SYSTEM, change=change)


def _cilium_image(spec: LabSpec) -> str:
    """That of a lab without this fault."""
    return next(image for image in node_agents.images(spec) if "/cilium:" in image)


class DeprecatedApiAsked:
    """A client of an API that the next version does not have."""

    name = "deprecated-api-asked"
    describes = (
        "Some client asks for an API version that the next Kubernetes does not serve, which the "
        "API server's metrics tell; which one it is is made up (Kubernetes docs: Deprecated API "
        "Migration Guide)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Count it."""
        lab.trouble.deprecated |= {self._api(lab.spec)}

    async def heal(self, lab: FaultableLab) -> None:
        """Forget it, as a restarted API server does."""
        lab.trouble.deprecated -= {self._api(lab.spec)}

    @staticmethod
    def _api(spec: LabSpec) -> Deprecated:
        major, minor = spec.kubernetes_version.removeprefix("v").split(".")[:2]
        return Deprecated(
            group="storage.k8s.io",
            version="v1beta1",
            resource="volumeattributesclasses",
            removed_release=f"{major}.{int(minor) + 1}",
        )


VERSION_FAULTS = (CorednsSingle, KubernetesUnsupported, CiliumTooOld, DeprecatedApiAsked)
VERSION_NODE_FAULTS = (NodeImageRetired, KubeletTooOld)
