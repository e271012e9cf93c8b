"""What Azure Resource Manager says of a managed cluster and its pools, and what the profile keeps.

Data only. Ids are in lower case. What ARM's answer lacks is None, or empty where it is text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_aksnet.model.arm import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """networkProfile of a managed cluster, in ARM's own words.

    `outbound_ids` are the public addresses and prefixes that it leaves with (effectiveOutboundIPs);
    `outbound_ports` the SNAT ports that each node is given, 0 for automatic.
    """

    plugin: str
    plugin_mode: str
    policy: str
    data_plane: str
    pod_cidrs: tuple[str, ...]
    service_cidrs: tuple[str, ...]
    dns_service_ip: str
    outbound_type: str
    balancer_sku: str
    ip_families: tuple[str, ...]
    backend_pool_type: str = ""
    outbound_ids: tuple[str, ...] = ()
    outbound_ports: int | None = None
    outbound_idle_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedCluster:
    """One managed cluster. `authorized_ranges` may reach its API server: of an empty list, all.

    They are None where ARM told nothing of the access to it.
    `node_group` is the name of the nodes' resource group. `network` is None where ARM told none.
    `in_vnet` is whether nodes reach the API server by an address in a subnet of its own (API server
    VNet integration).
    """

    id: str
    region: str
    node_group: str
    version: str
    support_plan: str
    provisioning_state: str
    power_state: str
    fqdn: str
    private_fqdn: str
    is_private: bool | None
    has_public_fqdn: bool | None
    authorized_ranges: tuple[str, ...] | None
    private_zone: str
    upgrade_channel: str
    node_os_channel: str
    addons: tuple[str, ...]
    network: NetworkPlan | None
    in_vnet: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AzurePool:
    """One agent pool. `node_subnet` and `pod_subnet` are ids, empty for none, `max_pods` 0 for it.

    `max_surge` is a number of nodes or a percentage as ARM has it, empty where it is unset, and so
    is `max_unavailable`. `kind` is VirtualMachineScaleSets, VirtualMachines or AvailabilitySet.
    `public_ips` is whether each node has a public address; `min_count` and `max_count` are those of
    the autoscaler, None without it.
    """

    name: str
    count: int | None
    max_pods: int
    node_subnet: str = ""
    pod_subnet: str = ""
    allocation: str = ""
    max_surge: str = ""
    max_unavailable: str = ""
    vm_size: str = ""
    os_sku: str = ""
    version: str = ""
    kind: str = ""
    id: str = ""
    mode: str = ""
    os_type: str = ""
    image_version: str = ""
    provisioning_state: str = ""
    power_state: str = ""
    public_ips: bool | None = None
    min_count: int | None = None
    max_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSubnet:
    """One subnet. `limit` and `used` are addresses, as the network counts them; None if unknown.

    Source: virtualNetworks/usages ("REST API: Virtual Networks - List Usage").
    """

    id: str
    cidrs: tuple[str, ...]
    limit: int | None = None
    used: int | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]

    @property
    def free(self) -> int | None:
        """How many addresses are left; None where the network does not say."""
        if self.limit is None or self.used is None:
            return None
        return self.limit - self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureNetwork:
    """What was read of one managed cluster.

    `facts` are values of facts of the network profile by name, each with its source. `unknown` says
    what could not be read and why, in words, by what it is. `outbound_ports` are the SNAT ports
    that each node is given, 0 for automatic; `outbound_ips` how many addresses it has them of.
    """

    resource_id: str
    facts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    pools: tuple[AzurePool, ...] = ()
    subnets: tuple[AzureSubnet, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    outbound_ports: int | None = None
    outbound_ips: int | None = None

    def subnet(self, subnet_id: str) -> AzureSubnet | None:
        """The subnet of that id, or None where it was not read."""
        return next((one for one in self.subnets if one.id == subnet_id), None)


CLUSTER: Topic[ManagedCluster] = Topic(
    "cluster", ("Microsoft.ContainerService/managedClusters/read",)
)
POOLS: Topic[tuple[AzurePool, ...]] = Topic(
    "pools", ("Microsoft.ContainerService/managedClusters/agentPools/read",)
)
