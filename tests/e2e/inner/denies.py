"""A list of probes that a policy must silence. Run as a copy elsewhere."""

from typing import Literal

import pytest

from pytest_aksnet.factories import (
    Aks,
    NamespaceFactory,
    NetshootFactory,
    NetworkPolicyFactory,
)


@pytest.mark.aksnet(id="denies.all", feature="network-policy", severity="critical")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_denies_all(
    aks: Aks,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    protocol: Literal["tcp", "udp"],
) -> None:
    """A policy that lets nobody in closes the pods of every node."""
    here = namespace()
    targets = netshoot.on_each(aks.nodes, namespace=here)
    network_policy({"podSelector": {}, "policyTypes": ["Ingress"]}, namespace=here)
    netshoot(on=aks.nodes[0]).assert_reaches_none(targets, protocol=protocol)
