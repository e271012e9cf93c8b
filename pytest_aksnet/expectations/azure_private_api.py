"""Whether the API server of a private cluster is found, and by its private name alone. Pure."""

from collections.abc import Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.expectations.azure_private import records_of
from pytest_aksnet.expectations.azure_private_dns import link_command
from pytest_aksnet.expectations.azure_private_names import (
    AZURE_DNS,
    Askers,
    NameSeen,
    Said,
    in_effect,
    zones_of,
)
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.azure_private import (
    Found,
    PrivateEndpoint,
    PrivateZone,
    ZoneLink,
    ZoneRecord,
)

PRIVATE_CLUSTER = "AKS docs: private-clusters"
NO_ZONE = "none"
"""What apiServerAccessProfile.privateDNSZone says where the public name alone is used."""


def judge_api_server(
    cluster: ManagedCluster,
    endpoints: Sequence[PrivateEndpoint],
    seen: NameSeen,
    zones: Found[PrivateZone],
    records: Sequence[ZoneRecord],
    links: Sequence[ZoneLink],
    askers: Askers,
) -> Finding:
    """Whether zone, record, link and what pods resolve lead to the private API server.

    `endpoints` are those of the cluster itself; it has none with API Server VNet integration.
    """
    what = f"the private API server {seen.name}"
    said, nodes = seen.worst_pods()
    known = zones_of(seen, zones.items)
    linked = [zone for zone in known if in_effect(zone, links, askers)]
    wanted = {ip for one in endpoints for ip in one.addresses or ()}
    if not known:
        if said is Said.PRIVATE:
            return _passed(cluster, f"{what}: pods get {seen.told()}; its zone was not read")
        return open_(f"{what}: its zone was not found, and {seen.told()}", source=PRIVATE_CLUSTER)
    named = [zone for zone in known if zone.id == cluster.private_zone.lower()]
    zone = (linked or named or known)[0]
    if not linked and said in (Said.PUBLIC, Said.NOTHING) and not askers.strangers:
        network = (askers.vnets or askers.own)[0]
        return failed(
            f"{what}: pods of {', '.join(nodes)} do not get its address: the private DNS zone "
            f"{zone.name} is not linked to {network.rpartition('/')[2]}: {seen.told()}",
            resource=zone.id,
            change=f"link it: {link_command(zone, network)}",
            source=PRIVATE_CLUSTER,
        )
    found = list(records_of(seen, [zone], records))
    if said is Said.PRIVATE and not linked and (not found or zone not in named):
        # Zones of this name are in many subscriptions: the one that answers was not read.
        return _passed(cluster, f"{what}: pods get {seen.told()}; its zone is none that was read")
    if not found:
        return failed(
            f"{what}: the private DNS zone {zone.name} has no record of it: {seen.told()}",
            resource=zone.id,
            change="its A record; az aks update has AKS put it back into a zone of its own",
            source=PRIVATE_CLUSTER,
        )
    addresses = found[0].addresses
    if addresses is None:
        return open_(f"ARM told no address of the record {found[0].name}", source=PRIVATE_CLUSTER)
    if wanted and not set(addresses) <= wanted:
        return failed(
            f"{what}: its record says {', '.join(addresses)}, and its private endpoint has "
            f"{', '.join(sorted(wanted))}: {seen.told()}",
            resource=found[0].id,
            change=f"its addresses: {', '.join(sorted(wanted))}",
            source=PRIVATE_CLUSTER,
        )
    if said is Said.UNANSWERED:
        return open_(f"{what}: pods get no answer: {seen.told()}", source=PRIVATE_CLUSTER)
    if said is not Said.PRIVATE:
        if not askers.dns_servers:
            return open_(f"{what}: zone and record are right, but {seen.told()}")
        return failed(
            f"{what}: zone and record are right, but pods of {', '.join(nodes)} do not get its "
            f"address: {seen.told()}",
            resource=askers.own[0],
            change=f"dhcpOptions: have {', '.join(askers.dns_servers)} forward to {AZURE_DNS}",
            source=PRIVATE_CLUSTER,
        )
    return _passed(cluster, f"{what}: zone, link and record lead pods to {', '.join(addresses)}")


def _passed(cluster: ManagedCluster, sentence: str) -> Finding:
    warning = ""
    if cluster.has_public_fqdn and cluster.private_zone.lower() != NO_ZONE:
        warning = (
            f"the private cluster has the public name {cluster.fqdn} too, which tells everybody "
            f"the private address; az aks update --disable-public-fqdn ends it ({PRIVATE_CLUSTER})"
        )
    return passed(sentence, source=PRIVATE_CLUSTER, warning=warning)
