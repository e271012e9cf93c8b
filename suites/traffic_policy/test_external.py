"""Services as clients outside the cluster use them, shown on node ports from other nodes.

A host-network pod on another node stands for the client: the service proxy of the node that is
entered treats it as any client from outside.
"""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="traffic-policy.external-cluster",
    feature="traffic-policy",
    severity="critical",
    needs=("host-network", "two-nodes"),
)
def test_external_cluster(
    node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """With externalTrafficPolicy Cluster every node serves, and backends see the entered node.

    Why: load balancers send to any node under this policy, so one that does not serve loses its
    share of all requests.

    Remedy: look at the rules of the node that is named (`iptables -t nat -S KUBE-NODEPORTS`, `nft
    list map ip kube-proxy service-nodeports`) and at the security group for node ports.
    """
    elsewhere = aks.other_nodes(node)
    backend = netshoot(on=elsewhere[0], labels={"app": "external-cluster"})
    node_port = service([backend], type="NodePort", external_traffic_policy="Cluster").node_port
    client = netshoot(on=elsewhere[-1], host_network=True)
    client.assert_external_cluster(node, node_port, [backend])


@pytest.mark.aksnet(
    id="traffic-policy.external-local-source",
    feature="traffic-policy",
    severity="critical",
    needs=("host-network", "two-nodes"),
)
def test_external_local_source(
    node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """With externalTrafficPolicy Local the backend sees the client's own address.

    Why: allow lists, rate limits and logs by client address rest on it.

    Remedy: see that nothing masquerades before the pod: the rules of the node that is named, and
    nonMasqueradeCIDRs (`kubectl -n kube-system get configmap -l component=ip-masq-agent -o yaml`).
    """
    backend = netshoot(on=node, labels={"app": "external-local"})
    node_port = service([backend], type="NodePort", external_traffic_policy="Local").node_port
    client = netshoot(on=aks.other_nodes(node)[0], host_network=True)
    client.assert_external_local(node, node_port, [backend])


@pytest.mark.aksnet(
    id="traffic-policy.external-local-drops",
    feature="traffic-policy",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_external_local_drops(
    node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """With externalTrafficPolicy Local a node without a backend does not serve.

    Why: load balancers take such a node out by its health check; if it served all the same,
    sources and costs were not what the policy promises.

    Remedy: `kubectl get service NAME -o yaml` for the policy; then the service proxy of the node
    that is named, which has no rule where it refuses.
    """
    elsewhere = aks.other_nodes(node)
    backend = netshoot(on=elsewhere[0], labels={"app": "external-local"})
    node_port = service([backend], type="NodePort", external_traffic_policy="Local").node_port
    client = netshoot(on=elsewhere[-1], host_network=True)
    client.assert_external_local_drops(node, node_port, control=elsewhere[0])


@pytest.mark.aksnet(
    id="traffic-policy.health-check-port",
    feature="traffic-policy",
    severity="major",
    needs=("host-network", "load-balancer"),
)
def test_health_check_port(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory, service: ServiceFactory
) -> None:
    """The health check port tells load balancers which nodes have a backend and which have not.

    Why: a load balancer sends nothing to a node that does not say 200, and loses what it sends to
    one that says so wrongly.

    Remedy: on the node that is named see who listens at the port (`ss -tlnp`), and whether a host
    firewall or a security group drops what comes from 168.63.129.16.
    """
    without, with_backend = node_pair
    backend = netshoot(on=with_backend, labels={"app": "health-check"})
    port = service(
        [backend],
        type="LoadBalancer",
        external_traffic_policy="Local",
        internal_load_balancer=True,
    ).health_check_node_port
    client = netshoot(on=without, host_network=True)
    client.assert_health_check(with_backend, port, 200)
    client.assert_health_check(without, port, 503)


@pytest.mark.aksnet(
    id="traffic-policy.health-check-nodes",
    feature="traffic-policy",
    severity="major",
    needs=("load-balancer",),
)
def test_health_check_nodes(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """The nodes whose health check port says 200 are exactly those with a ready backend.

    Why: the set that the load balancer uses is what these answers say, all nodes together.

    Remedy: compare `kubectl get endpointslices -o wide` with what each node answers at /healthz of
    the Service's healthCheckNodePort; look at the service proxy of the node that is named.
    """
    backends = netshoot.on_each(aks.nodes[::2], labels={"app": "health-check-nodes"})
    local = service(
        backends,
        type="LoadBalancer",
        external_traffic_policy="Local",
        internal_load_balancer=True,
    )
    netshoot().assert_health_ports(local, aks.nodes, backends)


@pytest.mark.aksnet(
    id="traffic-policy.external-local-udp",
    feature="traffic-policy",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_external_local_udp(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """With externalTrafficPolicy Local the backend sees the client's own address over UDP too.

    Why: game, media and syslog servers tell clients apart by their address alone.

    Remedy: as for TCP: look for a masquerade rule that matches before the pod is reached.
    """
    backend = netshoot(labels={"app": "external-local-udp"})
    spec = {"ports": [{"port": 80, "targetPort": backend.pod.port, "protocol": "UDP"}]}
    local = service([backend], type="NodePort", external_traffic_policy="Local", spec=spec)
    entered = aks.node(backend.pod.node)
    for client in netshoot.on_each(aks.other_nodes(entered), host_network=True):
        client.assert_served(local, [backend], via=[entered], protocol="udp", sees_client=True)
