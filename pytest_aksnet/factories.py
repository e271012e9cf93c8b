"""What the public fixtures hand to tests: the cluster, and factories of pods, Services and more.

Everything that a factory creates dies with its test. What a test may not do in this run is skipped
with the option that allows it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.assertions.transfers import Ends, PairTransfer
from pytest_aksnet.expectations.addresses import need_dual_stack
from pytest_aksnet.lifetime import TestScope
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import (
    EnvironmentProblem,
    FactUnknown,
    NotApplicable,
    SettingsError,
)
from pytest_aksnet.model.peers import NodePool, NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.site import Site, StubDomain
from pytest_aksnet.pod_requests import POD_LABEL
from pytest_aksnet.session import AksnetSession

if TYPE_CHECKING:
    from pytest_aksnet.rollouts import DeploymentRollout

TrafficPolicy = Literal["Cluster", "Local"]
ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
# Every AKS cluster needs this name, network isolated ones included (AKS docs: outbound-rules).
_REQUIRED_BY_AKS = ("mcr.microsoft.com",)
_LOAD_BALANCER_ELSEWHERE_S = 60.0


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

    @property
    def probe_image(self) -> str:
        """The image of the pods of this run."""
        return self._session.settings.image

    def external_names(self) -> tuple[str, ...]:
        """Names outside the cluster that pods must resolve: those of the site file, else AKS' own.

        Raises FactUnknown where the site file has none and the cluster is not on Azure.
        """
        if names := self.known_external_names():
            return names
        raise FactUnknown(
            "no name outside the cluster is known that pods must resolve; list them as "
            "external_names in the file of --aksnet-config (default aksnet.toml)"
        )

    def need_policy_engine(self) -> None:
        """Raise NotApplicable where it is known that nothing enforces NetworkPolicies.

        That is one finding, of the check network-policy.engine-present, and not one of each policy.
        """
        fact = self.profile.facts.get("policy-engine")
        if fact is not None and fact.value == "none":
            raise NotApplicable(
                f"no engine enforces NetworkPolicies ({fact.source}), as the check "
                "network-policy.engine-present says"
            )

    def need_policies_for_dns(self) -> None:
        """Raise NotApplicable where it is known that no NetworkPolicy can allow the cluster's DNS.

        So with LocalDNS under Cilium, which takes node-local addresses for the entity `host` (AKS
        docs: localdns-custom, which asks for a CiliumNetworkPolicy).
        """
        facts = self.profile.facts
        engine, local_dns = facts.get("policy-engine"), facts.get("local-dns")
        if engine is None or local_dns is None:
            return
        if engine.value == "cilium" and local_dns.value in ("on", "some"):
            raise NotApplicable(
                f"under Cilium ({engine.source}) no NetworkPolicy allows LocalDNS "
                f"({local_dns.source}): that takes a CiliumNetworkPolicy"
            )

    def need_dual_stack(self) -> None:
        """Raise NotApplicable where the cluster is known to have one IP family only.

        Raises FactUnknown where that is not known.
        """
        need_dual_stack(self.profile)

    def known_external_names(self) -> tuple[str, ...]:
        """Those of `external_names`, or none where none are known."""
        if self.site.external_names:
            return self.site.external_names
        return _REQUIRED_BY_AKS if self.profile.get("cloud") == "azure" else ()

    def need_api_server_name(self) -> str:
        """The API server's name: that of the site file, else the host of the kubeconfig.

        Raises NotApplicable where that is an address.
        """
        if name := self.known_api_server_name():
            return name
        raise NotApplicable(
            f"the API server has no name here: it is asked at {self._session.cluster.server}, and "
            "the site file has no api_server"
        )

    def known_api_server_name(self) -> str:
        """The same, empty where that is an address."""
        host = self.site.api_server or urlsplit(self._session.cluster.server).hostname or ""
        return "" if ":" in host or host.replace(".", "").isdigit() else host

    def need_dns_servers(self) -> tuple[str, ...]:
        """The VNet's own DNS servers. Raises NotApplicable where the site file lists none."""
        if not self.site.dns_servers:
            raise NotApplicable("the site file lists no dns_servers: the VNet asks Azure's DNS")
        return self.site.dns_servers

    def need_stub_domains(self) -> tuple[StubDomain, ...]:
        """Zones that CoreDNS sends elsewhere. Raises NotApplicable where the site file has none."""
        if not self.site.stub_domains:
            raise NotApplicable("the site file lists no stub_domains that CoreDNS sends elsewhere")
        return self.site.stub_domains

    def need_zones(self) -> None:
        """Raise NotApplicable where trafficDistribution says nothing here.

        That is with nodes in one zone, or none, and before Kubernetes 1.31 (KEP-4444).
        """
        if len({node.zone for node in self.nodes if node.zone}) < 2:
            raise NotApplicable(
                "the nodes that take part are not in several zones (topology.kubernetes.io/zone)"
            )
        version = self.profile.get("kubernetes-version") or ""
        numbers = version.removeprefix("v").split(".")[:2]
        if all(map(str.isdigit, numbers)) and tuple(map(int, numbers)) < (1, 31):
            raise NotApplicable(f"Kubernetes {version} has no trafficDistribution; 1.31 has it")

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

    def remove(self, pod: ProbePod) -> None:
        """End a pod that this test made for itself, before the test ends; does not wait."""
        self._scope.engine.leaves(pod.pod)
        self._scope.session.pods.delete([pod.pod])

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

    def between(self, pair: tuple[NodeRef, NodeRef]) -> PairTransfer:
        """A transfer from one node to another one and back, by their host-network pods.

        It is made when it is first judged, and kept for the other checks of this process.
        """
        scope, session = self._scope, self._scope.session
        source, target = pair

        def ends() -> Ends:
            server = self(on=target, host_network=True).pod
            sender, receiver = session.pods.warm([source, target], host_network=True)
            return Ends(sender=sender, receiver=receiver, server=server)

        names = (source.name, target.name)
        return PairTransfer(scope.engine, names, ends, session.transfers)


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
            if not internal_load_balancer:
                scope.require("public-ip")
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
            published = bool((spec or {}).get("publishNotReadyAddresses"))
            ready = {pod.ip for pod in pods if published or pod.uid not in scope.never_ready}
            objects.await_endpoints(session.cluster, made, ready)
        return self._balanced(made) if type == "LoadBalancer" else made

    def _balanced(self, made: ServiceRef) -> ServiceRef:
        """The Service once its load balancer has an address.

        Elsewhere than on Azure there may be nobody who gives one: that is waited for once only.
        """
        from pytest_aksnet.cluster import objects

        session = self._scope.session
        if session.profile.get("cloud") == "azure":
            return objects.await_load_balancer(session.cluster, made)
        if session.no_load_balancer:
            raise EnvironmentProblem(session.no_load_balancer)
        try:
            return objects.await_load_balancer(
                session.cluster, made, timeout_s=_LOAD_BALANCER_ELSEWHERE_S
            )
        except EnvironmentProblem as problem:
            session.no_load_balancer = f"nothing gives load balancers here: {problem}"
            raise

    def change(
        self,
        service: ServiceRef,
        *,
        spec: Mapping[str, object] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> ServiceRef:
        """Change a Service that this test made, by these fields of it (a JSON merge patch).

        Raises EnvironmentProblem where the cluster does not take the change.
        """
        from pytest_aksnet.cluster import objects

        session = self._scope.session
        change = {"metadata": {"annotations": dict(annotations or {})}, "spec": dict(spec or {})}
        return objects.change_service(
            session.cluster, service, change, cluster_domain=session.cluster_domain
        )

    def remove(self, service: ServiceRef) -> None:
        """Delete a Service that this test made, before the test ends."""
        from pytest_aksnet.cluster import objects

        objects.delete_service(self._scope.session.cluster, service)

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
    """A NetworkPolicy that exists until `delete`, or until the test ends.

    `manifest` is the object as it was asked for: its metadata and its spec.
    """

    namespace: str
    name: str
    delete: Callable[[], None]
    manifest: Mapping[str, Any] = field(default_factory=dict)


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
        return NetworkPolicyHandle(
            namespace=namespace,
            name=chosen,
            delete=delete,
            manifest={"metadata": {"namespace": namespace, "name": chosen}, "spec": spec},
        )


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

    def change(self, made: Json, changes: Mapping[str, Any]) -> Json:
        """Change an object that this test made, by a JSON merge patch; as it is then.

        Raises EnvironmentProblem where the cluster does not take the change.
        """
        from pytest_aksnet.cluster import manifests

        return manifests.change(self._scope.session.cluster, made, changes)

    def rollout(self, labels: Mapping[str, str], *, replicas: int = 2) -> "DeploymentRollout":
        """A Deployment of netshoot pods with these labels, for a Service that selects them.

        Its pods need not be ready yet. Raises EnvironmentProblem where it is not admitted.
        """
        from pytest_aksnet.rollouts import DeploymentRollout, deployment

        session = self._scope.session
        template = session.pods.template(labels)
        # As long as service proxies are waited for elsewhere: they may be as slow as that.
        serves_on_s = round(self._scope.engine.pacing.programming_s)
        made = self(
            deployment(
                template,
                session.nodes,
                selector=labels,
                replicas=replicas,
                serves_on_s=serves_on_s,
            ),
            namespace=template.namespace,
        )
        return DeploymentRollout(session.cluster, made, selector=labels)
