"""Faults of routes: user-defined ones, and those by which Azure knows where pods are."""

from pytest_aksnet.lab.azure.resources import OutboundRule, PublicAddress, Route
from pytest_aksnet.lab.azure.state import NODE_SUBNET, VM_SUBNET, AzureState
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.of_azure import (
    AzureFault,
    cluster_subnets,
    drop_route,
    put_route,
    restore_route,
)
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, LabSpec, NodeSpec

_DEFAULT = "0.0.0.0/0"
_BYPASS_ADDRESS = "bypass-ip"


class UdrBlackhole(AzureFault):
    """A default route to nowhere."""

    name = "udr-blackhole"
    describes = (
        "A user-defined route 0.0.0.0/0 with next hop None drops what the cluster sends to the "
        "internet, while the VNet is well (Azure docs: virtual-networks-udr-overview)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Set that route for nodes and pods."""
        for subnet in cluster_subnets(azure.spec):
            put_route(azure, subnet, Route(name="blackhole", prefix=_DEFAULT, next_hop_type="None"))

    def mends(self, azure: AzureState) -> None:
        """Have the route of the start, if there was one."""
        for subnet in cluster_subnets(azure.spec):
            restore_route(azure, subnet, _DEFAULT)


class PodRouteMissing:
    """Azure does not know where the pods of a node are."""

    name = "pod-route-missing"
    describes = (
        "Azure's network has no route to the pods of one node, as after a lost entry of a route "
        "table or of the overlay's mappings (AKS docs: concepts-network-azure-cni-overlay, "
        "configure-kubenet)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Lose the route: of kubenet in the route table, of the others in the fabric itself."""
        lab.network.knobs.pod_routes_absent.add(self.node)
        if lab.spec.mode == "kubenet":
            for prefix in _pod_prefixes(lab.spec.node(self.node)):
                drop_route(lab.azure, NODE_SUBNET, prefix)
        lab.azure.changed()

    async def heal(self, lab: FaultableLab) -> None:
        """Have it again."""
        lab.network.knobs.pod_routes_absent.discard(self.node)
        if lab.spec.mode == "kubenet":
            for prefix in _pod_prefixes(lab.spec.node(self.node)):
                restore_route(lab.azure, NODE_SUBNET, prefix)
        lab.azure.changed()


class WrongPodCidrRoute(AzureFault):
    """The route to the pods of a node leads to another node."""

    name = "wrong-podcidr-route"
    describes = (
        "The route table sends the pods' range of one node to another node, as after nodes were "
        "replaced while the route controller could not write (AKS docs: configure-kubenet)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Only kubenet has such routes, and it takes two nodes to mistake them."""
        if spec.mode != "kubenet":
            return "only kubenet has routes to pods in a route table: set mode=kubenet"
        return "" if len(spec.nodes) > 1 else "it takes two nodes: set pools with more"

    def breaks(self, azure: AzureState) -> None:
        """Have its pods' ranges lead to the next node."""
        nodes = azure.spec.nodes
        node = azure.spec.node(self.node)
        other = nodes[(nodes.index(node) + 1) % len(nodes)]
        for prefix in _pod_prefixes(node):
            put_route(
                azure,
                NODE_SUBNET,
                Route(
                    name=f"{self.node}-stale",
                    prefix=prefix,
                    next_hop_type="VirtualAppliance",
                    next_hop_ip=(other.ip6 or "") if ":" in prefix else other.ip,
                ),
            )

    def mends(self, azure: AzureState) -> None:
        """Have them lead to the node."""
        for prefix in _pod_prefixes(azure.spec.node(self.node)):
            restore_route(azure, NODE_SUBNET, prefix)


class AsymmetricRouting(AzureFault):
    """Answers take another way than questions, by a firewall that keeps state."""

    name = "asymmetric-routing"
    describes = (
        "A user-defined route of the VMs' subnet sends what is for the cluster through the "
        "firewall, which never saw the connection begin and drops the answers (Azure docs: "
        "firewall, integrate-lb; AKS docs: limit-egress-traffic)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes a firewall."""
        return _needs_firewall(spec)

    def breaks(self, azure: AzureState) -> None:
        """Set the routes."""
        for number, prefix in enumerate(_cluster_prefixes(azure.spec)):
            put_route(
                azure,
                VM_SUBNET,
                Route(
                    name=f"cluster-by-firewall-{number}",
                    prefix=prefix,
                    next_hop_type="VirtualAppliance",
                    next_hop_ip=_firewall_ip(azure.spec),
                ),
            )

    def mends(self, azure: AzureState) -> None:
        """Take them back."""
        for prefix in _cluster_prefixes(azure.spec):
            restore_route(azure, VM_SUBNET, prefix)


class EgressBypassesFirewall(AzureFault):
    """The internet is reached without the firewall."""

    name = "egress-bypasses-firewall"
    describes = (
        "The default route leads to the internet instead of the firewall, and an outbound rule of "
        "the load balancer lets the traffic out with another address (AKS docs: "
        "egress-outboundtype, limit-egress-traffic)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes a firewall to go round."""
        return _needs_firewall(spec)

    def breaks(self, azure: AzureState) -> None:
        """Set route and outbound rule."""
        for subnet in cluster_subnets(azure.spec):
            put_route(azure, subnet, Route(name="out", prefix=_DEFAULT, next_hop_type="Internet"))
        _give_way_out(azure)

    def mends(self, azure: AzureState) -> None:
        """Take both back."""
        for subnet in cluster_subnets(azure.spec):
            restore_route(azure, subnet, _DEFAULT)
        _take_way_out(azure)


class IsolationBroken(AzureFault):
    """A cluster that is to have no way out has one."""

    name = "isolation-broken"
    describes = (
        "An outbound rule of the load balancer gives a network isolated cluster a way to the "
        "internet (AKS docs: concepts-network-isolated, egress-outboundtype none)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes a cluster without a way out."""
        return "this lab has a way out: set egress=none" if spec.egress_ip else ""

    def breaks(self, azure: AzureState) -> None:
        """Make the rule."""
        _give_way_out(azure)

    def mends(self, azure: AzureState) -> None:
        """Take it back."""
        _take_way_out(azure)


def _give_way_out(azure: AzureState) -> None:
    azure.public_addresses[_BYPASS_ADDRESS] = PublicAddress(
        name=_BYPASS_ADDRESS,
        resource_group=NODE_RESOURCE_GROUP,
        ip=azure.spec.other_egress_ip,
        used_by="loadBalancers/kubernetes",
    )
    azure.outbound_rule = OutboundRule(name="bypass", public_addresses=[_BYPASS_ADDRESS])


def _take_way_out(azure: AzureState) -> None:
    azure.public_addresses.pop(_BYPASS_ADDRESS, None)
    azure.outbound_rule = None


def _pod_prefixes(node: NodeSpec) -> list[str]:
    return [prefix for prefix in (node.pod_cidr, node.pod_cidr6) if prefix is not None]


def _cluster_prefixes(spec: LabSpec) -> list[str]:
    return [spec.node_subnet, *([spec.pod_subnet] if spec.mode == "pod-subnet" else [])]


def _firewall_ip(spec: LabSpec) -> str:
    return next(host.ip for host in spec.hosts if host.role == "firewall")


def _needs_firewall(spec: LabSpec) -> str:
    if spec.options.egress == "firewall":
        return ""
    return "this lab has no firewall: set egress=firewall"
