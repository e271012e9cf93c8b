"""Whether private endpoints are in order: their connections, and who keeps their records. Pure."""

from collections.abc import Iterator, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.expectations.azure_private_names import NameSeen, zones_of
from pytest_aksnet.model.azure_private import (
    Found,
    PrivateEndpoint,
    PrivateZone,
    ZoneGroup,
    ZoneRecord,
)
from pytest_aksnet.model.resource_id import resource_id

APPROVAL = "Azure docs: manage-private-endpoint (connection states)"
GROUPS = "Azure docs: private-endpoint-dns-integration (private DNS zone group)"
SUCCEEDED = "Succeeded"
APPROVED = "Approved"
FAILED = ("Failed", "Canceled")
"""States of what was not made, or not to the end."""


def judge_approved(endpoint: PrivateEndpoint, *, port: int, answers: bool | None) -> Finding:
    """Whether the connection is approved; `answers` is whether pods reach `port`, None unasked."""
    what = f"the private endpoint {endpoint.short} ({', '.join(endpoint.groups) or 'no group'})"
    if not endpoint.state or not endpoint.provisioning_state:
        return open_(f"ARM told no state of {what}", source=APPROVAL)
    seen = {
        None: "",
        True: f"; port {port} answers pods",
        False: f"; nothing answers pods at port {port}",
    }[answers]
    if endpoint.provisioning_state in FAILED:
        return failed(
            f"{what} is {endpoint.provisioning_state}{seen}",
            resource=endpoint.id,
            change="delete it and make it anew",
            source=APPROVAL,
        )
    if endpoint.state != APPROVED:
        said = f" ({endpoint.description})" if endpoint.description else ""
        return failed(
            f"the connection of {what} should be {APPROVED} and is {endpoint.state}{said}{seen}",
            resource=endpoint.id,
            change="have the owner approve it: az network private-endpoint-connection list --id "
            f"{endpoint.target}, then approve; a rejected one has to be made anew",
            source=APPROVAL,
        )
    if endpoint.provisioning_state != SUCCEEDED:
        return open_(f"{what} is being changed: {endpoint.provisioning_state}", source=APPROVAL)
    return passed(f"{what} is {endpoint.state}{seen}", source=APPROVAL)


def judge_group(
    endpoint: PrivateEndpoint,
    groups: Sequence[ZoneGroup],
    zones: Found[PrivateZone],
    records: Found[ZoneRecord],
    seen: Sequence[NameSeen],
) -> Finding:
    """Whether something keeps the records of an endpoint; `seen` are its names."""
    what = f"the private endpoint {endpoint.short}"
    mine = [group for group in groups if group.endpoint == endpoint.id]
    if not mine:
        return _judge_without(endpoint, what, zones, records, seen)
    for group in mine:
        if not group.provisioning_state:
            return open_(f"ARM told no state of the zone group of {what}", source=GROUPS)
        if group.provisioning_state in FAILED:
            return failed(
                f"the zone group of {what} is {group.provisioning_state}: its records are not kept",
                resource=endpoint.id,
                change="az network private-endpoint dns-zone-group: delete it and make it anew",
                source=GROUPS,
            )
        if gone := [zone for zone in group.zones if _is_gone(zone, zones)]:
            return failed(
                f"the zone group of {what} keeps records in {resource_id(gone[0]).name} of the "
                f"resource group {resource_id(gone[0]).group}, which does not exist any more",
                resource=endpoint.id,
                change="az network private-endpoint dns-zone-group: name the zone that is in use",
                source=GROUPS,
            )
    kept = [resource_id(zone).name for group in mine for zone in group.zones]
    if not kept:
        return open_(f"ARM told no zone of the zone group of {what}", source=GROUPS)
    return passed(f"a zone group of {what} keeps its records in {', '.join(kept)}", source=GROUPS)


def _is_gone(zone: str, zones: Found[PrivateZone]) -> bool:
    read = resource_id(zone).subscription in zones.subscriptions
    return read and not zones.left_out and zone not in {one.id for one in zones.items}


def _judge_without(
    endpoint: PrivateEndpoint,
    what: str,
    zones: Found[PrivateZone],
    records: Found[ZoneRecord],
    seen: Sequence[NameSeen],
) -> Finding:
    for one in seen:
        for record in records_of(one, zones_of(one, zones.items), records.items):
            if record.addresses is not None and not set(record.addresses) & set(one.expected):
                return failed(
                    f"{what} has no private DNS zone group that keeps its record, and the record "
                    f"{record.name} says {', '.join(record.addresses)}, not "
                    f"{', '.join(one.expected)}",
                    resource=endpoint.id,
                    change="give it one: az network private-endpoint dns-zone-group create "
                    f"--endpoint-name {endpoint.short} -g {resource_id(endpoint.id).group} "
                    f"-n default --private-dns-zone {record.zone} --zone-name zone",
                    source=GROUPS,
                )
    return passed(
        f"no record of {what} is wrong",
        source=GROUPS,
        warning=f"{what} has no private DNS zone group: nobody keeps its record when its address "
        f"changes ({GROUPS})",
    )


def records_of(
    seen: NameSeen, zones: Sequence[PrivateZone], records: Sequence[ZoneRecord]
) -> Iterator[ZoneRecord]:
    """The records of a name in these zones."""
    wanted = {zone.id for zone in zones}
    names = {seen.name, *seen.records}
    return (one for one in records if one.zone in wanted and one.name in names)
