"""Services as Cilium serves them without kube-proxy, as one node's nftables table.

Clients in the cluster are translated where they connect, to any address of the Service and without
masquerade ("Cilium docs: kubernetes-without-kube-proxy, socket load balancer"); only what comes
from outside passes the node port's rules (bpf-lb-mode snat). Nothing of it shows in iptables.

A facade in one point: the table stands for BPF programs, and translates when a packet has left its
pod. A pod that reaches itself through a Service so sees its node's address instead of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.lab.network.proxy.node import ProxyNode, seen_by
from pytest_aksnet.lab.network.proxy.reachable import Reachable, is_external, reachable
from pytest_aksnet.lab.network.tables import Chains, TableProgram, address_set, content_hash
from pytest_aksnet.lab.network_knobs import ProxyDefect
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView
from pytest_aksnet.lab.spec import LabSpec

TABLE = "socket-lb"

_MARK = "0x4000"
_MASQUERADE = f"meta mark set meta mark | {_MARK}"


def cilium_program(
    spec: LabSpec, services: Iterable[ServicePortView], node: ProxyNode
) -> TableProgram:
    """The node's table for these Services, of the family of the node's `version`."""
    compiler = _Compiler(
        node=node,
        nodes=[
            ip for one in spec.nodes if (ip := one.ip if node.version == 4 else one.ip6) is not None
        ],
    )
    for service in seen_by(services, node):
        compiler.add(service)
    return TableProgram(
        base=_base(node.version, spec.pod_interface),
        sets=compiler.sets,
        chains=compiler.chains.chains,
        elements={
            "services": compiler.services,
            "sockets": compiler.sockets,
            "node-ports": compiler.node_ports,
            "unserved": compiler.unserved,
            "unserved-node-ports": compiler.unserved_node_ports,
            "hairpin": compiler.hairpin,
        },
    )


@dataclass(kw_only=True)
class _Compiler:
    node: ProxyNode
    nodes: Sequence[str]
    chains: Chains = field(default_factory=Chains)
    sets: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    sockets: dict[str, str] = field(default_factory=dict)
    node_ports: dict[str, str] = field(default_factory=dict)
    unserved: dict[str, str] = field(default_factory=dict)
    unserved_node_ports: dict[str, str] = field(default_factory=dict)
    hairpin: dict[str, str] = field(default_factory=dict)

    @property
    def ip(self) -> str:
        return "ip" if self.node.version == 4 else "ip6"

    def add(self, service: ServicePortView) -> None:
        found = reachable(service, self.node.place)
        if ProxyDefect.NOT_HAIRPIN not in self.node.defects:
            here = (one for one in found.all if one.node == self.node.name)
            self.hairpin.update({f"{one.ip} . {one.ip}": "" for one in here})
        to_cluster = self._backends(service, found.cluster)
        to_local = self._backends(service, found.local)
        key = _key(service, service.cluster_ip)
        chain = to_local if service.internal_local else to_cluster
        if chain is not None:
            self.sockets[key] = f"goto {chain}"
        else:
            self.unserved[key] = _refusal(found)
        if is_external(service):
            self._add_external(service, found, to_cluster, to_local)

    def _add_external(
        self,
        service: ServicePortView,
        found: Reachable,
        to_cluster: str | None,
        to_local: str | None,
    ) -> None:
        balanced = [_key(service, ip) for ip in service.load_balancer_ips]
        port = f"{service.protocol.lower()} . {service.node_port}"
        chain = to_local if service.external_local else to_cluster
        if chain is None:
            self.unserved.update(dict.fromkeys(balanced, _refusal(found)))
            if service.node_port:
                self.unserved_node_ports[port] = _refusal(found)
        if to_cluster is not None:
            ports = [_key(service, ip, service.node_port) for ip in self.nodes]
            known = balanced + (ports if service.node_port else [])
            self.sockets.update(dict.fromkeys(known, f"goto {to_cluster}"))
        if chain is None:
            return
        keeps = (
            service.external_local
            and ProxyDefect.EXTERNAL_LOCAL_MASQUERADED not in self.node.defects
        )
        outside = self.chains.add("external", *([] if keeps else [_MASQUERADE]), f"goto {chain}")
        if service.node_port:
            self.node_ports[port] = f"goto {outside}"
        if service.source_ranges and balanced:
            allowed = address_set(service.source_ranges, version=self.node.version)
            rule = f"{self.ip} saddr {{ {allowed} }} goto {outside}"
            if allowed in ("0.0.0.0/0", "::/0"):
                rule = f"goto {outside}"
            outside = self.chains.add("from", *([rule] if allowed else []))
            self.unserved.update(dict.fromkeys(balanced, "drop"))
        self.services.update(dict.fromkeys(balanced, f"goto {outside}"))

    def _backends(self, service: ServicePortView, endpoints: Sequence[EndpointView]) -> str | None:
        """The chain that sends to one of the endpoints; None without any."""
        if not endpoints:
            return None
        if service.affinity_seconds:
            return self._sticky(service, endpoints)
        protocol = f"meta l4proto {service.protocol.lower()}"
        if len(endpoints) == 1:
            return self.chains.add("to", f"{protocol} dnat to {self._target(endpoints[0])}")
        choice = ", ".join(
            f"{number} : {one.ip} . {one.port}" for number, one in enumerate(endpoints)
        )
        pick = f"numgen random mod {len(endpoints)} map {{ {choice} }}"
        return self.chains.add("to", f"{protocol} dnat {self.ip} addr . port to {pick}")

    def _sticky(self, service: ServicePortView, endpoints: Sequence[EndpointView]) -> str:
        protocol = service.protocol.lower()
        known, choice = [], []
        for number, one in enumerate(endpoints):
            identity = (
                f"{service.namespace}/{service.service}/{service.port}/{protocol}/{one.ip}"
                f"/{one.port}/{service.affinity_seconds}"
            )
            clients = f"clients-{content_hash(identity)}"
            self.sets[clients] = (
                f"type ipv{self.node.version}_addr; flags dynamic,timeout; "
                f"timeout {service.affinity_seconds}s; size 65535;"
            )
            chain = self.chains.add(
                "sticky",
                f"update @{clients} {{ {self.ip} saddr }}",
                f"meta l4proto {protocol} dnat to {self._target(one)}",
            )
            known.append(f"{self.ip} saddr @{clients} goto {chain}")
            choice.append(f"{number} : goto {chain}")
        spread = f"numgen random mod {len(endpoints)} vmap {{ {', '.join(choice)} }}"
        return self.chains.add("to", *known, spread)

    def _target(self, endpoint: EndpointView) -> str:
        host = f"[{endpoint.ip}]" if self.node.version == 6 else endpoint.ip
        return f"{host}:{endpoint.port}"


def _refusal(found: Reachable) -> str:
    """Nobody at all: refused. Nobody here, by a policy Local: dropped."""
    return "drop" if found.anywhere else "goto refuse"


def _key(service: ServicePortView, ip: str, port: int | None = None) -> str:
    return f"{ip} . {service.protocol.lower()} . {port or service.port}"


def _base(version: int, pod_interface: str) -> str:
    ip = "ip" if version == 4 else "ip6"
    address = f"ipv{version}_addr"
    to_service = f"{address} . inet_proto . inet_service : verdict"
    to_port = "inet_proto . inet_service : verdict"
    loopback = "127.0.0.0/8" if version == 4 else "::1"
    lookup = f"{ip} daddr . meta l4proto . th dport vmap"
    local = f"fib daddr type local {ip} daddr != {loopback} meta l4proto . th dport vmap"
    unserved = f"ct state new {lookup} @unserved"
    unserved_ports = (
        "ct state new fib daddr type local meta l4proto . th dport vmap @unserved-node-ports"
    )
    return f"""
        map services {{
            type {to_service}
        }}
        map sockets {{
            type {to_service}
        }}
        map unserved {{
            type {to_service}
        }}
        map node-ports {{
            type {to_port}
        }}
        map unserved-node-ports {{
            type {to_port}
        }}
        set hairpin {{
            type {address} . {address}
        }}
        chain refuse {{
            reject
        }}
        chain by-socket {{
            {lookup} @sockets
        }}
        chain from-network {{
            type nat hook prerouting priority -100
            iifname "{pod_interface}" jump by-socket
            {lookup} @services
            {local} @node-ports
        }}
        chain from-node {{
            type nat hook output priority -100
            jump by-socket
        }}
        chain masquerade-marked {{
            type nat hook postrouting priority 100
            ct status dnat {ip} saddr . {ip} daddr @hairpin masquerade fully-random
            meta mark & {_MARK} == 0 return
            meta mark set meta mark ^ {_MARK}
            masquerade fully-random
        }}
        chain forwarded-unserved {{
            type filter hook forward priority -5
            {unserved}
        }}
        chain sent-unserved {{
            type filter hook output priority -5
            {unserved}
            {unserved_ports}
        }}
        chain arrived-unserved {{
            type filter hook input priority -5
            {unserved_ports}
        }}"""
