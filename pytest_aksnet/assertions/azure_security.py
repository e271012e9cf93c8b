"""Verbs about network security groups: what they let between nodes, in and out, beside packets."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pytest_aksnet.assertions.azure_frontends import clients_of, load_balanced, probes_of
from pytest_aksnet.assertions.azure_packets import Seen, got_there
from pytest_aksnet.assertions.azure_places import AzurePlaces, Neighbourhood
from pytest_aksnet.assertions.azure_settling import confirmed
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_blame import Finding, together
from pytest_aksnet.expectations.azure_security import (
    FRONTENDS,
    PROBES,
    judge_arrivals,
    judge_have_groups,
    judge_management,
)
from pytest_aksnet.expectations.azure_security_between import (
    Closed,
    Looked,
    closed_between,
    judge_talk,
)
from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.probing import Kind, Probe

_MOST_LOOKS = 24
_FLAT = ("node-subnet", "pod-subnet")


class AzureSecurityVerbs(AzurePlaces):
    """What `Arm` says of network security groups."""

    def assert_groups_let_nodes_talk(
        self, pods: Sequence[AnyPod], hosts: Sequence[AnyPod]
    ) -> FactSheet:
        """No security group closes a port between nodes, or between pods of different nodes.

        `pods` are one of each node, `hosts` the same in the nodes' own network. What a rule denies
        is looked at with packets, beside a port that no rule denies. Raises NotApplicable where
        there is one node only.
        """
        around = self.neighbourhood()
        at = {pod_of(one).node: pod_of(one) for one in hosts}
        if len(at) < 2:
            raise NotApplicable("it takes two nodes for a way between them")
        nodes = around.machines(node for node in around.nodes if node.name in at)
        of_pods = around.machines_of_pods(pods)
        closed = [
            *closed_between(nodes, nodes),
            *closed_between(nodes, of_pods),
            *closed_between(of_pods, of_pods),
        ]
        if self._engine.profile.get("mode") in _FLAT:
            closed += closed_between(of_pods, nodes)
        closed = list(dict.fromkeys(closed))
        who = {address: at[node.node] for node in nodes for address in [node.address]}
        who |= {address: one for one in map(pod_of, pods) for address in (*one.ips, one.ip)}
        looked = self._look_at(closed[:_MOST_LOOKS], who)
        facts = _facts_of(around) | {
            f"{one.ports} from {one.source.what} to {one.destination.what}": (
                f"{one.ruling.effect.value} by {one.ruling.named}"
            )
            for one in closed
        }
        return self._judge_groups("ways between nodes", around, facts, judge_talk(looked, closed))

    def assert_groups_let_load_balancer_in(self, *own: ServiceRef) -> FactSheet:
        """Probes of every load-balanced Service, and its clients, are let in to every node.

        `own` are Services that this test made; those of other runs do not count.
        """
        services = load_balanced(self._engine.api, own)
        around = self.neighbourhood(since=time.time())
        still = {one["metadata"]["uid"] for one in load_balanced(self._engine.api, own)}
        kept = [one for one in services if one["metadata"]["uid"] in still]
        if not kept:
            raise NotApplicable("no Service of type LoadBalancer has an address")
        machines = around.machines(around.nodes)
        inside = machines[0].address
        probes = [arrival for one in kept for arrival in probes_of(one)]
        clients = [arrival for one in kept for arrival in clients_of(one, inside)]
        facts = _facts_of(around) | {
            f"{one.why} to {one.destination or 'each node'}": f"{one.protocol} {one.port}"
            for one in (*probes, *clients)
        }
        finding = together(
            (
                judge_arrivals(machines, probes, PROBES),
                judge_arrivals(machines, clients, FRONTENDS),
            )
        )
        return self._judge_groups("ways in of load balancers", around, facts, finding)

    def assert_groups_close_management(self) -> FactSheet:
        """SSH and RDP of nodes are closed to the internet at large.

        Raises NotApplicable where no node has a security group.
        """
        around = self.neighbourhood()
        machines = [one for one in around.machines(around.nodes) if one.groups]
        if not machines:
            raise NotApplicable(
                "no node has a security group: azure.subnets-have-security-groups is about that"
            )
        finding = judge_management(machines)
        return self._judge_groups("management ports", around, _facts_of(around), finding)

    def assert_subnets_have_groups(self, pods: Sequence[AnyPod]) -> FactSheet:
        """Each subnet of nodes and pods has a security group, or each machine in it has.

        `pods` are some that show in which subnets pods are.
        """
        around = self.neighbourhood()
        facts = {
            subnet: ", ".join(f"{name}: {'yes' if has else 'none'}" for name, has in ones.items())
            for subnet, ones in _groups_by_subnet(around, pods).items()
        }
        finding = confirmed(
            lambda since: judge_have_groups(
                _groups_by_subnet(self.neighbourhood(since=since), pods)
            )
        )
        return self._judge_groups("security groups of subnets", around, facts, finding)

    def _look_at(self, closed: Sequence[Closed], who: Mapping[str, PodRef]) -> dict[int, Looked]:
        """Send packets to closed ports and, beside each, to an open one; `who` is by address."""
        by_pod: defaultdict[PodRef, list[int]] = defaultdict(list)
        for index, one in enumerate(closed):
            by_pod[who[one.source.address]].append(index)
        looked = {}
        for pod, indices in by_pod.items():
            probes = []
            for index in indices:
                one, target = closed[index], who[closed[index].destination.address]
                probes += [
                    self._to(one, one.port, target),
                    self._to(one, one.open_port or one.port, target),
                ]
            argv = [f"{one.host}:{one.port}" for one in probes]
            answers = self.packets(
                pod,
                probes,
                what="ports that security groups deny, and allowed ones",
                by_hand=(
                    "sh",
                    "-c",
                    'for a; do nc -nvz -w 3 "${a%:*}" "${a##*:}"; done',
                    "sh",
                    *argv,
                ),
            )
            for index, at_closed, at_open in zip(indices, answers[::2], answers[1::2], strict=True):
                if closed[index].open_port is None:
                    at_open = self._is_alive(who[closed[index].destination.address])
                looked[index] = Looked(at_closed=got_there(at_closed), at_open=got_there(at_open))
        return looked

    def _to(self, closed: Closed, port: int, target: PodRef) -> Probe:
        host = closed.destination.address
        if closed.protocol == "tcp":
            return self.patient_probe(Kind.CONNECT, host, port)
        options = {"pod": target.name} if port == target.port else {}
        return self.patient_probe(Kind.UDP, host, port, **options)

    def _is_alive(self, pod: PodRef) -> Seen:
        """Whether a pod's reflector answers itself, where no port is open to anybody else."""
        [answer] = self.packets(
            pod,
            [self.patient_probe(Kind.TCP, pod.ip, pod.port, pod=pod.name)],
            what="its own reflector",
            by_hand=("nc", "-nvz", "-w", "3", pod.ip, str(pod.port)),
        )
        return answer

    def _judge_groups(
        self, what: str, around: Neighbourhood, facts: Mapping[str, str], finding: Finding
    ) -> FactSheet:
        subnet = around.spot(around.nodes[0]).subnet
        return self.judge(what, facts, finding, shows=subnet.security_group or subnet.id)


def _facts_of(around: Neighbourhood) -> dict[str, str]:
    return {
        f"security group {one.name}": ", ".join(
            f"{rule.priority} {rule.direction} {rule.access} {rule.name}"
            for rule in one.rules
            if not rule.is_default
        )
        or "default rules only"
        for one in around.groups
    }


def _groups_by_subnet(
    around: Neighbourhood, pods: Sequence[AnyPod]
) -> Mapping[str, Mapping[str, bool]]:
    """Whether a group is in force, by subnet and name of machine."""
    found: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for node in around.nodes:
        has = bool(around.first_machine(node).groups)
        found[around.spot(node).subnet.id][node.name] = has
    for pod in map(pod_of, pods):
        spot = around.spot_of_pod(pod)
        # A pod's own subnet: interfaces of nodes say nothing of that.
        if spot is not None and spot.subnet.id not in found:
            found[spot.subnet.id][f"pod {pod.name}"] = bool(spot.subnet.security_group)
    return found
