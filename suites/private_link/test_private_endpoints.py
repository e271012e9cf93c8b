"""Private endpoints that the site file names, seen from pods on every node."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef

_CONTROLS = ("MCSB NS-2", "MCSB NS-10")


@pytest.mark.aksnet(
    id="private-link.resolves-private",
    feature="private-link",
    severity="critical",
    controls=_CONTROLS,
)
def test_resolves_private(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """Names with a private endpoint resolve to its private address from every node."""
    for private in aks.site.need_private_names():
        netshoot(on=node).assert_resolves_private(private.name)


@pytest.mark.aksnet(
    id="private-link.connects", feature="private-link", severity="major", controls=_CONTROLS
)
def test_connects(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """The private endpoint behind each name accepts connections from every node."""
    for private in aks.site.need_private_names():
        pod = netshoot(on=node)
        for address in pod.assert_resolves_private(private.name).addresses:
            pod.assert_connects((address, private.port))
