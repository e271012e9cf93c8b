"""How much bandwidth a pair of nodes must show: a share of the documented nominal of their size.

The shares are this project's proposal, not a vendor's statement; they are part of each sentence.
"""

import functools
import importlib.resources
import json
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


def judge_throughput(seen: Throughput, floor: Floor, *, between: str) -> Verdict:
    """Whether a run reached the floor. Sentences name measured, floor, streams, retransmits."""
    measured = (
        f"{seen.gbps:.2f} Gbit/s ({seen.streams} streams, {seen.seconds:.0f} s, "
        f"{seen.retransmits} retransmits, {seen.tool_version})"
    )
    if seen.gbps >= floor.gbps:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{between} carried {measured}; the floor is {floor.gbps:.2f} Gbit/s",
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
