"""Azure's platform addresses: the metadata service and the wire server."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="egress.imds-as-intended",
    feature="egress",
    severity="critical",
    needs=("host-network",),
)
def test_imds_as_intended(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods of every node reach the instance metadata service where that is meant, and only there.

    Why: whoever reaches it gets tokens of the node's identities; where pods depend on it, they
    fail without.

    Remedy: IMDS restriction is a set of rules on the node, and lost until it is reimaged if they
    are flushed: `az aks nodepool upgrade --node-image-only`; otherwise set imds in the site file.
    """
    for node in aks.nodes:
        netshoot(on=node).assert_imds_as_intended(netshoot(on=node, host_network=True))


@pytest.mark.aksnet(
    id="egress.wireserver", feature="egress", severity="critical", needs=("host-network",)
)
def test_wireserver(netshoot: NetshootFactory, aks: Aks) -> None:
    """Every node reaches Azure's wire server at 168.63.129.16, TCP 80 and 32526.

    Why: without it the VM agent gets no goal state: extensions, certificates and scale operations
    hang, and the node counts as failed.

    Remedy: remove what drops 168.63.129.16: rules on the node itself, a network security group
    with the tag AzurePlatformLKM or a deny of the address, or a route to an appliance.
    """
    for pod in netshoot.on_each(aks.nodes, host_network=True):
        pod.assert_reaches_wire_server()


@pytest.mark.aksnet(
    id="egress.azure-dns", feature="egress", severity="critical", needs=("host-network",)
)
def test_azure_dns(netshoot: NetshootFactory, aks: Aks) -> None:
    """Azure DNS at 168.63.129.16 answers every node over UDP and TCP.

    Why: CoreDNS sends everything outside the cluster there, and answers that do not fit a datagram
    need TCP.

    Remedy: look for network security group rules that deny port 53 or the tag AzurePlatformDNS,
    and for rules on the node.
    """
    for pod in netshoot.on_each(aks.nodes, host_network=True):
        pod.assert_azure_dns_answers()
