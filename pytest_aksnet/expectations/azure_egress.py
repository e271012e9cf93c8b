"""What a cluster must reach, as ARM lists it, and what nodes reached of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.expectations.egress import REQUIRED, judge_required
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.azure_routes import RouteTable
from pytest_aksnet.model.azure_upgrades import RequiredEndpoint
from pytest_aksnet.model.azure_vnet import Subnet
from pytest_aksnet.model.probing import Answer
from pytest_aksnet.model.verdict import Outcome

Place = tuple[str, int]
_STREAMS = ("https", "http", "tcp", "tls")
# Where the API server is behind Konnectivity nothing listens there ("AKS docs:
# outbound-rules-control-egress": of clusters without it only).
_TUNNEL_PORT = 9000
# Categories that not every cluster needs: updates by Ubuntu itself, drivers, nodes with Windows.
_NOT_ALL_NEED = ("optional", "gpu", "windows", "tunnel")
_EVERYTHING = ("0.0.0.0/0", "::/0")
_MOST_NAMED = 4


def places_of(
    endpoints: Iterable[RequiredEndpoint], cluster: ManagedCluster
) -> tuple[dict[Place, str], list[str]]:
    """What can be looked at, with its category, and in words what cannot.

    Of a pattern no name is known, but for the API server's own, which ARM tells.
    """
    places: dict[Place, str] = {}
    left_out = []
    for one in endpoints:
        name = one.domain
        if "*" in name and cluster.fqdn and fnmatchcase(cluster.fqdn.lower(), name):
            name = cluster.fqdn.lower()
        is_looked_at = _is_stream(one.protocol) and one.port != _TUNNEL_PORT
        if not name or "*" in name or one.port is None or not is_looked_at:
            port = "" if one.port is None else f":{one.port}"
            left_out.append(f"{one.domain or 'unnamed'}{port} ({one.protocol or 'no protocol'})")
            continue
        places.setdefault((name, one.port), one.category)
    return places, left_out


def is_tls(place: Place, endpoints: Iterable[RequiredEndpoint]) -> bool:
    """Whether TLS is spoken there, as ARM says."""
    return any(
        one.port == place[1] and one.protocol.lower() in ("https", "tls")
        for one in endpoints
        if one.domain == place[0] or "*" in one.domain
    )


def _is_stream(protocol: str) -> bool:
    return protocol.lower() in _STREAMS


def judge_required_egress(
    answers: Mapping[str, Mapping[Place, Answer | None]],
    places: Mapping[Place, str],
    *,
    resource: str,
) -> Finding:
    """Whether each node reached each place; `answers` are by node, `resource` is on the way."""
    if not places:
        return open_("ARM lists no endpoint that can be looked at", source=REQUIRED)
    if not answers:
        return open_("no node has looked", source=REQUIRED)
    wrong: dict[str, dict[str, list[str]]] = {}  # places, and whence, by what became of them
    spared: dict[str, dict[str, list[str]]] = {}
    unseen = ""
    for (host, port), category in places.items():
        what = f"{host}:{port} ({category})"
        for node, found in answers.items():
            verdict = judge_required(found.get((host, port)), what="", source=REQUIRED)
            if verdict.outcome is Outcome.FAIL:
                of = spared if _is_spared(category) else wrong
                of.setdefault(verdict.sentence, {}).setdefault(what, []).append(node)
            elif verdict.outcome is not Outcome.PASS and not _is_spared(category):
                unseen = unseen or f"{what}, from {node}:{verdict.sentence}"
    if wrong:
        return failed(
            "; ".join(_together(sentence, seen) for sentence, seen in wrong.items()),
            resource=resource,
            change="let the nodes reach what the cluster needs",
            source=REQUIRED,
        )
    if unseen:
        return open_(unseen, source=REQUIRED)
    warning = "; ".join(_together(sentence, seen) for sentence, seen in spared.items())
    return passed(
        f"{len(answers)} nodes reach {len(places)} endpoints, those apart that not every cluster "
        "needs",
        source=REQUIRED,
        warning=f"{warning}: not every cluster needs that" if warning else "",
    )


def _is_spared(category: str) -> bool:
    """Whether a cluster may do without what ARM lists there."""
    return any(word in category.lower() for word in _NOT_ALL_NEED)


def _together(sentence: str, seen: Mapping[str, Sequence[str]]) -> str:
    """One sentence for places of which the same became; `seen` are the nodes by place."""
    more = len(seen) - _MOST_NAMED
    named = ", ".join(list(seen)[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    nodes = sorted({node for found in seen.values() for node in found})
    return f"{named}{sentence} (from {', '.join(nodes)})"


def on_the_way_out(
    cluster: ManagedCluster, subnets: Sequence[Subnet], tables: Iterable[RouteTable]
) -> str:
    """The resource that decides what leaves these subnets, as far as it is known.

    A route table that leads everything elsewhere comes before the security group.
    """
    attached = {one.route_table for one in subnets if one.route_table}
    for table in tables:
        if table.id in attached and any(route.prefix in _EVERYTHING for route in table.routes):
            return table.id
    return next((one.security_group for one in subnets if one.security_group), cluster.id)
