"""All topics with what reads them, and the one source of readings of a run."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from pytest_aksnet.arm import (
    balancers,
    cluster,
    machines,
    outbound,
    private_link,
    routes,
    security,
    snat,
    upgrades,
    vnet,
    zones,
)
from pytest_aksnet.arm.client import open_credential
from pytest_aksnet.arm.limits import Limits
from pytest_aksnet.arm.place import find_cluster
from pytest_aksnet.arm.reader import Readings, TopicReader
from pytest_aksnet.model.arm import PLACE

READERS: tuple[TopicReader, ...] = (
    *cluster.READERS,
    *upgrades.READERS,
    *machines.READERS,
    *vnet.READERS,
    *balancers.READERS,
    *outbound.READERS,
    *snat.READERS,
    *security.READERS,
    *routes.READERS,
    *private_link.READERS,
    *zones.READERS,
)


@contextlib.contextmanager
def open_readings(
    provider_ids: Sequence[str],
    *,
    resource_id: str | None,
    cloud: str,
    environment: Mapping[str, str],
    endpoint: str = "",
    verify: str = "",
    limits: Limits | None = None,
) -> Iterator[Readings]:
    """Readings of the cluster of these nodes (spec.providerID), or of the named one.

    Nothing is asked yet. Raises Refused where no credential can be made.
    """
    with open_credential(
        cloud=cloud, environment=environment, endpoint=endpoint, verify=verify, limits=limits
    ) as door_of:
        place = TopicReader(
            PLACE, lambda look: find_cluster(provider_ids, resource_id, look.door_of)
        )
        yield Readings((place, *READERS), door_of)
