"""What the public fixtures hand to tests: the cluster, and factories of pods, Services and more.

Everything that a factory creates dies with its test. What a test may not do in this run is skipped
with the option that allows it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.lifetime import TestScope
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import FactUnknown, SettingsError
from pytest_aksnet.model.peers import NodePool, NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.site import Site
from pytest_aksnet.pod_requests import POD_LABEL
from pytest_aksnet.session import AksnetSession

TrafficPolicy = Literal["Cluster", "Local"]
ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
# Every AKS cluster needs this name, network isolated ones included (AKS docs: outbound-rules).
_REQUIRED_BY_AKS = ("mcr.microsoft.com",)


class Aks:
    """The cluster of this run. Raises EnvironmentProblem where it stops answering."""

    def __init__(self, session: AksnetSession) -> None:
        self._session = session

    @property
    def nodes(self) -> tuple[NodeRef, ...]:
        """The nodes that take part, sorted by name."""
        return self._session.nodes

    @property
    def pools(self) -> tuple[NodePool, ...]:
        """Their agent pools, sorted by name."""
        return self._session.pools

    @property
    def profile(self) -> NetworkProfile:
        """What is known about the cluster's network, each fact with its source."""
        return self._session.profile

    @property
    def site(self) -> Site:
        """What the site file says."""
        return self._session.site

    @property
    def is_lab(self) -> bool:
        """Whether this is the embedded lab."""
        return self._session.settings.is_lab

    @property
    def run_id(self) -> str:
        """The id of this run, as it stands in labels and names."""
        return self._session.run_id

    def external_names(self) -> tuple[str, ...]:
        """Names outside the cluster that pods must resolve: those of the site file, else AKS' own.

        Raises FactUnknown where the site file has none and the cluster is not on Azure.
        """
        if self.site.external_names:
            return self.site.external_names
        if self.profile.get("cloud") == "azure":
            return _REQUIRED_BY_AKS
        raise FactUnknown(
            "no name outside the cluster is known that pods must resolve; list them as "
            "external_names in the file of --aksnet-config (default aksnet.toml)"
        )

    def node(self, name: str) -> NodeRef:
        """The node of that name. Raises SettingsError where it takes no part."""
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise SettingsError(f"no node {name!r} takes part; there are {names}")

    def other_nodes(self, *apart_from: NodeRef) -> tuple[NodeRef, ...]:
        """The nodes that take part but these, sorted by name; skips the test if there are none."""
        __tracebackhide__ = True
        names = {node.name for node in apart_from}
        others = tuple(node for node in self.nodes if node.name not in names)
        if not others:
            taking_part = "there is one" if len(self.nodes) == 1 else f"there are {len(self.nodes)}"
            pytest.skip(f"needs {len(names) + 1} nodes that take part; {taking_part}")
        return others

    def pods(self, namespace: str, selector: str) -> tuple[PodRef, ...]:
        """The running pods that a label selector matches, sorted by name."""
        from pytest_aksnet.cluster.pods import list_pods

        return list_pods(self._session.cluster, namespace, selector)

    def service(self, namespace: str, name: str) -> ServiceRef:
        """A Service that exists. Raises SettingsError where it does not."""
        from pytest_aksnet.cluster.objects import read_service

        found = read_service(
            self._session.cluster, namespace, name, cluster_domain=self._session.cluster_domain
        )
        if found is None:
            raise SettingsError(f"there is no Service {namespace}/{name}")
        return found


