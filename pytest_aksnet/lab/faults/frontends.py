"""Faults of the load balancer's configuration: frontends, backend pool, probes."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network_knobs import NetworkKnobs


class LbFrontendMissing:
    """The load balancer has no frontends for Services."""

    name = "lb-frontend-missing"
    describes = (
        "The load balancer has no rules for the cluster's Services, though their status shows "
        "addresses, as after it was changed by hand (AKS docs: load-balancer-standard, "
        "cloud-provider-azure: EnsureLoadBalancer)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Take them away."""
        lab.network.knobs.frontends_absent = True
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Have them again."""
        lab.network.knobs.frontends_absent = False
        lab.network.resync()


class LbBackendMissing(NamedNode):
    """A node is not in the load balancer's backend pool."""

    name = "lb-backend-missing"
    describes = (
        "One healthy node is missing in the backend pool, so no frontend sends to it, and with "
        "externalTrafficPolicy Local its pods get nothing (AKS docs: load-balancer-standard, "
        "backend pool types)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes that are not in the pool."""
        return knobs.backends_absent


class LbProbeFails(NamedNode):
    """A node drops the load balancer's health probes."""

    name = "lb-probe-fails"
    describes = (
        "One node's own firewall drops what comes from 168.63.129.16, so the load balancer takes "
        "the node for dead (Azure docs: load-balancer-troubleshoot-health-probe-status)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes that drop probes."""
        return knobs.probes_blocked
