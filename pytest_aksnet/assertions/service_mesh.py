"""Verbs about a service mesh: which there is, what its pods get, how they reach and are reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.assertions.ingress_requests import IngressVerbs
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.ingress import judge_routed
from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.expectations.service_mesh import (
    WAY_OUT,
    has_sidecar,
    judge_identity,
    judge_injected,
    judge_plaintext_refused,
    peer_authentication,
    split_objects,
)
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ConformanceFailure, ControlFailed, NotApplicable
from pytest_aksnet.model.ingress import HTTP_PORT, Front, Wanted
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.probing import Batch, Kind, Probe
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.probes import reflector

Make = Callable[..., Json]
"""The fixture `manifest`."""

HTTP_SERVICE: Mapping[str, object] = {
    "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": reflector.PORT}]
}
"""Fields of a Service that have the mesh take it for HTTP (Istio docs: protocol selection)."""

_DEPLOYMENTS = "/apis/apps/v1/deployments"
_CONTROL_PLANE = "app=istiod"
_REVISION = "istio.io/rev"
_VERSION = "version"
# Nobody promises a figure; istiod gathers changes for up to 10 s (PILOT_DEBOUNCE_MAX).
_PATIENCE_S = 20.0
_TIMEOUT_S = 3.0
_BODY_BYTES = "2048"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """A mesh with sidecars. `labels` are those of a namespace whose pods are to be in it."""

    what: str
    labels: Mapping[str, str]

    @property
    def label(self) -> str:
        """The same as KEY=VALUE."""
        return ",".join(f"{key}={value}" for key, value in self.labels.items())

    def authentication(self, make: Make, namespace: str, mode: str) -> Json:
        """Create the PeerAuthentication of a namespace; `mode` is PERMISSIVE or STRICT."""
        return make(peer_authentication(mode), namespace=namespace)

    def split(self, make: Make, service: ServiceRef, percents: Mapping[str, int]) -> None:
        """Give the pods of a Service these weights, by the values of their label `version`."""
        for one in split_objects(service.fqdn, _VERSION, percents):
            make(one, namespace=service.namespace)


class MeshInventoryVerbs(Reader):
    """Which mesh there is, and who is in it."""

    def mesh(self) -> Mesh:
        """The Istio of the cluster: of several revisions the newest that runs.

        Raises NotApplicable where there is none.
        """
        query = {"labelSelector": _CONTROL_PLANE}
        found = self._engine.api.items(_DEPLOYMENTS, query)
        if not found:
            raise NotApplicable(
                "the cluster has no service mesh: no Deployment in any namespace has the label "
                f"{_CONTROL_PLANE}, as the control plane of Istio has"
            )
        best = max(found, key=_rank)
        metadata = best["metadata"]
        revision = (metadata.get("labels") or {}).get(_REVISION) or "default"
        plain = revision == "default"
        return Mesh(
            what=f"Istio {revision} (Deployment {metadata['namespace']}/{metadata['name']})",
            labels={"istio-injection": "enabled"} if plain else {_REVISION: revision},
        )

    def assert_injected(self, pod: AnyPod, mesh: Mesh) -> FactSheet:
        """The pod got the sidecar of the mesh."""
        ref = pod_of(pod)
        found = self._read(ref)
        spec = found["spec"]
        where = f"pod {ref.namespace}/{ref.name}"
        facts = {
            key: ", ".join(one["name"] for one in spec.get(key) or ()) or "none"
            for key in ("initContainers", "containers")
        }
        return judge_facts(
            self._engine,
            FactSheet(what=f"the containers of a pod of {mesh.what}", source=where, facts=facts),
            judge_injected(found, label=mesh.label),
            by_hand=("kubectl", "get", "pod", "-o", "yaml", "-n", ref.namespace, ref.name),
        )

    def need_in_mesh(self, *pods: AnyPod) -> None:
        """Raise ControlFailed where one of the pods has no sidecar."""
        for pod in map(pod_of, pods):
            if not has_sidecar(self._read(pod)):
                raise ControlFailed(
                    f"pod {pod.namespace}/{pod.name} has no sidecar, so it tells nothing of the "
                    "mesh; the check service-mesh.sidecar-injected says why"
                )

    def _read(self, pod: PodRef) -> Json:
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        found = self._engine.api.get(path)
        if found is None:
            raise ControlFailed(f"pod {pod.namespace}/{pod.name} is gone")
        return found


class MeshVerbs(IngressVerbs):
    """Requests from a pod, in the mesh or not, to what is in it or not."""

    def assert_served_in_mesh(self, service: ServiceRef, server: AnyPod) -> Batch:
        """Requests to a Service of the mesh are answered by this pod of it."""
        wanted = Wanted(host=service.fqdn, pods=(pod_of(server).name,))
        return self.assert_routed(_front(service), [wanted], alive=self._pod)

    def assert_plaintext_refused(self, service: ServiceRef, server: AnyPod) -> Batch:
        """The pod refuses this pod's plaintext, at its own address and behind its Service.

        This pod reaches its own reflector in the same list. Raises ControlFailed where it does not.
        """
        pod = pod_of(server)
        targets = {
            f"pod {pod.name} ({pod.ip}:{pod.port})": (pod.ip, pod.port),
            f"Service {service.name} ({service.cluster_ip})": (service.cluster_ip, service.port),
        }
        cells = [_refused(what, service.fqdn, *place) for what, place in targets.items()]
        what = f"plaintext to {service.fqdn}"
        return self._ask_front(_front(service), cells, what, alive=self._pod)

    def assert_identity_told(
        self, service: ServiceRef, server: AnyPod, *, account: str = "default"
    ) -> Batch:
        """The server is told this pod's namespace and service account by its sidecar."""
        wanted = Wanted(host=service.fqdn, pods=(pod_of(server).name,))
        own = self._pod.namespace

        def judge(batch: Batch, at: int) -> Verdict:
            return judge_identity(batch.answers[at], wanted, namespace=own, account=account)

        cell = Cell(probe=_http(service.fqdn, service.cluster_ip, service.port), judge=judge)
        return self._ask_front(
            _front(service), [cell], f"the caller's identity at {service.fqdn}", alive=self._pod
        )

    def assert_split_in_mesh(
        self, service: ServiceRef, percents: Mapping[PodRef, int]
    ) -> FactSheet:
        """The pods of a Service get their shares of the requests, as far as chance allows.

        It is looked again until the sidecars have caught up, see `assert_split`, so the shares
        should be far from equal ones, which pods without weights have.
        """
        return self.assert_split(_front(service), service.fqdn, percents, alive=self._pod)

    def assert_leaves_mesh(
        self, service: ServiceRef, server: AnyPod, api: ServiceRef, *, witness: "MeshVerbs"
    ) -> Batch:
        """A Service of a pod outside the mesh is reached, and the API server's.

        `witness`, a pod outside the mesh, must reach both as well. Raises ControlFailed where it
        does not.
        """
        cells = [_outside(service, pod_of(server)), _handshake(api)]
        what = "what is outside the mesh"
        try:
            witness._ask_front(_front(service), cells, what, alive=witness.pod)
        except ConformanceFailure as failure:
            raise ControlFailed(
                f"pod {witness.pod.name} outside the mesh does not reach it either: {failure}"
            ) from failure
        return self._ask_front(_front(service), cells, what, alive=self._pod)