class NetshootFactory:
    """Makes netshoot pods. Each runs a reflector that answers with the source address it sees."""

    def __init__(self, scope: TestScope) -> None:
        self._scope = scope

    def __call__(
        self,
        on: NodeRef | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        namespace: str | None = None,
        host_network: bool = False,
        fresh: bool = False,
        ready: bool = True,
        spec: Mapping[str, object] | None = None,
        container: Mapping[str, object] | None = None,
    ) -> ProbePod:
        """A ready pod on this node, by default the first.

        Without labels or namespace of its own it is the pod that all such tests share on that
        node, unless `fresh`. With `ready` False it runs and never gets ready. `spec` and
        `container` are further fields of the pod's spec and of its container, as the API has them,
        such as {"dnsPolicy": "Default"}. Raises EnvironmentProblem where the pod does not start.
        """
        nodes = [on if on is not None else self._scope.session.nodes[0]]
        own = fresh or not ready
        extra = _Extra(spec=spec, container=container)
        [pod] = self._pods(nodes, labels, namespace, host_network, extra, fresh=own, ready=ready)
        return pod

    def on_each(
        self,
        nodes: Iterable[NodeRef],
        *,
        labels: Mapping[str, str] | None = None,
        namespace: str | None = None,
        host_network: bool = False,
        fresh: bool = False,
        spec: Mapping[str, object] | None = None,
        container: Mapping[str, object] | None = None,
    ) -> tuple[ProbePod, ...]:
        """The same on each of these nodes, started together."""
        extra = _Extra(spec=spec, container=container)
        return self._pods(
            list(nodes), labels, namespace, host_network, extra, fresh=fresh, ready=True
        )

    def _pods(
        self,
        nodes: Sequence[NodeRef],
        labels: Mapping[str, str] | None,
        namespace: str | None,
        host_network: bool,
        extra: "_Extra",
        *,
        fresh: bool,
        ready: bool,
    ) -> tuple[ProbePod, ...]:
        scope, pods = self._scope, self._scope.session.pods
        if host_network:
            scope.require("host-network")
        if fresh or labels or namespace or extra.spec or extra.container:
            started = pods.netshoot(
                nodes,
                namespace=namespace,
                labels=labels or {},
                host_network=host_network,
                ready=ready,
                spec=extra.spec,
                container=extra.container,
            )
            for pod in started:
                _own(scope, pod)
                if not ready:
                    scope.never_ready.add(pod.uid)
        else:
            started = pods.warm(nodes, host_network=host_network)
        return tuple(ProbePod(scope.engine, pod) for pod in started)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extra:
    """Further fields of a pod, which make it one of its own."""

    spec: Mapping[str, object] | None = None
    container: Mapping[str, object] | None = None


def _own(scope: TestScope, pod: PodRef) -> None:
    scope.created(f"pod {pod.namespace}/{pod.name}", lambda: scope.session.pods.delete([pod]))


class IperfFactory:
    """Makes pods that serve iperf3. Whoever has one is the only one in this run that measures."""

    def __init__(self, scope: TestScope) -> None:
        self._scope = scope
        self._locked = False

    def __call__(self, on: NodeRef | None = None, *, host_network: bool = False) -> ProbePod:
        """A pod on this node, by default the first, whose main process is an iperf3 server.

        Raises EnvironmentProblem where the pod does not start.
        """
        scope, session = self._scope, self._scope.session
        scope.require("bandwidth")
        if host_network:
            scope.require("host-network")
        if not self._locked:
            self._locked = True
            scope.lock_bandwidth()
        node = on if on is not None else session.nodes[0]
        pod = session.pods.iperf(node, host_network=host_network)
        _own(scope, pod)
        return ProbePod(scope.engine, pod)


class NamespaceFactory:
    """Makes namespaces."""

    def __init__(self, scope: TestScope) -> None:
        self._scope = scope

    def __call__(self, labels: Mapping[str, str] | None = None) -> str:
        """The name of a new namespace with these labels. Raises EnvironmentProblem."""
        runs = self._scope.session.scope
        allowed = self._scope.session.host_network
        name = runs.new_namespace(labels, host_network=allowed)
        self._scope.created(f"namespace {name}", lambda: runs.delete_namespace(name))
        return name


