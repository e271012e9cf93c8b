"""Verbs about private DNS zones in ARM, beside what pods, nodes and DNS servers say."""

from collections.abc import Sequence

from pytest_aksnet.assertions.azure_private_view import (
    PrivateEndpoints,
    PrivateLinkView,
    has_name,
    scope,
    short,
    told,
)
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.expectations.azure_blame import together
from pytest_aksnet.expectations.azure_private_dns import (
    judge_in_the_way,
    judge_link,
    judge_linked,
)
from pytest_aksnet.expectations.azure_private_names import NameSeen, known_ranges
from pytest_aksnet.expectations.azure_private_records import judge_one_zone, judge_record
from pytest_aksnet.model.azure import CLUSTER
from pytest_aksnet.model.azure_private import (
    PRIVATE_ENDPOINTS,
    PRIVATE_ZONES,
    ZONE_GROUPS,
    ZONE_LINKS,
    ZONE_RECORDS,
    PrivateZone,
)
from pytest_aksnet.model.azure_vnet import VNETS
from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.observation import FactSheet


class AzureZoneVerbs(PrivateLinkView):
    """What `Arm` says of private DNS zones.

    `pods` look as workloads do, `host` is one in the network of its node.
    """

    def assert_zones_linked(self, pods: Sequence[Looker], host: Looker) -> FactSheet:
        """The zone of every private name is linked to the network from which Azure DNS is asked."""
        endpoints, askers = self.named_endpoints(), self.askers()
        zones, links = self.read(PRIVATE_ZONES), self.read(ZONE_LINKS)
        seen = self.seen(endpoints.names, pods, host, askers)
        finding = together(
            judge_linked(one, zones, links, askers, endpoints.of(one.name)) for one in seen
        )
        facts = {**told(seen), **scope(zones), "Azure DNS is asked from": short(askers.vnets)}
        return self.judge_private("private zones and their links", facts, finding, endpoints)

    def assert_nothing_before_azure_dns(self, pods: Sequence[Looker], host: Looker) -> FactSheet:
        """Pods and the VNet's own DNS servers get the private addresses that Azure DNS gives."""
        endpoints, askers = self.named_endpoints(), self.askers()
        seen = self.seen(endpoints.names, pods, host, askers)
        cluster = self.read(CLUSTER)
        finding = together(judge_in_the_way(one, askers, cluster.id) for one in seen)
        servers = ", ".join(askers.dns_servers) or "Azure's own"
        facts = {**told(seen), "dhcpOptions.dnsServers": servers}
        return self.judge_private("who answers for private names", facts, finding, endpoints)

    def assert_records_are_endpoints(self, pods: Sequence[Looker]) -> FactSheet:
        """The record of every endpoint's name is the address that the endpoint has."""
        endpoints, askers = self.named_endpoints(of_endpoints=True), self.askers()
        zones, records = self.read(PRIVATE_ZONES), self.read(ZONE_RECORDS)
        links, groups = self.read(ZONE_LINKS), self.read(ZONE_GROUPS)
        vnets = self.read(VNETS)
        ranges = known_ranges(vnets)
        mine = [one for one in endpoints.names if endpoints.of(one.name)]
        seen = self.seen(mine, pods, None, askers)
        findings = []
        for one in seen:
            keeping = [group for group in groups.items if _keeps(group.endpoint, one, endpoints)]
            findings.append(judge_record(one, zones, records, links.items, keeping, askers, ranges))
        facts = {**told(seen), **scope(records)}
        finding = together(findings)
        return self.judge_private("records of private endpoints", facts, finding, endpoints)

    def assert_one_zone_per_name(self, pods: Sequence[Looker]) -> FactSheet:
        """No two private zones of one name hide each other's records of private endpoints."""
        endpoints, askers = self.private_endpoints(), self.askers()
        zones, links = self.read(PRIVATE_ZONES), self.read(ZONE_LINKS)
        records = self.read(ZONE_RECORDS)
        names: dict[str, list[PrivateZone]] = {}
        for zone in zones.items:
            if zone.is_of_endpoints:
                names.setdefault(zone.name, []).append(zone)
        if not names:
            self.need_all(zones.unread)
            raise NotApplicable(
                "no private zone of endpoints was found in the subscriptions "
                f"{', '.join(zones.subscriptions)}"
            )
        seen = self.seen(endpoints.names, pods, None, askers)
        finding = together(
            judge_one_zone(name, same, records.items, links.items, askers, seen)
            for name, same in names.items()
        )
        facts = {name: ", ".join(zone.id for zone in same) for name, same in names.items()}
        facts |= scope(zones)
        return self.judge_private("private zones by name", facts, finding, endpoints)

    def assert_links_completed(self, pods: Sequence[Looker]) -> FactSheet:
        """Every link of a private zone to the cluster's networks is completed and in effect."""
        askers, zones, links = self.askers(), self.read(PRIVATE_ZONES), self.read(ZONE_LINKS)
        by_id = {zone.id: zone for zone in zones.items}
        mine = [link for link in links.items if link.vnet in (*askers.own, *askers.vnets, "")]
        if not mine:
            self.need_all(links.unread)
            raise NotApplicable(
                f"no private zone is linked to {short(askers.vnets or askers.own)} in the "
                f"subscriptions {', '.join(links.subscriptions)}"
            )
        near = self.near(self.read(PRIVATE_ENDPOINTS))
        seen = self.seen(near.names, pods, None, askers)
        finding = together(judge_link(link, by_id[link.zone], seen, askers) for link in mine)
        facts = {link.id: f"{link.state}, {link.policy}" for link in mine} | scope(links)
        return self.judge_private("links of private zones", facts, finding, shows=mine[0].zone)


def _keeps(endpoint: str, seen: NameSeen, endpoints: PrivateEndpoints) -> bool:
    return any(one.id == endpoint and has_name(one, seen.name) for one in endpoints.all)
