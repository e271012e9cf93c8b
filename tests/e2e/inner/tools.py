"""Checks that need one tool each. Run as a copy below a temporary directory."""

import pytest

from pytest_aksnet.factories import Aks, IperfFactory, NetshootFactory


@pytest.mark.aksnet(id="tools.curl", feature="pod-network", severity="major")
def test_curl(netshoot: NetshootFactory, aks: Aks) -> None:
    """A pod reaches another one over HTTP."""
    source, target = netshoot.on_each(aks.nodes[:2])
    source.assert_connects(target)


@pytest.mark.aksnet(id="tools.nc", feature="pod-network", severity="major")
def test_nc(netshoot: NetshootFactory, aks: Aks) -> None:
    """A pod reaches the API server over TCP."""
    api = aks.service("default", "kubernetes")
    netshoot().assert_connects((api.cluster_ip, 443))


@pytest.mark.aksnet(id="tools.dig", feature="dns", severity="major")
def test_dig(netshoot: NetshootFactory, aks: Aks) -> None:
    """A name resolves."""
    netshoot().assert_resolves(aks.service("default", "kubernetes").fqdn)


@pytest.mark.aksnet(id="tools.curl-for-deny", feature="network-policy", severity="major")
def test_curl_for_deny(netshoot: NetshootFactory, aks: Aks) -> None:
    """What nothing blocks is said to be blocked, with a control."""
    source, target = netshoot.on_each(aks.nodes[:2])
    source.assert_policy_blocks(target, control=target)


@pytest.mark.aksnet(id="tools.ethtool", feature="accelerated-networking", severity="major")
def test_ethtool(netshoot: NetshootFactory) -> None:
    """A node has a virtual function."""
    netshoot(host_network=True).assert_vf_present()


@pytest.mark.aksnet(id="tools.iperf3", feature="accelerated-networking", severity="major")
def test_iperf3(netshoot: NetshootFactory, iperf: IperfFactory, aks: Aks) -> None:
    """Two pods carry data."""
    netshoot().measure_throughput(iperf(on=aks.nodes[1]))
