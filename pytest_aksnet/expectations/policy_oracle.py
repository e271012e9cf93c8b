"""What NetworkPolicies allow, for whole truth tables; pure.

A connection is allowed where the policies of both its ends allow it. Judged are new connections,
after the translation of Services: the destination is the endpoint behind the Service. A pod that
no policy isolates in a direction is open there; one that is isolated has what any of its policies
allows ("Kubernetes docs: network-policies"). Engines depart from that text in what `EngineRules`
names.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_aksnet.expectations.policy_engines import API_TEXT
from pytest_aksnet.expectations.policy_rules import Policy, Rule, read_policy
from pytest_aksnet.model.policy import (
    Cell,
    Decision,
    Direction,
    End,
    EngineRules,
    Node,
    Pod,
    PortSpec,
    SideVerdict,
    World,
)


class PolicyOracle:
    """Answers for one set of policies, one world and one engine; what it found it remembers.

    Raises KeyError or ValueError for policies that no API server would have stored.
    """

    def __init__(
        self,
        policies: Iterable[Mapping[str, Any]],
        world: World,
        rules: EngineRules = API_TEXT,
    ) -> None:
        self._policies = [read_policy(policy) for policy in policies]
        self._world = world
        self._rules = rules
        self._numbers: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
        for pod in world.pods:
            for (name, protocol), number in pod.named_ports.items():
                self._numbers[pod.namespace, name, protocol].add(number)
        # Ends are remembered by identity, which is cheap, and so must live as long as this does.
        self._ends: dict[int, tuple[End, End]] = {}
        self._isolating: dict[tuple[int, Direction], list[Policy]] = {}
        self._admitted: dict[tuple[str, int, int], bool] = {}
        self._opened: dict[tuple[str, int, PortSpec], bool] = {}

    def table(
        self,
        sources: Sequence[End],
        destinations: Sequence[End],
        ports: Sequence[PortSpec],
        *,
        version: int = 4,
    ) -> Iterator[tuple[Cell, Decision]]:
        """Every source to every destination at every port, in that order."""
        for source in sources:
            for destination in destinations:
                for port in ports:
                    cell = Cell(source=source, destination=destination, port=port, version=version)
                    yield cell, self.decide(cell)

    def decide(self, cell: Cell, *, via: Node | None = None) -> Decision:
        """Whether a connection is allowed, and what decides it.

        `via` is the node whose service proxy masqueraded it: the one that traffic of a load
        balancer or a node port with externalTrafficPolicy Cluster enters.
        """
        source, destination = self._real(cell.source), self._real(cell.destination)
        return Decision(
            egress=self._egress(source, destination, cell),
            ingress=self._ingress(source, destination, cell, via),
        )

    def _egress(self, source: End, destination: End, cell: Cell) -> SideVerdict:
        if not isinstance(source, Pod):
            return SideVerdict(allowed=True, reason=f"{_name(source)} has no policies")
        if exempt := self._exempt("egress", source, destination, cell):
            return exempt
        judged = self._side("egress", source, destination, destination, cell)
        own_node = isinstance(destination, Node) and destination.name == source.node
        if judged.allowed or not own_node or not self._rules.own_node_open:
            return judged
        return SideVerdict(
            allowed=True,
            reason=f"{_name(source)} always reaches the node that it runs on",
            policies=judged.policies,
        )

    def _ingress(self, source: End, destination: End, cell: Cell, via: Node | None) -> SideVerdict:
        if not isinstance(destination, Pod):
            return SideVerdict(allowed=True, reason=f"{_name(destination)} has no policies")
        if exempt := self._exempt("ingress", destination, source, cell):
            return exempt
        peer = source
        if via is not None and via.name != destination.node:
            # On the pod's own node its policies are met before the source is masqueraded.
            peer = self._real(via)
        if isinstance(peer, Node) and peer.name == destination.node:
            return SideVerdict(
                allowed=True, reason=f"{_name(destination)} is always open to its own node"
            )
        judged = self._side("ingress", destination, peer, destination, cell)
        spared = via is not None or isinstance(peer, Node)
        if judged.allowed or not spared or self._rules.node_ingress_judged:
            return judged
        return SideVerdict(
            allowed=True,
            reason=f"engine {self._rules.engine} does not judge what comes through a node "
            f"({self._rules.document})",
            policies=judged.policies,
            caveat=""
            if via is not None
            else "documented for load balancers and node ports alone, not for nodes themselves",
        )

    def _exempt(self, direction: Direction, pod: Pod, peer: End, cell: Cell) -> SideVerdict | None:
        """The answer for what no policy is asked about; None for all else."""
        rules = self._rules
        if pod is peer and (rules.own_pod_open or not rules.enforces):
            return SideVerdict(allowed=True, reason=f"{_name(pod)} always reaches itself")
        if cell.port.protocol == "SCTP" and not rules.sctp:
            return SideVerdict(
                allowed=False, reason=f"engine {rules.engine} has no SCTP ({rules.document})"
            )
        if not rules.enforces:
            return SideVerdict(
                allowed=True, reason=f"engine {rules.engine} enforces nothing ({rules.document})"
            )
        if cell.version == 6 and not rules.ipv6:
            return SideVerdict(
                allowed=True,
                reason=f"engine {rules.engine} knows no IPv6 ({rules.document})",
                caveat="what it does with IPv6 is not documented",
            )
        return None

    def _side(
        self, direction: Direction, pod: Pod, peer: End, destination: End, cell: Cell
    ) -> SideVerdict:
        policies = self._isolate(pod, direction)
        if not policies:
            return SideVerdict(
                allowed=True, reason=f"no policy isolates {direction} of {_name(pod)}"
            )
        names = tuple(policy.name for policy in policies)
        caveat = ""
        for policy in policies:
            for rule in policy.rules[direction]:
                if not self._admits(rule, peer, cell.version):
                    continue
                caveat = caveat or self._port_name_caveat(rule, destination)
                if self._opens(rule, cell.port, destination):
                    return SideVerdict(
                        allowed=True,
                        reason=f"{direction} of {_name(pod)} is allowed by {rule.name}",
                        policies=names,
                        by=rule.name,
                        caveat=caveat,
                    )
        return SideVerdict(
            allowed=False,
            reason=f"{direction} of {_name(pod)} is isolated by {', '.join(names)}, and no rule "
            f"allows {_name(peer)} at {cell.port.protocol} {cell.port.number}",
            policies=names,
            caveat=caveat,
        )

    def _real(self, end: End) -> End:
        """Who is judged: for a pod of the host network its node."""
        if id(end) not in self._ends:
            real = end
            if isinstance(end, Pod) and end.host_network:
                real = Node(name=end.node, ips=end.ips)
            self._ends[id(real)] = real, real
            self._ends[id(end)] = end, real
        return self._ends[id(end)][1]

    def _isolate(self, pod: Pod, direction: Direction) -> list[Policy]:
        key = id(pod), direction
        if key not in self._isolating:
            self._isolating[key] = [one for one in self._policies if one.isolates(pod, direction)]
        return self._isolating[key]

    def _admits(self, rule: Rule, peer: End, version: int) -> bool:
        key = rule.name, id(peer), version
        known = self._admitted.get(key)
        if known is None:
            known = self._admitted[key] = rule.admits(
                peer,
                self._world,
                version=version,
                blocks_match_cluster=self._rules.ip_blocks_match_cluster,
            )
        return known

    def _opens(self, rule: Rule, port: PortSpec, destination: End) -> bool:
        key = rule.name, id(destination), port
        known = self._opened.get(key)
        if known is None:
            known = self._opened[key] = rule.opens(port, destination)
        return known

    def _port_name_caveat(self, rule: Rule, destination: End) -> str:
        if not self._rules.one_number_per_port_name or not isinstance(destination, Pod):
            return ""
        for name, protocol in sorted(rule.port_names()):
            if len(self._numbers[destination.namespace, name, protocol]) > 1:
                return (
                    f"port name {name!r} means several numbers in namespace "
                    f"{destination.namespace}, which engine {self._rules.engine} may judge wrongly "
                    f"({self._rules.document})"
                )
        return ""


def _name(end: End) -> str:
    return f"{end.namespace}/{end.name}" if isinstance(end, Pod) else end.name
