"""What faults do to the checks of NetworkPolicies."""

from tests.e2e.fault_matrix import Row

ROWS = (
    # Not a fault of a lab but a lab without an engine.
    Row(
        fault="",
        engine="none",
        fails={"network-policy.engine-present"},
        names_cause=("no engine enforces",),
        quick=True,
    ),
)