def _rank(deployment: Json) -> tuple[bool, Sequence[int], str]:
    """Those that run before those that do not, then the newer by the numbers of the revision."""
    metadata = deployment["metadata"]
    revision = str((metadata.get("labels") or {}).get(_REVISION) or "")
    numbers = [int(part) for part in revision.split("-") if part.isdigit()]
    runs = bool((deployment.get("status") or {}).get("availableReplicas"))
    return runs, numbers, str(metadata["name"])


def _front(service: ServiceRef) -> Front:
    what = f"Service {service.namespace}/{service.name}"
    return Front(what=what, host=service.cluster_ip, patience_s=_PATIENCE_S, in_cluster=True)


def _http(name: str, host: str, port: int) -> Probe:
    options = {"name": name, "path": "/", "bytes": _BODY_BYTES}
    return Probe(kind=Kind.HTTP, host=host, port=port, timeout_s=_TIMEOUT_S, options=options)


def _refused(what: str, name: str, host: str, port: int) -> Cell:
    def judge(batch: Batch, at: int) -> Verdict:
        return judge_plaintext_refused(batch.answers[at], what=what)

    return Cell(probe=_http(name, host, port), judge=judge)


def _outside(service: ServiceRef, server: PodRef) -> Cell:
    wanted = Wanted(host=service.fqdn, pods=(server.name,))

    def judge(batch: Batch, at: int) -> Verdict:
        return judge_routed(batch.answers[at], wanted, source=WAY_OUT)

    return Cell(probe=_http(service.fqdn, service.cluster_ip, service.port), judge=judge)


def _handshake(api: ServiceRef) -> Cell:
    def judge(batch: Batch, at: int) -> Verdict:
        what = f"the API server at its Service {api.cluster_ip}:{api.port}"
        return judge_reached(batch.answers[at], what=what, source=WAY_OUT)

    probe = Probe(
        kind=Kind.TLS,
        host=api.cluster_ip,
        port=api.port,
        timeout_s=_TIMEOUT_S,
        options={"name": api.fqdn},
    )
    return Cell(probe=probe, judge=judge)
