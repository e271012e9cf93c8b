"""Placeholders for ids of subscriptions and tenants: everywhere, and the same in each process."""

from collections.abc import Iterator

import pytest

from pytest_aksnet.report.redaction import clean, hide_subscriptions, one_line, visible
from pytest_aksnet.report.subscriptions import SubscriptionNames

ONE = "6b1f6b3e-6f0e-4c29-9d51-2a7c41d1aab0"
TWO = "6b1f6b3e-6f0e-4c29-9d51-2a7c41d1aab1"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
UID = "0f1e2d3c-4b5a-4968-8776-655443322110"


@pytest.fixture
def names() -> Iterator[SubscriptionNames]:
    names = SubscriptionNames()
    hide_subscriptions(names)
    yield names
    hide_subscriptions(None)


@pytest.mark.parametrize(
    "text",
    [
        f"/subscriptions/{ONE}/resourceGroups/g",
        f"azure:///SUBSCRIPTIONS/{ONE.upper()}/resourceGroups/g",
        f"url=%2Fsubscriptions%2F{ONE}%2FresourceGroups",
        f"url=%2fsubscriptions%2f{ONE}",
        f'{{"subscriptionId": "{ONE}"}}',
        f"The subscription '{ONE}' could not be found.",
        f"AZURE_SUBSCRIPTION_ID={ONE}",
        f"subscription with id {ONE}",
    ],
)
def test_a_subscription_is_known_by_where_it_stands(text: str) -> None:
    hidden = SubscriptionNames().hide(text)
    assert ONE not in hidden.lower()
    assert "subscription-" in hidden


@pytest.mark.parametrize(
    "text",
    [
        f'"tenantId": "{TENANT}"',
        f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
        f"https://sts.windows.net/{TENANT}/",
        f"Tenant: {TENANT}",
    ],
)
def test_a_tenant_too(text: str) -> None:
    hidden = SubscriptionNames().hide(text)
    assert TENANT not in hidden
    assert "tenant-" in hidden


def test_once_known_an_id_is_known_everywhere(names: SubscriptionNames) -> None:
    names.hide(f"/subscriptions/{ONE}")
    for shown in (clean(f"bare {ONE.upper()}!"), visible(f"bare {ONE}!"), one_line(f"bare {ONE}!")):
        assert shown.startswith("bare subscription-")


def test_two_stay_two_and_processes_agree() -> None:
    text = f"/subscriptions/{ONE} /subscriptions/{TWO}"
    first, second = SubscriptionNames().hide(text).split()
    assert first != second
    assert SubscriptionNames(subscriptions=[TWO]).hide(f"{TWO}") == second.rpartition("/")[2]


@pytest.mark.parametrize(
    "text", ["/subscriptions/00000000-0000-0000-0000-000000000000", "tenant x", "a-b-c-d-e"]
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert SubscriptionNames().hide(text) == text


def test_an_id_of_unknown_kind_has_the_same_digits() -> None:
    names = SubscriptionNames()
    before = names.hide(f'"ids": ["{ONE}", "{UID}"]')
    assert ONE not in before
    assert UID not in before
    digits = names.hide(f"/subscriptions/{ONE}").rpartition("-")[2]
    assert f'"id-{digits}"' in before


@pytest.mark.parametrize("kept", range(13, 36))
def test_half_an_id_at_a_gap_goes_too(kept: int) -> None:
    names = SubscriptionNames()
    assert ONE[-12:] not in names.hide(f"'subscription...{ONE[-kept:]}' == 1")
    assert ONE[:8] not in names.hide(f"'{ONE[:kept]}...ateDnsZones/z' == 1")


@pytest.mark.parametrize("kept", range(8, 36))
def test_half_an_id_at_the_end_goes_too(kept: int) -> None:
    names = SubscriptionNames(subscriptions=[ONE])
    assert ONE[:8] not in names.hide(f"bare {ONE[:kept]}")
    assert ONE[:8] not in SubscriptionNames().hide(f"x/subscriptions/{ONE[:kept]}")


@pytest.mark.parametrize("before", range(40, 90, 7))
def test_a_cut_text_holds_no_half_of_an_id(names: SubscriptionNames, before: int) -> None:
    shown = clean("a" * before + f"/subscriptions/{ONE}/" + "b" * 900, 100)
    assert ONE[:8] not in shown
    assert ONE[-12:] not in shown


def test_without_the_option_ids_stay() -> None:
    assert clean(f"/subscriptions/{ONE}") == f"/subscriptions/{ONE}"


def test_much_text_is_done_in_a_moment(names: SubscriptionNames) -> None:
    for text in ("subscription " * 100_000, "a-" * 500_000, f"{ONE} " * 20_000):
        assert clean(text)
