"""Between pods and the control plane: the API's Service, and exec and logs by the tunnel."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="pod-network.api-server",
    feature="pod-network",
    severity="critical",
    needs=("kubernetes-service", "root-ca"),
)
def test_api_server(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods of a node reach the API server at its Service, and its certificate is the cluster's.

    Why: Operators, controllers and CoreDNS itself live on this connection.

    Remedy: `kubectl get endpointslices -n default` for what stands behind the Service; then the
    service proxy of the node, authorised IP ranges, and a firewall that inspects TLS.
    """
    netshoot(on=node).assert_api_server(aks.service("default", "kubernetes"))


@pytest.mark.aksnet(
    id="pod-network.exec-tunnel", feature="pod-network", severity="major", needs=("two-nodes",)
)
def test_exec_tunnel(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """The output of a command in a pod comes back whole from every node.

    Why: exec, logs, port-forward and webhooks take the tunnel of the control plane to the node,
    which fails for single nodes while their pods run well.

    Remedy: `kubectl get pods -n kube-system -l app=konnectivity-agent`; security groups and
    firewalls must let them reach port 10250 of every node.
    """
    control = netshoot(on=aks.other_nodes(node)[0])
    netshoot(on=node).assert_exec_whole(control)


@pytest.mark.aksnet(
    id="pod-network.log-tunnel",
    feature="pod-network",
    severity="major",
    needs=("two-nodes", "pod-logs"),
)
def test_log_tunnel(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """The log of a pod can be read from every node.

    Why: It is what everybody looks at first when something is wrong.

    Remedy: As for the exec tunnel: konnectivity-agent in kube-system, and what stands between it
    and port 10250 of the node.
    """
    control = netshoot(on=aks.other_nodes(node)[0])
    netshoot(on=node).assert_logs_readable(control)
