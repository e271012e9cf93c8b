"""Services as one node's service proxy serves them: views in, nftables table out.

Two flavours. kube-proxy, with the semantics of its iptables and nftables modes (kubernetes
pkg/proxy; "Kubernetes docs: virtual-ips", KEP-2086, KEP-2438). Cilium, which serves Services
without kube-proxy: clients in the cluster are translated where they connect, to any address of
the Service and without masquerade ("Cilium docs: kubernetes-without-kube-proxy, socket load
balancer"); only what comes from outside passes the node port's rules.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.lab.contracts import EndpointView, ServicePortView
from pytest_aksnet.lab.network.tables import Chains, TableProgram, address_set, content_hash
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

TABLE = "service-proxy"

_MARK = "0x4000"  # --iptables-masquerade-bit 14
_MASQUERADE = f"meta mark set meta mark | {_MARK}"


def service_program(
    spec: LabSpec,
    node: NodeSpec,
    services: Iterable[ServicePortView],
    *,
    external_local_masqueraded: bool,
) -> TableProgram:
    """The table of one node. `external_local_masqueraded` loses clients' addresses under Local."""
    compiler = _Compiler(
        spec=spec, node=node, external_local_masqueraded=external_local_masqueraded
    )
    for service in services:
        compiler.add(service)
    elements = {
        "services": compiler.services,
        "node-ports": compiler.node_ports,
        "unserved": compiler.unserved,
        "unserved-node-ports": compiler.unserved_node_ports,
        "hairpin": compiler.hairpin,
    }
    if compiler.sockets:
        elements["sockets"] = compiler.inside
    return TableProgram(
        base=_base(spec),
        sets=compiler.sets,
        chains=compiler.chains.chains,
        elements=elements,
    )


def cluster_cidr(spec: LabSpec) -> str:
    """What kube-proxy takes for pods (--cluster-cidr): the pod CIDR, or the node subnet."""
    return spec.pod_cidr if spec.mode == "overlay" else spec.node_subnet


@dataclass(kw_only=True)
class _Compiler:
    spec: LabSpec
    node: NodeSpec
    external_local_masqueraded: bool
    chains: Chains = field(default_factory=Chains)
    sets: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    node_ports: dict[str, str] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    unserved: dict[str, str] = field(default_factory=dict)
    unserved_node_ports: dict[str, str] = field(default_factory=dict)
    hairpin: dict[str, str] = field(default_factory=dict)

    @property
    def sockets(self) -> bool:
        """Whether clients inside the cluster are translated where they connect."""
        return self.spec.engine == "cilium"

    def add(self, service: ServicePortView) -> None:
        everywhere = service.endpoints
        here = tuple(one for one in everywhere if one.node == self.node.name)
        self.hairpin.update({f"{one.ip} . {one.ip}": "" for one in here})
        to_any = self._backends(service, everywhere)
        to_local = self._backends(service, here)
        self._add_cluster_ip(service, to_any, to_local)
        if service.node_port or service.load_balancer_ips:
            self._add_external(service, to_any, to_local)

    def _add_cluster_ip(
        self, service: ServicePortView, to_any: str | None, to_local: str | None
    ) -> None:
        key = _key(service, service.cluster_ip)
        chain = to_local if service.internal_local else to_any
        if chain is not None:
            table = self.inside if self.sockets else self.services
            table[key] = f"goto {chain}"
        else:
            # Nobody at all: refused. Nobody here, by internalTrafficPolicy Local: dropped.
            self.unserved[key] = "drop" if to_any is not None else "goto refuse"

    def _add_external(
        self, service: ServicePortView, to_any: str | None, to_local: str | None
    ) -> None:
        balanced = [_key(service, ip) for ip in service.load_balancer_ips]
        node_port = _port_key(service, service.node_port)
        if to_any is None:
            self.unserved.update(dict.fromkeys(balanced, "goto refuse"))
            if service.node_port:
                self.unserved_node_ports[node_port] = "goto refuse"
            return
        if service.external_local and to_local is None:
            self.unserved.update(dict.fromkeys(balanced, "drop"))
            self.unserved_node_ports.update({node_port: "drop"} if service.node_port else {})
        chain = self._external_chain(service, to_any, to_local)
        if self.sockets:
            ports = [_key(service, node.ip, service.node_port) for node in self.spec.nodes]
            known = balanced + (ports if service.node_port else [])
            self.inside.update(dict.fromkeys(known, f"goto {to_any}"))
        if chain is None:
            return
        if service.node_port:
            self.node_ports[node_port] = f"goto {chain}"
        if service.source_ranges and balanced:
            allowed = address_set(service.source_ranges)
            rules = [f"ip saddr {{ {allowed} }} goto {chain}"] if allowed else []
            chain = self.chains.add("from", *rules)
            self.unserved.update(dict.fromkeys(balanced, "drop"))
        self.services.update(dict.fromkeys(balanced, f"goto {chain}"))

    def _external_chain(
        self, service: ServicePortView, to_any: str, to_local: str | None
    ) -> str | None:
        if not service.external_local:
            return self.chains.add("external", _MASQUERADE, f"goto {to_any}")
        rules = []
        if not self.sockets:
            # Pods and the node itself are served as if they had used the cluster IP.
            rules = [
                f"ip saddr {cluster_cidr(self.spec)} goto {to_any}",
                f"fib saddr type local {_MASQUERADE}",
                f"fib saddr type local goto {to_any}",
            ]
        if to_local is not None:
            rules += [_MASQUERADE] if self.external_local_masqueraded else []
            rules += [f"goto {to_local}"]
        return self.chains.add("external", *rules) if rules else None

    def _backends(self, service: ServicePortView, endpoints: Sequence[EndpointView]) -> str | None:
        """The chain that sends to one of the endpoints; None without any."""
        if not endpoints:
            return None
        protocol = service.protocol.lower()
        if service.affinity_seconds:
            return self._sticky(service, endpoints)
        if len(endpoints) == 1:
            target = f"dnat to {endpoints[0].ip}:{endpoints[0].port}"
        else:
            choice = ", ".join(
                f"{number} : {one.ip} . {one.port}" for number, one in enumerate(endpoints)
            )
            target = f"dnat ip addr . port to numgen random mod {len(endpoints)} map {{ {choice} }}"
        return self.chains.add("to", f"meta l4proto {protocol} {target}")

    def _sticky(self, service: ServicePortView, endpoints: Sequence[EndpointView]) -> str:
        protocol = service.protocol.lower()
        known, choice = [], []
        for number, one in enumerate(endpoints):
            identity = (
                f"{service.namespace}/{service.service}/{service.port}/{protocol}/{one}"
                f"/{service.affinity_seconds}"
            )
            clients = f"clients-{content_hash(identity)}"
            self.sets[clients] = (
                "type ipv4_addr; flags dynamic,timeout; "
                f"timeout {service.affinity_seconds}s; size 65535;"
            )
            chain = self.chains.add(
                "sticky",
                f"update @{clients} {{ ip saddr }}",
                f"meta l4proto {protocol} dnat to {one.ip}:{one.port}",
            )
            known.append(f"ip saddr @{clients} goto {chain}")
            choice.append(f"{number} : goto {chain}")
        spread = f"numgen random mod {len(endpoints)} vmap {{ {', '.join(choice)} }}"
        return self.chains.add("to", *known, spread)


