"""Many small checks of all kinds, those that must fail among them. Run as a copy elsewhere.

AKSNET_SOAK_CHECKS says how many. Each kind says how it must end: where the way to the cluster is
broken it may be inconclusive instead.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pytest_aksnet.factories import (
    Aks,
    NamespaceFactory,
    NetshootFactory,
    NetworkPolicyFactory,
    ServiceFactory,
)
from pytest_aksnet.model.peers import NodeRef

CHECKS = int(os.environ.get("AKSNET_SOAK_CHECKS", "1"))
CLOSED_PORT = 9
DENY_INGRESS = {"podSelector": {}, "policyTypes": ["Ingress"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The fixtures, and two nodes that differ from check to check."""

    aks: Aks
    netshoot: NetshootFactory
    namespace: NamespaceFactory
    service: ServiceFactory
    network_policy: NetworkPolicyFactory
    here: NodeRef
    there: NodeRef


def connects(use: Tools) -> None:
    """Passes: a pod reaches a pod of another node."""
    use.netshoot(on=use.here).assert_connects(use.netshoot(on=use.there))


def resolves(use: Tools) -> None:
    """Passes: a name of the cluster resolves."""
    kubernetes = use.aks.service("default", "kubernetes")
    use.netshoot(on=use.here).assert_resolves(kubernetes.fqdn, to=kubernetes)


def keeps_source(use: Tools) -> None:
    """Passes: no address is translated between pods."""
    use.netshoot(on=use.here).assert_no_snat(use.netshoot(on=use.there))


def is_served(use: Tools) -> None:
    """Passes: a new Service leads to its backend."""
    backend = use.netshoot(on=use.there, fresh=True)
    use.netshoot(on=use.here).assert_connects(use.service([backend]))


def is_blocked(use: Tools) -> None:
    """Passes: a policy closes what was open."""
    source, target = use.netshoot.on_each((use.here, use.there), namespace=use.namespace())
    source.assert_policy_allows(target)
    use.network_policy(DENY_INGRESS, namespace=target.pod.namespace)
    source.assert_policy_blocks(target)


def reaches_all(use: Tools) -> None:
    """Passes: a pod reaches the pods of all nodes, by one list of probes."""
    pods = use.netshoot.on_each(use.aks.nodes)
    use.netshoot(on=use.here).assert_reaches_all(pods)


def reaches_all_closed_ports(use: Tools) -> None:
    """Fails: nothing listens there."""
    pods = use.netshoot.on_each(use.aks.nodes)
    use.netshoot(on=use.here).assert_reaches_all(pods, port=CLOSED_PORT)


def reaches_closed_port(use: Tools) -> None:
    """Fails: nothing listens there."""
    use.netshoot(on=use.here).assert_connects(use.netshoot(on=use.there), port=CLOSED_PORT)


def resolves_elsewhere(use: Tools) -> None:
    """Fails: the name has another address."""
    kubernetes = use.aks.service("default", "kubernetes")
    use.netshoot(on=use.here).assert_resolves(kubernetes.fqdn, to="10.99.99.99")


def is_blocked_by_nothing(use: Tools) -> None:
    """Fails: there is no policy."""
    target = use.netshoot(on=use.there)
    use.netshoot(on=use.here).assert_policy_blocks(target, control=target)


KINDS: tuple[Callable[[Tools], None], ...] = (
    connects,
    resolves,
    is_blocked,
    connects,
    reaches_closed_port,
    keeps_source,
    is_served,
    resolves,
    resolves_elsewhere,
    reaches_all,
    is_blocked,
    reaches_all_closed_ports,
    is_blocked_by_nothing,
    resolves,
    is_served,
    reaches_all,
)
MUST_FAIL = (
    reaches_closed_port,
    reaches_all_closed_ports,
    resolves_elsewhere,
    is_blocked_by_nothing,
)


def kind_of(number: int) -> Callable[[Tools], None]:
    """The kind of the check with this number."""
    return KINDS[number % len(KINDS)]


@pytest.mark.aksnet(id="soak.check", feature="pod-network", severity="major")
@pytest.mark.parametrize(
    "number", range(CHECKS), ids=lambda number: f"{number}-{kind_of(number).__name__}"
)
def test_check(
    number: int,
    aks: Aks,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    service: ServiceFactory,
    network_policy: NetworkPolicyFactory,
) -> None:
    """The network does, or does not, what the kind of check asks."""
    nodes = aks.nodes
    kind_of(number)(
        Tools(
            aks=aks,
            netshoot=netshoot,
            namespace=namespace,
            service=service,
            network_policy=network_policy,
            here=nodes[number % len(nodes)],
            there=nodes[(number + 1) % len(nodes)],
        )
    )
