"""An answer of ARM that does not speak of access to the API server: of everybody, or of nobody."""

from types import SimpleNamespace
from typing import Any

import pytest
from azure.mgmt.containerservice.models import ManagedCluster

from pytest_aksnet.arm.cluster import READERS
from pytest_aksnet.model.arm import Place

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"


@pytest.mark.parametrize(
    ("properties", "is_private", "ranges"),
    [
        ({"fqdn": "c.hcp.westeurope.azmk8s.io"}, False, ()),
        ({"fqdn": "c.hcp.westeurope.azmk8s.io", "privateFQDN": "c.private"}, None, None),
        ({}, None, None),
        (
            {"fqdn": "c.io", "apiServerAccessProfile": {"authorizedIPRanges": ["192.0.2.0/24"]}},
            False,
            ("192.0.2.0/24",),
        ),
        ({"apiServerAccessProfile": {"enablePrivateCluster": True}}, True, ()),
    ],
)
def test_access_to_the_api_server(
    properties: dict[str, Any], is_private: bool | None, ranges: tuple[str, ...] | None
) -> None:
    found = ManagedCluster({"id": ID, "location": "westeurope", "properties": properties})
    clusters = SimpleNamespace(get=lambda group, name: found)
    look: Any = SimpleNamespace(
        place=Place(id=ID, subscription="s", group="g", name="c", node_groups=()),
        door=SimpleNamespace(containers=SimpleNamespace(managed_clusters=clusters)),
    )
    cluster = READERS[0].read(look)
    assert (cluster.is_private, cluster.authorized_ranges) == (is_private, ranges)
