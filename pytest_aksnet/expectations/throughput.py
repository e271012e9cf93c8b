"""How much bandwidth a pair of nodes must show: a share of the documented nominal of their size.

The shares are this project's proposal, not a vendor's statement; they are part of each sentence.
"""

import functools
import importlib.resources
import json
import re
from dataclasses import dataclass

from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import Throughput
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.model.site import Site
from pytest_aksnet.model.verdict import Outcome, Verdict

SHARE = 0.70
SHARE_OF_SMALL_SIZES = 0.50  # one core is busy with the test itself on a size of two
_SMALL_SIZE_VCPUS = 2
POD_TO_HOST_SHARE = 0.60
_BUSY = 0.90
_THREADED = (3, 16)
_OVERLAY = "AKS docs: concepts-network-azure-cni-overlay (pods perform on par with VMs)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a measurement must reach (Gbit/s), how that was reckoned, and from which source."""

    gbps: float
    reckoning: str
    source: str


@functools.cache
def _table() -> dict[str, dict[str, int]]:
    text = importlib.resources.files(__package__).joinpath("vm_bandwidth.json").read_text("utf-8")
    sizes: dict[str, dict[str, int]] = json.loads(text)["sizes"]
    return sizes


def node_floor(node: NodeRef, site: Site) -> Floor:
    """What a node of this size must show. Raises FactUnknown for a size that nobody listed."""
    size = node.instance_type
    known = _table().get(size)
    nominal = site.max_mbps.get(size) or (known or {}).get("max_mbps")
    if nominal is None:
        raise FactUnknown(
            f"the nominal bandwidth of size {size or 'unknown'!r} (node {node.name}) is not known; "
            "set it as a key of [max_mbps], or throughput_floor_gbps, in the file of "
            "--aksnet-config"
        )
    small = known is not None and known["vcpus"] <= _SMALL_SIZE_VCPUS
    share = SHARE_OF_SMALL_SIZES if small else SHARE
    return Floor(
        gbps=nominal / 1000 * share,
        reckoning=f"{share:.0%} of the nominal {nominal / 1000:g} Gbit/s of {size}",
        source="the site file"
        if size in site.max_mbps
        else "Azure docs: virtual-machines/sizes, max network bandwidth",
    )


def pair_floor(sender: NodeRef, receiver: NodeRef, site: Site) -> Floor:
    """The smaller floor of two nodes, or the site's own floor. Raises FactUnknown."""
    if site.throughput_floor_gbps is not None:
        return Floor(
            gbps=site.throughput_floor_gbps,
            reckoning="the floor of this site",
            source="the site file: throughput_floor_gbps",
        )
    return min(
        (node_floor(node, site) for node in (sender, receiver)), key=lambda floor: floor.gbps
    )


def vcpus_of(*nodes: NodeRef) -> int | None:
    """The cores of the smallest of these nodes, None where a size is not in the table."""
    sizes = [_table().get(node.instance_type) for node in nodes]
    return min((size["vcpus"] for size in sizes if size), default=None) if all(sizes) else None


def cpu_bound(seen: Throughput, vcpus: int | None) -> str:
    """Which end of a run had no core left, so that the run says nothing of the network; or empty.

    Up to version 3.15 of iperf3 one thread serves all streams; later each has its own.
    """
    threads = seen.streams if _version(seen.tool_version) >= _THREADED else 1
    most = 100 * min(threads, vcpus or threads)
    for end, percent in (
        ("sender", seen.sender_cpu_percent),
        ("receiver", seen.receiver_cpu_percent),
    ):
        if percent >= _BUSY * most:
            return f"the {end} used {percent:.0f} % of a core of {most} % that it could"
    return ""


def _version(text: str) -> tuple[int, ...]:
    """The version in "iperf 3.16"; one that does not read is taken for an old one."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def judge_throughput(
    seen: Throughput, floor: Floor, *, between: str, vcpus: int | None = None
) -> Verdict:
    """Whether a run reached the floor. Sentences name measured, floor, streams, retransmits.

    A run below it that the CPU of an end held back is inconclusive. `vcpus` are the cores of the
    smaller node, if known.
    """
    measured = (
        f"{seen.gbps:.2f} Gbit/s ({seen.streams} streams, {seen.seconds:.0f} s, "
        f"{seen.moved_bytes / 1e9:.2f} GB, {seen.retransmits} retransmits, {seen.tool_version})"
    )
    if seen.gbps >= floor.gbps:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{between} carried {measured}; the floor is {floor.gbps:.2f} Gbit/s",
            source=floor.source,
        )
    if bound := cpu_bound(seen, vcpus):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{between} carried {measured}, below the floor of {floor.gbps:.2f} Gbit/s, "
            f"but {bound}: the tool was the limit, not the network",
            source=floor.source,
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{between} should carry at least {floor.gbps:.2f} Gbit/s "
        f"({floor.reckoning}), but carried {measured}",
        source=floor.source,
    )


def like_host_floor(host: Throughput, share: float = POD_TO_HOST_SHARE) -> Floor:
    """What pods must show next to what their hosts showed in the same run."""
    return Floor(
        gbps=host.gbps * share,
        reckoning=f"{share:.0%} of the {host.gbps:.2f} Gbit/s between the hosts",
        source=_OVERLAY,
    )
