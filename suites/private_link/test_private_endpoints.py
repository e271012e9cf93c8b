"""Private endpoints that the site file names, seen from pods and nodes."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="private-link.resolves-private",
    feature="private-link",
    severity="critical",
)
def test_resolves_private(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """Names with a private endpoint resolve to its private address from every node.

    Why: A name that resolves publicly sends data over the internet, or to a door that is closed;
    applications then fail, or leak, and nothing in the cluster has changed.

    Remedy: `az network private-dns link vnet list -g GROUP -z privatelink.ZONE` must show the
    cluster's VNet (or that of its DNS servers), and the zone an A record of the endpoint; a zone
    group on the private endpoint keeps it right.
    """
    for private in aks.site.need_private_names():
        netshoot(on=node).assert_resolves_private(private.name)


@pytest.mark.aksnet(id="private-link.connects", feature="private-link", severity="major")
def test_connects(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """The private endpoint behind each name accepts connections from every node.

    Why: A name that resolves rightly is no proof: a connection that waits for approval, a route to
    a firewall or a network security group on the endpoint's subnet still closes it.

    Remedy: `az network private-endpoint show` must say Approved. Then look at effective routes of
    the node's NIC (a private endpoint has a /32 route), and at network policies of its subnet.
    """
    for private in aks.site.need_private_names():
        pod = netshoot(on=node)
        for address in pod.assert_resolves_private(private.name).addresses:
            pod.assert_connects((address, private.port))


@pytest.mark.aksnet(
    id="private-link.certificates",
    feature="private-link",
    severity="critical",
)
def test_certificates(netshoot: NetshootFactory, aks: Aks) -> None:
    """Private endpoints present certificates of their names that pods of every node trust.

    Why: TLS with the public name is what tells that the right resource answers: a stale record
    leads to a stranger's endpoint, and an inspecting firewall reads what should be private.

    Remedy: `openssl s_client -connect NAME:443 -servername NAME` shows names and issuer. Another
    name: the record is stale. An issuer of your own: exempt private endpoints from TLS inspection,
    or name the authority as trusted_ca in the site file where that is meant.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_private_certificates()


@pytest.mark.aksnet(
    id="private-link.nodes-resolve",
    feature="private-link",
    severity="critical",
    needs=("host-network",),
)
def test_nodes_resolve(netshoot: NetshootFactory, aks: Aks) -> None:
    """Names with a private endpoint resolve privately on every node itself, without CoreDNS.

    Why: Kubelets pull images and mount storage by the node's own resolver: a private registry or
    share that pods can see and nodes cannot gives ImagePullBackOff and pods that do not start.

    Remedy: Compare `resolvectl status` of the nodes: a change of the VNet's DNS servers reaches
    nodes with their next restart only. The servers must forward to 168.63.129.16.
    """
    own_resolver = {"dnsPolicy": "Default"}
    for pod in netshoot.on_each(aks.nodes, host_network=True, spec=own_resolver):
        pod.assert_private_names()


@pytest.mark.aksnet(
    id="private-link.nodes-connect",
    feature="private-link",
    severity="major",
    needs=("host-network",),
)
def test_nodes_connect(netshoot: NetshootFactory, aks: Aks) -> None:
    """The private endpoint behind each name accepts connections from every node itself.

    Why: Nodes and pods may have other subnets, routes and groups: images and volumes come by the
    node's way.

    Remedy: As for pods; look at the route table and the network security group of the nodes'
    subnet, where it is another one than that of the pods.
    """
    for pod in netshoot.on_each(aks.nodes, host_network=True):
        pod.assert_endpoints_connect()
