"""`ProbePod`: a pod that looks, and the verbs that suites call on it.

This module lists the verbs; one module per topic has them, or gives a class of them that ProbePod
rests on (see `looker`). Every verb returns its observation,
raises ConformanceFailure where the network does not do what is promised, and one of the
Inconclusive kinds where that could not be looked at. SettingsError means a wrong call.
"""

from collections.abc import Sequence

from pytest_aksnet.assertions import (
    dns,
    many,
    nic,
    path,
    policy,
    service,
    source_address,
    throughput,
)
from pytest_aksnet.assertions.cni import CniVerbs
from pytest_aksnet.assertions.dns_layers import DnsLayerVerbs
from pytest_aksnet.assertions.dns_records import RecordVerbs
from pytest_aksnet.assertions.dns_resolver import ResolverVerbs
from pytest_aksnet.assertions.egress import EgressVerbs
from pytest_aksnet.assertions.egress_flows import FlowVerbs
from pytest_aksnet.assertions.egress_platform import PlatformVerbs
from pytest_aksnet.assertions.egress_sources import EgressSourceVerbs
from pytest_aksnet.assertions.load_balancer import LoadBalancerVerbs
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.node_health import NodeHealthVerbs
from pytest_aksnet.assertions.node_ports import NodePortVerbs
from pytest_aksnet.assertions.pod_control import ControlPlaneVerbs
from pytest_aksnet.assertions.pod_inside import PodInsideVerbs
from pytest_aksnet.assertions.pod_inventory import ChurnVerbs
from pytest_aksnet.assertions.pod_ways import PodWayVerbs
from pytest_aksnet.assertions.policy_changes import PolicyChangeVerbs
from pytest_aksnet.assertions.policy_ways import PolicyWayVerbs
from pytest_aksnet.assertions.private_link import PrivateLinkVerbs
from pytest_aksnet.assertions.service_changes import ServiceChangeVerbs
from pytest_aksnet.assertions.service_mesh import MeshVerbs
from pytest_aksnet.assertions.service_nodes import ServiceNodeVerbs
from pytest_aksnet.assertions.service_verbs import ServiceVerbs
from pytest_aksnet.assertions.target import AnyPod, To
from pytest_aksnet.assertions.transfers import PairVerbs
from pytest_aksnet.expectations.throughput import POD_TO_HOST_SHARE
from pytest_aksnet.model.observation import Connection, DnsAnswer, NicState, Throughput
from pytest_aksnet.model.peers import NodeRef, ServiceRef
from pytest_aksnet.model.policy import Direction
from pytest_aksnet.model.probing import Batch


