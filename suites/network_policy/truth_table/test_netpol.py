"""Truth tables: the cases of the suite that Kubernetes itself is tested with."""

import pytest

from pytest_aksnet.expectations.policy_cases import case_ids
from pytest_aksnet.policy_tables import PolicyTables

pytestmark = pytest.mark.usefixtures("policy_engine")


@pytest.mark.aksnet(
    id="network-policy.table-netpol",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize("case", case_ids("netpol", untagged=("delete-policy",), changing=False))
def test_table_netpol(policy_table: PolicyTables, case: str) -> None:
    """The engine passes the cases of Netpol, the policy suite of Kubernetes' end-to-end tests.

    Why: They are what engines are measured by; a cluster in which they fail has not the engine
    that its maintainers tested.

    Remedy: compare with the results that the engine's maintainers publish for its release, then
    look at its agent on the nodes that the message names.
    """
    policy_table.assert_case(case)
