"""Whether private zones reach the pods: links, and the DNS servers between. Pure."""

from collections.abc import Iterator, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_private import FAILED
from pytest_aksnet.expectations.azure_private_names import (
    AZURE_DNS,
    COMPLETED,
    Askers,
    NameSeen,
    Said,
    in_effect,
    words,
    zones_of,
)
from pytest_aksnet.model.azure_private import Found, PrivateEndpoint, PrivateZone, ZoneLink
from pytest_aksnet.model.resource_id import resource_id

ZONES = "Azure docs: private-endpoint-dns, private-dns-virtual-network-links"
OWN_SERVERS = "Azure docs: private-endpoint-dns-integration (workloads with a custom DNS server)"
STATES = "REST API: Private DNS, Virtual Network Links (virtualNetworkLinkState)"
FALLBACK = "Azure docs: private-dns-fallback"
_REDIRECT = "NxDomainRedirect"


def judge_linked(
    seen: NameSeen,
    zones: Found[PrivateZone],
    links: Found[ZoneLink],
    askers: Askers,
    endpoint: PrivateEndpoint | None,
) -> Finding:
    """Whether a zone of this name is linked to where Azure DNS is asked, if pods need it.

    `endpoint` is the one whose name it is, None where none is known.
    """
    known = zones_of(seen, zones.items)
    good = [zone for zone in known if in_effect(zone, links.items, askers)]
    if good:
        linked = f"the zone {good[0].name} is linked"
        return passed(f"{seen.name}: {linked}; {seen.told()}", source=ZONES)
    said, nodes = seen.worst_pods()
    if said is Said.PRIVATE:
        return passed(
            f"{seen.name}: pods get its private address; no link of a zone is known that gives it",
            source=ZONES,
        )
    if said is Said.UNANSWERED:
        return open_(f"{seen.name}: the DNS of pods gives no answer: {seen.told()}", source=ZONES)
    from_here = set(askers.own) & set(askers.vnets)
    # A linked zone without the record would deny the name: a public answer says that none is.
    proven = seen.said(seen.azure) is Said.PUBLIC if from_here else zones.complete
    if askers.strangers or not proven:
        where = ", ".join(askers.strangers) or "zones that were not read"
        return open_(
            f"{seen.name}: no zone that was read is linked, but that may be up to {where}: "
            f"{seen.told()}",
            source=ZONES,
        )
    network = askers.vnets[0] if askers.vnets else askers.own[0]
    short = network.rpartition("/")[2]
    problem = f"pods of {', '.join(nodes)} get {words(seen.pods[nodes[0]])} for {seen.name}"
    if known:
        zone = known[0]
        state = _state_of(zone, links.items, network)
        return failed(
            f"{problem}: the private DNS zone {zone.name} is not linked to {short}{state}",
            resource=zone.id,
            change=f"link it: {link_command(zone, network)}",
            source=ZONES,
        )
    if endpoint is None or not zones.complete:
        return open_(f"{problem}, and no zone for it was found in what could be read", source=ZONES)
    record = seen.records[0]
    return failed(
        f"{problem}: no private DNS zone that was read holds {record}, and none that does is "
        f"linked to {short}",
        resource=endpoint.id,
        change=f"make the zone {record.partition('.')[2]} with a zone group of this endpoint, and "
        f"link it: az network private-dns link vnet create -z ZONE -v {network} -e false",
        source=ZONES,
    )


def link_command(zone: PrivateZone, network: str) -> str:
    """The `az` command that links a zone to a virtual network."""
    place = resource_id(zone.id)
    return (
        f"az network private-dns link vnet create --subscription {place.subscription} "
        f"-g {place.group} -z {zone.name} -n {network.rpartition('/')[2]} -v {network} -e false"
    )


def _state_of(zone: PrivateZone, links: Sequence[ZoneLink], network: str) -> str:
    states = [link.state for link in links if link.zone == zone.id and link.vnet == network]
    return f" (its link is {states[0] or 'in no state that was told'})" if states else ""


