"""Faults of the service mesh: no sidecars, wrong identities, rules that count for nothing."""

from pytest_aksnet.lab.controllers.mesh_operator import MeshOperator
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec


class OfMesh:
    """Needs a lab with a mesh."""

    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """Labs without one have nothing to break."""
        return "" if spec.options.mesh == "istio" else "needs mesh=istio"


def _mesh(lab: FaultableLab) -> MeshOperator:
    assert lab.control.mesh is not None
    return lab.control.mesh


class MeshInjectionOff(OfMesh):
    """New pods get no sidecar."""

    name = "mesh-injection-off"
    describes = (
        "New pods get no sidecar, although their namespace has the label of the mesh, as where the "
        "webhook of its revision is gone (AKS docs: istio-upgrade, relabel namespaces)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Leave new pods as they are."""
        _mesh(lab).injects = False

    async def heal(self, lab: FaultableLab) -> None:
        """Give them sidecars."""
        _mesh(lab).injects = True


class MeshDefect(OfMesh):
    """The mesh runs with something broken in it, which `defect` names."""

    defect = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Break it."""
        _mesh(lab).defects |= {self.defect}

    async def heal(self, lab: FaultableLab) -> None:
        """Mend it."""
        _mesh(lab).defects -= {self.defect}


class MeshPermissive(MeshDefect):
    """STRICT does nothing."""

    name = "mesh-permissive"
    defect = "permissive"
    describes = (
        "Pods of the mesh take plaintext whatever a PeerAuthentication says, as where sidecars do "
        "not hear of it (Istio docs: PeerAuthentication)."
    )


class MeshIdentityWrong(MeshDefect):
    """All new pods share one identity."""

    name = "mesh-identity-wrong"
    defect = "identity-wrong"
    describes = (
        "New pods of the mesh get certificates of one and the same identity, default/default, in "
        "place of that of their service account (Istio docs: security, Istio identity)."
    )


class MeshWeightsIgnored(MeshDefect):
    """Every pod of a Service gets as much as the others."""

    name = "mesh-weights-ignored"
    defect = "weights-ignored"
    describes = (
        "Sidecars share requests out to all pods of a Service alike: VirtualServices do nothing "
        "(Istio docs: VirtualService, weight)."
    )


class MeshBlocksOutside(MeshDefect):
    """Nothing outside the mesh is reached."""

    name = "mesh-blocks-outside"
    defect = "blocks-outside"
    describes = (
        "Sidecars reset connections to whatever has no sidecar, as with a rule that demands mutual "
        "TLS of all hosts (Istio docs: traffic management problems, TLS configuration mistakes)."
    )


MESH_FAULTS = (
    MeshInjectionOff,
    MeshPermissive,
    MeshIdentityWrong,
    MeshWeightsIgnored,
    MeshBlocksOutside,
)
