"""Faults of a firewall between the cluster and the internet."""

from pytest_aksnet.lab.faults.fault import FaultableLab

_DENIED_HOST = "internet"


class TlsInterception:
    """A firewall that inspects TLS."""

    name = "tls-interception"
    node = ""
    describes = (
        "TLS to the internet ends at an inspecting firewall, which presents a certificate of its "
        "own authority for every name, so clients that do not trust it fail while TCP connects "
        "(Azure docs: Azure Firewall Premium, TLS inspection; AKS docs: limit-egress-traffic)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Inspect."""
        lab.middlebox.intercept()

    async def heal(self, lab: FaultableLab) -> None:
        """Inspect no more."""
        lab.middlebox.leave_alone()


class FirewallResets:
    """A firewall that answers instead of dropping."""

    name = "firewall-resets"
    node = ""
    describes = (
        "A firewall answers what it denies, here ports 80 and 443 of one host on the internet, "
        "with a RST instead of silence, so that a deny looks like a closed port (Azure docs: Azure "
        "Firewall rule processing logic; RFC 9293, 3.10.7)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Deny."""
        lab.middlebox.reset(_DENIED_HOST, on=True)

    async def heal(self, lab: FaultableLab) -> None:
        """Allow."""
        lab.middlebox.reset(_DENIED_HOST, on=False)
