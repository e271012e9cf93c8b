"""Whether user-defined routes fit the cluster: appliances, dead ends, outbound type, kubenet. Pure.

A route is blamed where packets that take it get no answer, while others of the same machine do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_routes import Hop, default_route
from pytest_aksnet.model.azure_routes import (
    APPLIANCE,
    GATEWAY,
    INTERNET,
    NOWHERE,
    RouteTable,
    UserRoute,
)
from pytest_aksnet.model.azure_vnet import Subnet

USER_ROUTES = "Azure docs: virtual-networks-udr-overview; AKS docs: outbound-rules-control-egress"
OUTBOUND_TYPE = (
    "AKS docs: egress-outboundtype, userDefinedRouting (a route for 0.0.0.0/0 with an appliance as "
    "its next hop)"
)
ASYMMETRIC = "AKS docs: limit-egress-traffic; Azure docs: firewall, integrate-lb"
KUBENET = "AKS docs: configure-kubenet (a route for each node's share of the pod range)"
_BY_LOAD_BALANCER = ("loadbalancer", "managednatgateway", "userassignednatgateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One destination of a machine, the hop that ARM has for it, and whether packets got there.

    `denied_by` names the rule of a security group that denies it, empty for none.
    """

    source: str
    what: str
    hop: Hop
    got_there: bool | None
    denied_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRange:
    """A node's share of the pods' range, with the hop for it in the table of another node.

    `table` is the id of that table, empty for none, `subnet` that of the subnet. `got_there` is
    whether a pod there was reached by a pod of the other node, None where that is not known.
    """

    node: str
    cidr: str
    addresses: tuple[str, ...]
    hop: Hop
    table: str
    subnet: str
    got_there: bool | None


def judge_appliances(ways: Sequence[Way]) -> Finding:
    """Whether appliances that user-defined routes lead to pass anything on."""
    return _judge_ways(
        ways,
        lambda hop: hop.kind == APPLIANCE,
        lambda route: f"next hop {route.next_hop_ip or 'without an address'}",
        change="give it a next hop that forwards, or remove it",
    )


def judge_dead_ends(ways: Sequence[Way]) -> Finding:
    """Whether routes with next hop None drop what the cluster needs."""
    return _judge_ways(
        ways, lambda hop: hop.kind == NOWHERE, lambda _: "next hop None", change="remove it"
    )


def judge_outbound_type(
    outbound_type: str,
    subnets: Sequence[tuple[Subnet, RouteTable | None]],
    *,
    public_services: Sequence[str],
) -> Finding:
    """Whether the nodes' subnets have the default route that the outbound type needs, or none.

    `public_services` are names of Services with a public frontend: what answers by an appliance
    never comes back to their clients.
    """
    kind = outbound_type.lower()
    findings = []
    for subnet, table in subnets:
        route = default_route(table)
        if kind == "userdefinedrouting":
            findings.append(_judge_own_way(subnet, table, route))
        elif kind in _BY_LOAD_BALANCER and route is not None and route.next_hop == APPLIANCE:
            findings.append(_judge_asymmetry(outbound_type, subnet, route, public_services))
        else:
            said = route.next_hop if route else "no user-defined default route"
            findings.append(
                passed(
                    f"subnet {subnet.name}: {said}, which fits {outbound_type}",
                    source=OUTBOUND_TYPE,
                )
            )
    return together(findings)


def judge_node_ranges(ranges: Sequence[NodeRange]) -> Finding:
    """Whether the route table leads each node's pods to that node."""
    return together(map(_judge_range, ranges))


def _judge_ways(
    ways: Sequence[Way],
    concerns: Callable[[Hop], bool],
    words: Callable[[UserRoute], str],
    *,
    change: str,
) -> Finding:
    findings = []
    for source, mine in _by_source(ways).items():
        by_route: defaultdict[UserRoute, list[Way]] = defaultdict(list)
        for way in mine:
            if way.hop.route is not None and concerns(way.hop):
                by_route[way.hop.route].append(way)
        alive = any(way.got_there for way in mine if way.hop.route is None or not concerns(way.hop))
        for route, taken in by_route.items():
            said = f"route {route.name} ({route.prefix}, {words(route)})"
            findings.append(_judge_route(source, said, route, taken, alive=alive, change=change))
    if not findings:
        return passed("no destination of the cluster takes such a route", source=USER_ROUTES)
    return together(findings)


