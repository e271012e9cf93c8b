"""What is known of ingress controllers and gateways: a row for each, with its source.

An IngressClass or GatewayClass names its controller; of one that is not in the table only what
the specifications of Ingress and Gateway API promise is expected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NGINX_DOCS = "ingress-nginx docs: NGINX configuration, annotations"
_AGIC_DOCS = "Azure docs: application-gateway, ingress-controller-annotations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One controller.

    `names` are the beginnings of the controller's name in classes. `service_labels` find its
    Service in the cluster, where it has one. `canary` is the prefix of its canary annotations;
    `redirect` are annotations that have HTTP redirected to HTTPS, where it has any. `patience_s`
    is how long it may take to do what an object says: generous, as nobody promises a figure.
    `no_backend` are the HTTP statuses with which it answers for a Service without a ready pod.
    `gateway_annotations` keep it from making a public load balancer for a Gateway.
    """

    product: str
    names: tuple[str, ...]
    source: str
    patience_s: float = 60.0
    service_labels: Mapping[str, str] = field(default_factory=dict)
    canary: str = ""
    redirect: Mapping[str, str] | None = None
    # RFC 9110, 15.6, and 404 of those for whom such a Service is no backend at all.
    no_backend: tuple[int, ...] = (404, 500, 502, 503, 504)
    gateway_annotations: Mapping[str, str] = field(default_factory=dict)


# In the order in which a check chooses between several.
CONTROLLERS: Sequence[Controller] = (
    Controller(
        product="managed NGINX of application routing",
        names=("webapprouting.kubernetes.azure.com/",),
        source=f"AKS docs: app-routing; {_NGINX_DOCS}",
        patience_s=20.0,
        service_labels={
            "app.kubernetes.io/component": "ingress-controller",
            "app.kubernetes.io/managed-by": "aks-app-routing-operator",
        },
        canary="nginx.ingress.kubernetes.io/",
        no_backend=(503,),
        redirect={"nginx.ingress.kubernetes.io/ssl-redirect": "true"},
    ),
    Controller(
        product="ingress-nginx",
        names=("k8s.io/ingress-nginx",),
        source=_NGINX_DOCS,
        patience_s=20.0,
        service_labels={
            "app.kubernetes.io/component": "controller",
            "app.kubernetes.io/name": "ingress-nginx",
        },
        canary="nginx.ingress.kubernetes.io/",
        no_backend=(503,),
        redirect={"nginx.ingress.kubernetes.io/ssl-redirect": "true"},
    ),
    Controller(
        product="Application Gateway Ingress Controller",
        names=("azure/application-gateway",),
        source=_AGIC_DOCS,
        patience_s=180.0,
        no_backend=(502, 503, 504),
        redirect={"appgw.ingress.kubernetes.io/ssl-redirect": "true"},
    ),
    Controller(
        product="Application Gateway for Containers",
        names=("alb.networking.azure.io/",),
        source="Azure docs: application-gateway/for-containers",
        patience_s=120.0,
    ),
    Controller(
        product="Istio",
        names=("istio.io/", "istio.aks.azure.com/"),
        source="Istio docs: Kubernetes Gateway API; AKS docs: istio-gateway-api",
        patience_s=60.0,
        gateway_annotations={"networking.istio.io/service-type": "ClusterIP"},
    ),
    Controller(
        product="NGINX Gateway Fabric",
        names=("gateway.nginx.org/",),
        source="NGINX Gateway Fabric docs; Gateway API specification",
        patience_s=20.0,
    ),
    Controller(
        product="Traefik",
        names=("traefik.io/",),
        source="Traefik docs: Kubernetes Ingress and Gateway",
        service_labels={"app.kubernetes.io/name": "traefik"},
    ),
)


def controller_named(name: str) -> Controller:
    """The row for a controller's name; one that promises nothing of its own where there is none."""
    for row in CONTROLLERS:
        if name.startswith(row.names):
            return row
    return Controller(
        product=name,
        names=(name,),
        source="Kubernetes docs: Ingress; Gateway API specification",
    )


def rank(name: str, *, default: bool) -> tuple[int, int]:
    """The order of classes, by their controller's name: the cluster's default, then the table."""
    places = [at for at, row in enumerate(CONTROLLERS) if name.startswith(row.names)]
    return (0 if default else 1, places[0] if places else len(CONTROLLERS))
