"""A managed cluster, an agent pool and its subnet as ARM has them, for tests to change."""

from pytest_aksnet.model.azure import AzurePool, ManagedCluster, NetworkPlan
from pytest_aksnet.model.azure_routes import UserRoute
from pytest_aksnet.model.azure_vnet import Peering, Subnet, VirtualNetwork

CLUSTER_ID = (
    "/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/c"
)
_NETWORK = "/subscriptions/s/resourcegroups/g/providers/microsoft.network"
VNET_ID = f"{_NETWORK}/virtualnetworks/v"
TABLE_ID = f"{_NETWORK}/routetables/to.firewall"
GROUP_ID = f"{_NETWORK}/networksecuritygroups/n"
PLAN = NetworkPlan(
    plugin="azure",
    plugin_mode="overlay",
    policy="calico",
    data_plane="azure",
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.0.0.0/16",),
    dns_service_ip="10.0.0.10",
    outbound_type="userDefinedRouting",
    balancer_sku="standard",
    ip_families=("ipv4",),
)
CLUSTER = ManagedCluster(
    id=CLUSTER_ID,
    region="westeurope",
    node_group="MC_g_c_westeurope",
    version="1.34.2",
    support_plan="KubernetesOfficial",
    provisioning_state="Succeeded",
    power_state="Running",
    fqdn="c.hcp.westeurope.azmk8s.io",
    private_fqdn="",
    is_private=False,
    has_public_fqdn=None,
    authorized_ranges=(),
    private_zone="",
    upgrade_channel="none",
    node_os_channel="NodeImage",
    addons=(),
    network=PLAN,
)
POOL = AzurePool(
    id=f"{CLUSTER_ID}/agentpools/user",
    name="user",
    count=2,
    max_pods=110,
    max_surge="10%",
    max_unavailable="0",
    vm_size="Standard_D4s_v5",
    version="1.34.2",
    kind="VirtualMachineScaleSets",
    mode="User",
    os_type="Linux",
    os_sku="Ubuntu",
    image_version="AKSUbuntu-2404gen2containerd-202611.01.0",
    provisioning_state="Succeeded",
    power_state="Running",
)
SUBNET = Subnet(
    id=f"{VNET_ID}/subnets/nodes",
    cidrs=("10.224.0.0/16",),
    security_group=GROUP_ID,
    route_table=TABLE_ID,
    nat_gateway="",
    provisioning_state="Succeeded",
    default_outbound=None,
    delegations=(),
)
NETWORK = VirtualNetwork(
    id=VNET_ID, ranges=("10.224.0.0/12",), dns_servers=(), subnets=(SUBNET,), peerings=()
)
HUB = Peering(
    id=f"{VNET_ID}/virtualnetworkpeerings/to-hub",
    remote_vnet=f"{_NETWORK}/virtualnetworks/hub",
    state="Connected",
    in_sync="FullyInSync",
    remote_ranges=("10.50.0.0/16",),
    allows_access=True,
    allows_forwarded=True,
)
"""A peering that `NETWORK` has not."""
DEFAULT_ROUTE = UserRoute(
    id=f"{TABLE_ID}/routes/default",
    prefix="0.0.0.0/0",
    next_hop="VirtualAppliance",
    next_hop_ip="10.227.0.4",
)
