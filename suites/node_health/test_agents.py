"""What kube-proxy and the kubelet of every node answer, seen from host-network pods on the node."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="node-health.service-proxy-mode",
    feature="node-health",
    severity="major",
    needs=("host-network",),
)
def test_service_proxy_mode(aks: Aks, netshoot: NetshootFactory) -> None:
    """kube-proxy runs in the configured mode on every node.

    Why: kube-proxy falls back to iptables where a kernel lacks what its mode needs, and a node that
    was not restarted keeps the old mode, so that nodes treat Services in different ways.

    Remedy: the log of kube-proxy on the node (`kubectl logs -n kube-system -l k8s-app=kube-proxy`)
    says why; restart its DaemonSet after a change of the mode.
    """
    for host in netshoot.on_each(aks.nodes, host_network=True):
        host.assert_service_proxy_mode()


@pytest.mark.aksnet(
    id="node-health.service-rules",
    feature="node-health",
    severity="critical",
    needs=("host-network", "kubernetes-service"),
)
def test_service_rules(aks: Aks, netshoot: NetshootFactory) -> None:
    """The rules for Services are in place on every node: its own processes use one.

    Why: without the rules no pod of the node gets to DNS or to any Service, while the node is Ready
    and pods reach each other by their addresses.

    Remedy: restart kube-proxy, or cilium, on the node and read its log; `iptables-save` or
    `nft list ruleset` on the node shows whether another program flushed the rules.
    """
    kubernetes = aks.service("default", "kubernetes")
    for host in netshoot.on_each(aks.nodes, host_network=True):
        host.assert_serves_services(kubernetes)


@pytest.mark.aksnet(
    id="node-health.read-only-port-closed",
    feature="node-health",
    severity="major",
    needs=("host-network",),
)
def test_read_only_port_closed(aks: Aks, netshoot: NetshootFactory) -> None:
    """The kubelet of no node serves its read-only port 10255.

    Why: whoever reaches that port, every pod by default, reads the specs of all pods of the node
    and what stands in them, without any credentials.

    Remedy: readOnlyPort must be 0 in the kubelet's configuration; AKS sets it so, thus find who
    changed it (`kubectl get --raw /api/v1/nodes/NAME/proxy/configz`) and reimage the node.
    """
    for host in netshoot.on_each(aks.nodes, host_network=True):
        host.assert_read_only_port_closed()


@pytest.mark.aksnet(
    id="node-health.kubelet-credentials",
    feature="node-health",
    severity="critical",
    needs=("host-network",),
)
def test_kubelet_credentials(aks: Aks, netshoot: NetshootFactory) -> None:
    """The kubelet of every node refuses requests without credentials.

    Why: who may ask a kubelet without credentials may run commands in every pod of the node.

    Remedy: authentication.anonymous.enabled must be false in the kubelet's configuration; AKS sets
    it so, thus find who changed it and reimage the node.
    """
    for host in netshoot.on_each(aks.nodes, host_network=True):
        host.assert_kubelet_wants_credentials()
