"""ProbePod, Inventory and Arm rest on many classes of verbs; none replaces what another one has."""

from collections import Counter

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.inventory import Inventory


@pytest.mark.parametrize("whole", [ProbePod, Inventory, Arm])
def test_no_two_classes_of_verbs_have_the_same_name(whole: type) -> None:
    bases = [each for each in whole.__mro__ if each is not object]
    names = Counter(name for each in bases for name in vars(each) if not name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []
