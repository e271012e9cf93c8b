"""An inspecting firewall between the cluster and the internet: its certificates and its resets.

What a client sees of it is real: another certificate, or a RST for its SYN. Where it stands is
not: it works in the internet's hosts themselves, since a transparent appliance is nowhere to be
seen on the way either.
"""

import ssl
from collections.abc import Mapping

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network.tables import TableProgram, TableWriter
from pytest_aksnet.lab.tls import Authority

INSPECTOR = "aksnet-lab TLS inspection"
"""Whom the forged certificates name as their issuer."""

_RESETS = TableProgram(
    base="""chain inbound {
        type filter hook input priority -10
        tcp dport { 80, 443 } ct state new reject with tcp reset
    }"""
)


class Middlebox:
    """That of one lab. It does nothing until it is told to."""

    def __init__(self, machines: Mapping[str, Sandbox]) -> None:
        self._machines = machines
        self._contexts: dict[bool, dict[str, ssl.SSLContext]] = {False: {}, True: {}}
        self._authority: Authority | None = None
        self._tables: dict[str, TableWriter] = {}

    def guard(self, host: str, tls: ssl.SSLContext, *, private: bool) -> None:
        """A host and the context with which it serves TLS.

        It is on the internet, or the private endpoint of a service with `private`.
        """
        self._contexts[private][host] = tls

    def intercept(self, *, private: bool = False) -> None:
        """Present a certificate of its own for whatever name a client asks those hosts for."""
        if self._authority is None:
            self._authority = Authority(INSPECTOR)
        for context in self._contexts[private].values():
            context.sni_callback = self._forge

    def leave_alone(self, *, private: bool = False) -> None:
        """Let the hosts present their own again."""
        for context in self._contexts[private].values():
            context.sni_callback = None

    def reset(self, host: str, *, on: bool) -> None:
        """Answer each SYN to a host's ports 80 and 443 with a RST, or do so no more."""
        if host not in self._tables:
            if not on:
                return
            nft = Nftables(self._machines[host].netns_fd)
            self._tables[host] = TableWriter(nft, "middlebox", "inet")
        self._tables[host].write(_RESETS if on else None)

    def _forge(self, connection: ssl.SSLObject, name: str | None, own: ssl.SSLContext) -> None:
        assert self._authority is not None
        connection.context = self._authority.server_context((name or "unnamed.invalid",))
