"""All topics with what reads them, and the one source of readings of a run."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from pytest_aksnet.arm import cluster, vnet
from pytest_aksnet.arm.client import Door, open_credential
from pytest_aksnet.arm.place import find_cluster
from pytest_aksnet.arm.reader import Readings, TopicReader

READERS: tuple[TopicReader, ...] = (*cluster.READERS, *vnet.READERS)


@contextlib.contextmanager
def open_readings(
    provider_ids: Sequence[str],
    *,
    resource_id: str | None,
    cloud: str,
    environment: Mapping[str, str],
    endpoint: str = "",
    verify: str = "",
) -> Iterator[Readings]:
    """Readings of the cluster of these nodes (spec.providerID), or of the named one.

    Nothing is asked yet. Raises Refused where no credential can be made.
    """
    with open_credential(
        cloud=cloud, environment=environment, endpoint=endpoint, verify=verify
    ) as door_of:

        def find_door(subscription: str) -> Door:
            return readings.door_of(subscription)

        readings = Readings(
            READERS, lambda: find_cluster(provider_ids, resource_id, find_door), door_of
        )
        yield readings
