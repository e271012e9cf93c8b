"""What the metrics are told from: readings of the network, kept by the minute.

Counted are the flows that Azure's side tracks and the answers of health probes. Nothing is read
while nobody asks but once in `_PERIOD_SECONDS`.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_aksnet.lab.arm.balancers import PUBLIC, rules
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.kernel.conntrack_table import Flow
from pytest_aksnet.lab.network.translation import ports_per_node

_PERIOD_SECONDS = 15.0
_KEPT_MINUTES = 24 * 60
_PROTOCOLS = {6: "TCP", 17: "UDP"}

BALANCER, GATEWAY = "microsoft.network/loadbalancers", "microsoft.network/natgateways"

Dimensions: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A metric of a resource (type in lower case, and name), and the values of its dimensions."""

    kind: str
    resource: str
    metric: str
    dimensions: Dimensions


_Minutes: TypeAlias = dict[int, dict[Series, list[float]]]


@dataclass(kw_only=True)
class Samples:
    """The readings of a lab. `minutes` maps the start of each (Unix time, seconds) to them."""

    world: World
    clock: Callable[[], float] = time.time
    minutes: _Minutes = field(default_factory=dict)
    _seen: set[tuple[object, ...]] = field(default_factory=set)

    async def run(self) -> None:
        """Take readings until it is cancelled."""
        while True:
            self.take()
            await asyncio.sleep(_PERIOD_SECONDS)

    def take(self) -> None:
        """Take one reading of everything."""
        minute = int(self.clock()) // 60 * 60
        readings = self.minutes.setdefault(minute, defaultdict(list))
        try:
            flows = self.world.network.fabric_flows()
        except OSError as error:
            logging.getLogger(__name__).warning("cannot read the flows of the fabric: %s", error)
            return
        for series, value in (*self._outbound(flows), *self._gateways(flows), *self._health()):
            readings[series].append(value)
        for old in sorted(self.minutes)[:-_KEPT_MINUTES]:
            del self.minutes[old]

    # -- outbound rule -----------------------------------------------------------------------

    def _outbound(self, flows: list[Flow]) -> Iterator[tuple[Series, float]]:
        azure, spec = self.world.azure, self.world.spec
        rule = azure.outbound_rule
        if rule is None:
            return
        current: set[tuple[object, ...]] = set()
        for name in rule.public_addresses:
            ip = azure.public_addresses[name].ip
            for node in spec.nodes:
                backend = node.ip6 if ":" in ip else node.ip
                if backend is None or node.name in rule.left_out:
                    continue
                mine = [one for one in flows if _is_translated(one, backend, ip)]
                for number, protocol in _PROTOCOLS.items():
                    ports = {one.reply_destination_port for one in mine if one.protocol == number}
                    where = (
                        ("FrontendIPAddress", ip),
                        ("BackendIPAddress", backend),
                        ("ProtocolType", protocol),
                        ("IsAwaitingRemoval", "false"),
                    )
                    allocated = float(ports_per_node(azure))
                    yield _of(BALANCER, PUBLIC, "UsedSnatPorts", where), float(len(ports))
                    yield _of(BALANCER, PUBLIC, "AllocatedSnatPorts", where), allocated
                new = {_identity(one) for one in mine}
                current |= new
                made = (
                    ("FrontendIPAddress", ip),
                    ("BackendIPAddress", backend),
                    ("ConnectionState", "Successful"),
                )
                count = float(len(new - self._seen))
                yield _of(BALANCER, PUBLIC, "SnatConnectionCount", made), count
        self._seen = current

    # -- NAT gateways ------------------------------------------------------------------------

    def _gateways(self, flows: list[Flow]) -> Iterator[tuple[Series, float]]:
        azure = self.world.azure
        for gateway in azure.nat_gateways.values():
            addresses = {azure.public_addresses[name].ip for name in gateway.public_addresses}
            for number, protocol in _PROTOCOLS.items():
                count = sum(
                    one.protocol == number and one.reply_destination in addresses for one in flows
                )
                where = (("Protocol", protocol),)
                series = _of(GATEWAY, gateway.name, "TotalConnectionCount", where)
                yield series, float(count)

    # -- health ------------------------------------------------------------------------------

    def _health(self) -> Iterator[tuple[Series, float]]:
        for rule in rules(self.world):
            answers = {node: up for node, up in rule.answers.items() if up is not None}
            if not answers:
                continue
            front = (
                ("FrontendIPAddress", rule.frontend.ip),
                ("FrontendPort", str(rule.port.port)),
            )
            balancer = rule.frontend.balancer
            reachable = 100.0 * any(answers.values())
            yield _of(BALANCER, balancer, "VipAvailability", front), reachable
            for name, up in answers.items():
                node = self.world.spec.node(name)
                backend = node.ip6 if ":" in rule.frontend.ip else node.ip
                where = (
                    *front,
                    ("BackendIPAddress", backend or ""),
                    ("BackendPort", str(rule.port.port)),
                    ("ProtocolType", rule.port.protocol.upper()),
                )
                yield _of(BALANCER, balancer, "DipAvailability", where), 100.0 * up


def _of(kind: str, resource: str, metric: str, dimensions: Dimensions) -> Series:
    return Series(kind=kind, resource=resource, metric=metric, dimensions=dimensions)


def _is_translated(flow: Flow, source: str, public: str) -> bool:
    return flow.source == source and flow.reply_destination == public


def _identity(flow: Flow) -> tuple[object, ...]:
    return (
        flow.protocol,
        flow.source,
        flow.source_port,
        flow.destination,
        flow.destination_port,
    )
