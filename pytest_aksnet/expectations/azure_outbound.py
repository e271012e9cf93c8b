"""The way out as ARM has it, held against the addresses that packets left with. Pure.

Sources: AKS docs egress-outboundtype, load-balancer-standard, nat-gateway; Azure docs
nat-gateway-resource (a NAT gateway comes before a load balancer).
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.model.azure import AzurePool
from pytest_aksnet.model.azure_balancers import Balancer
from pytest_aksnet.model.azure_outbound import NatGateway, OutboundAddress
from pytest_aksnet.model.azure_vnet import Subnet, VirtualNetwork
from pytest_aksnet.model.resource_id import resource_id

OUTBOUND_TYPE = "AKS docs: egress-outboundtype, load-balancer-standard, nat-gateway"
BALANCER_TYPE = "loadbalancer"
ROUTED_TYPE = "userdefinedrouting"
MANAGED_SUBNET = "aks-subnet"
"""The name of the nodes' subnet in a network that AKS made."""
CLOSED_TYPES = frozenset({"none", "block"})


def is_by_gateway(outbound_type: str) -> bool:
    """Whether an outbound type (lower case) is one of NAT gateways."""
    return "natgateway" in outbound_type


def subnets_of(
    pools: Iterable[AzurePool], vnets: Iterable[VirtualNetwork], *, of_nodes: bool = False
) -> list[Subnet]:
    """The subnets that pools are in.

    Where no pool names one AKS made the network: it has one for nodes, and may have others beside
    it, such as that of API server VNet integration ("AKS docs: api-server-vnet-integration").
    """
    used = {
        one
        for pool in pools
        for one in (pool.node_subnet, "" if of_nodes else pool.pod_subnet)
        if one
    }
    there = [one for vnet in vnets for one in vnet.subnets]
    if used:
        return [one for one in there if one.id in used]
    free = [one for one in there if not one.delegations]
    return [one for one in free if one.name == MANAGED_SUBNET] or free


def addresses_of_gateways(
    gateways: Iterable[NatGateway], subnets: Collection[Subnet]
) -> tuple[str, ...]:
    """Ids of addresses and prefixes of the NAT gateways that these subnets have."""
    attached = {one.nat_gateway for one in subnets if one.nat_gateway}
    return tuple(
        one
        for gateway in gateways
        if gateway.id in attached
        for one in (*(gateway.addresses or ()), *(gateway.prefixes or ()))
    )


def addresses_of_rules(balancers: Iterable[Balancer]) -> dict[str, str]:
    """Outbound rules (ids) by the ids of the addresses and prefixes that they leave with."""
    found = {}
    for balancer in balancers:
        frontends = {one.id: one for one in balancer.frontends or ()}
        for rule in balancer.outbound_rules or ():
            for name in rule.frontends or ():
                frontend = frontends.get(name)
                if frontend is not None:
                    found[frontend.public_address or frontend.public_prefix] = rule.id
    return found


def has(address: OutboundAddress, ip: str) -> bool:
    """Whether an address is this one, or in this prefix."""
    try:
        return ipaddress.ip_address(ip) in ipaddress.ip_network(address.range)
    except ValueError:
        return False


def judge_egress(
    seen: Mapping[str, str],
    promised: Sequence[str],
    addresses: Sequence[OutboundAddress],
    subnets: Sequence[Subnet],
    *,
    outbound_type: str,
    cluster: str,
) -> Finding:
    """The addresses that the internet saw, by node, are among those that ARM promises.

    `promised` are ids, `addresses` what is known of all that the cluster could leave with.
    """
    told = {who: ip for who, ip in seen.items() if ip}
    if not told:
        return open_("no packet came so far that its address was told", source=OUTBOUND_TYPE)
    mine = [one for one in addresses if one.id in promised]
    wrong = {who: ip for who, ip in told.items() if not any(has(one, ip) for one in mine)}
    listed = ", ".join(one.range for one in mine)
    if not wrong:
        return passed(
            f"the internet saw {', '.join(sorted(set(told.values())))}, which outbound type "
            f"{outbound_type} has",
            source=OUTBOUND_TYPE,
        )
    if not promised or not all(one.range for one in mine) or len(mine) < len(set(promised)):
        return open_(
            f"the internet saw {', '.join(sorted(set(wrong.values())))}, and ARM's answer does not "
            "tell all addresses that the cluster leaves with",
            source=OUTBOUND_TYPE,
        )
    who, ip = sorted(wrong.items())[0]
    owner = next((one.owner or one.id for one in addresses if has(one, ip)), "")
    by = f", an address of {resource_id(owner).short}" if owner else ""
    resource, change = _culprit(subnets, outbound_type, cluster)
    return failed(
        f"with outbound type {outbound_type} the cluster should leave with {listed}, but the "
        f"internet saw {ip}{by}, of node {who}: allow lists of others and logs name the wrong one",
        resource=resource,
        change=change,
        source=OUTBOUND_TYPE,
    )


