"""Faults that are rules of a network security group."""

from pytest_aksnet.lab.azure.resources import SecurityRule
from pytest_aksnet.lab.azure.security_rules import LOAD_BALANCER, PLATFORM_DNS, VIRTUAL_NETWORK
from pytest_aksnet.lab.faults.of_azure import RuleFault
from pytest_aksnet.lab.spec import LabSpec

# What pods serve on a node's own address; kubelet, kube-proxy and node ports lie outside.
_HOST_PORTS_OF_PODS = ("8080-10247", "10260-29999")


class NsgBlocksNodePorts(RuleFault):
    """A network security group denies what comes from other machines to a node's high ports."""

    name = "nsg-blocks-node-ports"
    describes = (
        "A rule of a network security group denies TCP from the VNet to one node's own address, "
        "ports 8080 to 29999 but for those of kubelet and kube-proxy, where AKS needs all traffic "
        "between nodes (AKS docs: concepts-network-azure-cni-overlay, network security groups)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """The one for that node."""
        node = spec.node(self.node)
        return [
            SecurityRule(
                name=f"DenyHighPortsOf-{node.name}",
                priority=200 + node.index,
                direction="Inbound",
                access="Deny",
                protocol="Tcp",
                sources=(VIRTUAL_NETWORK,),
                destinations=(f"{node.ip}/32",),
                destination_ports=_HOST_PORTS_OF_PODS,
            )
        ]


class NsgBlocksHighPorts(RuleFault):
    """A network security group lets only ports below 40000 through between pods."""

    name = "nsg-blocks-high-ports"
    describes = (
        "A rule of a network security group denies ports 40000 and up between the ranges that "
        "pods have their addresses from, where AKS needs all ports (AKS docs: "
        "concepts-network-azure-cni-overlay, network security groups)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """The group is that of the nodes' subnet."""
        if spec.mode == "pod-subnet":
            return "the pods' subnet has a network security group of its own: set another mode"
        return ""

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """The one between pods."""
        pods = spec.node_subnet if spec.mode == "node-subnet" else spec.pod_cidr
        return [
            SecurityRule(
                name="DenyHighPortsOfPods",
                priority=180,
                direction="Inbound",
                access="Deny",
                sources=(pods,),
                destinations=(pods,),
                destination_ports=("40000-65535",),
            )
        ]


class NsgBlocksDns(RuleFault):
    """A network security group denies DNS."""

    name = "nsg-blocks-dns"
    describes = (
        "Rules of a network security group deny port 53 to what leaves the nodes, the service tag "
        "AzurePlatformDNS included, so names outside the cluster do not resolve (Azure docs: "
        "network-security-groups-overview, Azure platform considerations)."
    )

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """One for DNS servers, one for Azure's own."""
        return [
            SecurityRule(
                name=f"DenyDns-{number}",
                priority=100 + number,
                direction="Outbound",
                access="Deny",
                destinations=(destination,),
                destination_ports=("53",),
            )
            for number, destination in enumerate(("*", PLATFORM_DNS))
        ]


class NsgBlocksLoadBalancer(RuleFault):
    """A network security group denies the load balancer's health probes."""

    name = "nsg-blocks-load-balancer"
    describes = (
        "A rule of a network security group denies the service tag AzureLoadBalancer, so all "
        "health probes fail and no node gets traffic (Azure docs: load-balancer-troubleshoot-"
        "health-probe-status)."
    )

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """The one for that tag."""
        return [
            SecurityRule(
                name="DenyAzureLoadBalancer",
                priority=150,
                direction="Inbound",
                access="Deny",
                sources=(LOAD_BALANCER,),
            )
        ]
