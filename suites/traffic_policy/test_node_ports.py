"""Node ports, as pods of all nodes use them at all nodes."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory


@pytest.mark.aksnet(id="traffic-policy.node-port", feature="traffic-policy", severity="critical")
def test_node_port(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A node port is served at the address of every node, to pods of every node.

    Why: load balancers and clients outside pick any node; one that does not serve loses its share.

    Remedy: at the node that is named look at KUBE-NODEPORTS (or `nft list map ip kube-proxy
    service-nodeports`), --nodeport-addresses of kube-proxy, and the subnet's security group.
    """
    backends = netshoot.on_each(aks.nodes[:1], labels={"app": "node-port"})
    served = service(backends, type="NodePort")
    for client in netshoot.on_each(aks.nodes):
        client.assert_served(served, backends, via=aks.nodes)


@pytest.mark.aksnet(id="traffic-policy.node-port-udp", feature="traffic-policy", severity="major")
def test_node_port_udp(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A node port is served over UDP at the address of every node, to pods of every node.

    Why: load balancers do not probe UDP, so a node that does not serve it stays in their pool.

    Remedy: as for TCP; compare the UDP rules of the node that is named with those of another one.
    """
    backends = netshoot.on_each(aks.nodes[:1], labels={"app": "node-port-udp"})
    spec = {"ports": [{"port": 80, "targetPort": backends[0].pod.port, "protocol": "UDP"}]}
    served = service(backends, type="NodePort", spec=spec)
    for client in netshoot.on_each(aks.nodes):
        client.assert_served(served, backends, via=aks.nodes, protocol="udp")


@pytest.mark.aksnet(
    id="traffic-policy.node-port-on-nodes-only", feature="traffic-policy", severity="minor"
)
def test_node_port_on_nodes_only(
    netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """A node port answers at addresses of nodes only: not at the cluster address, not at the pod.

    Why: what answers where it should not is not covered by the rules for node ports.

    Remedy: look at the service proxy of the node that is named; see whether the pod itself
    listens at that port (`kubectl exec POD -- ss -tln`).
    """
    backend = netshoot(labels={"app": "node-port-on-nodes-only"})
    served = service([backend], type="NodePort")
    closed = [(served.cluster_ip, served.node_port), (backend.pod.ip, served.node_port)]
    for client in netshoot.on_each(aks.nodes):
        client.assert_closed(served, [backend], closed, via=aks.nodes)


@pytest.mark.aksnet(id="traffic-policy.proxy-healthy", feature="traffic-policy", severity="major")
def test_proxy_healthy(netshoot: NetshootFactory, aks: Aks) -> None:
    """The service proxy of every node says that it is alive and has applied all changes.

    Why: a proxy that stopped goes on serving what it knew, so it is missed only at the next change;
    load balancers of AKS ask the same port to drain nodes.

    Remedy: `kubectl -n kube-system logs -l component=kube-proxy --prefix` (or of cilium) for the
    node that is named; `kubectl delete pod` restarts it.
    """
    netshoot().assert_proxies_healthy(aks.nodes)
