"""What Azure Resource Manager says of a cluster and its network: data only.

`arm` reads it once per run; it reaches checks as `NetworkProfile.azure`. Whatever could not be read
is missing here, with the reason in `unknown`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AzurePool:
    """One agent pool. `node_subnet` and `pod_subnet` are ids in lower case, empty for none.

    `max_surge` is a number of nodes or a percentage as ARM has it, empty where it is unset, and so
    is `max_unavailable`. `kind` is VirtualMachineScaleSets, VirtualMachines or AvailabilitySet.
    """

    name: str
    count: int
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
