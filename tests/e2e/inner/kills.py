"""Checks that create everything that a run can: whoever kills them leaves something of each kind.

Run as a copy below a temporary directory, with a namespace `theirs` in the cluster.
"""

import pytest

from pytest_aksnet.factories import (
    IperfFactory,
    NamespaceFactory,
    NetshootFactory,
    NetworkPolicyFactory,
    ServiceFactory,
)
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.policy_tables import PolicyTables

DENY = {"podSelector": {}, "policyTypes": ["Ingress"]}


@pytest.mark.aksnet(id="kills.shared", feature="pod-network", severity="major")
def test_shared(netshoot: NetshootFactory, node_pair: tuple[NodeRef, NodeRef]) -> None:
    """Pods that all checks share reach each other."""
    source, target = netshoot.on_each(node_pair)
    source.assert_connects(target)


@pytest.mark.aksnet(id="kills.own-namespace", feature="network-policy", severity="major")
def test_own_namespace(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    service: ServiceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """A namespace with a pod, a Service and a policy comes and goes."""
    own = namespace({"team": "x"})
    pod = netshoot(namespace=own)
    network_policy(DENY, namespace=own)
    service([pod])


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.aksnet(id="kills.theirs", feature="network-policy", severity="major")
def test_theirs(
    number: int,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """The same in a namespace of others, where nothing else takes it away."""
    pod = netshoot(namespace="theirs")
    network_policy({**DENY, "podSelector": {"matchLabels": {"no": "body"}}}, namespace="theirs")
    service([pod])


@pytest.mark.aksnet(id="kills.bandwidth", feature="accelerated-networking", severity="minor")
def test_bandwidth(iperf: IperfFactory) -> None:
    """Whoever has an iperf3 server measures alone on this cluster."""
    assert iperf().pod.ip


@pytest.mark.aksnet(id="kills.tables", feature="network-policy", severity="major")
@pytest.mark.parametrize("case", ["generated-196", "generated-198", "netpol-01", "netpol-02"])
def test_tables(policy_table: PolicyTables, case: str) -> None:
    """Truth tables whose pods and namespaces come and go."""
    policy_table.assert_case(case)
