"""Microsoft.ContainerService: the managed cluster and its agent pools.

The network profile is what the network mode is recognised by ("AKS docs: concepts-network",
managedClusters in the REST API of 2026-08-01).
"""

from collections.abc import Iterable, Mapping

from pytest_aksnet.lab.api.resources import NODES
from pytest_aksnet.lab.arm import cluster_needs
from pytest_aksnet.lab.arm.cluster_needs import POOLS, version_of
from pytest_aksnet.lab.arm.compute import pools_of
from pytest_aksnet.lab.arm.documents import (
    SUCCEEDED,
    Document,
    references,
    resource,
    tagged,
    without_nothing,
)
from pytest_aksnet.lab.arm.endpoints import (
    CLUSTER_ID,
    CLUSTERS,
    private_api_server,
)
from pytest_aksnet.lab.arm.identities import TENANT
from pytest_aksnet.lab.arm.ids import API_DOMAIN, API_NAME, guid
from pytest_aksnet.lab.arm.kinds import Provider
from pytest_aksnet.lab.arm.network_addresses import address_id
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.managed import OUTBOUND_TYPES, SURGE
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, NODE_SUBNET, POD_SUBNET
from pytest_aksnet.lab.options import PoolOptions
from pytest_aksnet.lab.spec import (
    CLUSTER_NAME,
    NODE_RESOURCE_GROUP,
    RESOURCE_GROUP,
    NodeSpec,
)

_POLICIES = {"azure": "azure", "calico": "calico", "cilium": "cilium", "none": "none"}
_IMAGE_LABEL = "kubernetes.azure.com/node-image-version"


def _clusters(world: World) -> Iterable[Document]:
    yield resource(
        RESOURCE_GROUP,
        CLUSTERS,
        CLUSTER_NAME,
        {
            "provisioningState": world.azure.managed.states.get("", SUCCEEDED),
            "powerState": {"code": "Running"},
            "kubernetesVersion": version_of(world),
            "currentKubernetesVersion": version_of(world),
            "dnsPrefix": CLUSTER_NAME,
            "fqdn": f"{API_NAME}.{API_DOMAIN}",
            **({"privateFQDN": world.spec.private_api.fqdn} if world.spec.private_api else {}),
            "azurePortalFQDN": f"{API_NAME}.portal.{API_DOMAIN}",
            "agentPoolProfiles": [
                {"name": pool.name, **_pool_properties(world, pool, nodes)}
                for pool, nodes in pools_of(world)
            ],
            "maxAgentPools": 100,
            "nodeResourceGroup": NODE_RESOURCE_GROUP,
            "enableRBAC": True,
            "supportPlan": "KubernetesOfficial",
            "disableLocalAccounts": False,
            "resourceUID": guid(CLUSTER_ID).replace("-", "")[:24],
            "networkProfile": _network_profile(world),
            "apiServerAccessProfile": _api_access(world),
            "autoUpgradeProfile": {"nodeOSUpgradeChannel": "NodeImage", "upgradeChannel": "none"},
            "servicePrincipalProfile": {"clientId": "msi"},
            "identityProfile": {},
            "oidcIssuerProfile": {"enabled": False},
        },
        sku={"name": "Base", "tier": "Standard"},
        identity={
            "type": "SystemAssigned",
            "principalId": guid("principal cluster"),
            "tenantId": TENANT,
        },
        tags={},
    )


def _api_access(world: World) -> Document:
    """Of a private cluster AKS keeps a public name too, of the private address, unless told not to.

    "AKS docs: private-clusters".
    """
    if private_api_server(world.spec) is None:
        ranges = world.azure.managed.authorized_ranges
        listed = {"authorizedIPRanges": list(ranges)} if ranges else {}
        return {"enablePrivateCluster": False, **listed}
    return {
        "enablePrivateCluster": True,
        "enablePrivateClusterPublicFQDN": True,
        "privateDNSZone": "system",
    }


def _network_profile(world: World) -> Document:
    spec = world.spec
    options = spec.options
    kubenet = spec.mode == "kubenet"
    families = ["IPv4", "IPv6"] if spec.dual_stack else ["IPv4"]
    pods = [spec.pod_cidr, *([spec.pod_cidr6] if spec.dual_stack else [])]
    services = [spec.service_cidr, *([spec.service_cidr6] if spec.dual_stack else [])]
    with_pods = {"podCidr": pods[0], "podCidrs": pods} if spec.pods_have_cidr else {}
    link_local = {"podLinkLocalAccess": "None"} if options.imds_restricted else {}
    proxy = (
        {"kubeProxyConfig": {"enabled": True, "mode": "NFTABLES"}}
        if spec.kube_proxy == "nftables"
        else {}
    )
    return without_nothing(
        {
            "networkPlugin": "kubenet" if kubenet else "azure",
            "networkPluginMode": "overlay" if spec.mode == "overlay" else None,
            "networkDataplane": "cilium" if spec.engine == "cilium" else "azure",
            "networkPolicy": world.azure.managed.network_policy or _POLICIES[spec.engine],
            **with_pods,
            "serviceCidr": services[0],
            "serviceCidrs": services,
            "dnsServiceIP": spec.dns_service_ip,
            "ipFamilies": families,
            "outboundType": OUTBOUND_TYPES[options.egress],
            "loadBalancerSku": world.azure.balancer_sku.lower(),
            "loadBalancerProfile": _balancer_profile(world),
            "natGatewayProfile": _gateway_profile(world),
            **link_local,
            **proxy,
        }
    )


