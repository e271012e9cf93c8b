"""The verb about what security groups let out: each destination beside the rules for it."""

from collections.abc import Sequence

from pytest_aksnet.assertions.azure_trips import AzureTrips
from pytest_aksnet.assertions.target import AnyPod
from pytest_aksnet.expectations.azure_security import Departure, judge_departures
from pytest_aksnet.expectations.azure_security_rules import OUTBOUND, Flow, ruling_of_all
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import FactSheet


class AzureDepartureVerbs(AzureTrips):
    """What `Arm` says of the ways out through security groups."""

    def assert_groups_let_required_out(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """What nodes must reach is denied by no security group.

        `hosts` are pods in the nodes' own network, with the nodes' resolvers. A denied destination
        is a failure where packets do not get there either.
        """
        around = self.neighbourhood()
        departures = []
        for trip in self.trips(hosts, around, hosts=False):
            machine = around.first_machine(around.node(trip.pod.node))
            # What is not resolved is for checks of DNS; the servers are among the destinations.
            if not trip.address:
                continue
            flow = Flow(
                direction=OUTBOUND,
                protocol=trip.protocol,
                source=machine.address,
                destination=trip.address,
                port=trip.port,
            )
            departures.append(
                Departure(
                    node=trip.pod.node,
                    what=trip.what,
                    ruling=ruling_of_all(machine.groups, flow, machine.around),
                    got_there=trip.got_there,
                )
            )
        if not departures:
            raise FactUnknown("nothing is known that nodes must reach")
        facts = {
            f"{one.what} from node {one.node}": (
                f"{one.ruling.effect.value} ({one.ruling.named}), reached: {one.got_there}"
            )
            for one in departures
        }
        subnet = around.spot(around.nodes[0]).subnet
        return self.judge(
            "ways out through security groups",
            facts,
            judge_departures(departures),
            shows=subnet.security_group or subnet.id,
        )
