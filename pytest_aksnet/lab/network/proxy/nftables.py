"""kube-proxy in nftables mode: the table kube-proxy of one node, in upstream's words.

Names of maps, sets and chains, their rules and comments are those of kubernetes pkg/proxy/nftables
(1.34); `nft list table ip kube-proxy` shows them. Node ports are served at the node's own address
only (--nodeport-addresses primary, the default of this mode).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.lab.network.proxy.names import (
    nftables_endpoint_name,
    nftables_name,
    port_name,
)
from pytest_aksnet.lab.network.proxy.node import ProxyNode, seen_by
from pytest_aksnet.lab.network.proxy.reachable import is_external, reachable
from pytest_aksnet.lab.network.tables import TableProgram, address_set
from pytest_aksnet.lab.network_knobs import ProxyDefect
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView

TABLE = "kube-proxy"

_MASQUERADE = "jump mark-for-masquerade"


def nftables_program(services: Iterable[ServicePortView], node: ProxyNode) -> TableProgram:
    """The node's table for these Services, of the family of the node's `version`."""
    table = _Table(node=node)
    for service in seen_by(services, node):
        _Port(table, service).write()
    return TableProgram(
        base=_base(node),
        sets=table.sets,
        chains=table.endpoints | table.services | table.external,
        elements=table.elements,
    )


@dataclass(kw_only=True)
class _Table:
    """Chains by kind, so that each refers to earlier ones only."""

    node: ProxyNode
    sets: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    elements: dict[str, dict[str, str]] = field(default_factory=dict)

    def put(self, element_map: str, key: str, value: str = "") -> None:
        """Add an element to a map, or to a set."""
        self.elements.setdefault(element_map, {})[key] = value


class _Port:
    """Writes what belongs to one Service port."""

    def __init__(self, table: _Table, service: ServicePortView) -> None:
        self._table = table
        self._service = service
        self._node = table.node
        self._ip = "ip" if table.node.version == 4 else "ip6"
        self._found = reachable(service, table.node.place)
        self._protocol = service.protocol.lower()
        self._name = nftables_name(service)

    def write(self) -> None:
        """Write all of it."""
        service, found = self._service, self._found
        inside = found.local if service.internal_local else found.cluster
        outside = found.local if service.external_local else found.cluster
        self._table.put("cluster-ips", service.cluster_ip)
        for endpoint in found.all:
            self._write_endpoint(endpoint)
        if inside:
            chain = self._policy_chain(service.internal_local)
            self._table.put("service-ips", self._key(service.cluster_ip), f"goto {chain}")
        else:
            self._refuse(service.cluster_ip)
        if found.cluster:
            self._write_choice(found.cluster, local=False)
        if found.local:
            self._write_choice(found.local, local=True)
        if is_external(service):
            self._write_external(bool(outside))

    def _write_external(self, served: bool) -> None:
        service, table = self._service, self._table
        port = f"{self._protocol} . {service.node_port}"
        if self._found.anywhere:
            chain = f"external-{self._name}"
            table.external[chain] = "\n".join(self._external_rules(served))
            for ip in service.load_balancer_ips:
                table.put("service-ips", self._key(ip), f"goto {chain}")
            if service.node_port:
                table.put("service-nodeports", port, f"goto {chain}")
        if not served:
            for ip in service.load_balancer_ips:
                self._refuse(ip)
            if service.node_port:
                key = f'{port} comment "{port_name(service)}"'
                table.put("no-endpoint-nodeports", key, self._refusal())
        if service.source_ranges and service.load_balancer_ips and self._found.anywhere:
            self._write_firewall()

    def _external_rules(self, served: bool) -> list[str]:
        cluster = self._policy_chain(False)
        if not self._service.external_local:
            return [_MASQUERADE, f"goto {cluster}"]
        rules = [
            f"{self._ip} saddr {self._node.cluster_cidr} goto {cluster} "
            'comment "short-circuit pod traffic"',
            f'fib saddr type local {_MASQUERADE} comment "masquerade local traffic"',
            f'fib saddr type local goto {cluster} comment "short-circuit local traffic"',
        ]
        if served:
            lost = ProxyDefect.EXTERNAL_LOCAL_MASQUERADED in self._node.defects
            rules += [*([_MASQUERADE] if lost else []), f"goto {self._policy_chain(True)}"]
        return rules

    def _write_firewall(self) -> None:
        service, version = self._service, self._node.version
        chain = f"firewall-{self._name}"
        allowed = address_set(service.source_ranges, version=version)
        if not allowed:
            rule = "drop"
        elif allowed in ("0.0.0.0/0", "::/0"):
            rule = "return"  # nft does not take the whole address space as an interval
        else:
            rule = f"{self._ip} saddr != {{ {allowed} }} drop"
        self._table.external[chain] = rule
        for ip in service.load_balancer_ips:
            self._table.put("firewall-ips", self._key(ip), f"goto {chain}")

    def _write_choice(self, endpoints: Sequence[EndpointView], *, local: bool) -> None:
        rules = []
        if local == self._service.internal_local:
            everybody = ProxyDefect.MASQUERADES_ALL in self._node.defects
            others = "" if everybody else f"{self._ip} saddr != {self._node.cluster_cidr} "
            to_cluster_ip = f"{self._ip} daddr {self._service.cluster_ip}"
            rules.append(f"{to_cluster_ip} {others}{_MASQUERADE}")
        names = [nftables_endpoint_name(self._service, one) for one in endpoints]
        if self._service.affinity_seconds:
            rules += [f"{self._ip} saddr @affinity-{one} goto endpoint-{one}" for one in names]
        choice = ", ".join(f"{number} : goto endpoint-{one}" for number, one in enumerate(names))
        rules.append(f"numgen random mod {len(names)} vmap {{ {choice} }}")
        self._table.services[self._policy_chain(local)] = "\n".join(rules)

    def _write_endpoint(self, endpoint: EndpointView) -> None:
        name = nftables_endpoint_name(self._service, endpoint)
        rules = []
        if ProxyDefect.NOT_HAIRPIN not in self._node.defects:
            rules.append(f"{self._ip} saddr {endpoint.ip} {_MASQUERADE}")
        seconds = self._service.affinity_seconds
        if seconds:
            address = f"ipv{self._node.version}_addr"
            self._table.sets[f"affinity-{name}"] = (
                f"type {address}; flags dynamic,timeout; timeout {seconds}s;"
            )
            rules.append(f"update @affinity-{name} {{ {self._ip} saddr }}")
        host = f"[{endpoint.ip}]" if self._node.version == 6 else endpoint.ip
        rules.append(f"meta l4proto {self._protocol} dnat to {host}:{endpoint.port}")
        self._table.endpoints[f"endpoint-{name}"] = "\n".join(rules)

    def _policy_chain(self, local: bool) -> str:
        return f"{'local' if local else 'service'}-{self._name}"

    def _key(self, ip: str) -> str:
        return f"{ip} . {self._protocol} . {self._service.port}"

    def _refuse(self, ip: str) -> None:
        key = f'{self._key(ip)} comment "{port_name(self._service)}"'
        self._table.put("no-endpoint-services", key, self._refusal())

    def _refusal(self) -> str:
        """Nobody at all: refused. Nobody here, by a policy Local: dropped."""
        return "drop" if self._found.anywhere else "goto reject-chain"


def _base(node: ProxyNode) -> str:
    ip = "ip" if node.version == 4 else "ip6"
    address = f"ipv{node.version}_addr"
    to_service = f"{address} . inet_proto . inet_service : verdict"
    to_port = "inet_proto . inet_service : verdict"
    lookup = f"{ip} daddr . meta l4proto . th dport vmap"
    port_lookup = f"{ip} daddr @nodeport-ips meta l4proto . th dport vmap"
    refused = "vmap to drop or reject packets to"
    unallocated = "Drop traffic to unallocated ClusterIPs"
    return f"""
        comment "rules for kube-proxy"
        set cluster-ips {{
            type {address}
            comment "Active ClusterIPs"
        }}
        set nodeport-ips {{
            type {address}
            comment "IPs that accept NodePort traffic"
            elements = {{ {node.ip} }}
        }}
        map firewall-ips {{
            type {to_service}
            comment "destinations that are subject to LoadBalancerSourceRanges"
        }}
        map no-endpoint-nodeports {{
            type {to_port}
            comment "{refused} service nodeports with no endpoints"
        }}
        map no-endpoint-services {{
            type {to_service}
            comment "{refused} services with no endpoints"
        }}
        map service-ips {{
            type {to_service}
            comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
        }}
        map service-nodeports {{
            type {to_port}
            comment "NodePort traffic"
        }}
        chain mark-for-masquerade {{
            meta mark set meta mark | 0x4000
        }}
        chain masquerading {{
            meta mark & 0x4000 == 0 return
            meta mark set meta mark ^ 0x4000
            masquerade fully-random
        }}
        chain reject-chain {{
            comment "helper for @no-endpoint-services / @no-endpoint-nodeports"
            reject
        }}
        chain cluster-ips-check {{
            {ip} daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
            {ip} daddr {{ {node.service_cidr} }} drop comment "{unallocated}"
        }}
        chain firewall-check {{
            {lookup} @firewall-ips
        }}
        chain nodeport-endpoints-check {{
            {port_lookup} @no-endpoint-nodeports
        }}
        chain service-endpoints-check {{
            {lookup} @no-endpoint-services
        }}
        chain services {{
            {lookup} @service-ips
            {port_lookup} @service-nodeports
        }}
        chain filter-prerouting-pre-dnat {{
            type filter hook prerouting priority -110
            ct state new jump firewall-check
        }}
        chain filter-output-pre-dnat {{
            type filter hook output priority -110
            ct state new jump firewall-check
        }}
        chain filter-input {{
            type filter hook input priority 0
            ct state new jump nodeport-endpoints-check
            ct state new jump service-endpoints-check
        }}
        chain filter-forward {{
            type filter hook forward priority 0
            ct state new jump service-endpoints-check
            ct state new jump cluster-ips-check
        }}
        chain filter-output {{
            type filter hook output priority 0
            ct state new jump service-endpoints-check
            ct state new jump cluster-ips-check
        }}
        chain nat-prerouting {{
            type nat hook prerouting priority -100
            jump services
        }}
        chain nat-output {{
            type nat hook output priority -100
            jump services
        }}
        chain nat-postrouting {{
            type nat hook postrouting priority 100
            jump masquerading
        }}"""
