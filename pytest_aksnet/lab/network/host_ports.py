"""Ports of a node that lead to its pods (hostPort), as the CNI plugin portmap has them; pure.

portmap translates what comes to any address of the node, and masquerades what pods of the same
range send there ("CNI plugins: portmap", backend nftables, snat). Cilium does the same without it.
IPv4 only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_aksnet.lab.network.tables import TableProgram

TABLE = "cni_hostport"
_MARK = "0x2000"  # portmap's default mark bit, 13


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPort:
    """A port of the node that leads to a port of a pod; `protocol` is tcp or udp."""

    protocol: str
    number: int
    pod_port: int


def host_ports_program(ports: Iterable[tuple[str, HostPort]], prefix: int) -> TableProgram | None:
    """The table for these, each with its pod's address; None without any.

    `prefix` is the length of the range that pods' addresses are of.
    """
    rules = []
    for ip, port in ports:
        asked = f"{port.protocol} dport {port.number}"
        rules += [
            f"ip saddr {ip}/{prefix} {asked} meta mark set meta mark or {_MARK}",
            f"{asked} dnat to {ip}:{port.pod_port}",
        ]
    if not rules:
        return None
    text = "\n            ".join(rules)
    return TableProgram(
        base=f"""chain hostports {{
            {text}
        }}
        chain prerouting {{
            type nat hook prerouting priority -100
            fib daddr type local jump hostports
        }}
        chain output {{
            type nat hook output priority -100
            fib daddr type local jump hostports
        }}
        chain masquerading {{
            type nat hook postrouting priority 100
            meta mark and {_MARK} == {_MARK} masquerade
        }}"""
    )
