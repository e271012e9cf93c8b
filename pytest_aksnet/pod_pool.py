"""The pods of one process: those that its tests share, and how those of their own are made.

Owns names, labels, ports and images of pods. Does not know tests or when their pods end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, Readiness
from pytest_aksnet.cluster.probe_pods import delete_pods, list_pods, start_pods
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.options import Settings
from pytest_aksnet.probes import iperf3, reflector

POD_LABEL = "aksnet.io/pod"
# Host-network pods of parallel workers share a node's ports: each worker starts at its own.
_HOST_PORT = 18080
_HOST_PORTS_PER_WORKER = 20
_MAX_WORKERS = 40


class PodPool:
    """Starts pods, and keeps one netshoot pod per node warm for tests that need no own one."""

    def __init__(
        self,
        cluster: Cluster,
        scope: RunScope,
        settings: Settings,
        worker: str,
        *,
        every_node: Sequence[NodeRef],
    ) -> None:
        self._cluster = cluster
        self._scope = scope
        self._settings = settings
        self._worker = worker
        self._every_node = every_node
        self._warm: dict[str, PodRef] = {}
        self._warm_on_host: dict[str, PodRef] = {}

    def netshoot(
        self,
        nodes: Sequence[NodeRef],
        *,
        namespace: str | None,
        labels: Mapping[str, str],
        host_network: bool,
        ready: bool,
    ) -> tuple[PodRef, ...]:
        """New netshoot pods that run the reflector, started together.

        Labels of the run cannot be overruled. Raises EnvironmentProblem.
        """
        return start_pods(
            self._cluster,
            [
                replace(
                    self._request(node, namespace, labels, host_network),
                    readiness=Readiness.PORT if ready else Readiness.NEVER,
                )
                for node in nodes
            ],
        )

    def iperf(self, node: NodeRef, *, host_network: bool) -> PodRef:
        """A new pod that serves iperf3, on the port that the probe expects."""
        request = self._request(node, None, {}, host_network)
        name = request.name.replace("netshoot", "iperf")
        [pod] = start_pods(
            self._cluster,
            [
                replace(
                    request,
                    name=name,
                    labels={**request.labels, POD_LABEL: name},
                    command=iperf3.server_argv,
                    port=iperf3.PORT,
                    host_port_choices=(),
                )
            ],
        )
        return pod

    def warm(self, nodes: Sequence[NodeRef], *, host_network: bool) -> tuple[PodRef, ...]:
        """The shared netshoot pods of these nodes: started once, replaced where one has gone.

        The first call starts those of all nodes together; host-network pods only where asked for.
        """
        pool = self._warm_on_host if host_network else self._warm
        alive = self._alive(pool)
        starting = nodes if host_network or pool else [*self._every_node, *nodes]
        missing = list({node.name: node for node in starting if node.name not in alive}.values())
        if missing:
            started = self.netshoot(
                missing, namespace=None, labels={}, host_network=host_network, ready=True
            )
            pool.update(zip((node.name for node in missing), started, strict=True))
        return tuple(pool[node.name] for node in nodes)

    def delete(self, pods: Iterable[PodRef]) -> None:
        """Delete pods. Raises EnvironmentProblem."""
        delete_pods(self._cluster, pods)

    def _alive(self, pool: Mapping[str, PodRef]) -> set[str]:
        """The nodes whose shared pod still runs: a test may have deleted or broken one."""
        if not pool:
            return set()
        selector = ",".join(f"{key}={value}" for key, value in self._scope.labels().items())
        running = {pod.uid for pod in list_pods(self._cluster, self._scope.namespace(), selector)}
        return {node for node, pod in pool.items() if pod.uid in running}

    def _request(
        self, node: NodeRef, namespace: str | None, labels: Mapping[str, str], host_network: bool
    ) -> ProbePodRequest:
        name = self._scope.unique_name("netshoot")
        ports = self._host_ports() if host_network else (reflector.PORT,)
        return ProbePodRequest(
            namespace=namespace or self._scope.namespace(),
            name=name,
            node=node.name,
            image=self._settings.image,
            command=reflector.argv,
            port=ports[0],
            host_port_choices=ports[1:],
            host_network=host_network,
            labels={**labels, **self._scope.labels(), POD_LABEL: name},
            annotations=self._scope.annotations(),
            pull_secret=self._settings.image_pull_secret or "",
        )

    def _host_ports(self) -> tuple[int, ...]:
        digits = "".join(character for character in self._worker if character.isdigit())
        first = _HOST_PORT + _HOST_PORTS_PER_WORKER * (int(digits or 0) % _MAX_WORKERS)
        return tuple(range(first, first + _HOST_PORTS_PER_WORKER))
