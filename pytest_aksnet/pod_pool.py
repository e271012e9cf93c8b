"""The pods that the tests of one process use: warm ones of the run, and pods of their own.

Does not know tests or when their pods end.
"""

from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pods import delete_pods
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest
from pytest_aksnet.cluster.probe_pods import start_pods
from pytest_aksnet.model.errors import ImageRefused
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.policy_table import TablePod
from pytest_aksnet.pod_requests import PodRequests
from pytest_aksnet.shared import Shared


class PodPool:
    """Starts the pods that tests of this process own, and hands out the warm ones."""

    def __init__(self, cluster: Cluster, requests: PodRequests, shared: Shared) -> None:
        self._cluster = cluster
        self._requests = requests
        self._shared = shared
        self._has_image = False

    def netshoot(
        self,
        nodes: Sequence[NodeRef],
        *,
        namespace: str | None,
        labels: Mapping[str, str],
        host_network: bool,
        ready: bool,
        spec: Mapping[str, object] | None = None,
        container: Mapping[str, object] | None = None,
    ) -> tuple[PodRef, ...]:
        """New netshoot pods that run the reflector, started together.

        `spec` and `container` are further fields of a pod's spec and of its container. Labels of
        the run cannot be overruled. Raises EnvironmentProblem.
        """
        self._require_image()
        if namespace:
            self._shared.uses(namespace)
        return self._start(
            [
                self._requests.netshoot(
                    node,
                    namespace=namespace,
                    labels=labels,
                    host_network=host_network,
                    ready=ready,
                    spec=spec,
                    container=container,
                )
                for node in nodes
            ]
        )

    def table_pod(
        self, pod: TablePod, node: NodeRef, namespace: str, numbers: Sequence[int]
    ) -> ProbePodRequest:
        """A pod of a truth table, to be started by its set. See `PodRequests.table_pod`."""
        self._require_image()
        return self._requests.table_pod(pod, node, namespace, numbers)

    def template(self, labels: Mapping[str, str]) -> ProbePodRequest:
        """What the pods of a controller look like: netshoot pods, wherever they are scheduled."""
        self._require_image()
        return self._requests.netshoot(NodeRef(name="", addresses=()), labels=labels)

    def iperf(self, node: NodeRef, *, host_network: bool) -> PodRef:
        """A new pod that serves iperf3, on the port that the probe expects."""
        self._require_image()
        [pod] = self._start([self._requests.iperf(node, host_network=host_network)])
        return pod

    def warm(self, nodes: Sequence[NodeRef], *, host_network: bool) -> tuple[PodRef, ...]:
        """The netshoot pods of these nodes that all tests of the run share. See `shared.Shared`."""
        return self._shared.warm(nodes, host_network=host_network)

    def delete(self, pods: Iterable[PodRef]) -> None:
        """Delete pods. Raises EnvironmentProblem."""
        delete_pods(self._cluster, pods)

    def _require_image(self) -> None:
        """Raise ImageRefused at once where other pods have found out that there is none."""
        if not self._has_image and (why := self._shared.image_refused()):
            raise ImageRefused(why)

    def _start(self, requests: Sequence[ProbePodRequest]) -> tuple[PodRef, ...]:
        try:
            started = start_pods(self._cluster, requests)
        except ImageRefused as refused:
            if not self._has_image:
                self._shared.image_tried(str(refused))
            raise
        if not self._has_image:
            self._has_image = True
            self._shared.image_tried("")
        return started
