"""The truth tables of the suites have every case, each once, and ask for what it needs."""

from collections import Counter

from pytest_aksnet.expectations.policy_cases import all_cases, changes_objects
from tests.truth_table_checks import table_checks


def test_every_case_is_in_one_check() -> None:
    counted = Counter(case for check in table_checks() for case in check.cases)
    assert counted == Counter(list(all_cases()))


def test_a_check_says_that_its_cases_change_objects() -> None:
    for check in table_checks():
        changing = {changes_objects(all_cases()[case]) for case in check.cases}
        assert changing == {check.needs == ("policy-changes",)}, check.id