def _culprit(subnets: Iterable[Subnet], outbound_type: str, cluster: str) -> tuple[str, str]:
    """What most likely takes the traffic elsewhere."""
    for subnet in subnets:
        if subnet.nat_gateway and not is_by_gateway(outbound_type.lower()):
            gateway = subnet.nat_gateway.rpartition("/")[2]
            return subnet.id, f"detach NAT gateway {gateway}, which comes before the load balancer"
        if subnet.route_table:
            return subnet.route_table, "remove the route that leads the internet elsewhere"
    return cluster, "its outbound addresses, or the route that leads elsewhere"


def judge_routed_egress(
    seen: Mapping[str, str], rules: Mapping[str, str], addresses: Sequence[OutboundAddress]
) -> Finding:
    """With user-defined routes nothing leaves by an outbound rule of the load balancer.

    `rules` are outbound rules by the ids of their addresses.
    """
    told = {who: ip for who, ip in seen.items() if ip}
    if not told:
        return open_("no packet came so far that its address was told", source=OUTBOUND_TYPE)
    for who, ip in sorted(told.items()):
        for address in addresses:
            if address.id in rules and has(address, ip):
                rule = rules[address.id]
                return failed(
                    "with outbound type userDefinedRouting the cluster should leave by what its "
                    f"routes name, but the internet saw {ip}, of node {who}, an address of "
                    f"{resource_id(rule).short}: the firewall is passed by",
                    resource=rule,
                    change="delete it, and have the default route lead to the firewall",
                    source=OUTBOUND_TYPE,
                )
    return passed(
        f"the internet saw {', '.join(sorted(set(told.values())))}, which no outbound rule has",
        source=OUTBOUND_TYPE,
    )


def judge_gateways(
    subnets: Sequence[Subnet],
    gateways: Sequence[NatGateway],
    *,
    seen: Collection[str],
    addresses: Sequence[OutboundAddress],
) -> Finding:
    """Each of the nodes' subnets has a NAT gateway, and that has addresses.

    ARM leaves out what there is none of, and a broken answer does too: `seen` are the addresses
    that packets left with, and those of a gateway disprove that it is detached.
    """
    if not subnets:
        return open_("ARM shows no subnet of the cluster's nodes", source=OUTBOUND_TYPE)
    theirs = {
        one
        for gateway in gateways
        for one in (*(gateway.addresses or ()), *(gateway.prefixes or ()))
    }
    proof = next((ip for ip in seen for one in addresses if one.id in theirs and has(one, ip)), "")
    attached = {one: gateway for gateway in gateways for one in gateway.subnets or ()}
    known = {gateway.id: gateway for gateway in gateways}
    for subnet in subnets:
        gateway = known.get(subnet.nat_gateway) or attached.get(subnet.id)
        if subnet.nat_gateway and gateway is None:
            return open_(
                f"subnet {subnet.name} has a NAT gateway that ARM does not show",
                source=OUTBOUND_TYPE,
            )
        if gateway is None and proof:
            return open_(
                f"ARM names no NAT gateway of subnet {subnet.name}, yet packets left with {proof}, "
                "which is one's",
                source=OUTBOUND_TYPE,
            )
        if gateway is None:
            names = ", ".join(resource_id(one.id).short for one in gateways) or "there is none"
            return failed(
                f"subnet {subnet.name} of the cluster should have a NAT gateway, and has none: "
                f"what is in it has no way out ({names})",
                resource=subnet.id,
                change="attach the NAT gateway of the outbound type",
                source=OUTBOUND_TYPE,
            )
        if not gateway.addresses and not gateway.prefixes:
            return failed(
                f"{resource_id(gateway.id).short} should have a public address or prefix, and has "
                "none: it lets nothing out",
                resource=gateway.id,
                change="give it an address",
                source=OUTBOUND_TYPE,
            )
    return passed(
        f"each subnet has a NAT gateway with an address: {', '.join(one.name for one in subnets)}",
        source=OUTBOUND_TYPE,
    )