def _key(service: ServicePortView, ip: str, port: int | None = None) -> str:
    return f"{ip} . {service.protocol.lower()} . {port or service.port}"


def _port_key(service: ServicePortView, port: int) -> str:
    return f"{service.protocol.lower()} . {port}"


_LOOKUP = "ip daddr . meta l4proto . th dport vmap @services"
_NODE_PORT_LOOKUP = (
    "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports"
)


def _base(spec: LabSpec) -> str:
    if spec.engine == "cilium":
        inbound = ('iifname "azv*" jump by-socket', _LOOKUP, _NODE_PORT_LOOKUP)
        outbound: tuple[str, ...] = ("jump by-socket",)
    else:
        outside = f"ip daddr {spec.service_cidr} ip saddr != {cluster_cidr(spec)} {_MASQUERADE}"
        inbound = outbound = (outside, _LOOKUP, _NODE_PORT_LOOKUP)
    newline = "\n"
    unserved = "ct state new ip daddr . meta l4proto . th dport vmap @unserved"
    unserved_ports = (
        "ct state new fib daddr type local meta l4proto . th dport vmap @unserved-node-ports"
    )
    return f"""
        map services {{
            type ipv4_addr . inet_proto . inet_service : verdict
        }}
        map sockets {{
            type ipv4_addr . inet_proto . inet_service : verdict
        }}
        map unserved {{
            type ipv4_addr . inet_proto . inet_service : verdict
        }}
        map node-ports {{
            type inet_proto . inet_service : verdict
        }}
        map unserved-node-ports {{
            type inet_proto . inet_service : verdict
        }}
        set hairpin {{
            type ipv4_addr . ipv4_addr
        }}
        chain refuse {{
            reject
        }}
        chain by-socket {{
            ip daddr . meta l4proto . th dport vmap @sockets
        }}
        chain from-network {{
            type nat hook prerouting priority -100
            {newline.join(inbound)}
        }}
        chain from-node {{
            type nat hook output priority -100
            {newline.join(outbound)}
        }}
        chain masquerade-marked {{
            type nat hook postrouting priority 100
            ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random
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
