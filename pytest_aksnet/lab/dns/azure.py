"""What Azure DNS (168.63.129.16) answers, by the virtual network that asks: pure, no I/O.

A private DNS zone answers in the virtual networks that it is linked to; there it answers alone,
with NXDOMAIN for what it lacks, unless the link falls back to the internet (resolution policy
NxDomainRedirect). Elsewhere the public chain answers (Azure docs: "private-dns-overview",
"private-dns-fallback", "private-endpoint-dns"). Machines of the cluster's network have names there.
"""

import ipaddress

from dnslib import QTYPE, RR

from pytest_aksnet.lab.azure.resources import PrivateZone, ZoneLink
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, AzureState
from pytest_aksnet.lab.dns.machine_names import MachineNames
from pytest_aksnet.lab.dns.message import NXDOMAIN, Answer, Question, is_below
from pytest_aksnet.lab.dns.private_zone import zone_answer
from pytest_aksnet.lab.dns.public_names import PublicNames

_LONGEST_CNAME_CHAIN = 8


class AzureDns:
    """The resolver of all virtual networks; their zones and links are read from the state."""

    def __init__(self, azure: AzureState) -> None:
        self._azure = azure
        self._public = PublicNames(azure.spec)
        self._machines = MachineNames(azure.spec)

    async def resolve(self, question: Question) -> Answer:
        """The answer as the client gets it where it stands."""
        return self.lookup(question, self.network_of(question.client))

    def network_of(self, client: str) -> str:
        """The virtual network that an address is of; "" where it is of none."""
        if not client:
            return ""
        address = ipaddress.ip_address(client)
        for network in self._azure.networks.values():
            if any(address in ipaddress.ip_network(prefix) for prefix in network.prefixes):
                return network.name
        return ""

    def lookup(self, question: Question, network: str) -> Answer:
        """The answer in a virtual network; aliases are followed through zones and public names."""
        chain: list[RR] = []
        name = question.name
        while len(chain) < _LONGEST_CNAME_CHAIN:
            found = self._records(Question(name=name, qtype=question.qtype), network)
            chain += found.answers
            last = chain[-1] if found.answers else None
            if last is None or last.rtype != QTYPE.CNAME or question.qtype == QTYPE.CNAME:
                return Answer(rcode=found.rcode, answers=chain, authority=found.authority)
            name = str(last.rdata).lower().rstrip(".")
        return Answer(answers=chain)

    def _records(self, question: Question, network: str) -> Answer:
        linked = self._linked_zone(question.name, network)
        if linked is None:
            own = self._machines.answer(question) if network == CLUSTER_NETWORK else None
            return own or self._public.answer(question)
        zone, link = linked
        answer = zone_answer(zone, question)
        if answer.rcode == NXDOMAIN and link.fallback:
            return self._public.answer(question)
        return answer

    def _linked_zone(self, name: str, network: str) -> tuple[PrivateZone, ZoneLink] | None:
        """The linked private zone that is responsible for a name, with its link."""
        responsible = [
            (zone, link)
            for zone in self._azure.private_zones.values()
            if is_below(name, zone.name)
            for link in zone.links
            if link.network == network and link.completed
        ]
        return max(responsible, key=lambda found: len(found[0].name), default=None)
