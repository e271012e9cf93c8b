"""Verbs about user-defined routes: what takes them, and what packets say of the way."""

from collections.abc import Callable, Sequence

from pytest_aksnet.assertions.azure_frontends import load_balanced, public_name
from pytest_aksnet.assertions.azure_packets import got_there
from pytest_aksnet.assertions.azure_places import Neighbourhood
from pytest_aksnet.assertions.azure_settling import confirmed
from pytest_aksnet.assertions.azure_trips import AzureTrips
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_places import spot_of, table_of
from pytest_aksnet.expectations.azure_route_findings import (
    NodeRange,
    Way,
    judge_appliances,
    judge_dead_ends,
    judge_node_ranges,
    judge_outbound_type,
)
from pytest_aksnet.expectations.azure_routes import next_hop
from pytest_aksnet.expectations.azure_security_rules import (
    OUTBOUND,
    Effect,
    Flow,
    networks,
    ruling_of_all,
)
from pytest_aksnet.model.azure_routes import APPLIANCE, NOWHERE
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Kind


class AzureRouteVerbs(AzureTrips):
    """What `Arm` says of route tables."""

    def assert_appliances_answer(self, pods: Sequence[AnyPod]) -> FactSheet:
        """What takes a user-defined route to an appliance gets answers.

        Raises NotApplicable where no subnet of the cluster has such a route.
        """
        return self._judge_ways("ways by appliances", pods, APPLIANCE, judge_appliances)

    def assert_no_dead_ends(self, pods: Sequence[AnyPod]) -> FactSheet:
        """No route with next hop None drops what nodes and pods must reach.

        Raises NotApplicable where no subnet of the cluster has such a route.
        """
        return self._judge_ways("routes to nowhere", pods, NOWHERE, judge_dead_ends)

    def assert_outbound_type_fits(self) -> FactSheet:
        """Subnets of nodes have the default route that the cluster's outbound type needs."""
        around = self.neighbourhood(groups=False, tables=True)
        plan = around.cluster.network
        if plan is None or not plan.outbound_type:
            raise FactUnknown("ARM's answer has no outboundType of the cluster")
        kind = plan.outbound_type
        public = [name for one in load_balanced(self._engine.api, ()) if (name := public_name(one))]

        def judge(since: float) -> Finding:
            now = self.neighbourhood(groups=False, tables=True, since=since)
            subnets = {spot.subnet.id: spot.subnet for spot in map(now.spot, now.nodes)}
            tables = [(one, now.table(one)) for one in subnets.values()]
            return judge_outbound_type(kind, tables, public_services=public)

        finding = confirmed(judge)
        facts = {"outboundType": plan.outbound_type} | _facts_of(around)
        return self.judge("outbound type and routes", facts, finding, shows=around.cluster.id)

    def assert_node_ranges_routed(self, pods: Sequence[AnyPod]) -> FactSheet:
        """Each node's share of the pods' range is routed to that node. Only for kubenet.

        `pods` are one of each node: each is asked by the one of another node.
        """
        around = self.neighbourhood(groups=False)
        plan = around.cluster.network
        if plan is None or not plan.plugin:
            raise FactUnknown("ARM's answer has no networkPlugin of the cluster")
        if plan.plugin.lower() != "kubenet":
            raise NotApplicable(f"networkPlugin is {plan.plugin} in ARM: only kubenet needs routes")
        refs = [pod_of(one) for one in pods]
        if len(refs) < 2:
            raise NotApplicable("it takes two nodes for a way between them")
        ranges = []
        for target, source in zip(refs, [*refs[1:], refs[0]], strict=True):
            ranges += self._ranges_of(around, source, target)
        if not ranges:
            raise FactUnknown("no node has a podCIDR")
        facts = _facts_of(around) | {f"podCIDR of node {one.node}": one.cidr for one in ranges}
        finding = judge_node_ranges(ranges)
        table = around.table(around.spot(around.nodes[0]).subnet)
        return self.judge(
            "routes to pods", facts, finding, shows=table.id if table else around.cluster.id
        )

    def _judge_ways(
        self,
        what: str,
        pods: Sequence[AnyPod],
        next_hop_type: str,
        judge: Callable[[Sequence[Way]], Finding],
    ) -> FactSheet:
        """Judge the ways of these pods, where subnets have routes of that kind."""
        around = self._routed(next_hop_type)
        ways = self._ways(pods, around)
        facts = _facts_of(around) | _facts_of_ways(ways)
        return self.judge(what, facts, judge(ways), shows=around.tables[0].id)

    def _ranges_of(self, around: Neighbourhood, source: PodRef, target: PodRef) -> list[NodeRange]:
        node, spot = around.node(target.node), around.spot(around.node(source.node))
        table = around.table(spot.subnet)
        found = []
        for cidr in node.pod_cidrs:
            [network] = networks([cidr])
            address = target.address(network.version)
            if address is None:
                continue
            answers = self.packets(
                source,
                [self.patient_probe(Kind.TCP, address, target.port, pod=target.name)],
                what=f"a pod of node {target.node}",
                by_hand=("nc", "-nvz", "-w", "3", address, str(target.port)),
            )
            found.append(
                NodeRange(
                    node=node.name,
                    cidr=cidr,
                    addresses=node.addresses,
                    hop=next_hop(address, spot, table),
                    table=table.id if table else "",
                    subnet=spot.subnet.id,
                    got_there=got_there(answers[0]),
                )
            )
        return found

    def _routed(self, hop: str) -> Neighbourhood:
        """What is around, where subnets have a user-defined route with this next hop."""
        around = self.neighbourhood(groups=False)
        if not any(route.next_hop == hop for table in around.tables for route in table.routes):
            if not all(around.spot(node).subnet.provisioning_state for node in around.nodes):
                raise FactUnknown("ARM's answer about the nodes' subnets is not whole")
            if not all(table.is_whole for table in around.tables):
                raise FactUnknown("ARM's answer about route tables is not whole")
            raise NotApplicable(f"no user-defined route of the cluster's subnets leads to {hop}")
        return self.neighbourhood()

    def _ways(self, pods: Sequence[AnyPod], around: Neighbourhood) -> list[Way]:
        ways = []
        for trip in self.trips(pods, around):
            if not trip.address:
                continue
            node = around.node(trip.pod.node)
            machine = around.first_machine(node)
            spot = spot_of(trip.pod.ip, around.vnets) or around.spot(node)
            ruling = ruling_of_all(
                machine.groups,
                Flow(
                    direction=OUTBOUND,
                    protocol=trip.protocol,
                    source=machine.address,
                    destination=trip.address,
                    port=trip.port,
                ),
                machine.around,
            )
            ways.append(
                Way(
                    source=f"pod {trip.pod.name} of node {trip.pod.node}",
                    what=trip.what,
                    hop=next_hop(trip.address, spot, table_of(spot.subnet, around.tables)),
                    got_there=trip.got_there,
                    denied_by=ruling.named if ruling.effect is Effect.DENY else "",
                )
            )
        if not ways:
            raise FactUnknown("nothing is known that nodes and pods must reach")
        return ways


def _facts_of(around: Neighbourhood) -> dict[str, str]:
    return {
        f"route {table.name}/{route.name}": f"{route.prefix} to "
        + (route.next_hop_ip or route.next_hop)
        for table in around.tables
        for route in table.routes
    }


def _facts_of_ways(ways: Sequence[Way]) -> dict[str, str]:
    return {
        f"{one.what} from {one.source}": f"{one.hop.kind}"
        + (f" by route {one.hop.route.name}" if one.hop.route else "")
        + f", reached: {one.got_there}"
        for one in ways
    }
