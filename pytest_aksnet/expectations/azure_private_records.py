"""Whether the records of private zones are those of private endpoints, and in one zone. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.expectations.azure_private import records_of
from pytest_aksnet.expectations.azure_private_names import (
    Askers,
    NameSeen,
    Said,
    in_effect,
    is_within,
    zones_of,
)
from pytest_aksnet.model.azure_private import (
    Found,
    PrivateEndpoint,
    PrivateZone,
    ZoneGroup,
    ZoneLink,
    ZoneRecord,
)
from pytest_aksnet.model.site import HTTPS

RECORDS = "Azure docs: private-endpoint-dns (records of a private endpoint)"
# Services that do not answer at 443, by a part of their zones' names (Azure docs:
# private-endpoint-dns, and how to connect to each service).
_PORTS = {
    "database": 1433,
    "file": 445,
    "mysql": 3306,
    "mariadb": 3306,
    "postgres": 5432,
    "redis": 6380,
    "servicebus": 5671,
    "mongo": 10255,
    "cassandra": 10350,
}
DANGLING = "Microsoft cloud security benchmark: NS-10 (dangling DNS records)"
ONE_ZONE = "Azure docs: private-endpoint-dns-integration (one private DNS zone for all networks)"


def judge_record(
    seen: NameSeen,
    zones: Found[PrivateZone],
    records: Found[ZoneRecord],
    links: Sequence[ZoneLink],
    groups: Sequence[ZoneGroup],
    askers: Askers,
    ranges: Sequence[str],
) -> Finding:
    """Whether the record of a name is its endpoint's address, in the zones that answer for it.

    `seen.expected` are the addresses of all endpoints with this name, `groups` what keeps them,
    `ranges` those of the networks whose endpoints were read.
    """
    known = zones_of(seen, zones.items, groups)
    asked = [zone for zone in known if in_effect(zone, links, askers)] or known
    if not asked:
        return passed(
            f"{seen.name}: no zone of it could be read",
            source=RECORDS,
            warning=f"no private DNS zone that holds {seen.records[0]} was found in what was read",
        )
    # Of several zones that are linked Azure DNS asks the one with the longest name.
    zone = asked[0]
    wanted = ", ".join(seen.expected)
    found = list(records_of(seen, [zone], records.items))
    if not found:
        said = seen.worst_pods()[0]
        if said is Said.PRIVATE:
            return passed(f"{seen.name}: {zone.name} has no record, and pods get {seen.told()}")
        if not seen.aliases and not any(zone.id in group.zones for group in groups):
            return open_(
                f"{seen.name}: nobody tells its name in {zone.name}: {seen.told()}", source=RECORDS
            )
        return failed(
            f"the private DNS zone {zone.name} should have the record {seen.records[0]} with "
            f"{wanted}, and has none: {seen.told()}",
            resource=zone.id,
            change=f"its A record {_relative(seen, zone)}: {wanted}; a zone group of the endpoint "
            "keeps it",
            source=RECORDS,
        )
    record = found[0]
    if record.addresses is None:
        return open_(f"ARM told no address of the record {record.name}", source=RECORDS)
    strangers = [one for one in record.addresses if one not in seen.expected]
    outside = [one for one in strangers if not is_within(one, ranges)]
    if strangers and outside == strangers:
        if set(record.addresses) & set(seen.expected):
            warning = f"{record.name} says {', '.join(outside)} too, in no network that was read"
            return passed(f"{record.name} has {wanted}", source=RECORDS, warning=warning)
        return open_(
            f"the record {record.name} says {', '.join(strangers)}, in none of the networks whose "
            f"endpoints were read: {seen.told()}",
            source=RECORDS,
        )
    if strangers:
        return failed(
            f"the record {record.name} says {', '.join(record.addresses)}, and the private "
            f"endpoint has {wanted}: {seen.told()}",
            resource=record.id,
            change=f"its addresses: {wanted}; a zone group of the endpoint keeps them",
            source=RECORDS,
        )
    old = [
        node
        for node, answer in seen.pods.items()
        if seen.said(answer) is Said.PRIVATE and not set(answer.addresses) & set(record.addresses)
    ]
    warning = f"pods of {', '.join(old)} get another address of {seen.name}, from an old answer"
    return passed(
        f"the record {record.name} has the endpoint's {', '.join(record.addresses)}",
        source=RECORDS,
        warning=warning if old else "",
    )


def _relative(seen: NameSeen, zone: PrivateZone) -> str:
    fitting = [name for name in seen.records if zone.holds(name)] or [seen.name]
    return fitting[0].removesuffix(f".{zone.name}")


def of_nobody(
    records: Sequence[ZoneRecord],
    endpoints: Sequence[PrivateEndpoint],
    ranges: Sequence[str],
) -> dict[str, list[ZoneRecord]]:
    """Addresses in these ranges that records have and no endpoint, with their records."""
    taken = {ip for one in endpoints for ip in one.addresses or ()}
    taken |= {ip for one in endpoints for name in one.names for ip in name.addresses}
    found: dict[str, list[ZoneRecord]] = defaultdict(list)
    for record in records:
        for address in record.addresses or ():
            if address not in taken and is_within(address, ranges):
                found[address].append(record)
    return found


def ports_of(records: Iterable[ZoneRecord]) -> tuple[int, ...]:
    """TCP ports at which whoever has these records may answer, by the service of their zone."""
    found = {
        port for record in records for part, port in _PORTS.items() if f".{part}." in record.name
    }
    return (HTTPS, *sorted(found))


def judge_dangling(
    loose: Mapping[str, Sequence[ZoneRecord]],
    endpoints: Sequence[PrivateEndpoint],
    answers: Mapping[str, bool],
    records: Sequence[ZoneRecord],
    *,
    own: Sequence[str],
    hidden: Mapping[str, Sequence[str]],
) -> list[Finding]:
    """Whether every record has its endpoint; `loose` is that of `of_nobody`.

    `answers` is whether something accepts a connection at such an address: then it is somebody's.
    `own` are the ranges of the cluster's networks. Of peered ones a list of endpoints may lack what
    may not be read, so that an address there is a warning. `hidden` are ranges of subnets, by name,
    that say of themselves that they have endpoints which no list had.
    """
    untold = [one.short for one in endpoints if one.addresses is None]
    findings = []
    for address, named in loose.items():
        names = ", ".join(record.name for record in named)
        if untold:
            findings.append(
                open_(
                    f"{names}: {address} may be that of {', '.join(untold)}, which told no address",
                    source=DANGLING,
                )
            )
        elif where := [name for name, cidrs in hidden.items() if is_within(address, cidrs)]:
            findings.append(
                open_(
                    f"{names}: {address} may be that of an endpoint of subnet {where[0]} that may "
                    "not be read",
                    source=DANGLING,
                )
            )
        elif not answers.get(address) and not is_within(address, own):
            warning = f"{names}: {address} is of a peered network, and nobody was found there"
            findings.append(passed(f"{names}: {address}", source=DANGLING, warning=warning))
        elif answers.get(address):
            warning = f"{names}: {address} answers, and is no private endpoint's that was read"
            findings.append(passed(f"{names}: {address} answers", source=DANGLING, warning=warning))
        else:
            findings.append(
                failed(
                    f"the record {names} says {address}, which no private endpoint has, and where "
                    "nothing answers: whoever gets that address next is taken for the resource",
                    resource=named[0].id,
                    change="delete it, or make the endpoint anew with a zone group",
                    source=DANGLING,
                )
            )
    if blank := [record.name for record in records if record.addresses is None]:
        findings.append(open_(f"ARM told no address of the records {', '.join(blank)}"))
    told = sum(len(record.addresses or ()) for record in records)
    return findings or [passed(f"none of {told} addresses in records is nobody's", source=DANGLING)]


def judge_one_zone(
    name: str,
    zones: Sequence[PrivateZone],
    records: Sequence[ZoneRecord],
    links: Sequence[ZoneLink],
    askers: Askers,
    seen: Sequence[NameSeen],
) -> Finding:
    """Whether zones of one name do not hide each other's records; `seen` are the known names."""
    if len(zones) == 1:
        return passed(f"there is one zone {name}", source=ONE_ZONE)
    linked = [zone for zone in zones if in_effect(zone, links, askers)]
    hidden = [zone for zone in zones if zone not in linked]
    many = f"there are {len(zones)} private DNS zones {name}"
    for one in seen:
        kept = [
            record
            for record in records_of(one, hidden, records)
            if set(record.addresses or ()) & set(one.expected)
        ]
        shown = [
            record
            for record in records_of(one, linked, records)
            if record.addresses is None or set(record.addresses) & set(one.expected)
        ]
        # Whoever gets the private address asks somewhere else.
        if linked and kept and not shown and one.worst_pods()[0] is not Said.PRIVATE:
            groups = ", ".join(zone.id.split("/")[4] for zone in hidden)
            return failed(
                f"{many}: {kept[0].name} is in that of {groups} with "
                f"{', '.join(kept[0].addresses or ())}, and the one that is linked lacks it: "
                f"{one.told()}",
                resource=linked[0].id,
                change=f"bring its records and those of {kept[0].zone} together in one zone, and "
                "link that",
                source=ONE_ZONE,
            )
    return passed(
        f"{many}, and no record of a known endpoint is hidden by it",
        source=ONE_ZONE,
        warning=f"{many}: their records have to be kept together by hand ({ONE_ZONE})",
    )
