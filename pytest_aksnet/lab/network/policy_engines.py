"""The network policy engines of AKS, as what each does otherwise than the API text says.

calico follows the API text ("Kubernetes docs: network-policies") but for one thing: egress policies
hold towards the pod's own node too, because Felix has what pods send to their node pass their
egress chains first ("Calico docs: Felix configuration, DefaultEndpointToHostAction"). azure is
Network Policy Manager on Linux, cilium is Azure CNI powered by Cilium. The packets are real; how an
engine keeps its rules on a node is a facade: all of them are one nftables table here, so a node
shows no `cali-` chains, no AZURE-NPM chains with their ipsets, and no eBPF maps.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from pytest_aksnet.lab.network_knobs import PolicyDefect


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWays:
    """What sets an engine apart.

    `identities`: ipBlock matches neither pods nor nodes (AKS docs: azure-cni-powered-by-cilium).
    `judges_own_node`: egress policies hold towards the pod's own node too (of cilium: AKS docs,
    migrate-from-npm-to-cilium-network-policy).
    `judges_each_packet`: a deny ends connections that are there (cilium: bpf/bpf_lxc.c looks a
    policy up for whatever is no reply); else what is established goes on.
    `spares_nodes`: ingress through a load balancer or node port with externalTrafficPolicy Cluster
    is not judged (same page of AKS' docs). Such traffic carries kube-proxy's mark on the node that
    it enters, and comes with that node's address elsewhere, so nodes are spared altogether.
    `sctp`: whether pods have SCTP at all (AKS sets enable-sctp false in Cilium).
    `holds_host_network`: whether policies hold for pods of the host network (no engine does that).
    """

    identities: bool = False
    judges_own_node: bool = False
    judges_each_packet: bool = False
    spares_nodes: bool = False
    sctp: bool = True
    holds_host_network: bool = False


ENGINES: Mapping[str, EngineWays | None] = {
    "none": None,
    "calico": EngineWays(judges_own_node=True),
    "azure": EngineWays(spares_nodes=True),
    "cilium": EngineWays(
        identities=True, judges_own_node=True, judges_each_packet=True, sctp=False
    ),
}
"""Engine name -> its ways; None for the one that enforces nothing."""

_MASQUERADE_MARK = "0x4000"  # kube-proxy: --iptables-masquerade-bit 14


def bent(ways: EngineWays, defects: Set[PolicyDefect]) -> EngineWays:
    """What an engine with these defects does."""
    return replace(
        ways,
        judges_own_node=ways.judges_own_node and PolicyDefect.OWN_NODE_OPEN not in defects,
        judges_each_packet=ways.judges_each_packet
        and PolicyDefect.CONNECTIONS_SPARED not in defects,
        spares_nodes=ways.spares_nodes or PolicyDefect.NODES_LET_IN in defects,
        holds_host_network=PolicyDefect.HOST_NETWORK_HELD in defects,
    )


def base_table(ways: EngineWays, *, version: int, pod_interface: str, lossy: bool = False) -> str:
    """Maps, sets and hooked chains of a node's table for IPv4 or IPv6 (`version` 4 or 6).

    The maps `ingress-pods` and `egress-pods` lead from a pod's address to its verdict; the set
    `identities` has the addresses of all pods and nodes, `nodes` those of nodes, where the engine
    needs them. `pod_interface` is the interface, or the pattern, by which pods enter their node.
    A `lossy` one lets nothing go on that is established.
    """
    address = f"ipv{version}_addr"
    ip = "ip" if version == 4 else "ip6"
    go_on = (
        "ct direction reply accept\nct state related accept"
        if ways.judges_each_packet
        else "ct state established,related accept"
    )
    go_on = "" if lossy else go_on
    no_sctp = "" if ways.sctp else "meta l4proto sctp {0} {1} drop"
    spared = (
        f"meta mark & {_MASQUERADE_MARK} == {_MASQUERADE_MARK} accept\n{ip} saddr @nodes accept"
        if ways.spares_nodes
        else ""
    )
    # Neighbour discovery is no traffic that a policy is about.
    discovery = "" if version == 4 else "icmpv6 type { 133-137 } accept"
    own_node = f"""
        chain to-own-node {{
            type filter hook input priority 0
            {go_on}
            {discovery}
            iifname "{pod_interface}" {ip} saddr vmap @egress-pods
        }}"""
    host_pods = f"""
        map host-ports {{
            type {address} . inet_service : verdict
        }}
        chain to-host-pods {{
            type filter hook input priority 1
            {go_on}
            {discovery}
            iifname != "lo" meta l4proto {{ tcp, udp }} {ip} daddr . th dport vmap @host-ports
        }}"""
    return f"""
        map ingress-pods {{
            type {address} : verdict
        }}
        map egress-pods {{
            type {address} : verdict
        }}
        set identities {{
            type {address}
        }}
        set nodes {{
            type {address}
        }}
        chain leave-pod {{
            type filter hook forward priority 0
            {no_sctp.format("iifname", f'"{pod_interface}"')}
            {go_on}
            {ip} saddr vmap @egress-pods
        }}
        chain enter-pod {{
            type filter hook forward priority 1
            {no_sctp.format("oifname", f'"{pod_interface}"')}
            {go_on}
            {spared}
            {ip} daddr vmap @ingress-pods
        }}
        {own_node if ways.judges_own_node else ""}
        {host_pods if ways.holds_host_network else ""}"""
