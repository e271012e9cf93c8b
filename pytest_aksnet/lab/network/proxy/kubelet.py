"""What the kubelet keeps in a node's iptables, beside kube-proxy (KEP-3178).

Chains by which it, and others, see that somebody flushed the tables or which iptables is in use,
and the guard of the loopback network (CVE-2020-8558).
"""

from pytest_aksnet.lab.network.iptables import Tables

_GUARD = (
    '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" '
    "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
)


def kubelet_rules(version: int) -> Tables:
    """The kubelet's chains for IPv4 or IPv6 (`version` 4 or 6)."""
    to_firewall = ("-j KUBE-FIREWALL",)
    return {
        "filter": {
            "INPUT": to_firewall,
            "OUTPUT": to_firewall,
            "KUBE-FIREWALL": (_GUARD,) if version == 4 else (),
            "KUBE-KUBELET-CANARY": (),
        },
        "nat": {"KUBE-KUBELET-CANARY": ()},
        "mangle": {"KUBE-IPTABLES-HINT": (), "KUBE-KUBELET-CANARY": ()},
    }
