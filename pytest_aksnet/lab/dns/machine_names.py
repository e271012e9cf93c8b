"""Names that Azure gives the machines of a virtual network by itself: pure, no I/O.

Source: Azure docs, "Name resolution for resources in Azure virtual networks": host names below the
network's internal suffix, and the reverse names of their addresses. IPv4 alone.
"""

import ipaddress

from dnslib import QTYPE

from pytest_aksnet.lab.dns.message import (
    NOERROR,
    NXDOMAIN,
    Answer,
    Question,
    address_record,
    is_below,
    ptr_record,
)
from pytest_aksnet.lab.spec import LabSpec

_TTL = 10


class MachineNames:
    """Those of the cluster's virtual network: its nodes and its other virtual machines."""

    def __init__(self, spec: LabSpec) -> None:
        services = {endpoint.ip for endpoint in spec.private_endpoints}
        machines = {node.name: node.ip for node in spec.nodes} | {
            host.name: host.ip
            for host in spec.hosts
            if host.domain == "vnet" and host.role != "firewall" and host.ip not in services
        }
        self._suffix = spec.internal_suffix
        self._addresses = {f"{name}.{self._suffix}": ip for name, ip in machines.items()}
        self._names = {
            ipaddress.ip_address(ip).reverse_pointer: name for name, ip in self._addresses.items()
        }

    def answer(self, question: Question) -> Answer | None:
        """The answer; None for names that are of no machine and not below the suffix."""
        name = question.name
        if name in self._names:
            found = [ptr_record(name, self._names[name], _TTL)]
            return Answer(answers=found if question.qtype == QTYPE.PTR else ())
        if not is_below(name, self._suffix):
            return None
        if name not in self._addresses:
            return Answer(rcode=NOERROR if name == self._suffix else NXDOMAIN)
        records = [address_record(name, self._addresses[name], _TTL)]
        return Answer(answers=records if question.qtype == QTYPE.A else ())