class ProbePod(
    ChurnVerbs,
    ControlPlaneVerbs,
    DnsLayerVerbs,
    MeshVerbs,
    EgressSourceVerbs,
    EgressVerbs,
    FlowVerbs,
    LoadBalancerVerbs,
    PrivateLinkVerbs,
    CniVerbs,
    NodeHealthVerbs,
    NodePortVerbs,
    PairVerbs,
    PlatformVerbs,
    PodInsideVerbs,
    PodWayVerbs,
    PolicyChangeVerbs,
    PolicyWayVerbs,
    RecordVerbs,
    ResolverVerbs,
    ServiceChangeVerbs,
    ServiceNodeVerbs,
    ServiceVerbs,
    Looker,
):
    """A running pod with the tools to look from it.

    `to` may be another ProbePod or PodRef, a Service, a node (with `port`), an Endpoint, or a
    pair `(host, port)`, which is taken for plain TCP.
    """

    def __repr__(self) -> str:
        """Short, as it stands in test reports."""
        return f"<ProbePod {self._pod.namespace}/{self._pod.name} on {self._pod.node}>"

    def assert_resolves(
        self,
        name: str,
        *,
        to: str | ServiceRef | Sequence[str] | None = None,
        qtype: str = "A",
        server: str = "",
    ) -> DnsAnswer:
        """The name resolves as the pod's resolv.conf says, or by asking `server`, an address.

        `to` is what it must resolve to: addresses exactly, names as aliases on the way.
        """
        return dns.assert_resolves(self._engine, self._pod, name, to=to, qtype=qtype, server=server)

    def assert_resolves_private(self, name: str) -> DnsAnswer:
        """The name resolves to private addresses only, those of the site file where it has them."""
        return dns.assert_resolves_private(self._engine, self._pod, name)

    def assert_connects(self, to: To, port: int | None = None) -> Connection:
        """The peer is reached over TCP, and over HTTP where it speaks it."""
        return path.assert_connects(self._engine, self._pod, to, port)

    def assert_reaches_all(
        self, targets: Sequence[To], *, protocol: many.Protocol = "tcp", port: int | None = None
    ) -> Batch:
        """All targets are reached, asked at once by the pod's agent; each must answer itself.

        A reflector is asked for its name. Over UDP targets are pods with a reflector, or Services
        in front of them. The failure lists the targets that were not reached, and how.
        """
        return many.assert_reaches_all(self._engine, self._pod, targets, protocol, port)

    def assert_reaches_none(
        self, targets: Sequence[AnyPod], *, protocol: many.Protocol = "tcp", port: int | None = None
    ) -> Batch:
        """A NetworkPolicy blocks all these pods, asked at once by the pod's agent.

        Silence alone counts; this pod reaches itself in the same list, and each target answers
        itself before and after. Raises ControlFailed where any of it does not hold.
        """
        return many.assert_reaches_none(self._engine, self._pod, targets, protocol, port)

    def assert_path_mtu(self, targets: Sequence[AnyPod]) -> Batch:
        """Packets as long as this pod's interface takes get to all these pods with DF set.

        Asked by ICMP echo where the pod may, else by UDP towards the pods' reflectors.
        """
        return many.assert_path_mtu(self._engine, self._pod, targets)

    def assert_source_as_promised(self, to: To, port: int | None = None) -> Connection:
        """The peer sees the source address that the cluster's network mode promises it.

        Raises FactUnknown where the mode, or the ranges of the virtual network, are not known.
        """
        return source_address.assert_source_as_promised(self._engine, self._pod, to, port)

    def assert_no_snat(self, to: To, port: int | None = None) -> Connection:
        """The peer sees the pod's own address, whatever the mode promises."""
        return source_address.assert_no_snat(self._engine, self._pod, to, port)

    def assert_snat(
        self,
        to: To,
        source: NodeRef | str | Sequence[str] | None = None,
        *,
        port: int | None = None,
    ) -> Connection:
        """The peer sees `source`: a node (any address of it) or addresses.

        By default the pod's node, or for a public peer the known egress addresses, or, where
        they are not known, any address but the pod's.
        """
        return source_address.assert_snat(self._engine, self._pod, to, source, port)

    def assert_policy_blocks(
        self,
        to: To,
        port: int | None = None,
        control: To | None = None,
        *,
        witness: AnyPod | None = None,
        direction: Direction | None = None,
    ) -> Connection:
        """A NetworkPolicy blocks the connection, in the way that the engine is known to block.

        The same pod must have connected to the same peer earlier in the test, or reach `control`
        now. A peer that is no pod needs a `witness`: a pod that no policy selects and that
        reaches the peer now. `direction` is what the policy restricts, for the message. Raises
        ControlFailed where any of it does not hold.
        """
        return policy.assert_policy_blocks(
            self._engine,
            self._pod,
            to,
            port,
            control=control,
            witness=witness,
            direction=direction,
        )

    def assert_policy_allows(self, to: To, port: int | None = None) -> Connection:
        """What the policies allow is reached, once the engine has converged."""
        return policy.assert_policy_allows(self._engine, self._pod, to, port)

    def assert_external_cluster(
        self, via: NodeRef | str, port: int, serving: Sequence[AnyPod]
    ) -> Connection:
        """Through a node's port or a load balancer's address, externalTrafficPolicy Cluster.

        Any of the pods `serving` answers, and sees an address of the node that was entered.
        """
        return service.assert_external_cluster(self._engine, self._pod, via, port, serving)

    def assert_external_local(
        self, via: NodeRef | str, port: int, serving: Sequence[AnyPod]
    ) -> Connection:
        """Through a node's port or a load balancer's address, externalTrafficPolicy Local.

        Of the pods `serving`, one on the node that was entered answers and sees this client.
        """
        return service.assert_external_local(self._engine, self._pod, via, port, serving)

    def assert_external_local_drops(self, via: NodeRef, port: int, control: NodeRef) -> Connection:
        """A node without endpoint drops what enters its port, while `control` with one serves.

        Both must be other nodes than this pod's.
        """
        return service.assert_external_local_drops(self._engine, self._pod, via, port, control)

    def assert_internal_local(
        self, service_ref: ServiceRef, serving: Sequence[AnyPod]
    ) -> Connection:
        """internalTrafficPolicy Local: of the pods `serving`, one on this node answers."""
        return service.assert_internal_local(self._engine, self._pod, service_ref, serving)

    def assert_internal_local_drops(
        self, service_ref: ServiceRef, serving: Sequence[AnyPod], witness: AnyPod
    ) -> Connection:
        """internalTrafficPolicy Local: this node without endpoint does not serve.

        The pods `serving` answer directly, and `witness`, a pod next to one of them, is served.
        """
        return service.assert_internal_local_drops(
            self._engine, self._pod, service_ref, serving, witness
        )

    def assert_health_check(self, node: NodeRef, port: int, status: int) -> Connection:
        """The health check port of a Service answers 200 on a node with an endpoint, else 503."""
        return service.assert_health_check(self._engine, self._pod, node, port, status)

    def assert_throughput_gbps(
        self, to: AnyPod, at_least: float | None = None, *, hosts: Sequence[AnyPod] = ()
    ) -> Throughput:
        """TCP to an iperf pod reaches `at_least` Gbit/s.

        By default a share of what is documented for the nodes' sizes, or the floor of the site
        file. `hosts` are host-network pods on the two nodes: after a failure they are asked
        whether their node has its virtual function. Raises FactUnknown for an unknown size.
        """
        return throughput.assert_throughput_gbps(self._engine, self._pod, to, at_least, hosts=hosts)

    def measure_throughput(self, to: AnyPod) -> Throughput:
        """TCP to an iperf pod carries data; what it should carry is for the caller to judge."""
        return throughput.measure_throughput(self._engine, self._pod, to)

    def assert_throughput_like_host(
        self,
        to: AnyPod,
        host: Throughput,
        *,
        share: float = POD_TO_HOST_SHARE,
        hosts: Sequence[AnyPod] = (),
    ) -> Throughput:
        """TCP between pods reaches a share of what `host`, a run between their nodes, reached."""
        return throughput.assert_throughput_like_host(
            self._engine, self._pod, to, host, share=share, hosts=hosts
        )

    def assert_vf_present(self) -> NicState:
        """The node of this host-network pod has a virtual function below its interface."""
        return nic.assert_vf_present(self._engine, self._pod)

    def assert_vf_used(self, to: AnyPod) -> NicState:
        """Nearly all packets of a transfer to an iperf pod go through the virtual function."""
        return nic.assert_vf_used(self._engine, self._pod, to)
