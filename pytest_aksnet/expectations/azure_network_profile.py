"""networkProfile of the managed cluster, held against what the cluster itself shows. Pure."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.model.azure import AzurePool, ManagedCluster, NetworkPlan
from pytest_aksnet.model.profile import Fact, Network

SOURCE = "REST API: Managed Clusters, networkProfile (what the cluster is made with)"
_MOST_NAMED = 5
# Where the cluster itself showed nothing, the value of a fact is somebody else's word.
_NOT_SHOWN = ("ARM:", "--aksnet-profile", "address_plan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the cluster shows: facts of its profile, and addresses that are in use in it.

    `pods` are addresses of pods with a network of their own, `services` those of Services.
    """

    facts: Mapping[str, Fact]
    pods: Collection[str]
    services: Collection[str]

    def fact(self, name: str) -> str:
        """The value of a fact that the cluster itself shows; empty where it does not."""
        found = self.facts.get(name)
        return found.value if found and not found.source.startswith(_NOT_SHOWN) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One property of ARM and of the cluster, both as text; empty is "not told"."""

    what: str
    arm: str
    cluster: str
    agrees: bool

    @property
    def text(self) -> str:
        """Both sides, for a sheet of facts."""
        return f"{self.arm or 'not told'} in ARM, {self.cluster or 'not told'} in the cluster"


def comparisons(
    cluster: ManagedCluster, pools: Iterable[AzurePool], shown: Shown
) -> list[Comparison]:
    """Everything that can be looked up on both sides."""
    plan = cluster.network
    if plan is None:
        return []
    found = [
        _same("dnsServiceIP", plan.dns_service_ip, shown.fact("dns-service-ip")),
        _same("ipFamilies", _sorted(plan.ip_families), _sorted(_parts(shown, "ip-families"))),
        _inside("serviceCidrs", plan.service_cidrs, shown.services),
    ]
    # With a network plugin of one's own nothing else is ARM's to say.
    if plan.plugin not in ("", "none"):
        found += [
            _inside("podCidrs", plan.pod_cidrs, shown.pods),
            _same("mode", _mode_of(plan, pools, shown.fact("mode")), shown.fact("mode")),
            _same("networkDataplane", plan.data_plane, shown.fact("data-plane")),
            _same("networkPolicy", plan.policy, shown.fact("policy-engine")),
        ]
    return found


def judge_network_profile(cluster: ManagedCluster, found: Iterable[Comparison]) -> Finding:
    """Whether ARM and the cluster are of one mind wherever both say something."""
    both = [one for one in found if one.arm and one.cluster]
    unlike = [one for one in both if not one.agrees]
    if not both:
        return open_("ARM's networkProfile tells nothing that the cluster shows too", source=SOURCE)
    own = [one for one in unlike if one.what == "networkPolicy" and one.arm == "none"]
    wrong = [one for one in unlike if one not in own]
    if wrong:
        said = "; ".join(f"{one.what} is {one.text}" for one in wrong)
        return failed(
            f"the managed cluster and what runs in it must be the same: {said}",
            resource=cluster.id,
            change="finish or repeat the last update, or take out what was installed beside it: "
            + ", ".join(one.what for one in wrong),
            source=SOURCE,
        )
    warning = "; ".join(
        f"{one.cluster} enforces policies and ARM has networkPolicy none: an installation of "
        "one's own, which AKS neither upgrades nor supports"
        for one in own
    )
    names = ", ".join(one.what for one in both)
    return passed(f"ARM and the cluster agree: {names}", source=SOURCE, warning=warning)


def _same(what: str, arm: str, cluster: str) -> Comparison:
    return Comparison(what=what, arm=arm, cluster=cluster, agrees=arm.lower() == cluster.lower())


def _inside(what: str, ranges: Collection[str], addresses: Collection[str]) -> Comparison:
    """Addresses in use, of families that ARM has a range of, are within the ranges."""
    networks = [network for one in ranges if (network := _network(one)) is not None]
    versions = {network.version for network in networks}
    parsed = [one for one in map(ipaddress.ip_address, addresses) if one.version in versions]
    outside = sorted(
        {str(one) for one in parsed if not any(one in network for network in networks)}
    )
    more = len(outside) - _MOST_NAMED
    named = ", ".join(outside[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    inside = f"{len(parsed)} addresses inside" if parsed else ""
    return Comparison(
        what=what,
        arm=", ".join(map(str, networks)),
        cluster=f"{named} outside" if outside else inside,
        agrees=not outside,
    )


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _mode_of(plan: NetworkPlan, pools: Iterable[AzurePool], seen: str) -> str:
    """The network mode; empty where a missing property leaves it open to be the `seen` one."""
    if plan.plugin == "kubenet":
        return "kubenet"
    if plan.plugin_mode:
        return plan.plugin_mode
    if any(pool.pod_subnet for pool in pools):
        return "pod-subnet"
    # An overlay has ranges of its own for pods, a subnet for pods is named by pools: where one of
    # these is missing from an answer, the other modes look like this one.
    return "" if plan.pod_cidrs or seen == "pod-subnet" else "node-subnet"


def _parts(shown: Shown, fact: str) -> list[str]:
    return [part.strip() for part in shown.fact(fact).split(",") if part.strip()]


def _sorted(parts: Iterable[str]) -> str:
    return ", ".join(sorted(part.lower() for part in parts))
