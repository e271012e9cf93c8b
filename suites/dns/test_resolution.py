"""The way from a pod to the cluster's DNS and on to the names of the world."""

import pytest

from pytest_aksnet.assertions.dns_lists import Question
from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="dns.external-names", feature="dns", severity="critical")
def test_external_names(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """Names outside the cluster resolve from every node.

    Why: images, registries, databases and Azure's own APIs are found by such names.

    Remedy: the diagnosis names the layer; see the forward line of ConfigMap coredns, the DNS
    servers of the virtual network, and rules for port 53 to 168.63.129.16.
    """
    for name in aks.external_names():
        netshoot(on=node).assert_resolves(f"{name}.")


@pytest.mark.aksnet(id="dns.external-names-tcp", feature="dns", severity="major")
def test_external_names_by_tcp(netshoot: NetshootFactory, aks: Aks) -> None:
    """Names outside the cluster resolve over TCP as well, from every node.

    Why: CoreDNS asks its upstream by the protocol that it was asked by, so long answers of the
    world come only where TCP passes all the way.

    Remedy: allow TCP to port 53 wherever UDP is allowed: network security groups, firewalls,
    network policies, and the virtual network's own DNS servers.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_dns_by_tcp(f"{aks.external_names()[0]}.")


@pytest.mark.aksnet(
    id="dns.every-replica",
    feature="dns",
    severity="major",
    needs=("kubernetes-service", "coredns-endpoints"),
)
def test_every_replica(netshoot: NetshootFactory, aks: Aks) -> None:
    """Every replica of CoreDNS answers for Services when it is asked directly, by UDP and TCP.

    Why: one bad replica of two breaks every second look-up, and clients call that slow.

    Remedy: kubectl logs and kubectl delete pod for the replica that is named.
    """
    netshoot().assert_every_replica(aks.service("default", "kubernetes"))


@pytest.mark.aksnet(
    id="dns.replica-mesh",
    feature="dns",
    severity="major",
    needs=("kubernetes-service", "coredns-endpoints"),
)
def test_replica_mesh(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods on every node reach every replica of CoreDNS, by UDP and TCP.

    Why: a node that reaches only some of them has look-ups that fail now and then.

    Remedy: routes and filters between the node and the replica's node (port 53, UDP and TCP); see
    pod-network.mesh-udp for whether other pods reach each other.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_every_replica(aks.service("default", "kubernetes"))


@pytest.mark.aksnet(
    id="dns.layers",
    feature="dns",
    severity="major",
    needs=("kubernetes-service", "coredns-endpoints", "host-network"),
)
def test_layers(netshoot: NetshootFactory, aks: Aks) -> None:
    """Each part of DNS answers every node: upstream, node, CoreDNS, its Service, the pod's server.

    Why: a name passes all of them; the first that is broken is the one to mend.

    Remedy: mend the layer that the failure names; those behind it were asked before and are well.
    """
    api, external = aks.service("default", "kubernetes"), aks.known_external_names()
    hosts = netshoot.on_each(aks.nodes, host_network=True, spec={"dnsPolicy": "Default"})
    for pod, host in zip(netshoot.on_each(aks.nodes), hosts, strict=True):
        pod.assert_layers(api, external, host=host)


@pytest.mark.aksnet(
    id="dns.api-server-name", feature="dns", severity="critical", needs=("host-network",)
)
def test_api_server_name(netshoot: NetshootFactory, aks: Aks) -> None:
    """The API server's name resolves as each node itself does it, and in pods.

    Why: kubelets find the API server by it; where it does not resolve nodes get NotReady.

    When: the kubeconfig, or api_server in the site file, has a name and not an address.

    Remedy: link the private zone (privatelink.REGION.azmk8s.io) to the virtual network; its own
    DNS servers must forward that zone to 168.63.129.16.
    """
    name = f"{aks.need_api_server_name()}."
    nodes = netshoot.on_each(aks.nodes, host_network=True, spec={"dnsPolicy": "Default"})
    for pod in (*nodes, *netshoot.on_each(aks.nodes)):
        pod.assert_answers([Question(name=name)], what="the API server's name")


@pytest.mark.aksnet(id="dns.custom-servers-agree", feature="dns", severity="major")
def test_custom_servers_agree(netshoot: NetshootFactory, aks: Aks) -> None:
    """The virtual network's own DNS servers all answer, and say the same.

    Why: which of them is asked is chance, so a private endpoint is public now and then where one
    of them does not forward its zone to 168.63.129.16.

    When: the site file lists dns_servers.

    Remedy: give every server the same conditional forwarders, or replace the one that is silent.
    """
    servers = aks.need_dns_servers()
    private = [entry.name for entry in aks.site.private_names]
    netshoot().assert_servers_agree(servers, aks.external_names(), private=private)


@pytest.mark.aksnet(id="dns.stub-domains", feature="dns", severity="major")
def test_stub_domains(netshoot: NetshootFactory, aks: Aks) -> None:
    """Names of zones that coredns-custom sends elsewhere resolve as the site says, on every node.

    Why: what runs on premises is found by such names, and CoreDNS forwards them apart from others.

    When: the site file lists stub_domains.

    Remedy: see the server block of the zone in ConfigMap coredns-custom, and whether CoreDNS pods
    reach the DNS servers that it forwards to.
    """
    for pod in netshoot.on_each(aks.nodes):
        for stub in aks.need_stub_domains():
            pod.assert_resolves(f"{stub.name}.", to=stub.addresses)
