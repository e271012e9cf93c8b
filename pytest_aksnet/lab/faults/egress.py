"""Faults of the way out: public addresses, ports of translation, idle flows."""

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.of_azure import AzureFault, cluster_subnets
from pytest_aksnet.lab.faults.rated import RatedFault
from pytest_aksnet.lab.faults.setting import Setting
from pytest_aksnet.lab.spec import LabSpec

FEW_PORTS = 8
"""The fewest ports that an outbound rule can give a node."""

_ADDRESSES = {
    "load-balancer": "outbound-ip",
    "nat-gateway": "nat-gateway-ip",
    "firewall": "firewall-ip",
}
_NO_WAY_OUT = "this lab has no way out: set egress=load-balancer, nat-gateway or firewall"


class EgressAddressChanged(AzureFault):
    """New outbound flows leave with the lab's other public address."""

    name = "egress-address-changed"
    describes = (
        "Outbound traffic leaves with a new public address, as after a change of the load "
        "balancer's outbound IPs or of the outbound type (AKS docs: load-balancer-standard, "
        "egress-outboundtype)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes an address."""
        return "" if spec.egress_ip else _NO_WAY_OUT

    def breaks(self, azure: AzureState) -> None:
        """Change the address."""
        name = _ADDRESSES[azure.spec.options.egress]
        azure.public_addresses[name].ip = azure.spec.other_egress_ip

    def mends(self, azure: AzureState) -> None:
        """Change it back."""
        assert azure.spec.egress_ip is not None
        name = _ADDRESSES[azure.spec.options.egress]
        azure.public_addresses[name].ip = azure.spec.egress_ip


class OutboundPorts(AzureFault):
    """The outbound rule gives each node another number of SNAT ports."""

    def ports(self, azure: AzureState) -> int:
        """How many it gives."""
        raise NotImplementedError

    def unfit(self, spec: LabSpec) -> str:
        """Only the load balancer gives each node ports of its own."""
        if spec.options.egress == "load-balancer":
            return ""
        return "only the load balancer gives nodes ports of their own: set egress=load-balancer"

    def breaks(self, azure: AzureState) -> None:
        """Give as many."""
        assert azure.outbound_rule is not None
        azure.outbound_rule.ports = self.ports(azure)

    def mends(self, azure: AzureState) -> None:
        """Give as many as before."""
        assert azure.outbound_rule is not None
        azure.outbound_rule.ports = azure.spec.options.outbound_ports


class SnatPortsExhausted(OutboundPorts):
    """Each node has few ports for outbound flows to one destination."""

    name = "snat-ports-exhausted"
    describes = (
        f"The outbound rule gives each node {FEW_PORTS} ports only, so more flows than that to one "
        "destination at once time out (AKS docs: load-balancer-standard, SNAT port exhaustion)."
    )

    def ports(self, azure: AzureState) -> int:
        """The fewest."""
        return FEW_PORTS


class NatGatewayDetached(AzureFault):
    """The cluster's subnets have no NAT gateway any more."""

    name = "nat-gateway-detached"
    describes = (
        "The NAT gateway is detached from the subnet, which leaves the cluster without a way out "
        "(Azure docs: nat-gateway, troubleshoot-nat)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes a NAT gateway."""
        if spec.options.egress == "nat-gateway":
            return ""
        return "this lab has no NAT gateway: set egress=nat-gateway"

    def breaks(self, azure: AzureState) -> None:
        """Detach it."""
        for name in cluster_subnets(azure.spec):
            azure.cluster_network.subnet(name).nat_gateway = ""

    def mends(self, azure: AzureState) -> None:
        """Attach it again."""
        before = AzureState(azure.spec)
        for name in cluster_subnets(azure.spec):
            gateway = before.cluster_network.subnet(name).nat_gateway
            azure.cluster_network.subnet(name).nat_gateway = gateway


class IdleTimeoutShort(RatedFault):
    """The edge forgets flows to the internet that are silent for a while."""

    name = "idle-timeout-short"
    describes = (
        "Outbound flows without a packet for the given seconds are forgotten, and what comes later "
        "is answered with a TCP reset; Azure's own shortest time is 4 minutes (Azure docs: "
        "load-balancer-tcp-reset, nat-gateway-resource, TCP idle timeout)."
    )
    setting = Setting(meaning="seconds without a packet", default=2, highest=7200)

    def unfit(self, spec: LabSpec) -> str:
        """It takes flows to the internet."""
        return "" if spec.egress_ip else _NO_WAY_OUT

    async def inject(self, lab: FaultableLab) -> None:
        """Forget new flows so soon."""
        lab.network.knobs.idle_seconds = max(1, round(self.value))
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Forget them when the resources say."""
        lab.network.knobs.idle_seconds = None
        lab.network.resync()
