"""The iptables of one node as data, and the writer that brings the kernel in line with it.

What `iptables` on a node shows belongs to the kubelet, kube-proxy and the masquerade agents; each
gives its part, `merged` puts them together. A change is one transaction of nf_tables, so packets
meet the old rules or the new ones. Only chains that differ are written.
"""

from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.kernel.nftables_batch import BASE_CHAINS, Commands, NftablesSocket

Tables = Mapping[str, Mapping[str, Sequence[str]]]
"""Table -> chain -> rules, each as iptables-save prints it behind `-A CHAIN`."""


def merged(*parts: Tables) -> Tables:
    """The parts together; rules of one chain in the order of the parts."""
    whole: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for table, chains in part.items():
            for chain, rules in chains.items():
                whole.setdefault(table, {}).setdefault(chain, []).extend(rules)
    return whole


class IptablesWriter:
    """Owns the tables of one address family (AF_INET or AF_INET6) in one network namespace.

    Chains that others made there are left alone; rules that others added to chains of ours stay
    until the chain changes. Where somebody took chains of ours away, all are written again, as
    kube-proxy's full sync does.
    """

    def __init__(self, netns_fd: int, family: int) -> None:
        self._socket = NftablesSocket(netns_fd)
        self._commands = Commands(family)
        self._current: Tables = {}

    @property
    def current(self) -> Tables:
        """What was written last."""
        return self._current

    def write(self, wanted: Tables) -> bool:
        """Make the tables these; whether anything had to change. Raises OSError."""
        current = self._current
        if wanted == current:
            return False
        try:
            self._change(current, wanted)
        except OSError:
            self._change({}, wanted)
        self._current = wanted
        return True

    def _change(self, current: Tables, wanted: Tables) -> None:
        make = self._commands
        added: list[bytes] = []
        filled: list[bytes] = []
        swapped: list[bytes] = []
        for table, chains in wanted.items():
            old = current.get(table)
            if old is None:
                added.append(make.table(table))
            for chain, rules in chains.items():
                is_new = old is None or chain not in old
                if not is_new and list(current[table][chain]) == list(rules):
                    continue
                lines = b"".join(make.rule(table, chain, line) for line in rules)
                if is_new:
                    added.append(make.chain(table, chain))
                # Without a memory of the chain others may have filled it.
                known = not is_new or chain in BASE_CHAINS or not current
                flushed = make.flush(table, chain) if known else b""
                met = not is_new or chain in BASE_CHAINS
                (swapped if met else filled).append(flushed + lines)
        removed = self._removed(current, wanted)
        parts = (added, filled, swapped, removed)
        if sum(len(command) for part in parts for command in part) < self._socket.room:
            self._socket.apply(command for part in parts for command in part)
            return
        # Nothing refers to the new chains before the swap, nor to the old ones after it.
        for part in parts:
            self._apply_in_parts(part)

    def _removed(self, current: Tables, wanted: Tables) -> list[bytes]:
        make = self._commands
        gone = [
            (table, chain)
            for table, chains in current.items()
            for chain in chains
            if chain not in wanted.get(table, {})
        ]
        flushed = [make.flush(*one) for one in gone]
        return flushed + [make.delete(*one) for one in gone if one[1] not in BASE_CHAINS]

    def _apply_in_parts(self, commands: Sequence[bytes]) -> None:
        part: list[bytes] = []
        size = 0
        for command in commands:
            if part and size + len(command) > self._socket.room:
                self._socket.apply(part)
                part, size = [], 0
            part.append(command)
            size += len(command)
        self._socket.apply(part)
