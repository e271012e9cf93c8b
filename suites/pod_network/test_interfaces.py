"""What pods have inside: their own addresses, the length of packets, and the way out."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="pod-network.loopback", feature="pod-network", severity="major")
def test_loopback(aks: Aks, netshoot: NetshootFactory) -> None:
    """A pod reaches itself by its own address and by 127.0.0.1, on every node.

    Why: Containers of a pod talk over localhost, sidecars above all, and programs register and call
    their own address.

    Remedy: `kubectl exec POD -- ip address show lo` must show the interface up; the runtime sets it
    up by the CNI plugin loopback in /opt/cni/bin.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_reaches_itself()


@pytest.mark.aksnet(id="pod-network.interface-mtu", feature="pod-network", severity="major")
def test_interface_mtu(aks: Aks, netshoot: NetshootFactory) -> None:
    """The interfaces of pods have the MTU that the network mode promises, on all nodes.

    Why: A smaller MTU on some nodes costs throughput, and packets that are too long for the other
    end of a connection are lost where nobody tells.

    Remedy: Look for `mtu` in /etc/cni/net.d of the named node, and for an agent that changes
    interfaces; reimage the node.
    """
    first, *others = netshoot.on_each(aks.nodes)
    first.assert_mtu_like(others)


@pytest.mark.aksnet(
    id="pod-network.default-route",
    feature="pod-network",
    severity="critical",
    needs=("two-nodes",),
)
def test_default_route(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """A pod has a default route, and by it reaches pods of other nodes.

    Why: All that a pod sends beyond its own interface takes this route.

    Remedy: `kubectl exec POD -- ip route` on the named node; with azure-vnet the gateway is
    169.254.1.1 with a static neighbour. A secondary network (Multus) can take the route away.
    """
    pod = netshoot(on=node)
    pod.assert_default_route()
    pod.assert_reaches_any(netshoot.on_each(aks.other_nodes(node)))


@pytest.mark.aksnet(
    id="pod-network.received-mss", feature="pod-network", severity="minor", needs=("two-nodes",)
)
def test_received_mss(aks: Aks, netshoot: NetshootFactory) -> None:
    """The MSS that pods of different nodes tell each other arrives as the mode has it.

    Why: A lower one shows a tunnel or a middlebox on the way, which costs throughput and often
    loses what is longer.

    Remedy: Look for encapsulation (`ip -d link` on the nodes), rules with TCPMSS or maxseg, and
    appliances between the nodes' subnets.
    """
    pods = netshoot.on_each(aks.nodes)
    for pod in pods:
        pod.assert_mss_received([other for other in pods if other is not pod])
