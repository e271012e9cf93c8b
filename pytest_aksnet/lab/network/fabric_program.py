"""The fabric's nftables: guards against false addresses, groups, frontends, translation. Pure.

One table per IP version. What does not depend on Azure's resources is the base; the rest is in
chains per port that maps lead to, so a changed resource swaps map elements and no packet ever
meets half of a change. Known flows pass the first rule; only what begins a flow is judged: where it
leaves with the address that its sender has, where it arrives with the one that it was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_aksnet.lab.azure.routes import (
    connected_peers,
    effective_routes,
    next_hop,
    site_prefixes,
)
from pytest_aksnet.lab.azure.security_rules import PROBE_SOURCE6
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.network.ports import (
    INTERNET_PORTS,
    NODE_PORTS,
    Port,
    is_forwarding,
    node_mark,
    pod_networks,
    subnet_of,
)
from pytest_aksnet.lab.network.security import IP, SecurityChains
from pytest_aksnet.lab.network.tables import Chains, TableProgram
from pytest_aksnet.lab.network.translation import Exit, exits, idle_seconds
from pytest_aksnet.lab.spec import LabSpec

TABLE = "azure"
LONGEST_PASSED = 1400
"""Bytes of the longest packet that a narrow port passes: where the VNet stack fragments."""

_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_FRAG_NEEDED = {
    4: "icmp type destination-unreachable icmp code frag-needed",
    6: "icmpv6 type packet-too-big",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontends:
    """What the load balancer listens at: "ADDRESS . PROTOCOL . PORT" to a verdict, by IP version.

    The verdicts refer to `chains`.
    """

    chains: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    public: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    internal: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bent:
    """What is wrong in the fabric and is no resource of Azure.

    `narrow` are ports that lose packets longer than LONGEST_PASSED silently; `idle_seconds` is
    after how long a flow to the internet is forgotten, None for what the resources say.
    """

    narrow: tuple[str, ...] = ()
    idle_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What Azure's resources are in one table: costly to make, so made once for each change."""

    base: str
    chains: Mapping[str, str]
    elements: Mapping[str, Mapping[str, str]]


def compiled(azure: AzureState, ports: list[Port], bent: Bent, version: int) -> Compiled:
    """The part of an IP version's table that does not depend on Services."""
    chains = Chains()
    security = SecurityChains(azure, chains, version)
    by_port: dict[str, dict[str, str]] = {
        name: {} for name in ("sends", "receives", "platform", "leaves", "translated")
    }
    for port in ports:
        ways = exits(azure, port, version)
        for name, jump, lines in (
            ("sends", "jump", [*_own_addresses(azure, port, version), *security.leaving(port)]),
            (
                "receives",
                "jump",
                [*_taken_off(azure, port, version, "daddr"), *security.arriving(port)],
            ),
            ("platform", "jump", security.to_platform(port)),
            ("leaves", "goto", _gate(ways, version)),
            ("translated", "jump", _translation(ways, version)),
        ):
            if lines:
                by_port[name][f'"{port.name}"'] = f"{jump} {chains.add(name, *lines)}"
    narrow = [
        f'{side} "{name}" meta length > {LONGEST_PASSED} drop'
        for name in bent.narrow
        for side in ("iifname", "oifname")
    ]
    if narrow:
        chains.add("narrow", "type filter hook forward priority -10", *narrow)
    return Compiled(
        base=_base(azure, bent, version),
        chains=chains.chains,
        elements={
            "outward": {f'"{name}"': "" for name in _outward(azure, ports, version)},
            "inward": {f'"{name}"': "" for name in _inward(azure, ports)},
            "backends": {
                f'"{port.name}" . {node_mark(port.node):#x}': "" for port in ports if port.node
            },
            **by_port,
        },
    )


def fabric_program(azure_part: Compiled, frontends: Frontends, version: int) -> TableProgram:
    """The table of an IP version."""
    return TableProgram(
        base=azure_part.base,
        chains={**frontends.chains.get(version, {}), **azure_part.chains},
        elements={
            "public": frontends.public.get(version, {}),
            "internal": frontends.internal.get(version, {}),
            **azure_part.elements,
        },
    )


def _gate(ways: list[Exit], version: int) -> list[str]:
    """The rule that lets nothing out but what a way out is for."""
    if not ways:
        return []
    sources = ", ".join(source for way in ways for source in way.sources)
    return [f"{IP[version]} saddr != {{ {sources} }} drop"]


def _translation(ways: list[Exit], version: int) -> list[str]:
    lines = []
    for way in ways:
        match = f"{IP[version]} saddr {{ {', '.join(way.sources)} }}"
        public = f"[{way.public}]" if version == 6 else way.public
        lines += [
            f"{match} meta l4proto {{ tcp, udp }} "
            f"snat to {public}:{way.first_port}-{way.last_port}",
            f"{match} snat to {way.public}",
        ]
    return lines


def _own_addresses(azure: AzureState, port: Port, version: int) -> list[str]:
    """The rule that drops what a machine sends with addresses that are not its own."""
    address = port.address(version)
    if address is None or (port.forwards and port.node is None):
        return []
    own = [address]
    if port.node is not None:
        spec = azure.spec
        # A NIC with IP forwarding may send for others, as kubenet's do for pods.
        if spec.mode != "kubenet":
            own += pod_networks(port.node, version)
        elif is_forwarding(azure, port):
            own.append(spec.pod_cidr if version == 4 else spec.pod_cidr6)
        own += _frontend_ranges(spec, version)
    gone = _taken_off(azure, port, version, "saddr")
    return [*gone, f"{IP[version]} saddr != {{ {', '.join(own)} }} drop"]


