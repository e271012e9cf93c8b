"""Faults of the ingress controller: one test shows them all, with one site behind it."""

from tests.lab.fault_rows import FaultRow

ROWS: tuple[FaultRow, ...] = ()
_TEST = "test_lab_ingress.py::test_each_fault_of_the_ingress_controller_shows_and_heals"
ELSEWHERE = dict.fromkeys(
    (
        "ingress-catch-all",
        "ingress-change-ignored",
        "ingress-controller-down",
        "ingress-forwarded-for-dropped",
        "ingress-hangs-without-endpoints",
        "ingress-no-redirect",
        "ingress-no-status",
        "ingress-path-order",
        "ingress-stale-endpoints",
        "ingress-unready-endpoints",
        "ingress-weights-ignored",
        "ingress-wrong-backend",
        "ingress-wrong-certificate",
    ),
    _TEST,
)
