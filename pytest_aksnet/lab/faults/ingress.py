"""Faults of the ingress controller: it does not do what it is told, or it does not run."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

_DOCS = "Kubernetes docs: Ingress"


class OfIngress:
    """Needs a lab with an ingress controller."""

    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """Labs without one have nothing to break."""
        return "" if spec.options.ingress == "nginx" else "needs ingress=nginx"


class IngressControllerDown(OfIngress):
    """No pod of the controller runs."""

    name = "ingress-controller-down"
    describes = (
        "The Deployment of the ingress controller is scaled to no pods, while its classes, its "
        f"Service and its address are there ({_DOCS}, 'you must have an Ingress controller')."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Scale it down."""
        lab.control.ingress.scale(False)

    async def heal(self, lab: FaultableLab) -> None:
        """Scale it up."""
        lab.control.ingress.scale(True)


class IngressDefect(OfIngress):
    """The controller's pods run with something broken in them, which `defect` names."""

    defect = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Break it."""
        lab.control.ingress.defects |= {self.defect}

    async def heal(self, lab: FaultableLab) -> None:
        """Mend it."""
        lab.control.ingress.defects -= {self.defect}


class IngressWrongBackend(IngressDefect):
    """Hosts lead to Services of other hosts."""

    name = "ingress-wrong-backend"
    defect = "wrong-backend"
    describes = (
        "The ingress controller sends each host's requests to the Service of another host, as "
        "with upstreams mixed up by a reload (kubernetes/ingress-nginx#3290)."
    )


class IngressPathOrder(IngressDefect):
    """Paths are tried in the order of the Ingress, as beginnings of text."""

    name = "ingress-path-order"
    defect = "path-order"
    describes = (
        "The ingress controller takes the first path that a request begins with, as in the order "
        f"of the rules, instead of the exact or the longest one ({_DOCS}, multiple matches)."
    )


class IngressCatchAll(IngressDefect):
    """Unknown hosts are served by somebody's backend."""

    name = "ingress-catch-all"
    defect = "catch-all"
    describes = (
        "The ingress controller serves hosts that nobody named from the first host that it has, "
        f"instead of its default backend ({_DOCS}, default backend)."
    )


class IngressWrongCertificate(IngressDefect):
    """One certificate for all names."""

    name = "ingress-wrong-certificate"
    defect = "wrong-certificate"
    describes = (
        "The ingress controller shows one certificate for every host, whatever name the client "
        f"asks for ({_DOCS}, TLS)."
    )


class IngressNoRedirect(IngressDefect):
    """Plain HTTP is served although the Ingress has TLS."""

    name = "ingress-no-redirect"
    defect = "no-redirect"
    describes = (
        "The ingress controller serves plain HTTP where it should redirect to HTTPS "
        "(ingress-nginx docs: ssl-redirect)."
    )


class IngressWeightsIgnored(IngressDefect):
    """All requests go to the main backend."""

    name = "ingress-weights-ignored"
    defect = "weights-ignored"
    describes = (
        "The ingress controller sends everything to the main backend: canary weights and weights "
        "of backendRefs do nothing (ingress-nginx docs: canary; Gateway API: BackendRef)."
    )


class IngressForwardedForDropped(IngressDefect):
    """No X-Forwarded-For."""

    name = "ingress-forwarded-for-dropped"
    defect = "no-forwarded-for"
    describes = (
        "The ingress controller takes the header X-Forwarded-For away, so backends know only the "
        "controller's address (ingress-nginx docs: use-forwarded-headers)."
    )


class IngressUnreadyEndpoints(IngressDefect):
    """Readiness does not count."""

    name = "ingress-unready-endpoints"
    defect = "unready-endpoints"
    describes = (
        "The ingress controller sends requests to pods that are not ready as well (Kubernetes "
        "docs: EndpointSlices, conditions)."
    )


class IngressStaleEndpoints(IngressDefect):
    """EndpointSlices are not followed."""

    name = "ingress-stale-endpoints"
    defect = "stale-endpoints"
    describes = (
        "The ingress controller does not follow EndpointSlices any more, as one whose right to "
        "watch them was taken: new Services have no backends for it (ingress-nginx docs: RBAC)."
    )


class IngressChangeIgnored(IngressDefect):
    """A changed Ingress is not noticed, a new one is."""

    name = "ingress-change-ignored"
    defect = "change-ignored"
    describes = (
        "The ingress controller serves every Ingress as it was when it was created, and ignores "
        "later changes (ingress-nginx docs: how-it-works, when a reload is required)."
    )


class IngressNoStatus(IngressDefect):
    """Statuses are not written."""

    name = "ingress-no-status"
    defect = "no-status"
    describes = (
        "The ingress controller does not write its address into the status of Ingress and "
        f"Gateway, as without the right to ({_DOCS}, IngressStatus)."
    )


class IngressHangsWithoutEndpoints(IngressDefect):
    """No error where there is no backend."""

    name = "ingress-hangs-without-endpoints"
    defect = "hangs-without-endpoints"
    describes = (
        "Requests to Services without endpoints hang in the ingress controller until they time "
        "out, instead of failing with 503 (Azure docs: application-gateway, troubleshoot 502)."
    )


INGRESS_FAULTS = (
    IngressControllerDown,
    IngressWrongBackend,
    IngressPathOrder,
    IngressCatchAll,
    IngressWrongCertificate,
    IngressNoRedirect,
    IngressWeightsIgnored,
    IngressForwardedForDropped,
    IngressUnreadyEndpoints,
    IngressStaleEndpoints,
    IngressChangeIgnored,
    IngressNoStatus,
    IngressHangsWithoutEndpoints,
)
