"""What goes wrong on the way, whatever the packets carry: loss, delay, flapping links, lost ICMP.

Owns tables of its own in the fabric's network namespace, beside those of Azure's network. Nothing
of it is there while the network is well.
"""

import asyncio
from collections.abc import Collection, Mapping

from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network.delay import Delays
from pytest_aksnet.lab.network.tables import TableProgram, TableWriter
from pytest_aksnet.lab.network_knobs import NetworkKnobs
from pytest_aksnet.lab.spec import LabSpec

TABLE = "impairments"
FLAP_UP_SECONDS = 2.0
FLAP_DOWN_SECONDS = 1.0
# An EtherType for experiments (IEEE 802): no protocol takes it, so the kernel drops the frame.
_UNKNOWN_PROTOCOL = "0x88b5"
_PARTS = 1_000_000


class Impairments:
    """Those of one fabric. Flapping needs a running event loop."""

    def __init__(self, spec: LabSpec, netns_fd: int) -> None:
        self._spec = spec
        self._netns_fd = netns_fd
        self._tables: _Tables | None = None
        self._knobs = NetworkKnobs()
        self._down = False
        self._timer: asyncio.TimerHandle | None = None

    def write(self, knobs: NetworkKnobs) -> None:
        """Make it what the knobs say. Raises OSError."""
        self._knobs = knobs
        if self._tables is None:
            if not _impaired(knobs):
                return  # the usual case costs a boot nothing
            self._tables = _Tables(self._spec, self._netns_fd)
        if knobs.flapping and self._timer is None:
            self._flap()
        elif not knobs.flapping:
            self.close()
        self._write_losses()
        self._tables.drops.write(_drops(self._by_link(knobs.rx_drops)))
        self._tables.delays.write(self._by_link(knobs.latency_seconds))

    def close(self) -> None:
        """Let no link flap any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._down = None, False

    def _flap(self) -> None:
        self._down = not self._down
        self._write_losses()
        seconds = FLAP_DOWN_SECONDS if self._down else FLAP_UP_SECONDS
        self._timer = asyncio.get_running_loop().call_later(seconds, self._flap)

    def _write_losses(self) -> None:
        losses = self._by_link(self._knobs.packet_loss)
        if self._down:
            losses |= {self._link(node): 1.0 for node in self._knobs.flapping}
        assert self._tables is not None
        self._tables.losses.write(
            _losses(
                losses,
                icmp_blocked=self._knobs.icmp_blocked,
                ipv6_lost=sorted(map(self._link, self._knobs.ipv6_lost)),
            )
        )

    def _by_link(self, values: Mapping[str, float]) -> dict[str, float]:
        return {self._link(node): value for node, value in values.items()}

    def _link(self, node: str) -> str:
        """The fabric's end of a node's link; "" for all links."""
        return f"node{self._spec.node(node).index}" if node else ""


class _Tables:
    def __init__(self, spec: LabSpec, netns_fd: int) -> None:
        nft = Nftables(netns_fd)
        self.losses = TableWriter(nft, TABLE, "inet")
        self.drops = TableWriter(nft, TABLE, "netdev")
        self.delays = Delays(netns_fd, dual_stack=spec.dual_stack)


def _impaired(knobs: NetworkKnobs) -> bool:
    return bool(
        knobs.packet_loss
        or knobs.latency_seconds
        or knobs.rx_drops
        or knobs.flapping
        or knobs.icmp_blocked
        or knobs.ipv6_lost
    )


def _losses(
    losses: Mapping[str, float], *, icmp_blocked: bool, ipv6_lost: Collection[str]
) -> TableProgram | None:
    """Packets that cross the fabric, or reach Azure's own addresses in it, meet one chain once."""
    if not losses and not icmp_blocked and not ipv6_lost:
        return None
    rules: dict[str, list[str]] = {"forward": [], "input": [], "output": []}
    for link, share in sorted(losses.items()):
        drop = _random(share, "drop")
        source = f'iifname "{link}"' if link else 'iifname != "lo"'
        target = f'oifname "{link}"' if link else 'oifname != "lo"'
        rules["input"].append(f"{source} {drop}")
        rules["output"].append(f"{target} {drop}")
        rules["forward"] += [f"{source} {drop}", f"{target} {drop}"] if link else [drop]
    for link in ipv6_lost:
        for side in ("iifname", "oifname"):
            rules["forward"].append(f'meta nfproto ipv6 {side} "{link}" drop')
    if icmp_blocked:
        rules["forward"].append("meta l4proto { icmp, ipv6-icmp } drop")
    chains = (
        f"chain {hook} {{\ntype filter hook {hook} priority -150\n{_lines(each)}\n}}"
        for hook, each in rules.items()
    )
    return TableProgram(base="\n".join(chains))


def _drops(shares: Mapping[str, float]) -> TableProgram | None:
    """Frames to a link whose EtherType is spoilt: its machine counts them in rx_dropped."""
    if not shares:
        return None
    chains = (
        f'chain {link} {{\ntype filter hook egress device "{link}" priority 0\n'
        f"{_random(share, f'ether type set {_UNKNOWN_PROTOCOL}')}\n}}"
        for link, share in sorted(shares.items())
    )
    return TableProgram(base="\n".join(chains))


def _random(share: float, verdict: str) -> str:
    if share >= 1:
        return verdict
    return f"numgen random mod {_PARTS} < {round(share * _PARTS)} {verdict}"


def _lines(rules: Collection[str]) -> str:
    return "\n".join(rules)