def judge_in_the_way(seen: NameSeen, askers: Askers, cluster: str) -> Finding:
    """Whether who stands between pods and Azure DNS says what Azure DNS says.

    `cluster` is the id of the managed cluster, in which CoreDNS stands.
    """
    others = [*seen.pods.values(), *seen.servers.values()]
    if all(seen.said(answer) is Said.PRIVATE for answer in others):
        return passed(f"{seen.name}: all get a private address: {seen.told()}", source=OWN_SERVERS)
    if seen.azure is None or seen.said(seen.azure) is Said.UNANSWERED:
        return open_(
            f"Azure DNS ({AZURE_DNS}) gave a node no answer for {seen.name}, so that nobody can be "
            "held against it",
            source=OWN_SERVERS,
        )
    if seen.said(seen.azure) is not Said.PRIVATE:
        return passed(
            f"{seen.name}: Azure DNS itself gives no private address, so that nothing is in the "
            f"way of one: {seen.told()}",
            source=OWN_SERVERS,
        )
    expected = f"Azure DNS gives a node {words(seen.azure)} for {seen.name}"
    findings = [*_servers_in_the_way(seen, askers, expected)]
    said, nodes = seen.worst_pods()
    if said is Said.UNANSWERED and not findings:
        return open_(f"{expected}, and pods get no answer: {seen.told()}", source=OWN_SERVERS)
    if said in (Said.PUBLIC, Said.NOTHING) and not findings:
        findings.append(
            failed(
                f"{expected}, but pods of {', '.join(nodes)} get {words(seen.pods[nodes[0]])}: the "
                "cluster's own DNS is in the way (a server block in ConfigMap coredns-custom, an "
                "old cache, or servers that CoreDNS took from its node when it started)",
                resource=cluster,
                change="ConfigMap kube-system/coredns-custom; then restart CoreDNS and LocalDNS",
                source="AKS docs: coredns-custom, private-clusters (hub and spoke with custom DNS)",
            )
        )
    return (
        together(findings)
        if findings
        else passed(
            f"{expected}, and nobody who answers says otherwise: {seen.told()}", source=OWN_SERVERS
        )
    )


def _servers_in_the_way(seen: NameSeen, askers: Askers, expected: str) -> Iterator[Finding]:
    for ip, answer in seen.servers.items():
        if seen.said(answer) is Said.PRIVATE:
            continue
        yield failed(
            f"{expected}, but {ip}, a DNS server of {askers.own[0].rpartition('/')[2]} "
            f"(dhcpOptions.dnsServers), says: {words(answer)}; pods ask it through CoreDNS",
            resource=askers.own[0],
            change=f"dhcpOptions: have {ip} forward to {AZURE_DNS}, or take it out and restart the "
            "nodes",
            source=OWN_SERVERS,
        )


def judge_link(
    link: ZoneLink, zone: PrivateZone, seen: Sequence[NameSeen], askers: Askers
) -> Finding:
    """Whether a link that matters is in effect; `seen` are names of its zone."""
    what = f"the link {resource_id(link.id).name} of {zone.name} to {link.vnet.rpartition('/')[2]}"
    if not link.vnet or not link.state or not link.provisioning_state:
        return open_(f"ARM told no state or network of {what}", source=STATES)
    if link.provisioning_state in FAILED:
        return failed(
            f"{what} is {link.provisioning_state}",
            resource=link.id,
            change="delete it and make it anew",
            source=STATES,
        )
    mine = [one for one in seen if any(map(zone.holds, one.records))]
    if link.state != COMPLETED:
        public = [one for one in mine if one.worst_pods()[0] in (Said.PUBLIC, Said.NOTHING)]
        if not public:
            return open_(f"{what} is being made: {link.state}", source=STATES)
        return failed(
            f"{what} is {link.state} and not in effect: {public[0].name}: {public[0].told()}",
            resource=link.id,
            change="wait for it, or delete it and make it anew",
            source=STATES,
        )
    warning = ""
    if link.policy == _REDIRECT and link.vnet in askers.vnets:
        warning = (
            f"{what} has the resolution policy {_REDIRECT}: names that the zone lacks resolve to "
            f"their public addresses instead of failing ({FALLBACK})"
        )
    return passed(f"{what} is {link.state}", source=STATES, warning=warning)
