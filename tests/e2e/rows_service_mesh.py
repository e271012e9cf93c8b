"""Rows of the service mesh."""

from tests.e2e.fault_matrix import Row

_MESH = ("mesh=istio",)

ROWS = (
    Row(
        fault="mesh-injection-off",
        settings=_MESH,
        fails={"service-mesh.sidecar-injected"},
        cannot_judge={
            "service-mesh.plaintext-refused",
            "service-mesh.identity",
            "service-mesh.traffic-split",
            "service-mesh.way-out",
        },
        names_cause=("istio-proxy",),
        names_why=("has no sidecar",),
        quick=True,
    ),
    Row(
        fault="mesh-permissive",
        settings=_MESH,
        fails={"service-mesh.plaintext-refused"},
        names_cause=("answered a plaintext request",),
    ),
    Row(
        fault="mesh-identity-wrong",
        settings=_MESH,
        fails={"service-mesh.identity"},
        names_cause=("/ns/default/sa/default",),
    ),
    Row(
        fault="mesh-weights-ignored",
        settings=_MESH,
        fails={"service-mesh.traffic-split"},
        names_cause=("weight",),
    ),
    Row(
        fault="mesh-blocks-outside",
        settings=_MESH,
        fails={"service-mesh.way-out"},
        names_cause=("reset",),
    ),
)
