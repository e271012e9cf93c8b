"""NetworkPolicies as one node enforces them: views in, nftables table out.

Semantics of networking.k8s.io/v1: a pod that no policy selects is open; one that is selected
allows what any of its policies allows, per direction; traffic between a pod and the node it runs
on is always allowed ("Kubernetes docs: network-policies"). Peers are judged after the service
proxy's translation. What engines do otherwise is in `policy_engines`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from pytest_aksnet.lab.api.selectors import matches_label_selector
from pytest_aksnet.lab.network.policy_engines import EngineWays, base_table, bent
from pytest_aksnet.lab.network.policy_matches import (
    Json,
    block_matches,
    named_port,
    objects,
    port_matches,
)
from pytest_aksnet.lab.network.tables import Chains, TableProgram
from pytest_aksnet.lab.network_knobs import PolicyDefect
from pytest_aksnet.lab.network_views import NamespaceView, PodView, PolicyView
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

TABLE = "network-policy"

Direction = Literal["ingress", "egress"]

_ANY = ("",)
_PEERS: Mapping[Direction, str] = {"ingress": "from", "egress": "to"}
_SIDE: Mapping[Direction, str] = {"ingress": "saddr", "egress": "daddr"}


class PolicyCompiler:
    """The policies of a cluster at one moment, to be compiled for each node.

    `version` is the address family, 4 or 6; `defects` are what an engine gets wrong in them.
    """

    def __init__(
        self,
        spec: LabSpec,
        ways: EngineWays,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
        *,
        version: int = 4,
        defects: Set[PolicyDefect] = frozenset(),
    ) -> None:
        self._ways = ways = bent(ways, defects)
        self._version = version
        self._ip = "ip" if version == 4 else "ip6"
        self._defects = defects
        self._base, self._lossy_base = (
            base_table(ways, version=version, pod_interface=spec.pod_interface, lossy=lossy)
            for lossy in (False, True)
        )
        nodes = [node.ip if version == 4 else node.ip6 for node in spec.nodes]
        self._nodes = [ip for ip in nodes if ip is not None]
        # LocalDNS has addresses on every node, and what is a node's own is its identity.
        own = (spec.local_dns_vnet_ip, spec.local_dns_cluster_ip)
        self._on_nodes = own if spec.options.local_dns and version == 4 else ()
        addressed = [(pod, ip) for pod in pods if (ip := self._address(pod)) is not None]
        self._pods = [(pod, ip) for pod, ip in addressed if not pod.host_network]
        self._host_pods = [pod for pod, _ in addressed if pod.host_network]
        self._held_hosts: dict[str, list[PodView]] = {}
        self._namespaces = namespaces
        self._by_namespace: defaultdict[str, list[tuple[PodView, str]]] = defaultdict(list)
        for pod, ip in self._pods:
            self._by_namespace[pod.namespace].append((pod, ip))
        self._selected: dict[str, dict[Direction, list[_Side]]] = {}
        for policy in policies:
            self._add(policy)

    def program(
        self, node: NodeSpec, unprotected: Set[str] = frozenset(), *, lossy: bool = False
    ) -> TableProgram:
        """The table of one node; only pods that run there are in it.

        `unprotected` are IPv4 addresses of pods whose policies do not hold yet. A `lossy` one drops
        all packets of pods that policies select.
        """
        chains = Chains()
        verdicts: dict[Direction, dict[str, str]] = {"ingress": {}, "egress": {}}
        for pod, ip in self._pods:
            if pod.node != node.name or pod.ip in unprotected:
                continue
            for direction, sides in self._selected.get(ip, {}).items():
                jumps = [
                    f"jump {chains.add(direction, *rules)}"
                    for side in sides
                    if (rules := side.rules_for(pod))
                ]
                chain = chains.add("pod", *jumps, "drop")
                verdicts[direction][ip] = "drop" if lossy else f"goto {chain}"
        nodes = dict.fromkeys(self._nodes, "")
        known = nodes | dict.fromkeys((ip for _, ip in self._pods), "")
        known |= dict.fromkeys(self._on_nodes, "")
        return TableProgram(
            base=self._lossy_base if lossy else self._base,
            chains=chains.chains,
            elements={
                "ingress-pods": verdicts["ingress"],
                "egress-pods": verdicts["egress"],
                "identities": known if self._ways.identities else {},
                "nodes": nodes if self._ways.spares_nodes else {},
                **self._host_ports(node),
            },
        )

    def _host_ports(self, node: NodeSpec) -> dict[str, dict[str, str]]:
        if not self._ways.holds_host_network:
            return {}
        ports = (
            f"{self._address(pod)} . {port}"
            for pod in self._held_hosts.get(node.name, ())
            for port in pod.named_ports.values()
        )
        return {"host-ports": dict.fromkeys(ports, "drop")}

    def _address(self, pod: PodView) -> str | None:
        return pod.ip if self._version == 4 else pod.ip6

    def _add(self, policy: PolicyView) -> None:
        selector = policy.spec.get("podSelector")
        targets = [
            ip for pod, ip in self._by_namespace[policy.namespace] if _matches(selector, pod.labels)
        ]
        for pod in self._host_pods:
            if pod.namespace == policy.namespace and _matches(selector, pod.labels):
                self._held_hosts.setdefault(pod.node, []).append(pod)
        if not targets:
            return
        for direction in _directions(policy.spec):
            if direction == "egress" and PolicyDefect.EGRESS_NOT_ENFORCED in self._defects:
                continue
            side = self._side(policy, direction)
            for ip in targets:
                self._selected.setdefault(ip, {}).setdefault(direction, []).append(side)

    def _side(self, policy: PolicyView, direction: Direction) -> "_Side":
        rules = []
        for rule in objects(policy.spec.get(direction)):
            peers = self._peers(policy.namespace, direction, rule.get(_PEERS[direction]))
            ports = objects(rule.get("ports"))
            plain = [port for port in ports if named_port(port) is None]
            short = PolicyDefect.END_PORT_OFF_BY_ONE in self._defects
            matches = list(port_matches(plain, short=short)) if ports else list(_ANY)
            own: list[tuple[str, str]] = []
            for port in ports:
                named = named_port(port)
                if named is None:
                    continue
                if direction == "ingress":
                    own.append(named)
                elif match := self._named_at_peers(*named):
                    matches.append(match)
            rules.append(_Rule(peers=tuple(peers), ports=tuple(matches), own_ports=tuple(own)))
        return _Side(rules=tuple(rules))

    def _peers(self, namespace: str, direction: Direction, peers: object) -> list[str]:
        field = f"{self._ip} {_SIDE[direction]}"
        wanted = objects(peers)
        if not wanted:
            return list(_ANY)
        matches, addresses = [], set()
        for peer in wanted:
            block = peer.get("ipBlock")
            if isinstance(block, Mapping):
                matches += block_matches(
                    field,
                    block,
                    version=self._version,
                    spares_identities=self._ways.identities,
                    ignores_except=PolicyDefect.EXCEPT_IGNORED in self._defects,
                )
            else:
                addresses |= set(self._chosen(namespace, peer))
        if addresses:
            matches.append(f"{field} {{ {', '.join(sorted(addresses))} }}")
        return matches

    def _chosen(self, namespace: str, peer: Json) -> Iterable[str]:
        selector = peer.get("namespaceSelector")
        if selector is None:
            spaces = [namespace]
        elif PolicyDefect.NAMESPACE_SELECTOR_ANY in self._defects:
            spaces = [one.name for one in self._namespaces]
        else:
            spaces = [one.name for one in self._namespaces if _matches(selector, one.labels)]
        pods = peer.get("podSelector")
        return (
            ip
            for space in spaces
            for pod, ip in self._by_namespace[space]
            if pods is None or _matches(pods, pod.labels)
        )

    def _named_at_peers(self, name: str, protocol: str) -> str:
        targets = [
            f"{ip} . {port}"
            for pod, ip in self._pods
            if (port := pod.named_ports.get((name, protocol))) is not None
        ]
        if not targets:
            return ""
        return f"{self._ip} daddr . {protocol.lower()} dport {{ {', '.join(targets)} }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One rule: any of `peers` with any of `ports`; `own_ports` are named by the target pod."""

    peers: tuple[str, ...]
    ports: tuple[str, ...]
    own_ports: tuple[tuple[str, str], ...]

    def lines(self, pod: PodView) -> Iterable[str]:
        named = [
            f"{protocol.lower()} dport {port}"
            for name, protocol in self.own_ports
            if (port := pod.named_ports.get((name, protocol))) is not None
        ]
        for peer in self.peers:
            for match in (*self.ports, *named):
                yield f"{peer} {match} accept".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One direction of one policy."""

    rules: tuple[_Rule, ...]

    def rules_for(self, pod: PodView) -> list[str]:
        return [line for rule in self.rules for line in rule.lines(pod)]


def _directions(spec: Json) -> tuple[Direction, ...]:
    types = spec.get("policyTypes")
    if isinstance(types, Sequence) and types:
        wanted = {str(one) for one in types}
    else:
        wanted = {"Ingress"} | ({"Egress"} if spec.get("egress") else set())
    names: Mapping[str, Direction] = {"Ingress": "ingress", "Egress": "egress"}
    return tuple(direction for name, direction in names.items() if name in wanted)


def _matches(selector: object, labels: Mapping[str, str]) -> bool:
    # An absent podSelector of a policy is the empty one, which selects everything.
    return matches_label_selector(dict(selector) if isinstance(selector, Mapping) else {}, labels)
