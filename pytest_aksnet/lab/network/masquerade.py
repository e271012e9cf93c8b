"""Which traffic of pods leaves a node with the node's address: the rules per mode, as iptables.

kubenet, node subnet and overlay have azure-ip-masq-agent. Semantics of the chain IP-MASQ-AGENT of
ip-masq-agent-v2: entered for destinations that are not local to the node; the non-masquerade
ranges return; the rest is masqueraded, link-local destinations included (`masqLinkLocal: true`, as
AKS configures it).

Pod subnets have no agent. There azure-cns translates what Azure answers to a node's address only,
in the chain SWIFT-POSTROUTING: DNS to 168.63.129.16 and TCP 80 to 169.254.169.254
("Azure/azure-container-networking: cns/restserver/internalapi_linux.go").
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.network.iptables import Tables
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

AGENT_CHAIN = "IP-MASQ-AGENT"
CNS_CHAIN = "SWIFT-POSTROUTING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What azure-cns gives the node's address: from `source` (CIDR) to a machine and its port."""

    source: str
    destination: str
    protocol: str
    port: int
    to_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Masquerade:
    """The rules of one node.

    `spared` are the agent's nonMasqueradeCIDRs of both families; None where there is no agent.
    `dual_stack` nodes masquerade IPv6 likewise. `translations` are those of azure-cns.
    """

    spared: tuple[str, ...] | None
    dual_stack: bool = False
    translations: tuple[Translation, ...] = ()


def masquerade(spec: LabSpec, node: NodeSpec, cidrs: Sequence[str] | None = None) -> Masquerade:
    """What holds on a node. `cidrs` replace the list that AKS gives to azure-ip-masq-agent."""
    if spec.mode == "pod-subnet":
        wanted = (
            (spec.azure_dns_ip, "udp", 53),
            (spec.azure_dns_ip, "tcp", 53),
            (spec.imds_ip, "tcp", 80),
        )
        translations = tuple(
            Translation(
                source=spec.pod_subnet,
                destination=destination,
                protocol=protocol,
                port=port,
                to_source=node.ip,
            )
            for destination, protocol, port in wanted
        )
        return Masquerade(spared=None, translations=translations)
    spared = spec.non_masquerade_cidrs if cidrs is None else cidrs
    return Masquerade(spared=tuple(spared), dual_stack=spec.dual_stack)


def masquerade_rules(rules: Masquerade, *, version: int = 4) -> Tables:
    """The rules as the agents write them into the table nat, for IPv4 or IPv6 (`version` 4, 6)."""
    if rules.spared is None:
        return _azure_cns(rules.translations) if version == 4 else {}
    if version == 6 and not rules.dual_stack:
        return {}
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in rules.spared]
    # masqLinkLocalIPv6 is off by default.
    spared = [] if version == 4 else ["fe80::/10"]
    spared += [str(network) for network in networks if network.version == version]
    agent = [
        f"{'' if cidr in _EVERYWHERE else f'-d {cidr} '}{_comment(_SPARED)} -j RETURN"
        for cidr in spared
    ]
    agent.append(f"{_comment(_MASQUERADED)} -j MASQUERADE")
    jump = f"{_comment(_JUMP)} {_NOT_LOCAL} -j {AGENT_CHAIN}"
    return {"nat": {"POSTROUTING": (jump,), AGENT_CHAIN: agent}}


def _azure_cns(translations: Sequence[Translation]) -> Tables:
    rules = [
        f"-s {one.source} -d {one.destination}/32 -p {one.protocol} {_NOT_LOCAL} "
        f"-m {one.protocol} --dport {one.port} -j SNAT --to-source {one.to_source}"
        for one in translations
    ]
    return {"nat": {"POSTROUTING": (f"-j {CNS_CHAIN}",), CNS_CHAIN: rules}}


def _comment(text: str) -> str:
    return f'-m comment --comment "ip-masq-agent: {text}"'


_EVERYWHERE = ("0.0.0.0/0", "::/0")
_NOT_LOCAL = "-m addrtype ! --dst-type LOCAL"
_SPARED = "local traffic is not subject to MASQUERADE"
_MASQUERADED = "outbound traffic is subject to MASQUERADE (must be last in chain)"
_JUMP = (
    "ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom "
    f"{AGENT_CHAIN} chain"
)
