"""Truth tables: whom a rule lets in and out."""

import pytest

from pytest_aksnet.expectations.policy_cases import case_ids
from pytest_aksnet.policy_tables import PolicyTables

pytestmark = pytest.mark.usefixtures("policy_engine")


@pytest.mark.aksnet(
    id="network-policy.table-peers",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize("case", case_ids("peers-0", "peers-1"))
def test_table_peers(policy_table: PolicyTables, case: str) -> None:
    """A rule allows the peers that it names by pods, namespaces or addresses, and nobody else.

    Why: Tenants are kept apart by these selectors; one that is read too widely is an open door
    that nobody sees.

    Remedy: the table names the cells that are wrong and the policy; where ipBlocks alone are
    wrong, see what the engine says of them (Azure CNI powered by Cilium matches no pods with
    them).
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-peer-pairs",
    feature="network-policy",
    severity="major",
)
@pytest.mark.parametrize("case", case_ids("peers-2"))
def test_table_peer_pairs(policy_table: PolicyTables, case: str) -> None:
    """A rule with two peers allows whoever one of them names.

    Why: Peers of one rule add up; an engine that takes the last one, or wants both, shuts out
    whoever the first one lets in.

    Remedy: look whether the same peers are right alone (network-policy.table-peers): where they
    are, report the policy of the table to the engine's maintainers.
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-default-label",
    feature="network-policy",
    severity="major",
)
@pytest.mark.parametrize("case", case_ids("namespace"))
def test_table_default_label(policy_table: PolicyTables, case: str) -> None:
    """A namespace can be named by the label with its name that every namespace has.

    Why: Policies that name kube-system or an ingress controller rest on
    kubernetes.io/metadata.name (KEP 2161).

    Remedy: see with `kubectl get namespaces --show-labels` that the label is there; where it
    is, the engine does not follow labels of namespaces.
    """
    policy_table.assert_case(case)
