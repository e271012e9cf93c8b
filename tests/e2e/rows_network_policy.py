"""What faults do to the checks of NetworkPolicies."""

from tests.e2e.fault_matrix import NODES, Row
from tests.e2e.wrong_cells import NOT_ENFORCED, ONE_SET, failing_tables

_OPEN, _CLOSED = "should be closed and is open", "should be open and is closed"


def _tables(fault: str, node: int, cause: str, *words: str, rest: bool = True) -> Row:
    """A fault on a node, and some of the truth tables: those with one of the words.

    Not all, as each that fails takes seconds; which cells are wrong is in test_policy_tables.py.
    Without `rest` other checks are left out: those that the fault fails are in rows_known.py.
    """
    chosen = (*(("not test_table",) if rest else ()), *words)
    return Row(
        fault=f"{fault}@{NODES[node]}",
        fails=failing_tables(fault, node, words),
        names_cause=(cause,),
        options=(ONE_SET, f"-k{' or '.join(chosen)}"),
    )


ROWS = (
    # Not a fault of a lab but a lab without an engine.
    Row(
        fault="",
        engine="none",
        fails={"network-policy.engine-present"},
        names_cause=("no engine enforces",),
        quick=True,
    ),
    _tables(
        NOT_ENFORCED,
        0,
        _OPEN,
        "table_rules",
        "table_default_label",
        "table_conflicts",
        "generated-16",
        rest=False,
    ),
    _tables(
        NOT_ENFORCED,
        2,
        _OPEN,
        "table_target",
        "table_upstream",
        "table_deletes",
        rest=False,
    ),
    _tables("policy-except-ignored", 0, _OPEN, "table_peers", "generated-04", "netpol-3"),
    _tables("policy-end-port-off-by-one", 0, _CLOSED, "table_port_ranges"),
)
