"""Faults of pods that others run, by the hand of their kubelet. The system's pods are spared."""

from pytest_aksnet.lab.api.trouble import DEFAULT_START_SECONDS, Kind
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import Chance, Recurring
from pytest_aksnet.lab.faults.setting import PER_POD, PER_SECOND, Setting


class PodEvicted(Recurring):
    """Nodes without memory."""

    name = "pod-evicted"
    describes = (
        "A kubelet evicts a running pod because its node is low on memory: all its processes are "
        "killed, the pod is Failed with reason Evicted (Kubernetes docs: Node-pressure Eviction)."
    )
    setting = PER_SECOND
    kind = Kind.EVICTION

    @staticmethod
    async def happen(lab: FaultableLab) -> None:
        """Evict one pod."""
        lab.evict_pod()


class ImagePullFails(Chance):
    """Registries that do not give their images."""

    name = "image-pull-fails"
    describes = (
        "None of a pod's images can be pulled, ErrImagePull then ImagePullBackOff: the registry "
        "is not found or limits the rate (Kubernetes docs: Images; AKS docs: cannot pull image)."
    )
    setting = PER_POD
    kind = Kind.PULL_FAILS


class SlowPodStart(Chance):
    """Nodes that take their time."""

    name = "slow-pod-start"
    describes = (
        "Every pod waits in ContainerCreating first, as while its node pulls a large image "
        "(Kubernetes docs: Images, serial and parallel image pulls)."
    )
    setting = Setting(
        meaning="seconds before a pod runs", default=DEFAULT_START_SECONDS, highest=600
    )
    kind = Kind.SLOW_START
