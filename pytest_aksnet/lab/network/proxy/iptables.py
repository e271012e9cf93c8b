"""kube-proxy in iptables mode: the KUBE-* chains of one node, in upstream's words.

Chains, their order, comments and targets are those of kubernetes pkg/proxy/iptables (1.34), each
rule in the form in which iptables-save shows it. The rule with nfacct in KUBE-FORWARD is without
it, as kube-proxy writes it where the kernel has no nfacct.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.lab.network.iptables import Tables
from pytest_aksnet.lab.network.proxy.names import (
    endpoint_text,
    iptables_chain,
    iptables_endpoint_chain,
    port_name,
)
from pytest_aksnet.lab.network.proxy.node import ProxyNode, seen_by
from pytest_aksnet.lab.network.proxy.reachable import is_external, reachable
from pytest_aksnet.lab.network_knobs import ProxyDefect
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView

_MASQUERADE = "KUBE-MARK-MASQ"
_NODE_PORTS = "KUBE-NODEPORTS"
_NEW = "-m conntrack --ctstate NEW "
_LOCAL_DESTINATION = "-m addrtype --dst-type LOCAL"
_LOCAL_SOURCE = "-m addrtype --src-type LOCAL"


def iptables_rules(services: Iterable[ServicePortView], node: ProxyNode) -> Tables:
    """The node's chains for these Services in the tables filter, nat and mangle."""
    rules = _Rules(node=node)
    for service in seen_by(services, node):
        _Port(rules, service).write()
    return rules.tables()


@dataclass(kw_only=True)
class _Rules:
    node: ProxyNode
    services: list[str] = field(default_factory=list)
    node_ports: list[str] = field(default_factory=list)
    filtered_services: list[str] = field(default_factory=list)
    filtered_external: list[str] = field(default_factory=list)
    filtered_balanced: list[str] = field(default_factory=list)
    health_ports: list[str] = field(default_factory=list)
    chains: dict[str, list[str]] = field(default_factory=dict)

    def tables(self) -> Tables:
        """All of it, with what does not depend on Services."""
        version = self.node.version
        loopback = "! -d ::1/128 " if version == 6 else ""
        note = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
        to_node_ports = f"{loopback}{_comment(note)} {_LOCAL_DESTINATION} -j {_NODE_PORTS}"
        return {
            "filter": {
                **_FILTER_HOOKS,
                "KUBE-EXTERNAL-SERVICES": self.filtered_external,
                "KUBE-FORWARD": _FORWARD,
                _NODE_PORTS: self.health_ports,
                "KUBE-PROXY-CANARY": (),
                "KUBE-PROXY-FIREWALL": self.filtered_balanced,
                "KUBE-SERVICES": self.filtered_services,
            },
            "nat": {
                **_NAT_HOOKS,
                _MASQUERADE: ("-j MARK --set-xmark 0x4000/0x4000",),
                _NODE_PORTS: self.node_ports,
                "KUBE-POSTROUTING": _POSTROUTING,
                "KUBE-PROXY-CANARY": (),
                "KUBE-SERVICES": [*self.services, to_node_ports],
                **self.chains,
            },
            "mangle": {"KUBE-PROXY-CANARY": ()},
        }


