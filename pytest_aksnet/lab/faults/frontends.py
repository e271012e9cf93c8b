"""Faults of the load balancer: frontends, backend pool, probes, and who configures it."""

from typing import ClassVar

from pytest_aksnet.lab.controllers.load_balancers import ServiceControllerDefect
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


class _OfServiceController:
    """A fault of the cloud provider's service controller."""

    node = ""
    defect: ClassVar[ServiceControllerDefect]

    async def inject(self, lab: FaultableLab) -> None:
        """Get it wrong from now on."""
        lab.control.load_balancers.have_defect(self.defect, on=True)

    async def heal(self, lab: FaultableLab) -> None:
        """Do it right again, and what was left undone."""
        lab.control.load_balancers.have_defect(self.defect, on=False)


class LbInternalIgnored(_OfServiceController):
    """Internal load balancers are public."""

    name = "lb-internal-ignored"
    describes = (
        "The cloud provider does not honour the annotation azure-load-balancer-internal, as where "
        "it is misspelt by a template or removed by a webhook: a Service that should be internal "
        "gets a public address (AKS docs: internal-lb)."
    )
    defect = ServiceControllerDefect.INTERNAL_IGNORED


class LbAddressMoves(_OfServiceController):
    """A Service that changes gets another address."""

    name = "lb-address-moves"
    describes = (
        "A Service's load balancer gets another address whenever the Service changes, as where it "
        "is deleted and made again instead of updated (AKS docs: static-ip)."
    )
    defect = ServiceControllerDefect.ADDRESS_MOVES


class LbCleanupStuck(_OfServiceController):
    """Services that are deleted keep their load balancer."""

    name = "lb-cleanup-stuck"
    describes = (
        "A lock on the node resource group keeps the cloud provider from removing frontends, so "
        "Services that are deleted stay, with their finalizer, and are served (Kubernetes docs: "
        "Service, garbage collecting load balancers; Azure docs: lock-resources)."
    )
    defect = ServiceControllerDefect.NO_CLEANUP
