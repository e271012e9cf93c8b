"""What is read in several subscriptions, where one of them cannot be read."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from pytest_aksnet.arm.subscriptions import read_in
from pytest_aksnet.model.arm import Sort
from pytest_aksnet.model.azure_private import PRIVATE_ZONES, Found, PrivateZone
from tests.unit.arm.readings import told_readings

OWN, HUB = "s", "hub"


def _http(status: int) -> HttpResponseError:
    error = HttpResponseError(f"it was {status}")
    error.status_code = status
    return error


def _answer(door: Any) -> list[PrivateZone]:
    return [PrivateZone(id=f"zone of {door}", name="privatelink.example")]


def _read(ask: Callable[[Any], list[PrivateZone]]) -> Any:
    readings, _ = told_readings(
        {PRIVATE_ZONES: lambda look: read_in(look, {HUB, OWN.upper()}, ask, PRIVATE_ZONES)}
    )
    return readings.reading(PRIVATE_ZONES.name)


def _fails(where: str, error: AzureError) -> Callable[[Any], list[PrivateZone]]:
    def ask(door: Any) -> list[PrivateZone]:
        if door.endswith(where):
            raise error
        return _answer(door)

    return ask


def test_all_subscriptions_are_read_once() -> None:
    found: Found[PrivateZone] = _read(_answer).value
    assert [one.id for one in found.items] == ["zone of door of hub", "zone of door of s"]
    assert (found.subscriptions, found.complete) == ((HUB, OWN), True)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (_http(403), "Microsoft.Network/privateDnsZones/read"),
        (ResourceNotFoundError("SubscriptionNotFound"), ""),
    ],
)
def test_another_one_that_may_not_be_read_is_noted(error: HttpResponseError, action: str) -> None:
    error.status_code = error.status_code or 404
    found: Found[PrivateZone] = _read(_fails(HUB, error)).value
    assert (found.subscriptions, found.complete) == ((OWN,), False)
    [unread] = found.unread
    assert (unread.subscription, unread.action) == (HUB, action)


@pytest.mark.parametrize(
    ("where", "status", "sort"),
    [
        (OWN, 403, Sort.FORBIDDEN),
        (OWN, 404, Sort.MISSING),
        (HUB, 429, Sort.THROTTLED),
        (HUB, 503, Sort.FAILED),
    ],
)
def test_what_may_pass_ends_the_reading(where: str, status: int, sort: Sort) -> None:
    reading = _read(_fails(f"of {where}", _http(status)))
    assert reading.refusal.sort is sort