class ServiceFactory:
    """Makes Services."""

    def __init__(self, scope: TestScope) -> None:
        self._scope = scope

    def __call__(
        self,
        backends: Sequence[ProbePod] = (),
        *,
        selector: Mapping[str, str] | None = None,
        namespace: str | None = None,
        name: str | None = None,
        port: int = 80,
        target_port: int | None = None,
        type: ServiceType = "ClusterIP",
        external_traffic_policy: TrafficPolicy | None = None,
        internal_traffic_policy: TrafficPolicy | None = None,
        headless: bool = False,
        external_name: str | None = None,
        internal_load_balancer: bool = False,
        udp: bool = False,
        spec: Mapping[str, object] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> ServiceRef:
        """A Service, once its ready endpoints are exactly the ready `backends`.

        `spec` has further fields of its spec, as the API has them, such as
        {"sessionAffinity": "ClientIP"}.

        `backends` give namespace, target port (their reflector) and selector: the labels they
        were made with and share; several pods need such labels. A load balancer is returned once
        it has its address. `udp` serves the same port over UDP as well. Raises SettingsError for
        backends that no selector fits, EnvironmentProblem where the cluster does not make it.
        """
        from pytest_aksnet.cluster import objects

        scope, session = self._scope, self._scope.session
        if type == "LoadBalancer":
            scope.require("load-balancer")
        pods = [backend.pod for backend in backends]
        if pods and selector is None:
            selector = self._selector(pods)
        if target_port is None:
            target_port = pods[0].port if pods else port
        request = objects.ServiceRequest(
            namespace=namespace or (pods[0].namespace if pods else session.scope.namespace()),
            name=name or session.scope.unique_name("service"),
            selector=selector or {},
            port=port,
            target_port=target_port,
            type=type,
            external_traffic_policy=external_traffic_policy,
            internal_traffic_policy=internal_traffic_policy,
            headless=headless,
            external_name=external_name,
            internal_load_balancer=internal_load_balancer,
            udp=udp,
            labels=session.scope.labels(),
            annotations={**(annotations or {}), **session.scope.annotations()},
            spec=spec or {},
        )
        session.shared.uses(request.namespace)
        made = objects.create_service(
            session.cluster, request, cluster_domain=session.cluster_domain
        )
        scope.created(
            f"service {made.namespace}/{made.name}",
            lambda: objects.delete_service(session.cluster, made),
        )
        if pods:
            ready = {pod.ip for pod in pods if pod.uid not in scope.never_ready}
            objects.await_endpoints(session.cluster, made, ready)
        return (
            objects.await_load_balancer(session.cluster, made) if type == "LoadBalancer" else made
        )

    def _selector(self, pods: Sequence[PodRef]) -> Mapping[str, str]:
        if len(pods) == 1 and not self._own_labels(pods[0]):
            return {POD_LABEL: pods[0].labels[POD_LABEL]}
        shared = set.intersection(*(set(self._own_labels(pod).items()) for pod in pods))
        if not shared:
            raise SettingsError(
                "several backends of a Service must share a label of their own; "
                'make them with netshoot(on=node, labels={"app": "web"})'
            )
        return dict(shared)

    def _own_labels(self, pod: PodRef) -> dict[str, str]:
        from pytest_aksnet.cluster.marks import WORKER_LABEL

        of_run = {*self._scope.session.scope.labels(), WORKER_LABEL, POD_LABEL}
        return {key: value for key, value in pod.labels.items() if key not in of_run}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicyHandle:
    """A NetworkPolicy that exists until `delete`, or until the test ends."""

    namespace: str
    name: str
    delete: Callable[[], None]


class NetworkPolicyFactory:
    """Makes NetworkPolicies. A policy is enforced a moment later: poll, never sleep."""

    def __init__(self, scope: TestScope) -> None:
        self._scope = scope

    def __call__(
        self, spec: Mapping[str, object], *, namespace: str, name: str | None = None
    ) -> NetworkPolicyHandle:
        """A NetworkPolicy with this spec (networking.k8s.io/v1).

        Raises SettingsError for the namespace of the pods that all tests share, EnvironmentProblem
        where the cluster does not make it.
        """
        from pytest_aksnet.cluster import objects

        session = self._scope.session
        if namespace == session.shared.pool_namespace():
            raise SettingsError(
                f"a NetworkPolicy in namespace {namespace} would change pods that other tests "
                "use at the same time; make the pods of this test its own, by "
                'netshoot(fresh=True) or netshoot(labels={"app": "web"})'
            )
        chosen = name or session.scope.unique_name("policy")
        session.shared.uses(namespace)
        objects.create_network_policy(
            session.cluster,
            namespace=namespace,
            name=chosen,
            spec=spec,
            labels=session.scope.labels(),
            annotations=session.scope.annotations(),
        )

        def delete() -> None:
            objects.delete_network_policy(session.cluster, namespace, chosen)

        self._scope.created(f"networkpolicy {namespace}/{chosen}", delete)
        return NetworkPolicyHandle(namespace=namespace, name=chosen, delete=delete)


class ManifestFactory:
    """Makes objects from manifests, as `kubectl create` does, for kinds without a factory."""

    def __init__(self, scope: TestScope) -> None:
        self._scope = scope

    def __call__(self, manifest: Mapping[str, Any], *, namespace: str | None = None) -> Json:
        """The object as the API server completed it; it is deleted when the test ends.

        Without a name it gets one; it carries the labels of the run. Its pods, if it has any, get
        none of them: their template is the manifest's. Kinds are those of `cluster.manifests`.
        Raises SettingsError for other kinds, EnvironmentProblem where it is not admitted.
        """
        from pytest_aksnet.cluster import manifests

        scope, session = self._scope, self._scope.session
        metadata = dict(manifest.get("metadata") or {})
        metadata.setdefault("name", session.scope.unique_name(str(manifest["kind"]).lower()))
        metadata["labels"] = {**(metadata.get("labels") or {}), **session.scope.labels()}
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            **session.scope.annotations(),
        }
        metadata["namespace"] = namespace or metadata.get("namespace") or session.scope.namespace()
        session.shared.uses(metadata["namespace"])
        made = manifests.create(session.cluster, {**manifest, "metadata": metadata})
        scope.created(
            f"{manifest['kind']} {metadata['namespace']}/{metadata['name']}",
            lambda: manifests.delete(session.cluster, made),
        )
        return made
