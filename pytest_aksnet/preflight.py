"""Preflight of one run: what the selected checks need, put to the cluster before they start.

Runs once per run, in whatever process that is; what it finds is plain data for all of them.
"""

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.preflight import look_ahead
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.rights import Preflight, Where
from pytest_aksnet.needs import Need
from pytest_aksnet.options import Settings
from pytest_aksnet.probes import reflector

_HOST_NETWORK = "host-network"


def run_preflight(
    cluster: Cluster, run_id: str, settings: Settings, need: Need, *, lease_namespace: str
) -> Preflight:
    """What stands against checks with this need, all together. Creates nothing, never raises."""
    host_network = _HOST_NETWORK in settings.allowed
    scope = RunScope(cluster, run_id=run_id, host_network=host_network)
    name = str(scope.manifest(level="")["metadata"]["name"])
    return look_ahead(
        cluster,
        rights=[*need.rights, *need.optional],
        places={
            Where.RUN: name,
            Where.SYSTEM: "kube-system",
            Where.DEFAULT: "default",
            Where.LEASE: lease_namespace,
            Where.NODE_LEASES: "kube-node-lease",
        },
        namespace=(lambda level: scope.manifest(level=level)) if need.namespaces else None,
        host_network=host_network,
        pods={"": _pod(name, settings), _HOST_NETWORK: _pod(name, settings, host_network=True)},
    )


def _pod(namespace: str, settings: Settings, *, host_network: bool = False) -> Json:
    """A pod as the run will make them."""
    request = ProbePodRequest(
        namespace=namespace,
        name="netshoot",
        node="any",
        image=settings.image,
        command=reflector.argv,
        port=reflector.PORT,
        host_network=host_network,
    )
    return pod_manifest(request, request.name, request.port)