def _judge_route(
    source: str,
    said: str,
    route: UserRoute,
    taken: Sequence[Way],
    *,
    alive: bool,
    change: str,
) -> Finding:
    sure = [way for way in taken if way.hop.certain] or taken
    reached = [way.what for way in sure if way.got_there]
    silent = [way for way in sure if way.got_there is False and not way.denied_by]
    names = ", ".join(way.what for way in silent[:5])
    if reached:
        warning = f"{source} does not reach {names}, which take {said} too" if silent else ""
        return passed(
            f"{said} works: {', '.join(reached[:5])}", source=USER_ROUTES, warning=warning
        )
    if not silent:
        return open_(
            f"whether {said} works from {source} could not be looked at", source=USER_ROUTES
        )
    if not all(way.hop.certain for way in silent):
        return open_(
            f"{source} does not reach {names}, and whether they take {said} is not known: routes "
            "by service tag or of a gateway may be more specific",
            source=USER_ROUTES,
        )
    if not alive:
        return open_(
            f"{source} does not reach {names} by {said}, but nothing else either, so that it "
            "proves nothing",
            source=USER_ROUTES,
        )
    return failed(
        f"{said} leads to nobody who answers: {source} must reach {names} by it, while other ways "
        "of it work",
        resource=route.id,
        change=change,
        source=USER_ROUTES,
    )


def _judge_own_way(subnet: Subnet, table: RouteTable | None, route: UserRoute | None) -> Finding:
    where = table.id if table else subnet.id
    what = f"table {table.name}" if table else "no route table"
    if route is None:
        if table is not None and not table.is_whole:
            return open_(f"ARM did not tell all routes of {what}", source=OUTBOUND_TYPE)
        if table is not None and table.has_gateway_routes is not False:
            # An ExpressRoute or VPN gateway may announce a default route.
            warning = "its way out must be a route of a gateway"
            return passed(
                f"subnet {subnet.name} has {what} without a route for 0.0.0.0/0",
                source=OUTBOUND_TYPE,
                warning=f"subnet {subnet.name} has no route for 0.0.0.0/0: {warning}",
            )
        return failed(
            f"outboundType is userDefinedRouting, so subnet {subnet.name} needs a route for "
            f"0.0.0.0/0 to an appliance, but it has {what} with none",
            resource=where,
            change="add a route for 0.0.0.0/0 to the appliance",
            source=OUTBOUND_TYPE,
        )
    if route.next_hop in (APPLIANCE, GATEWAY):
        hop = route.next_hop_ip or route.next_hop
        return passed(f"subnet {subnet.name}: 0.0.0.0/0 to {hop}", source=OUTBOUND_TYPE)
    if route.next_hop == INTERNET and subnet.nat_gateway:
        return passed(f"subnet {subnet.name}: a NAT gateway is the way out", source=OUTBOUND_TYPE)
    return failed(
        f"outboundType is userDefinedRouting, so 0.0.0.0/0 of subnet {subnet.name} must lead to "
        f"an appliance, but route {route.name} leads to {route.next_hop or 'nobody'}",
        resource=route.id,
        change="give it the appliance as next hop",
        source=OUTBOUND_TYPE,
    )


def _judge_asymmetry(
    outbound_type: str, subnet: Subnet, route: UserRoute, public_services: Sequence[str]
) -> Finding:
    said = (
        f"outboundType is {outbound_type}, and route {route.name} sends 0.0.0.0/0 of subnet "
        f"{subnet.name} to appliance {route.next_hop_ip}"
    )
    if not public_services:
        return passed(said, source=ASYMMETRIC, warning=f"{said}, so that it is not in use")
    return failed(
        f"{said}: answers of public Services ({', '.join(public_services[:5])}) leave by it and "
        "not by the load balancer that let the clients in, so that connections never come about",
        resource=route.id,
        change="take the Services behind the appliance, or route their clients' ranges back",
        source=ASYMMETRIC,
    )


def _judge_range(one: NodeRange) -> Finding:
    hop = one.hop
    if hop.kind == APPLIANCE and hop.route and hop.route.next_hop_ip in one.addresses:
        return passed(f"{one.cidr} leads to node {one.node}", source=KUBENET)
    leads = (
        f"route {hop.route.name} sends {hop.route.prefix} to "
        f"{hop.route.next_hop_ip or hop.route.next_hop}"
        if hop.route
        else "no route is for it"
    )
    said = f"pods of node {one.node} have {one.cidr}, and {leads}"
    if one.got_there:
        return passed(f"pods of node {one.node} are reached", source=KUBENET, warning=said)
    if one.got_there is None:
        return open_(f"{said}; whether packets get there could not be looked at", source=KUBENET)
    return failed(
        f"{said}, but it must lead to the node ({', '.join(one.addresses)}): its pods are silent "
        "for those of other nodes",
        resource=hop.route.id if hop.route else one.table or one.subnet,
        change=f"have {one.cidr} lead to {one.addresses[0] if one.addresses else one.node}",
        source=KUBENET,
    )


def _by_source(ways: Iterable[Way]) -> Mapping[str, list[Way]]:
    found: defaultdict[str, list[Way]] = defaultdict(list)
    for way in ways:
        found[way.source].append(way)
    return found
