"""Who may reach the API server, and by which name, as ARM says and as packets show. Pure.

Sources: AKS docs (api-server-authorized-ip-ranges, private-clusters, api-server-vnet-integration).
"""

import ipaddress
from collections.abc import Collection, Mapping

from pytest_aksnet.expectations.addresses import is_private as is_private_address
from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.resource_id import resource_id

RANGES = "AKS docs: api-server-authorized-ip-ranges (the cluster's egress address must be among)"
RESTRICTED = "CIS AKS Benchmark 5.4.1"
NAMES = "AKS docs: private-clusters; REST API: Managed Clusters (fqdn, privateFQDN)"
_EVERYBODY = ("0.0.0.0/0", "::/0")
_SYSTEM = ("", "system")
# Names of API servers in all clouds end so. Others are of proxies, tunnels, or of the Service.
_AKS_DOMAINS = (".azmk8s.io", ".azmk8s.us", ".azk8s.cn")


def judge_ranges(
    cluster: ManagedCluster,
    *,
    egress: Mapping[str, str],
    reached: Mapping[str, bool | None],
) -> Finding:
    """Whether the nodes are among those that may reach the API server.

    `egress` are addresses that the cluster leaves with, each with who says so; `reached` is whether
    a node made a new connection to the API server, None where that could not be looked at.
    """
    ranges = cluster.authorized_ranges or ()
    if not egress:
        return open_(
            "with which address the cluster leaves is not known: neither a host on the internet "
            "nor ARM tells one",
            source=RANGES,
        )
    left_out = [ip for ip in egress if not _is_within(ip, ranges)]
    listed = ", ".join(ranges)
    if not left_out:
        return passed(f"{', '.join(egress)}: all within {listed}", source=RANGES)
    named = "; ".join(f"{ip} ({egress[ip]})" for ip in left_out)
    cut_off = [node for node, one in reached.items() if one is False]
    if _is_let_in_unlisted(cluster):
        if not cut_off and not any(reached.values()):
            return open_(
                f"{listed} lack {named}, which AKS may let in by itself where it manages the "
                "outbound address, and no node could look whether it does",
                source=RANGES,
            )
        if not cut_off:
            return passed(
                "the nodes reach the API server",
                source=RANGES,
                warning=f"the authorized ranges ({listed}) lack {named}: AKS lets outbound "
                "addresses that it manages in by itself; others are cut off",
            )
    seen = (
        f"no new connection to it is made from {', '.join(cut_off)}"
        if cut_off
        else "kubelets are cut off as soon as that takes effect, after up to two minutes"
    )
    return failed(
        f"the authorized ranges of the API server ({listed}) lack {named}, with which the cluster "
        f"leaves: {seen}",
        resource=cluster.id,
        change=f"authorizedIPRanges: add {', '.join(left_out)}",
        source=RANGES,
    )


def _is_let_in_unlisted(cluster: ManagedCluster) -> bool:
    """Whether AKS may let its outbound addresses in by itself: those that it manages.

    The docs say so of load balancers; of managed NAT gateways nobody says that it does not.
    """
    plan = cluster.network
    kind = plan.outbound_type.lower() if plan else ""
    return kind == "loadbalancer" or kind.startswith("managednatgateway")


def _is_within(ip: str, ranges: Collection[str]) -> bool:
    address = ipaddress.ip_address(ip)
    for text in ranges:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if address.version == network.version and address in network:
            return True
    return False


def judge_restricted(cluster: ManagedCluster, *, is_private: bool, wanted: bool) -> Finding:
    """Whether not everybody can reach the API server. `wanted` is whether the site asks for it.

    Without that an open one is a warning: the benchmark demands it, but AKS does not promise it.
    """
    ranges = cluster.authorized_ranges or ()
    if is_private:
        return passed("the API server is private", source=RESTRICTED)
    if ranges and not set(ranges) & set(_EVERYBODY):
        return passed(f"the API server is open to {', '.join(ranges)}", source=RESTRICTED)
    if cluster.authorized_ranges is None and wanted:
        return open_("ARM tells nothing of the access to the API server", source=RESTRICTED)
    open_to_all = "every address on the internet may connect to the API server"
    if not wanted:
        return passed(open_to_all, source=RESTRICTED, warning=open_to_all)
    return failed(
        f"{open_to_all}: it is public and has no authorized ranges, and the site file wants one "
        "of the two",
        resource=cluster.id,
        change="az aks update --api-server-authorized-ip-ranges, or a private cluster",
        source=RESTRICTED,
    )


def judge_names(
    cluster: ManagedCluster,
    *,
    asked: str,
    must_be_private: bool,
    resolved: Mapping[str, Collection[str] | None],
) -> Finding:
    """Whether ARM's name of the API server is the one in use, and resolves from pods.

    `asked` is the name that the kubeconfig has, empty where it has an address; `resolved` are the
    addresses by who asked for ARM's name: none where there is no such name, None if not known.
    """
    names = [one for one in (cluster.private_fqdn, cluster.fqdn) if one]
    if not names:
        return open_("ARM tells no name of the API server", source=NAMES)
    other = asked.rstrip(".").lower()
    other = "" if other in [one.lower() for one in names] else other
    if other.endswith(_AKS_DOMAINS):
        return failed(
            f"ARM has the API server as {' and '.join(names)}, and the kubeconfig names {asked}",
            resource=cluster.id,
            change="az aks get-credentials: the kubeconfig is of another cluster or of an old one",
            source=NAMES,
        )
    name = name_for_nodes(cluster)
    unknown = [who for who, addresses in resolved.items() if addresses is None]
    missing = [
        who for who, addresses in resolved.items() if addresses is not None and not addresses
    ]
    if missing:
        return failed(
            f"{name} must resolve, and has no address for {', '.join(missing)}",
            resource=_zone_of(cluster) if must_be_private else cluster.id,
            change="link the zone to the virtual network, and have custom DNS servers forward it "
            "to 168.63.129.16"
            if must_be_private
            else f"see what answers for {name}",
            source=NAMES,
        )
    public = {
        who: [one for one in addresses or () if not is_private_address(one)]
        for who, addresses in resolved.items()
    }
    wrong = [f"{', '.join(found)} for {who}" for who, found in public.items() if found]
    if must_be_private and wrong:
        return failed(
            f"{name} is the name of a private API server, and is {'; '.join(wrong)}",
            resource=_zone_of(cluster),
            change="the record of the API server, or its zone's link to the virtual network",
            source=NAMES,
        )
    if unknown or not resolved:
        return open_(f"whether {name} resolves is not known for {', '.join(unknown) or 'any pod'}")
    warning = f"the kubeconfig names {asked}, which is no name of AKS: a tunnel or a proxy"
    return passed(
        f"{name} resolves from {len(resolved)} nodes",
        source=NAMES,
        warning=warning if other else "",
    )


def name_for_nodes(cluster: ManagedCluster) -> str:
    """The name by which nodes know the API server; empty where ARM tells none."""
    return cluster.private_fqdn or cluster.fqdn


def _zone_of(cluster: ManagedCluster) -> str:
    """The private zone of the API server: the one that ARM names, or that AKS made itself."""
    if "/privatednszones/" in cluster.private_zone.lower():
        return cluster.private_zone.lower()
    zone = cluster.private_fqdn.partition(".")[2]
    if cluster.private_zone.lower() not in _SYSTEM or not zone:
        return cluster.id
    place = resource_id(cluster.id)
    return (
        f"/subscriptions/{place.subscription}/resourcegroups/{cluster.node_group.lower()}"
        f"/providers/microsoft.network/privatednszones/{zone.lower()}"
    )
