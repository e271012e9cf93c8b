"""Truth tables: what changes in policies, labels, pods and namespaces does."""

import pytest

from pytest_aksnet.expectations.policy_cases import case_ids
from pytest_aksnet.policy_tables import PolicyTables

pytestmark = pytest.mark.usefixtures("policy_engine")


@pytest.mark.aksnet(
    id="network-policy.table-deletes",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize(
    "case", case_ids("action", "upstream", "netpol", tagged=("delete-policy",))
)
def test_table_deletes(policy_table: PolicyTables, case: str) -> None:
    """A policy that is deleted is enforced no longer.

    Why: Rules that stay behind on a node close ways that no object explains any more.

    Remedy: restart the engine's agent on the nodes that the message names; it writes its rules
    anew.
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-changes",
    feature="network-policy",
    severity="critical",
    needs=("policy-changes",),
)
@pytest.mark.parametrize("case", case_ids("example", "action", "upstream", "netpol", changing=True))
def test_table_changes(policy_table: PolicyTables, case: str) -> None:
    """Policies follow their own updates, and labels, pods and namespaces that come and go.

    Why: Workloads change all the time; an engine that keeps to what was lets in who lost the
    right, and shuts out who has it now.

    Remedy: look at the log of the engine's agent for watches that failed, on the nodes that the
    message names; restart it where it does not hear of changes.
    """
    policy_table.assert_case(case)
