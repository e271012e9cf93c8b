"""Many flows at once, and silent ones, on their way to the internet."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(id="egress.snat-burst", feature="egress", severity="major")
def test_snat_burst(netshoot: NetshootFactory, aks: Aks) -> None:
    """Many connections at once to one destination are open together, and again after closing.

    Why: each node has its share of SNAT ports for a destination; when it is used up new
    connections hang, which looks like a broken destination.

    Remedy: raise allocatedOutboundPorts or add outbound IPs (`az aks update
    --load-balancer-outbound-ports`), or use a NAT gateway; look at the metric SnatConnectionCount.
    """
    pod = netshoot()
    pod.assert_burst(aks.site.need_internet())
    pod.assert_burst(aks.site.need_internet())


@pytest.mark.aksnet(id="egress.idle-connection", feature="egress", severity="minor")
def test_idle_connection(netshoot: NetshootFactory, aks: Aks) -> None:
    """A connection to the internet that is silent for a while still carries data afterwards.

    Why: Azure keeps idle flows for 4 minutes or more; where something forgets them sooner, pooled
    connections and long requests die.

    Remedy: look at the idle time-out of the outbound rule, the NAT gateway and the firewall, and
    let clients send TCP keep-alives.
    """
    netshoot().assert_lives_idle(aks.site.need_internet())
