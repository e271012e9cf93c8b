"""What one Azure private DNS zone answers: pure, no I/O.

Source: Azure docs, "What is a private DNS zone?" and "Overview of DNS zones and records": `@` is
the zone itself, `*` any name that has no records of its own.
"""

from dnslib import QTYPE, RR, DNSError

from pytest_aksnet.lab.azure.resources import PrivateZone, RecordSet
from pytest_aksnet.lab.dns.message import (
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    Answer,
    Question,
    is_below,
    soa_record,
)

SOA_TTL = 10
_SOA = ("azureprivatedns.net", "azureprivatedns-host.microsoft.com", (1, 3600, 300, 2419200, 10))
_NAMES = ("CNAME", "PTR")


def zone_answer(zone: PrivateZone, question: Question) -> Answer:
    """The records of the name itself: an alias is not followed.

    SERVFAIL where a record set has a value that cannot be a record's.
    """
    found = [one for one in zone.records if _owner(one, zone) == question.name]
    if not found and question.name != zone.name:
        parent = question.name.partition(".")[2]
        found = [one for one in zone.records if _owner(one, zone) == f"*.{parent}"]
    aliases = [one for one in found if one.kind == "CNAME"]
    matching = aliases or [one for one in found if one.kind == QTYPE.get(question.qtype)]
    if matching:
        try:
            records = [record for one in matching for record in _records(one, question.name)]
        except (DNSError, ValueError, IndexError):
            return Answer(rcode=SERVFAIL)
        return Answer(answers=records)
    soa = soa_record(zone.name, *_SOA, ttl=SOA_TTL)
    if question.name == zone.name and question.qtype == QTYPE.SOA:
        return Answer(answers=(soa,))
    exists = found or any(is_below(_owner(one, zone), question.name) for one in zone.records)
    known = exists or question.name == zone.name
    return Answer(rcode=NOERROR if known else NXDOMAIN, authority=(soa,))


def _owner(records: RecordSet, zone: PrivateZone) -> str:
    own = records.name.lower()
    return zone.name if own == "@" else f"{own}.{zone.name}"


def _records(records: RecordSet, name: str) -> list[RR]:
    """The record set in the wire library's form; values as ARM has them, TXT without quotes."""
    lines = []
    for value in records.values:
        data = value
        if records.kind == "TXT":
            data = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        elif records.kind in _NAMES:
            data = value.rstrip(".") + "."
        lines.append(f"{name}. {records.ttl} IN {records.kind} {data}")
    return [record for line in lines for record in RR.fromZone(line)]
