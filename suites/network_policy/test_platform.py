"""Egress policies and what every cluster has beside its pods: the API server and Azure's addresses.

Each way is open before the policy exists; one that something else closes already is no matter of
policies.
"""

import pytest

from pytest_aksnet.assertions.dns_layers import nodes_with_local_dns
from pytest_aksnet.factories import Aks, NamespaceFactory, NetshootFactory, NetworkPolicyFactory

pytestmark = pytest.mark.usefixtures("policy_engine")

_NO_EGRESS = {"podSelector": {}, "policyTypes": ["Egress"]}
_DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
_LOCAL_DNS = {"to": [{"ipBlock": {"cidr": "169.254.10.0/24"}}], "ports": _DNS_PORTS}


@pytest.mark.aksnet(
    id="network-policy.api-server",
    feature="network-policy",
    severity="critical",
    needs=("kubernetes-service", "api-endpoints"),
)
def test_api_server(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """With egress denied pods do not reach the API server; an ipBlock with its addresses opens it.

    Why: The API server is what a stolen token is for. Operators and controllers need it, so a deny
    that cannot be opened for them is switched off.

    Remedy: look at the policy engine on the node that the message names. Allow both the Service
    kubernetes and its endpoints (`kubectl get endpointslices -l
    kubernetes.io/service-name=kubernetes`): engines may judge either.
    """
    locked = namespace()
    pod, witness = netshoot(on=aks.nodes[-1], namespace=locked), netshoot()
    ways = pod.policy_ways(witness=witness).to_api_server(aks.service("default", "kubernetes"))
    ways.to_pods([witness]).assert_open()
    denied = network_policy(_NO_EGRESS, namespace=locked)
    ways.assert_judged(denied)
    egress = [{"to": [{"ipBlock": {"cidr": one}} for one in ways.api_server_ranges()]}]
    allowed = network_policy({**_NO_EGRESS, "egress": egress}, namespace=locked)
    ways.assert_judged(denied, allowed)


@pytest.mark.aksnet(
    id="network-policy.private-endpoint",
    feature="network-policy",
    severity="major",
)
def test_private_endpoint(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """With egress denied private endpoints are closed, and an ipBlock of the first opens it alone.

    Why: Behind private endpoints is the data. They are no pods, so an ipBlock is the only way to
    allow them, under every engine.

    Remedy: look at the policy engine on the node that the message names, and at the addresses that
    the names of the site file resolve to (`dig NAME` in a pod).
    """
    locked = namespace()
    pod, witness = netshoot(on=aks.nodes[-1], namespace=locked), netshoot()
    places = witness.private_places()
    ways = pod.policy_ways(witness=witness).to_addresses(places).to_pods([witness]).assert_open()
    denied = network_policy(_NO_EGRESS, namespace=locked)
    ways.assert_judged(denied)
    egress = [{"to": [{"ipBlock": {"cidr": f"{places[0][1]}/32"}}]}]
    ways.assert_judged(denied, network_policy({**_NO_EGRESS, "egress": egress}, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.local-dns",
    feature="network-policy",
    severity="critical",
)
def test_local_dns(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """LocalDNS is closed by an egress deny and opened by an ipBlock, as the engine documents it.

    Why: LocalDNS is on by default from Kubernetes 1.36 on; policies that allow CoreDNS alone then
    cut off every name. Its addresses are on the pod's own node, which engines judge differently.

    When: LocalDNS runs on nodes that take part (label kubernetes.azure.com/localdns-state).

    Remedy: allow UDP and TCP 53 to 169.254.10.0/24; under Cilium that takes a CiliumNetworkPolicy
    with the entity host (AKS docs: localdns-custom).
    """
    node = nodes_with_local_dns(aks.nodes)[-1]
    locked = namespace()
    pod, witness = netshoot(on=node, namespace=locked), netshoot(on=node)
    ways = pod.policy_ways(witness=witness).to_own_dns(["169.254.10.10", "169.254.10.11"])
    ways.to_pods([witness]).assert_open()
    denied = network_policy(_NO_EGRESS, namespace=locked)
    ways.assert_judged(denied)
    allowed = network_policy({**_NO_EGRESS, "egress": [_LOCAL_DNS]}, namespace=locked)
    ways.assert_judged(denied, allowed)


@pytest.mark.aksnet(
    id="network-policy.imds",
    feature="network-policy",
    severity="critical",
)
def test_imds(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """An egress deny keeps pods off the metadata service at 169.254.169.254.

    Why: It hands out tokens of the node's identities to whoever asks. A policy is the usual guard
    where IMDS restriction is not on.

    When: Pods reach it without a policy.

    Remedy: look at the policy engine on the node that the message names, and turn on IMDS
    restriction (AKS docs: imds-restriction).
    """
    locked = namespace()
    pod, witness = netshoot(on=aks.nodes[-1], namespace=locked), netshoot()
    ways = pod.policy_ways(witness=witness)
    ways.to_addresses([("the metadata service", "169.254.169.254", 80)])
    ways.assert_open(unless="pods do not reach 169.254.169.254 here, without any policy")
    ways.assert_judged(network_policy(_NO_EGRESS, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.wireserver",
    feature="network-policy",
    severity="major",
)
def test_wire_server(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """An egress deny keeps pods off Azure's wire server at 168.63.129.16, at all its ports.

    Why: It hands out extension settings, and its DNS carries data out of a cluster that has no
    other way out.

    When: Pods reach one of its ports without a policy.

    Remedy: look at the policy engine on the node that the message names.
    """
    locked = namespace()
    pod, witness = netshoot(on=aks.nodes[-1], namespace=locked), netshoot()
    ways = pod.policy_ways(witness=witness)
    ways.to_addresses(("the wire server", "168.63.129.16", port) for port in (53, 80, 32526))
    ways.assert_open(unless="pods do not reach 168.63.129.16 here, without any policy")
    ways.assert_judged(network_policy(_NO_EGRESS, namespace=locked))
