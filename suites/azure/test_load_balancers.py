"""The cluster's load balancers in Azure Resource Manager are what Services, nodes and pods need."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory


@pytest.mark.aksnet(
    id="azure.probes-up",
    feature="azure",
    severity="critical",
    needs=("load-balancer", "two-nodes"),
)
def test_probes_up(arm: Arm, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """Load balancing rules are Up on every node on which the Service has Ready pods.

    Why: The load balancer sends nothing to a node whose probe fails, while `kubectl` shows
    everything Ready: the application loses capacity, or is gone.

    Remedy: `az network lb rule list` and the health of the rule in the portal say which node is
    Down and why; network security groups must let in the tag AzureLoadBalancer
    (`az network nsg rule list`), and the node's own firewall 168.63.129.16.
    """
    nodes = aks.other_nodes(aks.nodes[0])
    serving = netshoot.on_each(nodes, labels={"app": "probes-up"})
    balanced = service(
        serving, type="LoadBalancer", internal_load_balancer=True, external_traffic_policy="Local"
    )
    arm.assert_probes_up(balanced, serving)


@pytest.mark.aksnet(
    id="azure.backend-pools-complete",
    feature="azure",
    severity="major",
    needs=("load-balancer",),
)
def test_backend_pools_complete(
    arm: Arm, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """Every Ready node is in the backend pools of the load balancers.

    Why: A node that is missing there gets no traffic; with externalTrafficPolicy Local its pods
    serve nobody from outside.

    Remedy: `az network lb address-pool show` lists who is in; a change of any LoadBalancer Service
    makes the cloud provider write the pool anew. Direct changes of the load balancer are lost.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "backend-pools"})
    balanced = service([backend], type="LoadBalancer", internal_load_balancer=True)
    arm.assert_backend_pools_complete(balanced)


@pytest.mark.aksnet(
    id="azure.frontends-of-services",
    feature="azure",
    severity="critical",
    needs=("load-balancer",),
)
def test_frontends_of_services(
    arm: Arm, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """Each address of a LoadBalancer Service is a frontend, with a rule for each of its ports.

    Why: A Service's status keeps an address that the load balancer has lost, by hand or by a
    failed update: clients time out, and the cluster looks well.

    Remedy: `az network lb frontend-ip list` and `az network lb rule list` beside
    `kubectl describe service`, whose events say what the cloud provider could not do.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "frontends"})
    balanced = service([backend], type="LoadBalancer", internal_load_balancer=True)
    arm.assert_frontends_of_services(balanced)


@pytest.mark.aksnet(
    id="azure.no-orphaned-rules",
    feature="azure",
    severity="minor",
)
def test_no_orphaned_rules(arm: Arm) -> None:
    """No load balancing rule or frontend is left over of a Service that is gone.

    Why: It holds a public address that is paid for, counts against the limits of the load balancer,
    and keeps a port open that nobody watches.

    Remedy: `az network lb rule delete`, then the probe and the frontend; look why the cloud
    provider could not (`az lock list`), and never remove finalizers of Services by hand.
    """
    arm.assert_no_orphaned_rules()


@pytest.mark.aksnet(
    id="azure.idle-timeouts", feature="azure", severity="minor", needs=("load-balancer",)
)
def test_idle_timeouts(
    arm: Arm, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """Load balancing rules have the idle timeout and TCP reset of their Service's annotations.

    Why: Silent connections, of databases and message queues, are dropped by the load balancer; an
    application counts on the minutes that its Service asks for, and on a reset at the end.

    Remedy: `az network lb rule show`; a change of the Service makes the cloud provider write the
    rule anew from azure-load-balancer-tcp-idle-timeout and -disable-tcp-reset.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "idle-timeouts"})
    idle = {"service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout": "7"}
    balanced = service(
        [backend], type="LoadBalancer", internal_load_balancer=True, annotations=idle
    )
    arm.assert_idle_timeouts(balanced)


@pytest.mark.aksnet(
    id="azure.load-balancer-sku",
    feature="azure",
    severity="major",
)
def test_load_balancer_sku(arm: Arm) -> None:
    """No load balancer of the cluster is of the SKU Basic, which is retired.

    Why: Basic load balancers are out of support since 2025-09-30, have no guarantee and keep the
    cluster from being upgraded.

    Remedy: `az aks update --load-balancer-sku standard` migrates load balancer and addresses;
    `az network lb show --query sku` says what they are.
    """
    arm.assert_balancer_sku()