def _balancer_profile(world: World) -> Document | None:
    """What AKS made itself: a rule or a gateway that somebody else added is not among it."""
    rule = world.azure.outbound_rule
    if rule is None or world.spec.options.egress != "load-balancer":
        return None
    return {
        "managedOutboundIPs": {"count": len(rule.public_addresses)},
        "effectiveOutboundIPs": references(
            address_id(world, name) for name in rule.public_addresses
        ),
        "allocatedOutboundPorts": rule.ports,
        "idleTimeoutInMinutes": rule.idle_minutes,
        "backendPoolType": "nodeIPConfiguration",
    }


def _gateway_profile(world: World) -> Document | None:
    if world.spec.options.egress != "nat-gateway":
        return None
    for gateway in world.azure.nat_gateways.values():
        return {
            "managedOutboundIPProfile": {"count": len(gateway.public_addresses)},
            "effectiveOutboundIPs": references(
                address_id(world, name) for name in gateway.public_addresses
            ),
            "idleTimeoutInMinutes": gateway.idle_minutes,
        }
    return None


# -- agent pools -----------------------------------------------------------------------------


def _pools(world: World, _parent: Document) -> Iterable[Document]:
    for pool, nodes in pools_of(world):
        yield tagged(
            {
                "id": f"{CLUSTER_ID}/agentPools/{pool.name}",
                "name": pool.name,
                "type": POOLS,
                "properties": _pool_properties(world, pool, nodes),
            }
        )


def _pool_properties(world: World, pool: PoolOptions, nodes: list[NodeSpec]) -> Document:
    spec = world.spec
    network = world.azure.networks[CLUSTER_NETWORK]
    in_pod_subnet = spec.mode == "pod-subnet"
    local_dns = {"mode": "Required", "state": "Enabled"} if spec.options.local_dns else None
    managed = world.azure.managed
    surge, unavailable = managed.surge.get(pool.name, SURGE)
    fewest, most = world.azure.autoscaling.get(pool.name, (None, None))
    return without_nothing(
        {
            "provisioningState": managed.states.get(pool.name, SUCCEEDED),
            "powerState": {"code": "Running"},
            "count": len(nodes),
            "mode": pool.mode,
            "type": "VirtualMachineScaleSets",
            "vmSize": pool.size,
            "osType": "Linux",
            "osSKU": "Ubuntu",
            "osDiskSizeGB": 128,
            "osDiskType": "Managed",
            "kubeletDiskType": "OS",
            "maxPods": nodes[0].max_pods if nodes else pool.max_pods,
            "availabilityZones": list(pool.zones),
            "orchestratorVersion": version_of(world),
            "currentOrchestratorVersion": version_of(world),
            "nodeImageVersion": _image(world, nodes),
            "enableAutoScaling": pool.name in world.azure.autoscaling,
            "minCount": fewest,
            "maxCount": most,
            "enableNodePublicIP": pool.name in world.azure.machines.public,
            "scaleDownMode": "Delete",
            "nodeLabels": dict(pool.labels),
            "nodeTaints": list(pool.taints),
            "vnetSubnetID": subnet_id(network, NODE_SUBNET),
            "podSubnetID": subnet_id(network, POD_SUBNET) if in_pod_subnet else None,
            "podIPAllocationMode": (
                "StaticBlock" if spec.options.static_blocks else "DynamicIndividual"
            )
            if in_pod_subnet
            else None,
            "localDNSProfile": local_dns,
            "upgradeSettings": {"maxSurge": surge, "maxUnavailable": unavailable},
        }
    )


def _image(world: World, nodes: list[NodeSpec]) -> str | None:
    """What the Kubernetes API says of a node of the pool."""
    for node in nodes:
        found = world.store.find(NODES, node.name)
        if found is not None:
            labels: Mapping[str, str] = found["metadata"].get("labels") or {}
            return labels.get(_IMAGE_LABEL)
    return None


PROVIDER = Provider(
    tops={CLUSTERS: _clusters},
    parts={
        POOLS: _pools,
        f"{CLUSTERS}/upgradeProfiles": cluster_needs.upgrade_profiles,
        f"{POOLS}/upgradeProfiles": cluster_needs.pool_upgrade_profiles,
        f"{CLUSTERS}/outboundNetworkDependenciesEndpoints": cluster_needs.dependencies,
        f"{CLUSTERS}/privateLinkResources": cluster_needs.private_link,
    },
)