def _taken_off(azure: AzureState, port: Port, version: int, side: str) -> list[str]:
    """The rule that drops pods' addresses which the node's interface has no more."""
    if port.node is None or version == 6:
        return []
    gone = sorted(azure.machines.taken_off & set(port.node.reserved_pod_ips))
    return [f"ip {side} {{ {', '.join(gone)} }} drop"] if gone else []


def _outward(azure: AzureState, ports: list[Port], version: int) -> list[str]:
    """Ports whose packets to public addresses go straight to the internet."""
    spec = azure.spec
    public = spec.load_balancer_range if version == 4 else spec.load_balancer_range6
    address = public.partition("/")[0]
    direct: dict[tuple[str, str], bool] = {("", ""): False}
    found = []
    for port in ports:
        where = port.network, port.subnet
        place = subnet_of(azure, port)
        if where not in direct and place is not None:
            hop = next_hop(effective_routes(azure, *place), address)
            direct[where] = hop is not None and hop.next_hop_type == "Internet"
        if direct[where] or port.domain == "internet":
            found.append(port.name)
    return found


def _inward(azure: AzureState, ports: list[Port]) -> list[str]:
    """Ports whose packets reach the cluster's virtual network."""
    network = azure.cluster_network
    near = {network.name, *(peer.name for peer in connected_peers(azure, network))}
    sites = bool(site_prefixes(azure, network))
    return [
        port.name for port in ports if port.network in near or (port.domain == "on-prem" and sites)
    ]


def _frontend_ranges(spec: LabSpec, version: int) -> tuple[str, str]:
    """Addresses of public and of internal frontends."""
    if version == 6:
        return spec.load_balancer_range6, spec.internal_lb_range6
    return spec.load_balancer_range, spec.internal_lb_range


def _base(azure: AzureState, bent: Bent, version: int) -> str:
    spec = azure.spec
    ip, kind = IP[version], _TYPE[version]
    public, internal = _frontend_ranges(spec, version)
    idle = idle_seconds(azure) if bent.idle_seconds is None else bent.idle_seconds
    own = [f"{spec.azure_dns_ip}", spec.imds_ip] if version == 4 else [PROBE_SOURCE6]
    errors = azure.gateway_ip if version == 4 else PROBE_SOURCE6
    pods = spec.pod_cidr if version == 4 else spec.pod_cidr6
    hidden = f'iifname "{NODE_PORTS}" {ip} saddr {pods} drop' if spec.pods_have_cidr else ""
    maps = "\n".join(
        f"map {name} {{ type ifname : verdict; }}"
        for name in ("sends", "receives", "platform", "leaves", "translated")
    )
    return f"""
        ct timeout idle-tcp {{
            protocol tcp
            l3proto {ip}
            policy = {{ established : {idle} }}
        }}
        ct timeout idle-udp {{
            protocol udp
            l3proto {ip}
            policy = {{ replied : {min(idle, _UDP_IDLE_SECONDS)} }}
        }}
        map public {{ type {kind} . inet_proto . inet_service : verdict; }}
        map internal {{ type {kind} . inet_proto . inet_service : verdict; }}
        set outward {{ type ifname; }}
        set inward {{ type ifname; }}
        set backends {{ type ifname . mark; }}
        {maps}
        chain balance {{
            type filter hook prerouting priority -150
            ct state new iifname @outward {ip} daddr . meta l4proto . th dport vmap @public
            ct state new iifname @inward {ip} daddr . meta l4proto . th dport vmap @internal
            ct direction original meta mark set ct mark
        }}
        chain to-internet {{
            iifname vmap @leaves
            drop
        }}
        chain idle {{
            meta l4proto tcp tcp flags & (syn | ack) != syn reject with tcp reset
            meta l4proto tcp ct timeout set "idle-tcp"
            meta l4proto udp ct timeout set "idle-udp"
        }}
        chain guard {{
            type filter hook forward priority 0
            ct state established,related accept
            iifname vmap @sends
            oifname "{INTERNET_PORTS}" iifname != "{INTERNET_PORTS}" jump to-internet
            oifname "{INTERNET_PORTS}" iifname != "{INTERNET_PORTS}" jump idle
            iifname "{INTERNET_PORTS}" oifname != "{INTERNET_PORTS}" ct mark 0 drop
            {ip} daddr {public} iifname != "{INTERNET_PORTS}" jump to-internet
            {ip} daddr {internal} iifname . ct mark @backends drop
        }}
        chain azure-addresses {{
            type filter hook input priority 0
            iifname "lo" accept
            ct state established,related accept
            iifname "{INTERNET_PORTS}" drop
            {hidden}
            {ip} daddr != {{ {", ".join(own)} }} drop
            iifname vmap @platform
        }}
        chain unseen {{
            type filter hook output priority 0
            oifname "lo" accept
            {ip} saddr {errors} {_FRAG_NEEDED[version]} accept
            meta l4proto tcp tcp flags & rst == rst accept
            {ip} saddr != {{ {", ".join(own)} }} drop
        }}
        chain outbound {{
            type nat hook postrouting priority 100
            oifname "{INTERNET_PORTS}" iifname vmap @translated
            {ip} daddr {public} iifname vmap @translated
        }}
        chain arriving {{
            type filter hook postrouting priority 150
            ct state new oifname vmap @receives
        }}"""


_UDP_IDLE_SECONDS = 240  # "Azure docs: load-balancer-outbound-connections"
