"""The private endpoints that ARM shows: those of the state, and that of a private API server."""

from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import PrivateEndpoint
from pytest_aksnet.lab.azure.state import ENDPOINT_SUBNET
from pytest_aksnet.lab.spec import (
    CLUSTER_NAME,
    NODE_RESOURCE_GROUP,
    RESOURCE_GROUP,
    LabSpec,
    OutsideHost,
)

API_SERVER = "api-server"
CLUSTERS = "Microsoft.ContainerService/managedClusters"
CLUSTER_ID = resource_id(RESOURCE_GROUP, CLUSTERS, CLUSTER_NAME)


def private_api_server(spec: LabSpec) -> OutsideHost | None:
    """The API server where it is in the virtual network, of a cluster without public endpoint."""
    for host in spec.hosts:
        if host.name == API_SERVER and host.domain == "vnet":
            return host
    return None


def endpoints(world: World) -> list[PrivateEndpoint]:
    """All private endpoints. The API server's one is in the nodes' group, as AKS makes it."""
    found = list(world.azure.private_endpoints.values())
    api_server = world.spec.private_api
    if api_server is not None:
        found.append(
            PrivateEndpoint(
                name="kube-apiserver",
                resource_group=NODE_RESOURCE_GROUP,
                ip=api_server.ip,
                subnet=ENDPOINT_SUBNET,
                fqdn=api_server.fqdn,
                zone="",
                group_id="management",
                target=CLUSTER_ID,
            )
        )
    return found
