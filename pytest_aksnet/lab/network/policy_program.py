"""NetworkPolicies as one node enforces them: views in, nftables table out.

Semantics of networking.k8s.io/v1: a pod that no policy selects is open; one that is selected
allows what any of its policies allows, per direction; established connections are let go on;
traffic between a pod and the node it runs on is always allowed ("Kubernetes docs:
network-policies"). Peers are judged after the service proxy's translation.

Engine cilium differs where AKS documents it ("AKS docs: azure-cni-powered-by-cilium,
migrate-from-npm-to-cilium-network-policy"): ipBlock never matches pods or nodes, and a pod under
an egress policy does not reach its own node.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from pytest_aksnet.lab.api.selectors import matches_label_selector
from pytest_aksnet.lab.contracts import NamespaceView, PodView, PolicyView
from pytest_aksnet.lab.network.tables import Chains, TableProgram, address_set
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

TABLE = "network-policy"

Direction = Literal["ingress", "egress"]
Json = Mapping[str, object]

_ANY = ("",)
_PEERS: Mapping[Direction, str] = {"ingress": "from", "egress": "to"}
_FIELD: Mapping[Direction, str] = {"ingress": "ip saddr", "egress": "ip daddr"}


class PolicyCompiler:
    """The policies of a cluster at one moment, to be compiled for each node."""

    def __init__(
        self,
        spec: LabSpec,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
    ) -> None:
        self._identities = spec.engine == "cilium"
        self._base = _base(judge_own_node=self._identities)
        self._nodes = [node.ip for node in spec.nodes]
        self._pods = pods
        self._namespaces = namespaces
        self._by_namespace: defaultdict[str, list[PodView]] = defaultdict(list)
        for pod in pods:
            self._by_namespace[pod.namespace].append(pod)
        self._selected: dict[str, dict[Direction, list[_Side]]] = {}
        for policy in policies:
            self._add(policy)

    def program(self, node: NodeSpec) -> TableProgram:
        """The table of one node; only pods that run there are in it."""
        chains = Chains()
        verdicts: dict[Direction, dict[str, str]] = {"ingress": {}, "egress": {}}
        for pod in self._pods:
            if pod.node != node.name:
                continue
            for direction, sides in self._selected.get(pod.ip, {}).items():
                jumps = [
                    f"jump {chains.add(direction, *rules)}"
                    for side in sides
                    if (rules := side.rules_for(pod))
                ]
                chain = chains.add("pod", *jumps, "drop")
                verdicts[direction][pod.ip] = f"goto {chain}"
        known = (
            dict.fromkeys((*self._nodes, *(pod.ip for pod in self._pods)), "")
            if self._identities
            else {}
        )
        return TableProgram(
            base=self._base,
            chains=chains.chains,
            elements={
                "ingress-pods": verdicts["ingress"],
                "egress-pods": verdicts["egress"],
                "identities": known,
            },
        )

    def _add(self, policy: PolicyView) -> None:
        targets = [
            pod
            for pod in self._by_namespace[policy.namespace]
            if _matches(policy.spec.get("podSelector"), pod.labels)
        ]
        if not targets:
            return
        for direction in _directions(policy.spec):
            side = self._side(policy, direction)
            for pod in targets:
                self._selected.setdefault(pod.ip, {}).setdefault(direction, []).append(side)

    def _side(self, policy: PolicyView, direction: Direction) -> "_Side":
        rules = []
        for rule in _objects(policy.spec.get(direction)):
            peers = self._peers(policy.namespace, direction, rule.get(_PEERS[direction]))
            ports = _objects(rule.get("ports"))
            named = [port for port in ports if isinstance(port.get("port"), str)]
            plain = [port for port in ports if not isinstance(port.get("port"), str)]
            matches = list(_port_matches(plain)) if ports else list(_ANY)
            own: list[tuple[str, str]] = []
            for port in named:
                name, protocol = str(port["port"]), _protocol(port)
                if direction == "ingress":
                    own.append((name, protocol))
                elif match := self._named_at_peers(name, protocol):
                    matches.append(match)
            rules.append(_Rule(peers=tuple(peers), ports=tuple(matches), own_ports=tuple(own)))
        return _Side(rules=tuple(rules))

    def _peers(self, namespace: str, direction: Direction, peers: object) -> list[str]:
        field = _FIELD[direction]
        wanted = _objects(peers)
        if not wanted:
            return list(_ANY)
        matches, addresses = [], set()
        for peer in wanted:
            block = peer.get("ipBlock")
            if isinstance(block, Mapping):
                matches += self._block(field, block)
            else:
                addresses |= {pod.ip for pod in self._chosen(namespace, peer)}
        if addresses:
            matches.append(f"{field} {{ {', '.join(sorted(addresses))} }}")
        return matches

    def _chosen(self, namespace: str, peer: Json) -> Iterable[PodView]:
        selector = peer.get("namespaceSelector")
        spaces = (
            [namespace]
            if selector is None
            else [one.name for one in self._namespaces if _matches(selector, one.labels)]
        )
        pods = peer.get("podSelector")
        return (
            pod
            for space in spaces
            for pod in self._by_namespace[space]
            if pods is None or _matches(pods, pod.labels)
        )

    def _block(self, field: str, block: Json) -> list[str]:
        network = ipaddress.ip_network(str(block["cidr"]), strict=False)
        if network.version != 4:
            return []
        match = f"{field} {network}" if network.prefixlen else f"{field} 0.0.0.0-255.255.255.255"
        spared = address_set(cast(Sequence[str], block.get("except") or ()))
        if spared:
            match += f" {field} != {{ {spared} }}"
        if self._identities:
            match += f" {field} != @identities"
        return [match]

    def _named_at_peers(self, name: str, protocol: str) -> str:
        targets = [
            f"{pod.ip} . {port}"
            for pod in self._pods
            if (port := pod.named_ports.get((name, protocol))) is not None
        ]
        if not targets:
            return ""
        return f"ip daddr . {protocol.lower()} dport {{ {', '.join(targets)} }}"


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


def _objects(value: object) -> list[Json]:
    return cast(list[Json], value or [])


def _matches(selector: object, labels: Mapping[str, str]) -> bool:
    # An absent podSelector of a policy is the empty one, which selects everything.
    return matches_label_selector(cast(dict[str, object], selector or {}), labels)


def _protocol(port: Json) -> str:
    return str(port.get("protocol") or "TCP")


def _port_matches(ports: Iterable[Json]) -> Iterable[str]:
    """One match per protocol; overlapping ranges are merged, as nftables refuses them."""
    ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for port in ports:
        number = port.get("port")
        first = 0 if number is None else cast(int, number)
        last = 65535 if number is None else cast(int, port.get("endPort") or first)
        ranges[_protocol(port).lower()].append((first, last))
    for protocol, wanted in ranges.items():
        merged: list[tuple[int, int]] = []
        for first, last in sorted(wanted):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        if merged == [(0, 65535)]:
            yield f"meta l4proto {protocol}"
        else:
            listed = ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in merged)
            yield f"{protocol} dport {{ {listed} }}"


def _base(*, judge_own_node: bool) -> str:
    own_node = """
        chain to-own-node {
            type filter hook input priority 0
            ct state established,related accept
            iifname "azv*" ip saddr vmap @egress-pods
        }"""
    return f"""
        map ingress-pods {{
            type ipv4_addr : verdict
        }}
        map egress-pods {{
            type ipv4_addr : verdict
        }}
        set identities {{
            type ipv4_addr
        }}
        chain leave-pod {{
            type filter hook forward priority 0
            ct state established,related accept
            iifname "azv*" ip saddr vmap @egress-pods
        }}
        chain enter-pod {{
            type filter hook forward priority 1
            ct state established,related accept
            oifname "azv*" ip daddr vmap @ingress-pods
        }}
        {own_node if judge_own_node else ""}"""
