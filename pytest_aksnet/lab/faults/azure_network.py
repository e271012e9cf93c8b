"""Faults of the virtual network that ARM tells: rules, subnets, routes, peerings, DNS servers."""

from collections.abc import Callable

from pytest_aksnet.lab.azure.resources import Route, SecurityRule
from pytest_aksnet.lab.azure.security_rules import INTERNET
from pytest_aksnet.lab.azure.state import (
    CLUSTER_NETWORK,
    NODE_SUBNET,
    PEERED_NETWORK,
    AzureState,
)
from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.of_azure import (
    AzureFault,
    RuleFault,
    cluster_subnets,
    put_route,
    restore_route,
)
from pytest_aksnet.lab.spec import LabSpec

_DEFAULT = "0.0.0.0/0"
GONE_APPLIANCE = "10.225.0.200"
"""An address of the VMs' subnet that nobody has."""
NEW_DNS_SERVER = "10.225.0.201"


class NsgOpensManagementPorts(RuleFault):
    """Everybody may try to log in to nodes."""

    name = "nsg-opens-management-ports"
    describes = (
        "A rule of a network security group lets the internet in to SSH and RDP of the nodes, as "
        "left over from a search for a fault (Microsoft cloud security benchmark NS-3; Azure docs: "
        "network security best practices)."
    )

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """The one for both ports."""
        return [
            SecurityRule(
                name="AllowLogin",
                priority=130,
                direction="Inbound",
                access="Allow",
                protocol="Tcp",
                sources=(INTERNET,),
                destination_ports=("22", "3389"),
            )
        ]


class NsgBlocksHttpsOut(RuleFault):
    """Nothing but the virtual network is reached over HTTPS."""

    name = "nsg-blocks-https-out"
    describes = (
        "A rule of a network security group denies port 443 to the internet, so nodes reach "
        "neither the registry nor Azure's API (AKS docs: outbound-rules-control-egress)."
    )

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """The one for what leaves the nodes."""
        return [
            SecurityRule(
                name="DenyHttpsOut",
                priority=140,
                direction="Outbound",
                access="Deny",
                protocol="Tcp",
                destinations=(INTERNET,),
                destination_ports=("443",),
            )
        ]


class SubnetWithoutSecurityGroup(AzureFault):
    """The nodes' subnet has no group any more."""

    name = "subnet-without-security-group"
    describes = (
        "The network security group is detached from the nodes' subnet, so no rule holds for what "
        "has a route to the nodes (Microsoft cloud security benchmark NS-1; Azure docs: "
        "network-security-groups-overview)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Detach it."""
        azure.cluster_network.subnet(NODE_SUBNET).security_group = ""

    def mends(self, azure: AzureState) -> None:
        """Attach it."""
        before = AzureState(azure.spec).cluster_network.subnet(NODE_SUBNET)
        azure.cluster_network.subnet(NODE_SUBNET).security_group = before.security_group


class RouteToGoneAppliance(AzureFault):
    """The default route leads to a firewall that is not there."""

    name = "route-to-gone-appliance"
    describes = (
        "A user-defined route 0.0.0.0/0 leads to the address of a network virtual appliance that "
        "is gone, so what leaves the virtual network is lost (Azure docs: "
        "virtual-networks-udr-overview, next hop; AKS docs: limit-egress-traffic)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Set that route for nodes and pods."""
        for subnet in cluster_subnets(azure.spec):
            put_route(
                azure,
                subnet,
                Route(
                    name="to-old-firewall",
                    prefix=_DEFAULT,
                    next_hop_type="VirtualAppliance",
                    next_hop_ip=GONE_APPLIANCE,
                ),
            )

    def mends(self, azure: AzureState) -> None:
        """Have the route of the start, if there was one."""
        for subnet in cluster_subnets(azure.spec):
            restore_route(azure, subnet, _DEFAULT)


class PeeredRangeOverlaps(AzureFault):
    """A peered network has addresses that the cluster uses for Services."""

    name = "peered-range-overlaps"
    describes = (
        "The address space of the peered virtual network was extended by the range that the "
        "cluster has its Services in, so pods never reach the machines there (AKS docs: "
        "configure-azure-cni, the Service address range must not be in a connected network)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Extend it."""
        self.mends(azure)
        azure.networks[PEERED_NETWORK].prefixes.append(azure.spec.service_cidr)

    def mends(self, azure: AzureState) -> None:
        """Take the range back."""
        network = azure.networks[PEERED_NETWORK]
        network.prefixes = [one for one in network.prefixes if one != azure.spec.service_cidr]


class VnetDnsChanged(AzureFault):
    """The virtual network has got other DNS servers, and nodes go on with the old ones."""

    name = "vnet-dns-changed"
    describes = (
        "The virtual network was given a new DNS server, and the nodes go on asking the old ones, "
        "as they take changes only when they start anew (Azure docs: manage-virtual-network, "
        "change DNS servers; AKS docs: coredns-custom)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Name the new server; the nodes are not restarted."""
        azure.networks[CLUSTER_NETWORK].dns_servers = [NEW_DNS_SERVER]

    def mends(self, azure: AzureState) -> None:
        """Name those of the start."""
        before = AzureState(azure.spec).cluster_network
        azure.networks[CLUSTER_NETWORK].dns_servers = before.dns_servers


class SubnetUpdateFailed(AzureFault):
    """The last change of the nodes' subnet did not come to an end."""

    name = "subnet-update-failed"
    describes = (
        "The last update of the nodes' subnet failed, so its provisioningState is Failed and what "
        "is to be made in it is refused, while packets pass (Azure docs: troubleshoot failed state "
        "of Microsoft.Network resources)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Have it failed."""
        azure.cluster_network.subnet(NODE_SUBNET).provisioning = "Failed"

    def mends(self, azure: AzureState) -> None:
        """Have it succeeded."""
        azure.cluster_network.subnet(NODE_SUBNET).provisioning = "Succeeded"


class NodeSubnetCrowded(AzureFault):
    """No machine can be added to the nodes' subnet."""

    name = "node-subnet-crowded"
    describes = (
        "Machines and endpoints of others have taken the rest of the nodes' subnet: nodes and pods "
        "that run go on, and no node can be added, as an upgrade does (AKS docs: "
        "error-code-subnetisfull-upgrade; concepts-network-ip-address-planning)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Have it full."""
        azure.full_subnets.add(NODE_SUBNET)

    def mends(self, azure: AzureState) -> None:
        """Have room again."""
        azure.full_subnets.discard(NODE_SUBNET)


AZURE_NETWORK_FAULTS: tuple[Callable[[], Fault], ...] = (
    NsgOpensManagementPorts,
    NsgBlocksHttpsOut,
    SubnetWithoutSecurityGroup,
    RouteToGoneAppliance,
    PeeredRangeOverlaps,
    VnetDnsChanged,
    SubnetUpdateFailed,
    NodeSubnetCrowded,
)
