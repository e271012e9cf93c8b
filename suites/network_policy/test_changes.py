"""Policies in time: how soon they hold, what they do to pods that are new and to connections."""

import pytest

from pytest_aksnet.factories import Aks, NamespaceFactory, NetshootFactory, NetworkPolicyFactory
from pytest_aksnet.model.probing import Kind

pytestmark = pytest.mark.usefixtures("policy_engine")

_NO_INGRESS = {"podSelector": {}, "policyTypes": ["Ingress"]}
_NOTHING = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.aksnet(
    id="network-policy.udp",
    feature="network-policy",
    severity="critical",
)
def test_udp(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """An ingress deny holds for UDP too, and a rule for a UDP port opens that and no TCP port.

    Why: Nothing answers a datagram that was lost, so tests by connections never notice that UDP is
    open; DNS, QUIC and syslog are UDP.

    Remedy: look at the policy engine on the node that the message names; a rule without protocol
    means TCP.
    """
    locked = namespace()
    pods = netshoot.on_each(aks.nodes, namespace=locked)
    ways = netshoot().policy_ways().to_pods(pods, kind=Kind.UDP).to_pods(pods).assert_open()
    denied = network_policy(_NO_INGRESS, namespace=locked)
    ways.assert_judged(denied)
    ingress = [{"ports": [{"protocol": "UDP", "port": pods[0].pod.port}]}]
    ways.assert_judged(
        denied, network_policy({**_NO_INGRESS, "ingress": ingress}, namespace=locked)
    )


@pytest.mark.aksnet(
    id="network-policy.convergence",
    feature="network-policy",
    severity="major",
)
def test_convergence(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """A policy holds on every node soon after it is made, and no longer soon after it is deleted.

    Why: Until then a deny protects nothing, and an application that was allowed in waits. The API
    names no time; the seconds of each node are in the report.

    Remedy: look at the policy engine's pod on the node that is late: its CPU limit, its log, and
    its watches of the API server.
    """
    locked = namespace()
    pods = netshoot.on_each(aks.nodes, namespace=locked)
    netshoot().assert_converges(pods, lambda: network_policy(_NO_INGRESS, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.established-connections",
    feature="network-policy",
    severity="major",
)
def test_established_connections(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """A deny ends connections that are there if the engine is one that judges every packet.

    Why: Who is connected when a deny comes may stay so for days. The API leaves it to the engine:
    Cilium ends such connections, Calico and Azure NPM let them go on.

    Remedy: end the pods of either side after a deny that must hold at once; under Cilium look at
    the agent on the node of the target.
    """
    locked = namespace()
    target = netshoot(on=aks.nodes[-1], namespace=locked)
    netshoot().assert_established(target, lambda: network_policy(_NO_INGRESS, namespace=locked))


@pytest.mark.aksnet(
    id="network-policy.allowed-connections-kept",
    feature="network-policy",
    severity="major",
)
def test_allowed_connections_kept(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """Connections that every policy allows live on while policies are made.

    Why: An engine that rebuilds its rules from nothing drops packets of everybody with each change;
    Azure NPM has cut connections for about 15 s so.

    Remedy: look at the policy engine on the node of the target; under Azure NPM split policies with
    more than four ipBlocks, or move to Cilium.
    """
    locked = namespace()
    target = netshoot(on=aks.nodes[-1], namespace=locked)
    ingress = [{"ports": [{"protocol": "TCP", "port": target.pod.port}]}]
    spec = {**_NO_INGRESS, "ingress": ingress}
    netshoot().assert_established(target, lambda: network_policy(spec, namespace=locked), kept=True)


@pytest.mark.aksnet(
    id="network-policy.new-pods",
    feature="network-policy",
    severity="critical",
    needs=("pod-logs",),
)
def test_new_pods(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """A new pod under a default deny that is there is protected from its first packet on.

    Why: An engine that hears of a pod late lets it out and others in for as long as that takes,
    each time that a pod starts. How long is in the report; a short time is a warning.

    Remedy: look at the policy engine's pod on the node that is named: how busy it is, and how far
    behind the API server. Let pods wait in an init container until what they may not reach fails.
    """
    locked, outside = namespace(), netshoot()
    first, *others = netshoot.on_each(aks.nodes, namespace=locked)
    ways = first.policy_ways(others).to_pods([outside]).assert_open()
    ways.assert_judged(network_policy(_NOTHING, namespace=locked))
    tries = outside.first_packets(aks.probe_image)
    new = netshoot.on_each(aks.nodes, namespace=locked, spec=tries)
    outside.assert_protected_from_start(new)
