"""Verbs about what the agents of a node answer, for a host-network pod on that node."""

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.node_health import require_host_network
from pytest_aksnet.assertions.nodes import node_named
from pytest_aksnet.check import Control
from pytest_aksnet.expectations import node_ports
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import Connection, HttpText
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.probes.http_text import GetText
from pytest_aksnet.probes.nc import Nc

_LOOPBACK = "127.0.0.1"


class NodePortVerbs(Looker):
    """Of ProbePod: kube-proxy and the kubelet of its node."""

    def assert_service_proxy_mode(self) -> HttpText:
        """kube-proxy of this host-network pod's node runs in the mode of the network profile.

        Raises NotApplicable where there is no kube-proxy, FactUnknown where no mode is known.
        """
        pod = require_host_network(self.pod)
        wanted = self._engine.profile.need("kube-proxy-mode")
        if wanted == "none":
            source = self._engine.profile.facts["kube-proxy-mode"].source
            raise NotApplicable(f"there is no kube-proxy in this cluster ({source})")
        return self._engine.converge(
            pod,
            GetText(host=_LOOPBACK, port=node_ports.PROXY_PORT, path="/proxyMode"),
            lambda seen: node_ports.judge_mode(seen, wanted, node=pod.node),
        )

    def assert_serves_services(self, kubernetes: ServiceRef) -> Connection:
        """A process on this host-network pod's node gets to the Service `kubernetes`.

        It must get to the API server's own address as well, or nothing is proven (ControlFailed).
        """
        pod = require_host_network(self.pod)
        engine = self._engine
        endpoints = engine.view.endpoints(kubernetes)
        if not endpoints:
            raise FactUnknown("the Service kubernetes has no endpoint, so it leads nowhere")
        wait = engine.pacing.connect_timeout_s
        server = Nc(host=endpoints[0].ip, port=endpoints[0].port, connect_timeout_s=wait)
        what = f"node {pod.node} gets to the API server itself"
        engine.hold([Control(what=what, pod=pod, probe=server)])
        return engine.converge(
            pod,
            Nc(host=kubernetes.cluster_ip, port=kubernetes.port, connect_timeout_s=wait),
            lambda seen: node_ports.judge_rules(seen, node=pod.node),
        )

    def assert_read_only_port_closed(self) -> Connection:
        """Nothing listens at port 10255 of this host-network pod's node.

        Its port 10250 must take connections, or nothing is proven (ControlFailed).
        """
        pod = require_host_network(self.pod)
        engine, ip = self._engine, node_named(self._engine, pod.node).ip
        wait = engine.pacing.connect_timeout_s
        kubelet = Nc(host=ip, port=node_ports.KUBELET_PORT, connect_timeout_s=wait)
        engine.hold([Control(what=f"the kubelet of {pod.node} listens", pod=pod, probe=kubelet)])
        return engine.converge(
            pod,
            Nc(host=ip, port=node_ports.READ_ONLY_PORT, connect_timeout_s=wait),
            lambda seen: node_ports.judge_read_only_port(seen, node=pod.node),
            patience_s=0.0,
        )

    def assert_kubelet_wants_credentials(self) -> HttpText:
        """The kubelet of this host-network pod's node refuses a request without credentials."""
        pod = require_host_network(self.pod)
        ip = node_named(self._engine, pod.node).ip
        probe = GetText(host=ip, port=node_ports.KUBELET_PORT, path="/pods", scheme="https")
        return self._engine.converge(
            pod,
            probe,
            lambda seen: node_ports.judge_credentials(seen, node=pod.node),
            patience_s=0.0,
        )
