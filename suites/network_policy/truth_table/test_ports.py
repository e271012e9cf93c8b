"""Truth tables: at which ports a rule lets in and out."""

import pytest

from pytest_aksnet.expectations.policy_cases import case_ids
from pytest_aksnet.policy_tables import PolicyTables

pytestmark = pytest.mark.usefixtures("policy_engine")


@pytest.mark.aksnet(
    id="network-policy.table-ports",
    feature="network-policy",
    severity="critical",
)
@pytest.mark.parametrize(
    "case",
    [
        *case_ids("ports-0", "ports-2"),
        *case_ids("ports-1", untagged=("named-port", "end-port")),
    ],
)
def test_table_ports(policy_table: PolicyTables, case: str) -> None:
    """A rule opens the protocols and numbers that it names, each for itself, and no others.

    Why: A rule without a protocol means TCP alone, one without a port means all of them; an
    engine that reads it otherwise opens too much or too little.

    Remedy: compare protocol and port of the rule in the table with the cells that are wrong,
    then look at the engine's agent on the nodes that the message names.
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-port-names",
    feature="network-policy",
    severity="major",
)
@pytest.mark.parametrize("case", case_ids("ports-1", tagged=("named-port",)))
def test_table_port_names(policy_table: PolicyTables, case: str) -> None:
    """A port that a rule names is the container port of that name and protocol.

    Why: Names let a policy outlive a change of numbers; a name that is not resolved closes the
    port, one without regard of the protocol opens a wrong one.

    Remedy: compare the name with `ports` of the pod (`kubectl get pod -o yaml`); some engines
    want one number per name in a namespace.
    """
    policy_table.assert_case(case)


@pytest.mark.aksnet(
    id="network-policy.table-port-ranges",
    feature="network-policy",
    severity="major",
)
@pytest.mark.parametrize("case", case_ids("ports-1", tagged=("end-port",)))
def test_table_port_ranges(policy_table: PolicyTables, case: str) -> None:
    """A range of ports is open from its first port to its last one, and no further.

    Why: An engine that does not know `endPort` opens the first port alone; one that is off by
    one closes the last.

    Remedy: see whether the engine's release knows `endPort` (Cilium does from 1.17 on); until
    then list the ports one by one.
    """
    policy_table.assert_case(case)
