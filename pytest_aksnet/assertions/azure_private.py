"""Verbs about private endpoints in ARM, beside what pods reach and resolve."""

from collections.abc import Iterable, Sequence

from pytest_aksnet.assertions.azure_private_looks import ask_ports
from pytest_aksnet.assertions.azure_private_view import (
    MOST_NAMES,
    PrivateLinkView,
    scope,
    told,
)
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.expectations.azure_blame import open_, together
from pytest_aksnet.expectations.azure_places import Spot
from pytest_aksnet.expectations.azure_private import APPROVED, judge_approved, judge_group
from pytest_aksnet.expectations.azure_private_api import NO_ZONE, judge_api_server
from pytest_aksnet.expectations.azure_private_names import NameSeen, known_ranges
from pytest_aksnet.expectations.azure_private_reach import judge_reachable
from pytest_aksnet.expectations.azure_private_records import (
    judge_dangling,
    of_nobody,
    ports_of,
)
from pytest_aksnet.model.azure import CLUSTER
from pytest_aksnet.model.azure_private import (
    ENDPOINT_GROUPS,
    PRIVATE_ENDPOINTS,
    PRIVATE_ZONES,
    ZONE_GROUPS,
    ZONE_LINKS,
    ZONE_RECORDS,
    PrivateEndpoint,
)
from pytest_aksnet.model.azure_vnet import VNETS, VirtualNetwork
from pytest_aksnet.model.errors import ArmUnanswered, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.site import HTTPS

_MOST_LOOSE = 20


