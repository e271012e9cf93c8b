"""Frontends of load balancers, internal and public, as clients outside the cluster see them.

A pod's own node answers for a frontend, so these clients are no pods: the hosts vnet_client and
internet_client of the site file, or the machine that runs pytest.
"""

import pytest

from pytest_aksnet.assertions.outside_client import Outside
from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="load-balancer.internal",
    feature="load-balancer",
    severity="critical",
    needs=("load-balancer",),
)
def test_internal(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    inventory: Inventory,
    outside: Outside,
    aks: Aks,
) -> None:
    """An internal load balancer has an address of the virtual network and serves clients there.

    Why: An internal load balancer that gets a public address puts an internal application on the
    internet; one that does not answer cuts it off from the rest of the network.

    Remedy: `kubectl describe service` shows what the cloud provider did with the annotation
    service.beta.kubernetes.io/azure-load-balancer-internal. Where the address is right and nothing
    answers, look at the health of the backends (`az network lb show`, metric DipAvailability), and
    at the network security groups: they must let in the service tag AzureLoadBalancer.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "internal"})
    internal = service([backend], type="LoadBalancer", internal_load_balancer=True)
    inventory.assert_internal_address(internal)
    outside.in_vnet.assert_frontend(internal, [backend])


@pytest.mark.aksnet(
    id="load-balancer.public",
    feature="load-balancer",
    severity="critical",
    needs=("load-balancer", "public-ip"),
)
def test_public(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    inventory: Inventory,
    outside: Outside,
    aks: Aks,
) -> None:
    """A load balancer without the internal annotation serves clients on the internet.

    Why: This is how the world gets into the cluster: what breaks here is an outage for customers.

    Remedy: Look at `kubectl describe service`, at the load balancer's rules and backend health
    (`az network lb rule list`, metric DipAvailability), and at the network security group of the
    nodes' subnet, which must let in the frontend's port and the tag AzureLoadBalancer.
    """
    aks.site.need_public_way_in(aks.profile.get("outbound-type"))
    backend = netshoot(on=aks.nodes[-1], labels={"app": "public"})
    public = service([backend], type="LoadBalancer")
    inventory.assert_public_address(public)
    outside.on_internet.assert_frontend(public, [backend])


@pytest.mark.aksnet(
    id="load-balancer.several-ports",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer",),
)
def test_several_ports(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """Each port of a Service is served by its frontend.

    Why: Every port is a rule and a health probe of its own at the load balancer: one that is lost
    closes that port alone.

    Remedy: Compare `kubectl get service -o yaml` with `az network lb rule list` and
    `az network lb probe list` in the node resource group; a change of the Service makes the cloud
    provider write the rules again.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "several-ports"})
    target = {"protocol": "TCP", "targetPort": backend.pod.port}
    ports = [{"name": f"p{port}", "port": port, **target} for port in (80, 81, 8443)]
    several = service(
        [backend], type="LoadBalancer", internal_load_balancer=True, spec={"ports": ports}
    )
    for port in (80, 81, 8443):
        outside.in_vnet.assert_frontend(several, [backend], port=port)


@pytest.mark.aksnet(
    id="load-balancer.udp", feature="load-balancer", severity="major", needs=("load-balancer",)
)
def test_udp(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """A UDP Service is served by its frontend, with answers from the frontend's own address.

    Why: DNS, syslog and QUIC behind a load balancer rest on it. A load balancer does not probe UDP,
    so that it is broken shows nowhere else.

    Remedy: See whether the network security groups let in the port over UDP, and whether the rule
    is there (`az network lb rule list`). TCP and UDP on one port are two rules.
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "udp-frontend"})
    udp = service(backends, type="LoadBalancer", internal_load_balancer=True, udp=True)
    outside.in_vnet.assert_frontend(udp, backends, udp=True)


@pytest.mark.aksnet(
    id="load-balancer.ipv6", feature="load-balancer", severity="major", needs=("load-balancer",)
)
def test_ipv6(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    inventory: Inventory,
    outside: Outside,
    aks: Aks,
) -> None:
    """On a dual-stack cluster a frontend has an IPv6 address beside its IPv4 one, and serves both.

    Why: Clients that prefer IPv6 try it first: a frontend that has the address and does not answer
    is slow for them, or down.

    Remedy: Both subnets need an IPv6 range and the network security group the same rules for it.
    On Azure Linux pools IPv6 needs externalTrafficPolicy Local (AKS docs: configure-dual-stack).
    """
    aks.need_dual_stack()
    backend = netshoot(on=aks.nodes[-1], labels={"app": "ipv6-frontend"})
    both = service(
        [backend],
        type="LoadBalancer",
        internal_load_balancer=True,
        external_traffic_policy="Local",
        spec={"ipFamilyPolicy": "RequireDualStack"},
    )
    inventory.assert_both_families(both)
    for address in both.load_balancer_ips:
        outside.in_vnet.assert_frontend(both, [backend], address=address)
