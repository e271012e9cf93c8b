"""Ingress policies and clients that come through Services: whom a policy is asked about.

With externalTrafficPolicy Cluster pods see the node that was entered, with Local the client. A pod
on another node stands for the client of node ports; load balancers are asked from outside.
"""

import pytest

from pytest_aksnet.assertions.outside_client import Outside
from pytest_aksnet.factories import (
    Aks,
    NamespaceFactory,
    NetshootFactory,
    NetworkPolicyFactory,
    ServiceFactory,
)

pytestmark = pytest.mark.usefixtures("policy_engine")

_NO_INGRESS = {"podSelector": {}, "policyTypes": ["Ingress"]}
_LOCAL = {"externalTrafficPolicy": "Local"}


@pytest.mark.aksnet(
    id="network-policy.node-port-cluster",
    feature="network-policy",
    severity="critical",
    needs=("two-nodes",),
)
def test_node_port_cluster(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """An ingress deny holds for node ports with externalTrafficPolicy Cluster, if the engine does.

    Why: With this policy, the default, pods see a node and not the client. Azure NPM does not judge
    that at all, so a default deny leaves published pods open to everybody.

    Remedy: under Azure NPM publish by an ingress controller, or with externalTrafficPolicy Local;
    under others look at the policy engine on the node of the pod that the message names. Allow the
    nodes' addresses where clients are to come in; under Cilium a CiliumNetworkPolicy must.
    """
    locked, inner = namespace(), aks.nodes[-1]
    backend = netshoot(on=inner, namespace=locked, labels={"app": "cluster"})
    published = service([backend], type="NodePort", external_traffic_policy="Cluster")
    entered, client = aks.other_nodes(inner)[0], netshoot(on=aks.other_nodes(inner)[-1])
    ways = client.policy_ways().through_nodes(published, [entered], backend)
    ways.to_pods([backend]).assert_open()
    ways.assert_judged(network_policy(_NO_INGRESS, namespace=locked))
    let_in = {**_NO_INGRESS, "ingress": ways.ingress_as_seen()}
    ways.assert_judged(network_policy(let_in, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.node-port-local",
    feature="network-policy",
    severity="critical",
    needs=("two-nodes",),
)
def test_node_port_local(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """An ingress deny holds for node ports with externalTrafficPolicy Local, as for the client.

    Why: Local keeps the client's address, so that policies can name clients: it is what makes
    ingress policies work for published pods under every engine.

    Remedy: look at the policy engine on the node of the pod that the message names, and whether
    something masquerades before the pod (see the checks of traffic-policy).
    """
    locked, inner = namespace(), aks.nodes[-1]
    backend = netshoot(on=inner, namespace=locked, labels={"app": "local"})
    published = service([backend], type="NodePort", external_traffic_policy="Local")
    stranger = netshoot(on=inner).policy_ways().to_pods([backend]).assert_open()
    ways = netshoot(on=aks.other_nodes(inner)[0]).policy_ways()
    ways.through_nodes(published, [inner], backend).assert_open().and_those_of(stranger)
    ways.assert_judged(network_policy(_NO_INGRESS, namespace=locked))
    let_in = {**_NO_INGRESS, "ingress": ways.ingress_as_seen()}
    ways.assert_judged(network_policy(let_in, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.load-balancer-cluster",
    feature="network-policy",
    severity="critical",
    needs=("load-balancer",),
)
def test_load_balancer_cluster(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    outside: Outside,
    aks: Aks,
) -> None:
    """An ingress deny closes a load balancer with externalTrafficPolicy Cluster, if the engine can.

    Why: A default deny is thought to close published applications too. Azure NPM does not judge
    what comes so, and clients from outside get in.

    Remedy: under Azure NPM publish with externalTrafficPolicy Local; under others look at the
    policy engine on the node of the pod.
    """
    locked = namespace()
    backend = netshoot(on=aks.nodes[-1], namespace=locked, labels={"app": "policy-cluster"})
    published = service([backend], type="LoadBalancer", internal_load_balancer=True)
    control = service([netshoot()], type="LoadBalancer", internal_load_balancer=True)
    ways = netshoot().policy_ways().to_pods([backend]).assert_open()
    outside.in_vnet.hold_frontend(published, backend)
    ways.assert_judged(denied := network_policy(_NO_INGRESS, namespace=locked))
    outside.in_vnet.assert_policies_judged(published, backend, denied, control, by_node=True)


@pytest.mark.aksnet(
    id="network-policy.load-balancer-local",
    feature="network-policy",
    severity="critical",
    needs=("load-balancer",),
)
def test_load_balancer_local(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    outside: Outside,
    aks: Aks,
) -> None:
    """An ingress deny closes a load balancer with externalTrafficPolicy Local.

    Why: Local keeps the client's address, so that every engine can judge clients from outside; a
    deny that lets them in protects from nobody on the internet.

    Remedy: look at the policy engine on the node of the pod, and at whom the pod sees (see
    load-balancer.local-source).
    """
    locked = namespace()
    backend = netshoot(on=aks.nodes[-1], namespace=locked, labels={"app": "policy-local"})
    published = service([backend], type="LoadBalancer", internal_load_balancer=True, spec=_LOCAL)
    control = service([netshoot()], type="LoadBalancer", internal_load_balancer=True)
    outside.in_vnet.hold_frontend(published, backend)
    denied = network_policy(_NO_INGRESS, namespace=locked)
    outside.in_vnet.assert_policies_judged(published, backend, denied, control)


@pytest.mark.aksnet(
    id="network-policy.load-balancer-allow-list",
    feature="network-policy",
    severity="major",
    needs=("load-balancer",),
)
def test_load_balancer_allow_list(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    outside: Outside,
    aks: Aks,
) -> None:
    """With externalTrafficPolicy Local an ipBlock lets in the clients of a load balancer alone.

    Why: Such an allow list is a firewall in front of the application, under every engine: clients
    from outside are no pods and no nodes.

    Remedy: look at the policy engine on the node of the pod, and at whom the pod sees (see
    load-balancer.local-source).
    """
    locked = namespace()
    backend = netshoot(on=aks.nodes[-1], namespace=locked, labels={"app": "policy-allow-list"})
    published = service([backend], type="LoadBalancer", internal_load_balancer=True, spec=_LOCAL)
    ways = netshoot().policy_ways().to_pods([backend]).assert_open()
    outside.in_vnet.hold_frontend(published, backend)
    ingress = [{"from": [{"ipBlock": {"cidr": one}} for one in outside.in_vnet.ranges()]}]
    ways.assert_judged(network_policy({**_NO_INGRESS, "ingress": ingress}, namespace=locked))
    outside.in_vnet.assert_frontend(published, [backend])
