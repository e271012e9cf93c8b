"""Faults of what the cluster's owner adds to CoreDNS by ConfigMap coredns-custom."""

from pytest_aksnet.lab.api.resources import CONFIG_MAPS
from pytest_aksnet.lab.controllers.cluster import (
    CUSTOM_COREFILE,
    STUB_KEY,
    custom_corefile_data,
    stub_corefile,
)
from pytest_aksnet.lab.faults.coredns_servfail import set_custom_corefile
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

OLD_SERVER = "10.225.0.250"
"""An address of the VNet that no machine has."""
_BROKEN = {"corp.conf": "corp.example.org:53 {\n    forward . 10.1.2.3\n}\n"} | {
    "log.override": "logs\n"
}
_AAAA_KEY, _AAAA_TEXT = "ipv6.override", "template IN AAAA {\n  rcode NXDOMAIN\n}\n"


class CorednsCustomBroken:
    """coredns-custom has a text that CoreDNS will not start with; the replicas run with the old."""

    name = "coredns-custom-broken"
    describes = (
        "ConfigMap coredns-custom was changed to a text with an unknown plugin and a key that is "
        "never read, while the replicas go on with the old text until they start anew (AKS docs: "
        "coredns-custom; CoreDNS docs: reload)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Write it; nobody restarts the replicas."""
        self._write(lab, {**custom_corefile_data(lab.store), **_BROKEN})

    async def heal(self, lab: FaultableLab) -> None:
        """Take it out."""
        data = custom_corefile_data(lab.store)
        self._write(lab, {key: text for key, text in data.items() if key not in _BROKEN})

    def _write(self, lab: FaultableLab, data: dict[str, str]) -> None:
        namespace, name = CUSTOM_COREFILE
        lab.store.mutate(CONFIG_MAPS, name, namespace, change=lambda value: value.update(data=data))


class CorednsAaaaDenied:
    """A template denies all names that are asked for an IPv6 address."""

    name = "coredns-aaaa-denied"
    describes = (
        "A template of coredns-custom is to keep IPv6 away and answers NXDOMAIN to every question "
        "for AAAA, which says that the name does not exist at all, so resolvers that ask for both "
        "families give up (RFC 8020; musl: functional differences from glibc)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Add the template and have the replicas read it."""
        set_custom_corefile(lab, _AAAA_KEY, _AAAA_TEXT)

    async def heal(self, lab: FaultableLab) -> None:
        """Take it away."""
        set_custom_corefile(lab, _AAAA_KEY, None)


class StubDomainMoved:
    """The zone of the site is sent to a DNS server that is there no more."""

    name = "stub-domain-moved"
    describes = (
        "The server block of a stub domain in coredns-custom forwards to a DNS server that has "
        "moved, so names of the zone end in SERVFAIL after the time-outs of forward (AKS docs: "
        "coredns-custom, stub domains)."
    )
    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """It needs a stub domain."""
        return "" if spec.stub_servers else "CoreDNS has no stub domain: set custom-dns=true"

    async def inject(self, lab: FaultableLab) -> None:
        """Forward to the old address."""
        set_custom_corefile(lab, STUB_KEY, stub_corefile(lab.spec, [OLD_SERVER]))

    async def heal(self, lab: FaultableLab) -> None:
        """Forward to the right ones."""
        set_custom_corefile(lab, STUB_KEY, stub_corefile(lab.spec, lab.spec.stub_servers))
