"""Readings of the stand-in, by the way that a run reads ARM, with the settings of a test."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from pytest_aksnet.arm.limits import Limits
from pytest_aksnet.arm.reader import Readings
from pytest_aksnet.arm.topics import open_readings
from pytest_aksnet.model.arm import Topic
from tests.lab.arm_server import RunningArm

SECRET = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")


@contextmanager
def readings_of(
    arm: RunningArm,
    *,
    names: Sequence[str] = SECRET,
    more: Mapping[str, str] | None = None,
    provider_ids: Sequence[str] | None = None,
    resource_id: str | None = None,
    limits: Limits | None = None,
) -> Iterator[Readings]:
    """Readings with a credential of the variables `names` of azure.env, and of `more`."""
    given = {name: arm.environment[name] for name in ("AZURE_AUTHORITY_HOST", *names)}
    given.update(more or {})
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AZURE_")}
    found = [node.provider_id for node in arm.world.spec.nodes]
    with (
        patch.dict(os.environ, {**kept, **given}, clear=True),
        open_readings(
            found if provider_ids is None else provider_ids,
            resource_id=resource_id,
            cloud="public",
            environment=given,
            endpoint=arm.clients.url,
            verify=arm.clients.ca,
            limits=limits,
        ) as readings,
    ):
        yield readings


def value_of(readings: Readings, topic: Topic[Any]) -> Any:
    """What a topic was read as; fails where it was refused."""
    reading = readings.reading(topic.name)
    assert reading.refusal is None
    return reading.value


def values_of(arm: RunningArm, *topics: Topic[Any]) -> list[Any]:
    """What topics are read as, each, by readings of their own."""
    with readings_of(arm) as readings:
        return [value_of(readings, topic) for topic in topics]
