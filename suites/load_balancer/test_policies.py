"""Who gets through a frontend, to which nodes, and which source address pods see."""

import pytest

from pytest_aksnet.assertions.outside_client import Outside
from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory


@pytest.mark.aksnet(
    id="load-balancer.every-node-enters",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer",),
)
def test_every_node_enters(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """With externalTrafficPolicy Cluster the load balancer sends to every node.

    Why: A node that is missing in the backend pool, or whose health probe fails, leaves its share
    to the others; with two of three nodes out nobody notices until the last one goes.

    Remedy: Look at the backend pool `kubernetes` (`az network lb address-pool show`) and at the
    health of each node (metric DipAvailability by backend). Probes come from 168.63.129.16 to the
    node port: network security groups, the node's firewall and kube-proxy must let them in.
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "every-node"})
    cluster = service(
        backends,
        type="LoadBalancer",
        internal_load_balancer=True,
        external_traffic_policy="Cluster",
    )
    outside.in_vnet.assert_every_node_enters(cluster, aks.nodes, backends)


@pytest.mark.aksnet(
    id="load-balancer.local-source",
    feature="load-balancer",
    severity="critical",
    needs=("load-balancer",),
)
def test_local_source(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """With externalTrafficPolicy Local pods see the address of the client.

    Why: Access lists, rate limits and audit logs of applications go by that address; masqueraded,
    all clients look like one node.

    Remedy: See that the Service has externalTrafficPolicy Local and that no other masquerade rule
    takes its traffic: `iptables-save -t nat` on the node, azure-ip-masq-agent's ConfigMap.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "local-source"})
    local = service(
        [backend],
        type="LoadBalancer",
        internal_load_balancer=True,
        external_traffic_policy="Local",
    )
    outside.in_vnet.assert_source_kept(local, [backend])


@pytest.mark.aksnet(
    id="load-balancer.every-backend-serves",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer",),
)
def test_every_backend_serves(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """With externalTrafficPolicy Local the load balancer sends to each node that has an endpoint.

    Why: A node that is left out has pods that are Ready and get nothing: the others carry the load.

    Remedy: On each node `curl http://localhost:PORT/healthz` with the Service's healthCheckNodePort
    must say 200 where it has an endpoint. Where it does, look at the backend pool and at what may
    drop probes from 168.63.129.16.
    """
    backends = netshoot.on_each(aks.nodes[:4], labels={"app": "every-backend"})
    local = service(
        backends,
        type="LoadBalancer",
        internal_load_balancer=True,
        external_traffic_policy="Local",
    )
    outside.in_vnet.assert_every_backend_serves(local, backends)


@pytest.mark.aksnet(
    id="load-balancer.source-ranges",
    feature="load-balancer",
    severity="critical",
    needs=("load-balancer", "service-change"),
)
def test_source_ranges(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """loadBalancerSourceRanges lets in the clients that it has, and nobody else.

    Why: It is the only fence of many Services; where it does not hold, whoever has a way to the
    frontend gets in.

    Remedy: Look for a rule of the network security group that allows more with a higher priority
    than those of the cloud provider (`az network nsg rule list`), and at the rules of the service
    proxy on the nodes. `azure-allowed-ip-ranges` changes the network security group alone.
    """
    client, backend = outside.in_vnet, netshoot(on=aks.nodes[-1], labels={"app": "source-ranges"})
    own, nobody = (
        {"loadBalancerSourceRanges": ranges} for ranges in (client.ranges(), ["192.0.2.0/24"])
    )
    fenced, control = (
        service([backend], type="LoadBalancer", internal_load_balancer=True, spec=own)
        for _ in range(2)
    )
    for allowed in (fenced, control):
        client.assert_frontend(allowed, [backend])
    service.change(fenced, spec=nobody)
    client.assert_not_allowed(fenced, control)
