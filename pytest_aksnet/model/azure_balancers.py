"""What Azure Resource Manager says of the cluster's load balancers and their health: data only.

Ids are in lower case. What ARM's answer lacks is None, or empty where it is text.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic

MOST_RULES = 50
"""How many rules are asked for their health at most: each is a request of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One frontend: an address of a subnet (`ip`), or the id of a public address or prefix."""

    id: str
    ip: str
    public_address: str
    public_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPool:
    """One backend pool: ids of IP configurations of NICs, and addresses where it is made of them.

    `is_known` is whether the answer says of all members who they are.
    """

    id: str
    configurations: tuple[str, ...]
    addresses: tuple[str, ...]
    is_known: bool

    @property
    def name(self) -> str:
        """Its name, in lower case."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerProbe:
    """One health probe; `protocol` in lower case: tcp, http, https."""

    id: str
    protocol: str
    port: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerRule:
    """One load balancing rule; `protocol` in lower case: tcp, udp, or all (with port 0).

    `frontend`, `pools` and `probe` are ids; a rule without a probe has none.
    """

    id: str
    frontend: str
    pools: tuple[str, ...]
    probe: str
    protocol: str
    port: int | None
    idle_minutes: int | None
    tcp_reset: bool | None

    @property
    def name(self) -> str:
        """Its name, in lower case."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRule:
    """One outbound rule. `ports` are those that each machine is given, 0: by the pool's size."""

    id: str
    protocol: str
    ports: int | None
    frontends: tuple[str, ...] | None
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """One load balancer with all its parts, each None where the answer does not have them."""

    id: str
    sku: str
    frontends: tuple[Frontend, ...] | None
    pools: tuple[BackendPool, ...] | None
    probes: tuple[BalancerProbe, ...] | None
    rules: tuple[BalancerRule, ...] | None
    outbound_rules: tuple[OutboundRule, ...] | None

    @property
    def name(self) -> str:
        """Its name, in lower case."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendHealth:
    """One backend of a rule, by its address and the id of its IP configuration.

    `state` is in lower case, up or down; `reason` is ARM's word for it.
    """

    ip: str
    configuration: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHealth:
    """The health of one rule (an id); `backends` are None where the answer lacks them."""

    rule: str
    backends: tuple[BackendHealth, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesHealth:
    """The health of rules with a probe, and how many of those were not asked for it."""

    rules: tuple[RuleHealth, ...]
    left_out: int


LOAD_BALANCERS: Topic[tuple[Balancer, ...]] = Topic(
    "load-balancers", ("Microsoft.Network/loadBalancers/read",)
)
# The answer is that of a long-running operation, which is asked for until it has ended.
RULE_HEALTH: Topic[RulesHealth] = Topic(
    "rule-health",
    (
        "Microsoft.Network/loadBalancers/loadBalancingRules/health/action",
        "Microsoft.Network/locations/operations/read",
        "Microsoft.Network/locations/operationResults/read",
    ),
)
