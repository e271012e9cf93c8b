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
    """With externalTrafficPolicy Cluster every node serves, and backends see the entered node."""
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
    """With externalTrafficPolicy Local the backend sees the client's own address."""
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
    """With externalTrafficPolicy Local a node without a backend does not serve."""
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
    """The health check port tells load balancers which nodes have a backend and which have not."""
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