class _Port:
    """Writes the rules of one Service port."""

    def __init__(self, rules: _Rules, service: ServicePortView) -> None:
        self._rules = rules
        self._service = service
        self._node = rules.node
        self._found = reachable(service, self._node.place)
        self._name = port_name(service)
        self._protocol = service.protocol.lower()
        self._cluster_chain = iptables_chain("SVC", service)
        self._local_chain = iptables_chain("SVL", service)
        self._external_chain = iptables_chain("EXT", service)
        self._firewall_chain = iptables_chain("FW", service)

    def write(self) -> None:
        """Write all of them."""
        service, found = self._service, self._found
        inside = found.local if service.internal_local else found.cluster
        outside = found.local if service.external_local else found.cluster
        self._write_cluster_ip(bool(inside))
        if is_external(service):
            self._write_frontends(bool(outside))
            if found.anywhere:
                self._write_external(bool(outside))
        if service.health_check_node_port:
            self._rules.health_ports.append(
                f"-p tcp {_comment(f'{self._name} health check node port')} "
                f"-m tcp --dport {service.health_check_node_port} -j ACCEPT"
            )
        if found.cluster:
            self._write_choice(self._cluster_chain, found.cluster)
        if found.local:
            self._write_choice(self._local_chain, found.local)
        for endpoint in found.all:
            self._write_endpoint(endpoint)

    def _write_cluster_ip(self, served: bool) -> None:
        service = self._service
        if not served:
            rule = self._to(service.cluster_ip, self._refusal_comment(), self._refusal())
            self._rules.filtered_services.append(rule)
            return
        chain = self._local_chain if service.internal_local else self._cluster_chain
        comment = f"{self._name} cluster IP"
        self._rules.services.append(self._to(service.cluster_ip, comment, chain))
        everybody = ProxyDefect.MASQUERADES_ALL in self._node.defects
        source = "" if everybody else f"! -s {self._node.cluster_cidr} "
        self._chain(chain).append(source + self._to(service.cluster_ip, comment, _MASQUERADE))

    def _write_frontends(self, served: bool) -> None:
        service, rules = self._service, self._rules
        for ip in service.load_balancer_ips:
            if self._found.anywhere:
                target = self._firewall_chain if self._guarded else self._external_chain
                rules.services.append(self._to(ip, f"{self._name} loadbalancer IP", target))
            if self._found.anywhere and self._guarded:
                comment = f"{self._name} traffic not accepted by {self._firewall_chain}"
                rules.filtered_balanced.append(self._to(ip, comment, "DROP"))
            if not served:
                rule = self._to(ip, self._refusal_comment(), self._refusal())
                rules.filtered_external.append(rule)
        if service.node_port and self._found.anywhere:
            rules.node_ports.append(
                f"-p {self._protocol} {_comment(self._name)} -m {self._protocol} "
                f"--dport {service.node_port} -j {self._external_chain}"
            )
        if service.node_port and not served:
            rules.filtered_external.append(
                f"-p {self._protocol} {_comment(self._refusal_comment())} {_LOCAL_DESTINATION} "
                f"-m {self._protocol} --dport {service.node_port} -j {self._refusal()}"
            )

    @property
    def _guarded(self) -> bool:
        return bool(self._service.source_ranges)

    def _write_external(self, served: bool) -> None:
        chain = self._chain(self._external_chain)
        ends = f"for {self._name} external destinations"
        if not self._service.external_local:
            chain.append(f"{_comment(f'masquerade traffic {ends}')} -j {_MASQUERADE}")
        else:
            chain += [
                # As if it had gone out to a load balancer and come back.
                f"-s {self._node.cluster_cidr} {_comment(f'pod traffic {ends}')} "
                f"-j {self._cluster_chain}",
                f"{_comment(f'masquerade LOCAL traffic {ends}')} {_LOCAL_SOURCE} -j {_MASQUERADE}",
                f"{_comment(f'route LOCAL traffic {ends}')} {_LOCAL_SOURCE} "
                f"-j {self._cluster_chain}",
            ]
            if served and ProxyDefect.EXTERNAL_LOCAL_MASQUERADED in self._node.defects:
                chain.append(f"{_comment(f'masquerade traffic {ends}')} -j {_MASQUERADE}")
        if served:
            last = self._local_chain if self._service.external_local else self._cluster_chain
            chain.append(f"-j {last}")
        if self._guarded and self._service.load_balancer_ips:
            self._write_firewall()

    def _write_firewall(self) -> None:
        chain = self._chain(self._firewall_chain)
        comment = _comment(f"{self._name} loadbalancer IP")
        networks = [ipaddress.ip_network(one, strict=False) for one in self._service.source_ranges]
        allowed = [str(network) for network in networks if network.version == self._node.version]
        if any(ipaddress.ip_address(self._node.ip) in network for network in networks):
            # The node itself may ask with that address as its source.
            allowed += [f"{ip}/{self._node.single}" for ip in self._service.load_balancer_ips]
        chain += [
            f"{'' if one in _ANYWHERE else f'-s {one} '}{comment} -j {self._external_chain}"
            for one in allowed
        ]
        rest = f"other traffic to {self._name} will be dropped by KUBE-PROXY-FIREWALL"
        chain.append(_comment(rest))

    def _write_choice(self, name: str, endpoints: Sequence[EndpointView]) -> None:
        chain = self._chain(name)
        ends = [
            (
                _comment(f"{self._name} -> {endpoint_text(one)}"),
                iptables_endpoint_chain(self._service, one),
            )
            for one in endpoints
        ]
        seconds = self._service.affinity_seconds
        if seconds:
            chain += [
                f"{comment} -m recent --rcheck --seconds {seconds} --reap "
                f"--name {end} --mask {self._mask} --rsource -j {end}"
                for comment, end in ends
            ]
        for number, (comment, end) in enumerate(ends):
            left = len(ends) - number
            chance = f"-m statistic --mode random --probability {_chance(left)} "
            chain.append(f"{comment} {chance if left > 1 else ''}-j {end}")

    def _write_endpoint(self, endpoint: EndpointView) -> None:
        name = iptables_endpoint_chain(self._service, endpoint)
        chain = self._chain(name)
        comment = _comment(self._name)
        if ProxyDefect.NOT_HAIRPIN not in self._node.defects:
            chain.append(f"-s {endpoint.ip}/{self._node.single} {comment} -j {_MASQUERADE}")
        recent = f"-m recent --set --name {name} --mask {self._mask} --rsource "
        chain.append(
            f"-p {self._protocol} {comment} {recent if self._service.affinity_seconds else ''}"
            f"-m {self._protocol} -j DNAT --to-destination {endpoint_text(endpoint)}"
        )

    @property
    def _mask(self) -> str:
        full = "255.255.255.255"
        return full if self._node.version == 4 else ":".join(["ffff"] * 8)

    def _refusal(self) -> str:
        """Nobody at all: refused. Nobody here, by a policy Local: dropped."""
        if self._found.anywhere:
            return "DROP"
        kind = "icmp" if self._node.version == 4 else "icmp6"
        return f"REJECT --reject-with {kind}-port-unreachable"

    def _refusal_comment(self) -> str:
        return f"{self._name} has no {'local ' if self._found.anywhere else ''}endpoints"

    def _to(self, ip: str, comment: str, target: str) -> str:
        protocol = self._protocol
        return (
            f"-d {ip}/{self._node.single} -p {protocol} {_comment(comment)} "
            f"-m {protocol} --dport {self._service.port} -j {target}"
        )

    def _chain(self, name: str) -> list[str]:
        return self._rules.chains.setdefault(name, [])


