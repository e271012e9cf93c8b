"""The public names that the lab knows: what the DNS of the world answers. Pure, no I/O.

The chain of a service with a private endpoint is that of Azure Private Link: the service's name
-> its privatelink name -> the provider's name -> a public address.
"""

from dnslib import RR

from pytest_aksnet.lab.dns.message import (
    NOERROR,
    NXDOMAIN,
    Answer,
    Question,
    address_record,
    cname_record,
    is_below,
    soa_record,
)
from pytest_aksnet.lab.spec import LabSpec

PUBLIC_TTL = 60
_SOA = ("ns1-01.azure-dns.com", "azuredns-hostmaster.microsoft.com", (1, 3600, 300, 2419200, 300))
_ROOT_SOA = ("a.root-servers.net", "nstld.verisign-grs.com", (2026112100, 1800, 900, 604800, 86400))


class PublicNames:
    """Addresses and aliases. In dual-stack labs hosts with an IPv6 address have AAAA records."""

    def __init__(self, spec: LabSpec) -> None:
        second = {host.ip: host.ip6 for host in spec.hosts if host.ip6 and spec.dual_stack}
        self._addresses: dict[str, list[str]] = {}
        self._cnames: dict[str, str] = {}
        for name, ip in spec.public_names.items():
            self._addresses[name] = [ip, *([second[ip]] if ip in second else [])]
        for endpoint in spec.private_endpoints:
            self._cnames[endpoint.fqdn] = endpoint.privatelink_fqdn
            self._cnames[endpoint.privatelink_fqdn] = endpoint.public_cname
            self._addresses[endpoint.public_cname] = [endpoint.public_ip]

    def answer(self, question: Question) -> Answer:
        """The records of the name itself: an alias is not followed."""
        name, qtype = question.name, question.qtype
        if name in self._cnames:
            return Answer(answers=(cname_record(name, self._cnames[name], PUBLIC_TTL),))
        found: list[RR] = [
            record
            for address in self._addresses.get(name, ())
            if (record := address_record(name, address, PUBLIC_TTL)).rtype == qtype
        ]
        if found:
            return Answer(answers=found)
        exists = any(is_below(known, name) for known in (*self._addresses, *self._cnames))
        return Answer(rcode=NOERROR if exists else NXDOMAIN, authority=(self._soa(name),))

    def _soa(self, name: str) -> RR:
        for known in (*self._addresses, *self._cnames):
            apex = ".".join(known.split(".")[-2:])
            if is_below(name, apex):
                return soa_record(apex, *_SOA, ttl=PUBLIC_TTL)
        return soa_record(".", *_ROOT_SOA, ttl=86400)
