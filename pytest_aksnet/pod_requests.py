"""What the pods of a run are: names, labels, ports and images. Starts none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_aksnet.cluster.probe_pod_manifest import TOLERATIONS, ProbePodRequest, Readiness
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.model.policy_table import TablePod
from pytest_aksnet.options import Settings
from pytest_aksnet.probes import iperf3, reflector

POD_LABEL = "aksnet.io/pod"
# Host-network pods share a node's ports: the warm ones begin at the first, each process at its own.
_HOST_PORT = 18080
_HOST_PORTS_EACH = 20
_MAX_PROCESSES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequests:
    """Requests for pods of one scope. `first_port` is the first that host-network pods take."""

    scope: RunScope
    settings: Settings
    first_port: int = _HOST_PORT

    def netshoot(
        self,
        node: NodeRef,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        host_network: bool = False,
        ready: bool = True,
        spec: Mapping[str, object] | None = None,
        container: Mapping[str, object] | None = None,
    ) -> ProbePodRequest:
        """A netshoot pod that runs the reflector, by default in the scope's own namespace.

        `spec` and `container` are further fields of the pod's spec and of its container. Labels of
        the run cannot be overruled. Raises EnvironmentProblem.
        """
        name = self.scope.unique_name("netshoot")
        ports: tuple[int, ...] = (reflector.PORT,)
        if host_network:
            ports = tuple(range(self.first_port, self.first_port + _HOST_PORTS_EACH))
        return ProbePodRequest(
            namespace=namespace or self.scope.namespace(),
            name=name,
            node=node.name,
            image=self.settings.image,
            command=reflector.argv,
            port=ports[0],
            host_port_choices=ports[1:],
            host_network=host_network,
            labels={**(labels or {}), **self.scope.labels(), POD_LABEL: name},
            annotations=self.scope.annotations(),
            readiness=Readiness.PORT if ready else Readiness.NEVER,
            pull_secret=self.settings.image_pull_secret or "",
            tolerations=(*TOLERATIONS, *self.settings.tolerations),
            spec=spec or {},
            container=container or {},
        )

    def table_pod(
        self, pod: TablePod, node: NodeRef, namespace: str, numbers: Sequence[int]
    ) -> ProbePodRequest:
        """A pod of a truth table, whose reflector answers on these ports.

        It counts as started when it runs: what answers is asked anyway before it is relied on.
        """
        declared = [
            {"name": port.name, "containerPort": port.number, "protocol": port.protocol}
            for port in pod.ports
        ]
        request = self.netshoot(
            node, namespace=namespace, labels=pod.labels, container={"ports": declared}
        )
        sctp = any(port.protocol == "SCTP" for port in pod.ports)
        return replace(
            request,
            command=lambda _: reflector.argv(*numbers, sctp=sctp),
            port=numbers[0],
            readiness=Readiness.RUNNING,
        )

    def iperf(self, node: NodeRef, *, host_network: bool) -> ProbePodRequest:
        """A pod that serves iperf3, on the port that the probe expects."""
        request = self.netshoot(node, host_network=host_network)
        name = request.name.replace("netshoot", "iperf")
        return replace(
            request,
            name=name,
            labels={**request.labels, POD_LABEL: name},
            command=iperf3.server_argv,
            port=iperf3.PORT,
            host_port_choices=(),
        )


def first_port_of(worker: str) -> int:
    """The first port that host-network pods of a process take; `worker` is empty without xdist."""
    number = int("".join(filter(str.isdigit, worker)) or 0)
    return _HOST_PORT + _HOST_PORTS_EACH * (1 + number % _MAX_PROCESSES)
