"""Truth tables: what several policies say together, and policies of use."""

import pytest

from pytest_aksnet.expectations.policy_cases import case_ids
from pytest_aksnet.policy_tables import PolicyTables

pytestmark = pytest.mark.usefixtures("policy_engine")


@pytest.mark.aksnet(
    id="network-policy.table-conflicts",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize("case", case_ids("conflict"))
def test_table_conflicts(policy_table: PolicyTables, case: str) -> None:
    """Policies add up at each end, and a connection needs both ends to allow it.

    Why: There is no policy that denies what another allows; a team that expects so is as wrong
    as an engine that does so.

    Remedy: list what selects the pod (`kubectl describe networkpolicy -n NAMESPACE`); in the
    table the reason of each cell names the end that closes it.
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-upstream",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize("case", case_ids("upstream", untagged=("delete-policy",), changing=False))
def test_table_upstream(policy_table: PolicyTables, case: str) -> None:
    """Default denies, exceptions by namespace and stacked policies do what they are written for.

    Why: These are the policies that most clusters have; whoever relies on them must be able to.

    Remedy: the table names the cells that are wrong; where all of a node are, look at the
    engine's agent there, else at the engine's release notes.
    """
    policy_table.assert_case(case)
