"""Rules of network security groups as Azure judges them: default rules, order, service tags. Pure.

"Azure docs: network-security-groups-overview, service-tags-overview".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_aksnet.lab.azure.resources import SecurityGroup, SecurityRule, Subnet, VirtualNetwork
from pytest_aksnet.lab.azure.routes import connected_peers, site_prefixes
from pytest_aksnet.lab.azure.state import AzureState

VIRTUAL_NETWORK = "VirtualNetwork"
LOAD_BALANCER = "AzureLoadBalancer"
INTERNET = "Internet"
PLATFORM_DNS = "AzurePlatformDNS"
PLATFORM_IMDS = "AzurePlatformIMDS"
PLATFORM_TAGS = (PLATFORM_DNS, PLATFORM_IMDS)
"""Rules hold for the platform's own addresses only where they name one of these tags."""

PROBE_SOURCE6 = "fe80::1234:5678:9abc"

_V, _L, _I, _ANY = (VIRTUAL_NETWORK,), (LOAD_BALANCER,), (INTERNET,), ("*",)


def _default(
    name: str,
    priority: int,
    direction: str,
    access: str,
    sources: tuple[str, ...],
    destinations: tuple[str, ...],
) -> SecurityRule:
    return SecurityRule(
        name=name,
        priority=priority,
        direction=direction,
        access=access,
        sources=sources,
        destinations=destinations,
    )


DEFAULT_RULES = (
    _default("AllowVnetInBound", 65000, "Inbound", "Allow", _V, _V),
    _default("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", _L, _ANY),
    _default("DenyAllInBound", 65500, "Inbound", "Deny", _ANY, _ANY),
    _default("AllowVnetOutBound", 65000, "Outbound", "Allow", _V, _V),
    _default("AllowInternetOutBound", 65001, "Outbound", "Allow", _ANY, _I),
    _default("DenyAllOutBound", 65500, "Outbound", "Deny", _ANY, _ANY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Networks of both families, or everything but them where `others`."""

    networks: tuple[str, ...]
    others: bool = False


def ordered_rules(group: SecurityGroup, direction: str) -> list[SecurityRule]:
    """A group's rules of one direction and the default ones, in the order of judgement."""
    rules = [rule for rule in (*group.rules, *DEFAULT_RULES) if rule.direction == direction]
    return sorted(rules, key=lambda rule: rule.priority)


def virtual_network_tag(
    azure: AzureState, network: VirtualNetwork, subnet: Subnet
) -> tuple[str, ...]:
    """What the tag VirtualNetwork means for a subnet.

    Address spaces of the network, of peers and of sites, the host's address, and prefixes of the
    subnet's user-defined routes, a default route included; of an overlay also its pods, which
    Azure treats as part of the network.
    """
    spec = azure.spec
    found = [*network.prefixes, f"{spec.azure_dns_ip}/32"]
    for peer in connected_peers(azure, network):
        found += peer.prefixes
    found += site_prefixes(azure, network)
    table = azure.route_tables.get(subnet.route_table)
    found += [route.prefix for route in table.routes] if table else []
    if spec.mode == "overlay" and any(
        one.name == subnet.name for one in azure.cluster_network.subnets
    ):
        found += [spec.pod_cidr, *([spec.pod_cidr6] if spec.dual_stack else [])]
    return tuple(dict.fromkeys(found))


def tag_values(
    azure: AzureState, network: VirtualNetwork, subnet: Subnet
) -> Mapping[str, Addresses]:
    """What each service tag means in the rules of a subnet's group."""
    spec = azure.spec
    own = virtual_network_tag(azure, network, subnet)
    routed = [prefix for prefix in own if not prefix.endswith("/0")]
    return {
        VIRTUAL_NETWORK: Addresses(networks=own),
        LOAD_BALANCER: Addresses(networks=(f"{spec.azure_dns_ip}/32", f"{PROBE_SOURCE6}/128")),
        # Whatever is public: a user-defined default route does not make it less so.
        INTERNET: Addresses(networks=tuple(routed), others=True),
        PLATFORM_DNS: Addresses(networks=(f"{spec.azure_dns_ip}/32",)),
        PLATFORM_IMDS: Addresses(networks=(f"{spec.imds_ip}/32",)),
    }


def resolve(entries: Iterable[str], tags: Mapping[str, Addresses]) -> list[Addresses | None]:
    """The addresses of a rule's entries, each of them enough; None is any address."""
    plain: list[str] = []
    found: list[Addresses | None] = []
    for entry in entries:
        if entry == "*":
            return [None]
        if entry in tags:
            found.append(tags[entry])
        else:
            plain.append(entry)
    if plain:
        found.append(Addresses(networks=tuple(plain)))
    return found
