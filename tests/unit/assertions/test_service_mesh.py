"""Which mesh is chosen, and whose pods say something of it."""

import pytest

from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ConformanceFailure, ControlFailed, NotApplicable
from tests.unit.scripted import SERVER, StaticApi, World, always, reflected

DEPLOYMENTS = "/apis/apps/v1/deployments"
POD = f"/api/v1/namespaces/{SERVER.namespace}/pods/{SERVER.name}"


def istiod(revision: str, *, available: int = 1, namespace: str = "aks-istio-system") -> Json:
    labels = {"app": "istiod", "istio.io/rev": revision}
    metadata = {"name": f"istiod-{revision}", "namespace": namespace, "labels": labels}
    return {"metadata": metadata, "status": {"availableReplicas": available}}


def inventory(*deployments: Json, containers: tuple[str, ...] = ()) -> Inventory:
    metadata = {"namespace": SERVER.namespace, "name": SERVER.name}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": one} for one in containers]}}
    api = StaticApi(lists={DEPLOYMENTS: list(deployments)}, objects={POD: pod})
    return Inventory(World(always(reflected("10.244.0.9")), api=api).engine)


@pytest.mark.parametrize(
    ("deployments", "labels"),
    [
        ([istiod("asm-1-27")], {"istio.io/rev": "asm-1-27"}),
        ([istiod("asm-1-9"), istiod("asm-1-10")], {"istio.io/rev": "asm-1-10"}),
        ([istiod("asm-1-26"), istiod("asm-1-27", available=0)], {"istio.io/rev": "asm-1-26"}),
        ([istiod("default", namespace="istio-system")], {"istio-injection": "enabled"}),
    ],
)
def test_the_newest_revision_that_runs_is_chosen(
    deployments: list[Json], labels: dict[str, str]
) -> None:
    mesh = inventory(*deployments).mesh()
    assert mesh.labels == labels
    assert mesh.label == "=".join(*labels.items())


def test_a_cluster_without_a_control_plane_has_no_mesh() -> None:
    with pytest.raises(NotApplicable, match="app=istiod"):
        inventory().mesh()


def test_a_pod_without_sidecar_is_a_finding_of_one_check_and_no_proof_for_others() -> None:
    found = inventory(istiod("asm-1-27"), containers=("probe",))
    with pytest.raises(ConformanceFailure, match="it has probe"):
        found.assert_injected(SERVER, found.mesh())
    with pytest.raises(ControlFailed, match="no sidecar"):
        found.need_in_mesh(SERVER)


def test_a_pod_with_sidecar_is_in_the_mesh() -> None:
    found = inventory(istiod("asm-1-27"), containers=("istio-proxy", "probe"))
    assert found.assert_injected(SERVER, found.mesh()).facts["containers"] == "istio-proxy, probe"
    found.need_in_mesh(SERVER)
