"""Transactions of nf_tables as raw netlink, for tables that iptables(8) can read.

libnftables cannot write the nft_compat expressions of iptables, and an iptables-nft-restore
process for each node and change costs 8 to 24 ms of CPU time (1 to 60 Services). A batch made here
costs half a millisecond, and its rules are encoded once for all nodes.

Without privilege over the whole machine a batch is limited to the socket's send buffer. iptables
and nft ask for more by SO_SNDBUFFORCE alone, which is refused in a user namespace, so they fail
with some 65 Services. SO_SNDBUF up to twice net.core.wmem_max is not refused: 416 kB where that has
its long-standing default (some 500 Services in KUBE-SERVICES alone), 8 MB where it is 4 MB.
"""

import os
import socket
import struct
from collections.abc import Iterable

from pytest_aksnet.lab.kernel.attributes import big32, nested, text
from pytest_aksnet.lab.kernel.syscalls import in_netns
from pytest_aksnet.lab.kernel.xtables import rule_attributes

_NETLINK_NETFILTER = 12
_NFTABLES = 10 << 8
_NEW_TABLE, _NEW_CHAIN, _DEL_CHAIN, _NEW_RULE, _DEL_RULE = 0, 3, 5, 6, 8
_BATCH_BEGIN, _BATCH_END, _ERROR = 0x10, 0x11, 2
_REQUEST, _CREATE, _APPEND = 0x1, 0x400, 0x800
_WANTED_BUFFER = 1 << 26  # bytes; the kernel gives what it allows
_ROOM = 4096  # bytes of a send buffer that the kernel keeps for itself, and the batch's ends
_HOOKS = {"PREROUTING": 0, "INPUT": 1, "FORWARD": 2, "OUTPUT": 3, "POSTROUTING": 4}
_PRIORITIES = {"mangle": -150, "filter": 0}
_NAT_PRIORITIES = {"PREROUTING": -100, "INPUT": 100, "OUTPUT": -100, "POSTROUTING": 100}

BASE_CHAINS = frozenset(_HOOKS)
"""The chains that packets enter by themselves."""


class Commands:
    """Makes commands of a batch for one address family, AF_INET or AF_INET6."""

    def __init__(self, family: int) -> None:
        self._family = family

    def table(self, table: str) -> bytes:
        """Add a table; nothing happens where it is."""
        return self._message(_NEW_TABLE, _CREATE, text(1, table))

    def chain(self, table: str, chain: str) -> bytes:
        """Add a chain; nothing happens where it is. Base chains are hooked as iptables does."""
        attributes = text(1, table) + text(3, chain)
        if chain in _HOOKS:
            nat = table == "nat"
            priority = _NAT_PRIORITIES[chain] if nat else _PRIORITIES[table]
            hook = nested(4, big32(1, _HOOKS[chain]), big32(2, priority))
            kind = "route" if (table, chain) == ("mangle", "OUTPUT") else "nat" if nat else "filter"
            attributes += hook + big32(5, 1) + text(7, kind)
        return self._message(_NEW_CHAIN, _CREATE, attributes)

    def rule(self, table: str, chain: str, line: str) -> bytes:
        """Append a rule, written as iptables-save prints it behind `-A CHAIN`.

        Raises ValueError for what `xtables` does not know.
        """
        attributes = text(1, table) + text(2, chain) + rule_attributes(self._family, line)
        return self._message(_NEW_RULE, _CREATE | _APPEND, attributes)

    def flush(self, table: str, chain: str) -> bytes:
        """Delete the chain's rules."""
        return self._message(_DEL_RULE, 0, text(1, table) + text(2, chain))

    def delete(self, table: str, chain: str) -> bytes:
        """Delete an empty chain that nothing refers to."""
        return self._message(_DEL_CHAIN, 0, text(1, table) + text(3, chain))

    def _message(self, kind: int, flags: int, attributes: bytes) -> bytes:
        body = struct.pack("=BBH", self._family, 0, 0) + attributes
        header = struct.pack("=IHHII", 16 + len(body), _NFTABLES | kind, _REQUEST | flags, 0, 0)
        return header + body


class NftablesSocket:
    """Sends batches in one network namespace."""

    def __init__(self, netns_fd: int) -> None:
        with in_netns(netns_fd):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
            )
        self._socket.bind((0, 0))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WANTED_BUFFER)
        allowed = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        self.room = allowed - _ROOM
        """How many bytes of commands one batch may have."""

    def apply(self, commands: Iterable[bytes]) -> None:
        """One transaction: all of it takes effect at once, or none. Raises OSError."""
        joined = b"".join(commands)
        if not joined:
            return
        # res_id of the ends is the subsystem, in network order.
        ends = [
            struct.pack("=IHHIIBBH", 20, kind, _REQUEST, 0, 0, 0, 0, socket.htons(_NFTABLES >> 8))
            for kind in (_BATCH_BEGIN, _BATCH_END)
        ]
        self._socket.send(ends[0] + joined + ends[1])
        # The kernel has done it when send returns, and answers with errors only.
        trouble = 0
        while True:
            try:
                answer = self._socket.recv(65536)
            except BlockingIOError:
                break
            kind, code = struct.unpack_from("=4xH10xi", answer)
            if kind == _ERROR and code and not trouble:
                trouble = -code
        if trouble:
            raise OSError(trouble, f"nf_tables: {os.strerror(trouble)}")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
