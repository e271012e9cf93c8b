"""Faults of load balancers and the way out that Azure Resource Manager shows."""

from pytest_aksnet.lab.azure.resources import LeftOverRule, NatGateway, PublicAddress
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.of_azure import AzureFault, cluster_subnets
from pytest_aksnet.lab.faults.rated import RatedFault, RatedNodeFault
from pytest_aksnet.lab.faults.setting import Setting
from pytest_aksnet.lab.platform_servers import INTERNET
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, LabSpec

_GONE = LeftOverRule(
    uid="0f1e2d3c-4b5a-4968-8776-655443322110",
    namespace="shop",
    service="web",
    ip="198.51.100.30",
    port=80,
    node_port=31999,
)
_BY_HAND = "by-hand"
_NEEDS_BALANCER = "this lab does not leave by a load balancer: set egress=load-balancer"


def _needs_balancer(spec: LabSpec) -> str:
    return "" if spec.options.egress == "load-balancer" else _NEEDS_BALANCER


class LbRulesLeftOver(AzureFault):
    """The load balancer has a rule of a Service that is gone."""

    name = "lb-rules-left-over"
    describes = (
        "The load balancer keeps the frontend, the rule and the probe of a Service that is gone, "
        "as where somebody removed its finalizer while the cloud provider could not clean up "
        "(Kubernetes docs: Service, garbage collecting load balancers)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Keep the rule."""
        azure.left_over_rules[:] = [_GONE]

    def mends(self, azure: AzureState) -> None:
        """Remove it."""
        azure.left_over_rules.clear()


class LbTimeoutsDefault(AzureFault):
    """Rules have the default time-out."""

    name = "lb-timeouts-default"
    describes = (
        "All rules of the load balancer have an idle timeout of 4 minutes with TCP reset, whatever "
        "annotations of the Services say, as after somebody edited the rules by hand (AKS docs: "
        "load-balancer-standard, annotations)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Ignore annotations."""
        azure.default_timeouts = True

    def mends(self, azure: AzureState) -> None:
        """Honour them."""
        azure.default_timeouts = False


class LbSkuBasic(AzureFault):
    """The load balancers are of the SKU that is retired."""

    name = "lb-sku-basic"
    describes = (
        "The cluster's load balancers are of the SKU Basic, which was retired on 2025-09-30, as in "
        "a cluster that was never migrated (Azure docs: load-balancer-basic-upgrade-guidance)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Make them Basic."""
        azure.balancer_sku = "Basic"

    def mends(self, azure: AzureState) -> None:
        """Make them Standard."""
        azure.balancer_sku = "Standard"


class OutboundBackendMissing(AzureFault):
    """A node has no part in the outbound rule."""

    name = "outbound-backend-missing"
    describes = (
        "One node is missing in the backend pool of the outbound rule, so it and its pods have no "
        "way out, while it serves the load balancer's frontends (Azure docs: "
        "load-balancer-outbound-connections; AKS docs: load-balancer-standard)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """It takes an outbound rule."""
        return _needs_balancer(spec)

    def breaks(self, azure: AzureState) -> None:
        """Leave it out."""
        assert azure.outbound_rule is not None
        azure.outbound_rule.left_out.add(self.node)

    def mends(self, azure: AzureState) -> None:
        """Take it in."""
        assert azure.outbound_rule is not None
        azure.outbound_rule.left_out.discard(self.node)


class NatGatewayAttached(AzureFault):
    """A NAT gateway takes over from the load balancer."""

    name = "nat-gateway-attached"
    describes = (
        "Somebody attached a NAT gateway to the nodes' subnet of a cluster that is to leave by its "
        "load balancer, and the gateway comes first, so traffic leaves with an address that is "
        "none of the cluster's (Azure docs: nat-gateway-resource; AKS docs: egress-outboundtype)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes a load balancer to take over from."""
        return _needs_balancer(spec)

    def breaks(self, azure: AzureState) -> None:
        """Attach one."""
        azure.public_addresses[_BY_HAND] = PublicAddress(
            name=_BY_HAND,
            resource_group=NODE_RESOURCE_GROUP,
            ip=azure.spec.other_egress_ip,
            used_by=f"natGateways/{_BY_HAND}",
        )
        azure.nat_gateways[_BY_HAND] = NatGateway(
            name=_BY_HAND, resource_group=NODE_RESOURCE_GROUP, public_addresses=[_BY_HAND]
        )
        for name in cluster_subnets(azure.spec):
            azure.cluster_network.subnet(name).nat_gateway = _BY_HAND

    def mends(self, azure: AzureState) -> None:
        """Detach and delete it."""
        for name in cluster_subnets(azure.spec):
            azure.cluster_network.subnet(name).nat_gateway = ""
        azure.nat_gateways.pop(_BY_HAND, None)
        azure.public_addresses.pop(_BY_HAND, None)


class AutoscalerMaxHigh(RatedFault):
    """A pool may grow far."""

    name = "autoscaler-max-high"
    describes = (
        "The cluster autoscaler may grow the last pool so far that the load balancer has other, or "
        "no, SNAT ports for its nodes (AKS docs: load-balancer-standard, allocated outbound ports; "
        "cluster-autoscaler)."
    )
    setting = Setting(meaning="most nodes of the pool", default=60, highest=1000)

    async def inject(self, lab: FaultableLab) -> None:
        """Let it grow."""
        lab.azure.autoscaling[lab.spec.options.pools[-1].name] = (1, int(self.value))
        lab.azure.changed()

    async def heal(self, lab: FaultableLab) -> None:
        """Have no autoscaler."""
        lab.azure.autoscaling.clear()
        lab.azure.changed()


class ConnectionsLeaked(RatedNodeFault):
    """A program on a node never closes its connections."""

    name = "connections-leaked"
    describes = (
        "A program on one node opens connections to one destination on the internet and never "
        "closes them, so they hold SNAT ports of the node (Azure docs: "
        "troubleshoot-outbound-connection, SNAT exhaustion)."
    )
    setting = Setting(meaning="open connections", default=950, highest=20_000)

    def unfit(self, spec: LabSpec) -> str:
        """It takes SNAT ports of each node."""
        return _needs_balancer(spec)

    async def inject(self, lab: FaultableLab) -> None:
        """Open them. Raises OSError."""
        [host] = [one.ip for one in lab.spec.hosts if one.name == INTERNET]
        await lab.leaks.open(self.node, host, int(self.value))

    async def heal(self, lab: FaultableLab) -> None:
        """Close them."""
        lab.leaks.close(self.node)


BALANCER_FAULTS = (LbRulesLeftOver, LbTimeoutsDefault, LbSkuBasic, NatGatewayAttached)
BALANCER_NODE_FAULTS = (OutboundBackendMissing,)
BALANCER_FAULTS_WITH_A_VALUE = (AutoscalerMaxHigh,)
BALANCER_NODE_FAULTS_WITH_A_VALUE = (ConnectionsLeaked,)