class AzurePrivateVerbs(PrivateLinkView):
    """What `Arm` says of private endpoints.

    `pods` look as workloads do, `host` is one in the network of its node.
    """

    def assert_endpoints_approved(self, pod: Looker) -> FactSheet:
        """The connection of every private endpoint is approved; whether it answers is told."""
        endpoints = self.private_endpoints(read=True)
        of = {one: port for one, (port, _) in self._ports(endpoints.near).items()}
        places = [(ip, of[one.id]) for one in endpoints.near for ip in (one.addresses or ())[:1]]
        answers = ask_ports(self._engine, pod, places[:MOST_NAMES])

        def answered(one: PrivateEndpoint) -> bool | None:
            return answers.get(((one.addresses or ("",))[0], of[one.id]))

        finding = together(
            judge_approved(one, port=of[one.id], answers=answered(one)) for one in endpoints.near
        )
        facts = {
            one.short: f"{one.state or 'no state'}, {one.provisioning_state or 'no state'}, "
            f"{', '.join(one.addresses or ('no address told',))}"
            for one in endpoints.near
        }
        facts |= scope(endpoints.found)
        return self.judge_private("connections of private endpoints", facts, finding, endpoints)

    def assert_endpoints_reachable(self, hosts: Sequence[Looker]) -> FactSheet:
        """No security group keeps nodes from approved private endpoints of the cluster's networks.

        `hosts` look from the network of their nodes, as everything that a node fetches does.
        """
        endpoints = self.private_endpoints(read=True)
        vnets, groups = self.read(VNETS), self.read(ENDPOINT_GROUPS)
        spots = {sub.id: Spot(vnet=vnet, subnet=sub) for vnet in vnets for sub in vnet.subnets}
        mine = [
            one
            for one in endpoints.near
            if one.state == APPROVED and one.addresses and one.subnet in spots
        ][:MOST_NAMES]
        if not mine:
            told = ", ".join(f"{one.short}: {one.state or 'no state'}" for one in endpoints.near)
            if not all(one.state and one.addresses and one.subnet for one in endpoints.near):
                raise ArmUnanswered(f"ARM told no state, address or subnet of endpoints ({told})")
            raise NotApplicable(
                f"no approved private endpoint is in a subnet of the cluster's networks ({told})"
            )
        ports = self._ports(mine)
        places = [((one.addresses or ("",))[0], ports[one.id][0]) for one in mine]
        looks = {host.pod.ip: ask_ports(self._engine, host, places) for host in hosts}
        cluster = self.read(CLUSTER)
        finding = together(
            judge_reachable(
                one,
                spots[one.subnet],
                groups,
                cluster,
                {node: answers[place] for node, answers in looks.items()},
                port=place[1],
                is_known=ports[one.id][1],
            )
            for one, place in zip(mine, places, strict=True)
        )
        facts = {
            one.short: f"{spots[one.subnet].subnet.name}, policies for endpoints "
            f"{spots[one.subnet].subnet.endpoint_policies or 'untold'}, security group "
            f"{spots[one.subnet].subnet.security_group or 'none'}"
            for one in mine
        }
        return self.judge_private("ways to private endpoints", facts, finding, endpoints)

    def _ports(self, endpoints: Iterable[PrivateEndpoint]) -> dict[str, tuple[int, bool]]:
        """The TCP port of each endpoint by its id, and whether the site file has it."""
        known = {one.name.rstrip(".").lower(): one.port for one in self._engine.site.private_names}
        found = {}
        for one in endpoints:
            listed = [known[name.name] for name in one.names if name.name in known]
            found[one.id] = (listed[0], True) if listed else (HTTPS, False)
        return found

    def assert_endpoints_have_zone_groups(self) -> FactSheet:
        """Every private endpoint has a zone group that keeps its records right."""
        endpoints = self.named_endpoints(of_endpoints=True)
        groups, zones = self.read(ZONE_GROUPS), self.read(PRIVATE_ZONES)
        records = self.read(ZONE_RECORDS)
        asked = [one for one in endpoints.near if one not in endpoints.api and one.names]
        if groups.left_out:
            known = {one.id for one in endpoints.found.items[: -groups.left_out]}
            asked = [one for one in asked if one.id in known]
        finding = together(
            judge_group(one, groups.items, zones, records, endpoints.names_of(one, endpoints.names))
            for one in asked
        )
        kept = {group.endpoint: group for group in groups.items}
        facts = {
            one.short: ", ".join(kept[one.id].zones) if one.id in kept else "no zone group"
            for one in asked
        }
        facts |= scope(groups)
        return self.judge_private(
            "zone groups of private endpoints",
            facts,
            finding,
            endpoints,
        )

    def assert_no_dangling_records(self, pod: Looker) -> FactSheet:
        """No record of a privatelink zone has an address of these networks that is nobody's."""
        vnets, found = self.read(VNETS), self.read(PRIVATE_ENDPOINTS)
        zones, records = self.read(PRIVATE_ZONES), self.read(ZONE_RECORDS)
        named = {one.id: one.name for one in zones.items if one.is_of_endpoints}
        # What AKS itself keeps of its API servers is another check's.
        ours = [zone for zone, name in named.items() if not name.endswith(".azmk8s.io")]
        if not ours:
            self.need_all(zones.unread)
            raise NotApplicable(
                "no private zone of endpoints was found in the subscriptions "
                f"{', '.join(zones.subscriptions)}"
            )
        wanted = [one for one in records.items if one.zone in ours]
        unread = {one.subscription for one in found.unread}
        read = list(known_ranges(vnets)) if not unread else _own_ranges(vnets)
        loose = of_nobody(wanted, found.items, read)
        some = dict(list(loose.items())[:_MOST_LOOSE])
        places = {(ip, port) for ip, named in some.items() for port in ports_of(named)}
        ports = ask_ports(self._engine, pod, sorted(places))
        answers = {ip: any(ports[place] for place in places if place[0] == ip) for ip in some}
        known = {one.id for one in found.items}
        hidden = {
            sub.name: sub.cidrs
            for vnet in vnets
            for sub in vnet.subnets
            if not known.issuperset(sub.endpoints)
        }
        finding = together(
            judge_dangling(
                some, found.items, answers, wanted, own=_own_ranges(vnets), hidden=hidden
            )
        )
        facts = {one.name: ", ".join(one.addresses or ("untold",)) for one in wanted[:MOST_NAMES]}
        facts |= {"networks whose endpoints were read": ", ".join(read), **scope(records)}
        return self.judge_private("records without an endpoint", facts, finding, shows=ours[0])

    def assert_private_api_server_is_found(self, pods: Sequence[Looker], host: Looker) -> FactSheet:
        """The zone, the record and the link of a private API server lead pods to it."""
        cluster, askers = self.read(CLUSTER), self.askers()
        if not cluster.is_private and not cluster.private_fqdn:
            raise NotApplicable(f"the API server of {cluster.id} is public, as ARM says")
        zones, records = self.read(PRIVATE_ZONES), self.read(ZONE_RECORDS)
        links = self.read(ZONE_LINKS)
        near = self.near(self.read(PRIVATE_ENDPOINTS))
        alone = cluster.fqdn if cluster.private_zone.lower() == NO_ZONE else ""
        name = (cluster.private_fqdn or alone).rstrip(".").lower()
        expected = tuple(ip for one in near.api for ip in one.addresses or ())
        seen = self.seen(
            [NameSeen(name=name, expected=expected)] if name else [], pods, host, askers
        )
        finding = (
            judge_api_server(cluster, near.api, seen[0], zones, records.items, links.items, askers)
            if seen
            else open_("ARM told no private name of the private API server (privateFqdn)")
        )
        facts = {**told(seen), **scope(zones), "public name": cluster.fqdn or "none"}
        facts["private endpoint"] = ", ".join(one.id for one in near.api) or "none in what was read"
        return self.judge_private("the private API server", facts, finding, shows=cluster.id)


def _own_ranges(vnets: Iterable[VirtualNetwork]) -> list[str]:
    return [cidr for vnet in vnets for cidr in vnet.ranges]
