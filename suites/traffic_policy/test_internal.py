"""Services as pods use them: cluster addresses, hairpin, internal traffic policy."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="traffic-policy.cluster-ip", feature="traffic-policy", severity="critical")
def test_cluster_ip(
    node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """A Service's cluster address is served from every node, and backends see the client pod.

    Why: nearly all traffic between workloads goes to cluster addresses, and policies and logs of
    the backends go by the client's address.

    Remedy: look at the service proxy of the node that is named: `kubectl -n kube-system get pods
    -o wide` (kube-proxy or cilium) and its log. A masqueraded source comes from
    --masquerade-all, or from a pod range that kube-proxy does not know (--cluster-cidr).
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "cluster-ip"})
    netshoot(on=node).assert_no_snat(service(backends))


@pytest.mark.aksnet(
    id="traffic-policy.cluster-ip-udp", feature="traffic-policy", severity="critical"
)
def test_cluster_ip_udp(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A Service's cluster address is served over UDP from every node, backends see the client.

    Why: DNS, metrics and media use UDP, for which proxies have rules and flows of their own.

    Remedy: compare the UDP rules of the node that is named with those of another one
    (`iptables-save | grep -w udp`, `nft list table ip kube-proxy`, `cilium service list`).
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "cluster-ip-udp"})
    served = service(backends, udp=True)
    for client in netshoot.on_each(aks.nodes):
        client.assert_served(served, backends, protocol="udp", sees_client=True)


@pytest.mark.aksnet(
    id="traffic-policy.cluster-ip-from-node",
    feature="traffic-policy",
    severity="major",
    needs=("host-network",),
)
def test_cluster_ip_from_node(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A Service's cluster address is served to the processes of every node itself.

    Why: kubelets, webhooks' clients and agents in the host network use Services as well, by other
    rules (OUTPUT instead of PREROUTING) and with a masqueraded source.

    Remedy: on the node that is named look at the OUTPUT chain of table nat (`iptables -t nat -S
    OUTPUT`), and with Cilium at the socket load balancer (`cilium status --verbose`).
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "cluster-ip-from-node"})
    served = service(backends)
    for client in netshoot.on_each(aks.nodes, host_network=True):
        client.assert_served(served, backends)


@pytest.mark.aksnet(id="traffic-policy.hairpin", feature="traffic-policy", severity="minor")
def test_hairpin(node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """A pod reaches itself through the Service whose only backend it is, on every node.

    Why: workloads of several replicas call each other by their Service, and every so often the
    answerer is the caller.

    Remedy: see that the pod's traffic to itself is masqueraded (KUBE-MARK-MASQ in its KUBE-SEP
    chain) and, with a bridge (kubenet), that the port of the pod has hairpin mode.
    """
    pod = netshoot(on=node, labels={"app": "hairpin"})
    pod.assert_connects(service([pod]))


@pytest.mark.aksnet(id="traffic-policy.internal-local", feature="traffic-policy", severity="major")
def test_internal_local(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory, service: ServiceFactory
) -> None:
    """With internalTrafficPolicy Local only a backend on the client's own node serves.

    Why: agents of a node (logs, metrics, caches) rely on not being answered by another node's.

    Remedy: `kubectl get service NAME -o yaml` for the policy, `kubectl get endpointslices -o yaml`
    for the node of each endpoint; then the service proxy of the node that is named.
    """
    without, with_backend = node_pair
    backend = netshoot(on=with_backend, labels={"app": "internal-local"})
    local = service([backend], internal_traffic_policy="Local")
    neighbour = netshoot(on=with_backend)
    neighbour.assert_internal_local(local, [backend])
    netshoot(on=without).assert_internal_local_drops(local, [backend], neighbour)
