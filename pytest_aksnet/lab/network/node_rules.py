"""What agents write into one node's packet filter: kubelet, service proxy, masquerade agents.

Whoever of them uses iptables shares its tables with the others, as on a real node; the service
proxy may have an nftables table of its own instead.
"""

import socket

from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network.iptables import IptablesWriter, Tables, merged
from pytest_aksnet.lab.network.proxy.kubelet import kubelet_rules
from pytest_aksnet.lab.network.proxy.rules import ProxyRules, proxy_table
from pytest_aksnet.lab.network.tables import TableWriter
from pytest_aksnet.lab.spec import LabSpec

_NOTHING = ProxyRules()


class NodeRules:
    """The rules of one address family, `version` 4 or 6, in a node's network namespace."""

    def __init__(self, spec: LabSpec, netns_fd: int, nft: Nftables, *, version: int) -> None:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._iptables = IptablesWriter(netns_fd, family)
        self._table = TableWriter(nft, proxy_table(spec), "ip" if version == 4 else "ip6")
        self._kubelet: Tables = kubelet_rules(version) if spec.kube_proxy else {}
        self._proxy = _NOTHING
        self._masquerade: Tables = {}

    def write_proxy(self, rules: ProxyRules | None) -> bool:
        """Set what the service proxy has, None: nothing; whether it changed. Raises OSError."""
        wanted = rules or _NOTHING
        if wanted is self._proxy:
            return False
        self._proxy = wanted
        changed = self._write()
        return self._table.write(wanted.table) or changed

    def write_masquerade(self, rules: Tables) -> bool:
        """Set what the masquerade agents have; whether it changed. Raises OSError."""
        if rules == self._masquerade:
            return False
        self._masquerade = rules
        return self._write()

    def _write(self) -> bool:
        # kube-proxy puts its rules first, the agents append theirs.
        return self._iptables.write(merged(self._proxy.iptables, self._kubelet, self._masquerade))