def _comment(text: str) -> str:
    return f'-m comment --comment "{text}"'


def _chance(left: int) -> str:
    """1 in `left` as kube-proxy gives it (ten digits), as the kernel keeps it (31 bits)."""
    return f"{round(float(f'{1 / left:0.10f}') * 2**31) / 2**31:0.11f}"


_ANYWHERE = ("0.0.0.0/0", "::/0")
_BALANCED = f"{_NEW}{_comment('kubernetes load balancer firewall')} -j KUBE-PROXY-FIREWALL"
_EXTERNAL = (
    f"{_NEW}{_comment('kubernetes externally-visible service portals')} -j KUBE-EXTERNAL-SERVICES"
)
_PORTALS = f"{_comment('kubernetes service portals')} -j KUBE-SERVICES"
_FILTER_HOOKS = {
    "INPUT": (
        _BALANCED,
        f"{_comment('kubernetes health check service ports')} -j {_NODE_PORTS}",
        _EXTERNAL,
    ),
    "FORWARD": (
        _BALANCED,
        f"{_comment('kubernetes forwarding rules')} -j KUBE-FORWARD",
        f"{_NEW}{_PORTALS}",
        _EXTERNAL,
    ),
    "OUTPUT": (_BALANCED, f"{_NEW}{_PORTALS}"),
}
_NAT_HOOKS = {
    "PREROUTING": (_PORTALS,),
    "OUTPUT": (_PORTALS,),
    "POSTROUTING": (f"{_comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING",),
}
_FORWARD = (
    "-m conntrack --ctstate INVALID -j DROP",
    f"{_comment('kubernetes forwarding rules')} -m mark --mark 0x4000/0x4000 -j ACCEPT",
    f"{_comment('kubernetes forwarding conntrack rule')} "
    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
)
_POSTROUTING = (
    "-m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-j MARK --set-xmark 0x4000/0x0",
    f"{_comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully",
)
