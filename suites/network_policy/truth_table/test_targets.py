"""Truth tables: which pods a policy isolates, and in which direction."""

import pytest

from pytest_aksnet.expectations.policy_cases import case_ids
from pytest_aksnet.policy_tables import PolicyTables

pytestmark = pytest.mark.usefixtures("policy_engine")


@pytest.mark.aksnet(
    id="network-policy.table-target",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize("case", case_ids("target"))
def test_table_target(policy_table: PolicyTables, case: str) -> None:
    """A policy isolates the pods that its selector names, in its own namespace, and no others.

    Why: A policy that lands on other pods than it names leaves the named ones open and breaks
    the others; both look alike from the policy's text.

    Remedy: look at which pods are wrong in the table: those of one node mean the engine's agent
    there (`kubectl get pods -n kube-system -o wide`), all of them mean the engine's controller.
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-rules",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize("case", case_ids("rules"))
def test_table_rules(policy_table: PolicyTables, case: str) -> None:
    """No rule allows nothing, and an empty rule allows everything, in each direction alone.

    Why: The two differ by a pair of braces; a default deny that is taken for an allow protects
    nothing.

    Remedy: compare `ingress: []` with `ingress: [{}]` in the policy of the table, then look at
    the engine's agent on the nodes that the message names.
    """
    policy_table.assert_case(case)
