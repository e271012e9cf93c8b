"""Faults of the service mesh: one test shows them all, with one mesh behind it."""

from tests.lab.fault_rows import FaultRow

ROWS: tuple[FaultRow, ...] = ()
_TEST = "test_lab_mesh.py::test_each_fault_of_the_mesh_shows_and_heals"
ELSEWHERE = dict.fromkeys(
    (
        "mesh-blocks-outside",
        "mesh-identity-wrong",
        "mesh-injection-off",
        "mesh-permissive",
        "mesh-weights-ignored",
    ),
    _TEST,
)
