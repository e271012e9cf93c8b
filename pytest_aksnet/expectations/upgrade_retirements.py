"""What AKS retires, and when: data, and the judgement by a day. Pure.

Source: AKS docs (retirement notices in includes, supported-kubernetes-versions,
use-network-policies, configure-kubenet) and AKS release notes, read 2026-11-21.
"""

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_aksnet.model.verdict import Outcome, Verdict

SOURCE = "AKS docs and release notes: retirements (read 2026-11-21)"
_SOON = datetime.timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """Something that ends. `remedy` says what to go to."""

    what: str
    ends: datetime.date
    remedy: str


KUBENET = Retirement(
    what="the network plugin kubenet",
    ends=datetime.date(2028, 3, 31),
    remedy="az aks update --network-plugin azure --network-plugin-mode overlay",
)
NPM_LINUX = Retirement(
    what="Azure Network Policy Manager on Linux",
    ends=datetime.date(2028, 9, 30),
    remedy="go to Cilium (AKS docs: migrate-from-npm-to-cilium-network-policy)",
)
NPM_WINDOWS = Retirement(
    what="Azure Network Policy Manager on Windows",
    ends=datetime.date(2026, 9, 30),
    remedy="go to Calico, or to Linux pools with Cilium",
)
BASIC_BALANCER = Retirement(
    what="the Basic load balancer",
    ends=datetime.date(2025, 9, 30),
    remedy="go to the Standard load balancer (AKS docs: upgrade-basic-load-balancer-on-aks)",
)
AVAILABILITY_SETS = Retirement(
    what="agent pools of availability sets",
    ends=datetime.date(2025, 9, 30),
    remedy="go to VirtualMachines pools (AKS docs: availability-sets-on-aks)",
)
MANAGED_NGINX = Retirement(
    what="the managed NGINX of application routing",
    ends=datetime.date(2026, 11, 30),
    remedy="go to the Gateway API of application routing, or Application Gateway for Containers",
)
SERVICE_MESH_ADDON = Retirement(
    what="the Open Service Mesh add-on",
    ends=datetime.date(2027, 9, 30),
    remedy="go to the Istio add-on",
)
WINDOWS_ANNUAL = Retirement(
    what="the Windows Server Annual Channel",
    ends=datetime.date(2026, 5, 15),
    remedy="a pool of Windows Server 2025 or 2022",
)
_NEW_POOL = "az aks nodepool update --os-sku, or a pool of another SKU"
# status.nodeInfo.osImage, as the kubelet reads it of /etc/os-release or of the registry.
_OS_IMAGES: tuple[tuple[str, Retirement], ...] = tuple(
    (pattern, Retirement(what=what, ends=ends, remedy=_NEW_POOL))
    for pattern, what, ends in (
        (r"CBL-Mariner", "Azure Linux 2.0 on nodes", datetime.date(2025, 11, 30)),
        (r"Windows Server 2019", "Windows Server 2019 on nodes", datetime.date(2026, 3, 1)),
        (r"Flatcar", "Flatcar (preview) on nodes", datetime.date(2026, 6, 8)),
        (r"Ubuntu 20\.04", "Ubuntu 20.04 on nodes", datetime.date(2027, 3, 17)),
        (r"Ubuntu 22\.04", "Ubuntu 22.04 on nodes", datetime.date(2027, 6, 30)),
        (r"Windows Server 2022", "Windows Server 2022 on nodes", datetime.date(2028, 6, 30)),
    )
)


def retirements_of_images(images: Mapping[str, str]) -> dict[str, Retirement]:
    """What retires of the operating systems of nodes; `images` are osImage by node."""
    found: dict[str, Retirement] = {}
    for node, image in images.items():
        for pattern, retirement in _OS_IMAGES:
            if re.search(pattern, image):
                found.setdefault(f"osImage {image!r} of node {node}", retirement)
    return found


def judge_retirements(found: Mapping[str, Retirement], today: datetime.date) -> Verdict:
    """Nothing in use has ended by that day; `found` has where each was seen."""
    over = [
        f"{one.what} ended on {one.ends} ({where}): {one.remedy}"
        for where, one in found.items()
        if one.ends < today
    ]
    if over:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"nothing may be in use that AKS has retired: {'; '.join(over)}",
            source=SOURCE,
        )
    near = [
        f"{one.what} ends on {one.ends} ({where}): {one.remedy}"
        for where, one in found.items()
        if one.ends < today + _SOON
    ]
    later = sorted(one.ends.isoformat() + " " + one.what for one in _unique(found.values()))
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"nothing in use has ended by {today} (to come: {', '.join(later) or 'nothing'})",
        source=SOURCE,
        warning="; ".join(near),
    )


def _unique(found: Iterable[Retirement]) -> list[Retirement]:
    return list(dict.fromkeys(found))
