"""The authority of the cluster, which its API server's certificate is of."""

from pytest_aksnet.check import Engine
from pytest_aksnet.model.errors import FactUnknown

_CONFIG_MAP = "kube-root-ca.crt"


def cluster_authority(engine: Engine, namespace: str) -> str:
    """Its certificates (PEM), as the controller manager puts them into every namespace.

    Raises FactUnknown where they are not there.
    """
    found = engine.api.get(f"/api/v1/namespaces/{namespace}/configmaps/{_CONFIG_MAP}")
    authority = ((found or {}).get("data") or {}).get("ca.crt")
    if not authority:
        raise FactUnknown(
            f"namespace {namespace} has no ConfigMap {_CONFIG_MAP} with the cluster's authority, "
            "which the controller manager puts into every namespace"
        )
    return str(authority)
