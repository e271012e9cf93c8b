"""azure-ip-masq-agent as nftables: which traffic leaves a node with the node's address.

Semantics of the chain IP-MASQ-AGENT of ip-masq-agent-v2: entered for destinations that are not
local to the node; the non-masquerade ranges return; the rest is masqueraded, link-local
destinations included (`masqLinkLocal: true`, as AKS configures it).
"""

from collections.abc import Sequence

from pytest_aksnet.lab.network.tables import TableProgram, address_set

TABLE = "ip-masq-agent"

# Behind the service proxy (100): its masquerade comes first, as KUBE-POSTROUTING does.
_PRIORITY = 105


def masquerade_program(non_masquerade_cidrs: Sequence[str]) -> TableProgram:
    """The table for these ranges; with none of them everything non-local is masqueraded."""
    spared = address_set(non_masquerade_cidrs)
    return TableProgram(
        base=f"""chain ip-masq-agent {{
            type nat hook postrouting priority {_PRIORITY}
            fib daddr type local return
            {f"ip daddr {{ {spared} }} return" if spared else ""}
            masquerade fully-random
        }}"""
    )
