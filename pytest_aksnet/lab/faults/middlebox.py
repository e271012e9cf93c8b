"""Faults of a firewall between the cluster and the internet, or its private endpoints."""

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


class PrivateEndpointIntercepted:
    """A firewall that inspects TLS to private endpoints."""

    name = "private-endpoint-intercepted"
    node = ""
    describes = (
        "Routes send what is for private endpoints to an inspecting firewall, which presents "
        "certificates of its own authority for their names, so clients that do not trust it fail "
        "while names resolve and TCP connects (Azure docs: inspect traffic destined to a private "
        "endpoint with Azure Firewall)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Inspect."""
        lab.middlebox.intercept(private=True)

    async def heal(self, lab: FaultableLab) -> None:
        """Inspect no more."""
        lab.middlebox.leave_alone(private=True)


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
