"""Whether all who are asked for a private name say the same."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="private-link.pods-agree",
    feature="private-link",
    severity="major",
    needs=("two-nodes",),
)
def test_pods_agree(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods of all nodes get the same private addresses, and no public one over IPv6.

    Why: One node with another resolver, or with an old answer in a cache, fails for its pods alone:
    the hardest kind to find.

    Remedy: Compare /etc/resolv.conf of pods on the nodes that differ; on the node that is named
    look at LocalDNS or another cache, and restart it.
    """
    first, *others = netshoot.on_each(aks.nodes)
    first.assert_private_names_agree(others)


@pytest.mark.aksnet(
    id="private-link.replicas-agree",
    feature="private-link",
    severity="major",
)
def test_replicas_agree(netshoot: NetshootFactory, aks: Aks) -> None:
    """Every CoreDNS replica gives the same private addresses.

    Why: With one replica that differs names resolve now and then, and retries hide it for long.

    Remedy: `kubectl -n kube-system logs` and the node's /etc/resolv.conf of the replica that is
    named: it forwards to what its node had when it started. Deleting that pod makes a new one.
    """
    netshoot(on=aks.nodes[0]).assert_private_by_every_replica()


@pytest.mark.aksnet(
    id="private-link.vnet-servers-agree",
    feature="private-link",
    severity="critical",
)
def test_vnet_servers_agree(netshoot: NetshootFactory, aks: Aks) -> None:
    """Each of the VNet's own DNS servers gives the same private addresses.

    Why: Which server is asked changes with load and failover: one that does not forward the
    privatelink zones to Azure breaks names at random.

    Remedy: Each server needs a conditional forwarder to 168.63.129.16 for the public zone (such as
    blob.core.windows.net, not privatelink.*), and the private zones linked to its own VNet.
    """
    servers = aks.need_dns_servers()
    netshoot(on=aks.nodes[0]).assert_private_by_servers(servers)
