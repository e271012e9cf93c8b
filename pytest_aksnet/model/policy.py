"""What a NetworkPolicy oracle is told and what it answers: data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Protocol = Literal["TCP", "UDP", "SCTP"]
Direction = Literal["egress", "ingress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod as policies see it. `named_ports` maps (name, protocol) to a number.

    A pod of the host network has its node's addresses and no policies: it is judged as the node.
    """

    namespace: str
    name: str
    node: str
    ips: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    named_ports: Mapping[tuple[str, str], int] = field(default_factory=dict, hash=False)
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node and its addresses."""

    name: str
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A machine that is neither pod nor node."""

    name: str
    ips: tuple[str, ...]


End = Pod | Node | Outside


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What selectors are matched against. `namespaces` maps a name to its labels."""

    namespaces: Mapping[str, Mapping[str, str]]
    pods: tuple[Pod, ...]
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpec:
    """A port that is looked at."""

    number: int
    protocol: Protocol = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRules:
    """How a policy engine departs from the API text, and where that is written.

    `ip_blocks_match_cluster`: an ipBlock matches pods and nodes too.
    `own_node_open`: egress from a pod to its own node is always allowed.
    `own_pod_open`: a pod always reaches itself. Where it is not, it is judged like any pair.
    `node_ingress_judged`: what arrives with the address of a node that is not the pod's own, as
    traffic of a load balancer or node port with externalTrafficPolicy Cluster does, is judged.
    `sctp`, `ipv6`: whether the engine lets pods speak them, or judges them, at all.
    `one_number_per_port_name`: a port name that means several numbers may be judged wrongly.
    `ends_connections`: whether a deny ends connections that are there, None where nobody says it.
    `connections_document` is where that is written.
    """

    engine: str
    enforces: bool = True
    ip_blocks_match_cluster: bool = True
    own_node_open: bool = True
    own_pod_open: bool = True
    node_ingress_judged: bool = True
    sctp: bool = True
    ipv6: bool = True
    one_number_per_port_name: bool = False
    ends_connections: bool | None = None
    connections_document: str = ""
    document: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideVerdict:
    """What one end's policies say. `policies` are those that select it, as "namespace/name".

    `by` is the rule that allows it, such as "shop/web ingress[0]"; empty where no rule does: then
    the end is open for `reason`, or closed because none of `policies` allows it. `caveat` is not
    empty where the engine's documents leave the answer open.
    """

    allowed: bool
    reason: str
    policies: tuple[str, ...] = ()
    by: str = ""
    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a connection is allowed: where both ends allow it."""

    egress: SideVerdict
    ingress: SideVerdict

    @property
    def allowed(self) -> bool:
        """Whether both ends allow it."""
        return self.egress.allowed and self.ingress.allowed

    @property
    def why(self) -> str:
        """One sentence: the end that forbids it, or what allows it at both."""
        if not self.egress.allowed:
            return self.egress.reason
        if not self.ingress.allowed:
            return self.ingress.reason
        return "; ".join(dict.fromkeys((self.egress.reason, self.ingress.reason)))

    @property
    def caveat(self) -> str:
        """Why the answer is not certain; such a cell may warn and must not fail."""
        return "; ".join(side.caveat for side in (self.egress, self.ingress) if side.caveat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One connection of a truth table: who looks where, over which address family (4 or 6)."""

    source: End
    destination: End
    port: PortSpec
    version: int = 4
