"""What Azure DNS (168.63.129.16) answers in the lab's virtual network: pure, no I/O.

Private DNS zones answer only while they are linked to the virtual network; then they answer
alone, with NXDOMAIN for what they lack. Unlinked, the public chain answers: the service's name ->
its privatelink name -> the provider's name -> a public address (Azure Private Link docs).
"""

from dnslib import QTYPE, RR

from pytest_aksnet.lab.dns.message import (
    ADDRESS_TYPES,
    NXDOMAIN,
    Answer,
    Question,
    address_record,
    cname_record,
    is_below,
    soa_record,
)
from pytest_aksnet.lab.spec import LabSpec

PRIVATE_TTL = 10  # what private DNS zone groups give their records
PUBLIC_TTL = 60
_LONGEST_CNAME_CHAIN = 8
_PRIVATE_SOA = (
    "azureprivatedns.net",
    "azureprivatedns-host.microsoft.com",
    (1, 3600, 300, 2419200, 10),
)
_PUBLIC_SOA = (
    "ns1-01.azure-dns.com",
    "azuredns-hostmaster.microsoft.com",
    (1, 3600, 300, 2419200, 300),
)
_ROOT_SOA = ("a.root-servers.net", "nstld.verisign-grs.com", (2026112100, 1800, 900, 604800, 86400))


class AzureDns:
    """Resolver of the virtual network. `linked` holds the private zones that are linked to it."""

    def __init__(self, spec: LabSpec) -> None:
        self._addresses: dict[str, str] = dict(spec.public_names)
        self._cnames: dict[str, str] = {}
        self._private: dict[str, dict[str, str]] = {}
        for endpoint in spec.private_endpoints:
            self._cnames[endpoint.fqdn] = endpoint.privatelink_fqdn
            self._cnames[endpoint.privatelink_fqdn] = endpoint.public_cname
            self._addresses[endpoint.public_cname] = endpoint.public_ip
            self._private.setdefault(endpoint.zone, {})[endpoint.privatelink_fqdn] = endpoint.ip
        self.linked: set[str] = set(self._private)

    def link(self, zone: str) -> None:
        """Link a private zone to the virtual network. Raises KeyError where there is none."""
        _ = self._private[zone]
        self.linked.add(zone)

    def unlink(self, zone: str) -> None:
        """Remove a private zone's link. Raises KeyError where there is no such zone."""
        _ = self._private[zone]
        self.linked.discard(zone)

    async def resolve(self, question: Question) -> Answer:
        """The answer as a client in the virtual network gets it."""
        return self.lookup(question)

    def lookup(self, question: Question) -> Answer:
        """The same, for callers that need no event loop."""
        chain: list[RR] = []
        name = question.name
        while len(chain) < _LONGEST_CNAME_CHAIN:
            zone = self._linked_zone(name)
            address = (self._private[zone] if zone else self._addresses).get(name)
            target = None if zone else self._cnames.get(name)
            if target is not None:
                chain.append(cname_record(name, target, PUBLIC_TTL))
                if question.qtype == QTYPE.CNAME:
                    break
                name = target
                continue
            if address is not None and question.qtype == _address_type(address):
                ttl = PRIVATE_TTL if zone else PUBLIC_TTL
                return Answer(answers=(*chain, address_record(name, address, ttl)))
            exists = address is not None or self._has_descendants(name, zone)
            soa = self._soa(name, zone)
            return Answer(rcode=0 if exists else NXDOMAIN, answers=chain, authority=(soa,))
        return Answer(answers=chain)

    def _linked_zone(self, name: str) -> str:
        """The linked private zone that is responsible for a name; "" for the public names."""
        responsible = [zone for zone in self.linked if is_below(name, zone)]
        return max(responsible, key=len, default="")

    def _has_descendants(self, name: str, zone: str) -> bool:
        known = self._private[zone] if zone else {**self._addresses, **self._cnames}
        return name == zone or any(is_below(other, name) for other in known)

    def _soa(self, name: str, zone: str) -> RR:
        if zone:
            return soa_record(zone, *_PRIVATE_SOA, ttl=PRIVATE_TTL)
        for known in {*self._addresses, *self._cnames}:
            apex = ".".join(known.split(".")[-2:])
            if is_below(name, apex):
                return soa_record(apex, *_PUBLIC_SOA, ttl=PUBLIC_TTL)
        return soa_record(".", *_ROOT_SOA, ttl=86400)


def _address_type(address: str) -> int:
    return ADDRESS_TYPES[":" in address]
