"""What the checks of policies have in common."""

import pytest

from pytest_aksnet.factories import Aks


@pytest.fixture
def policy_engine(aks: Aks) -> None:
    """Skips where it is known that no engine enforces policies: that is one finding, not many."""
    aks.need_policy_engine()
