"""One nftables table as data, and the writer that brings the kernel in line with it.

What packets meet changes in one small transaction: the one that swaps map elements and rewrites
chains that have other rules now. New chains are added before it in transactions of bounded size,
because nothing refers to them yet; old ones are deleted after it. That keeps big tables within the
limit that an unprivileged nftables socket has. Programs of the lab's own name chains after their
content (`Chains`), so that only elements change; others have the names of what they imitate.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from pytest_aksnet.lab.kernel.nft import Nftables

Elements = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgram:
    """The content of a table.

    `base` declares maps, sets and the chains with hooks; where it changes the table is made anew.
    `sets` (name -> declaration) keep what packets put into them as long as their name stays.
    `chains` (name -> rules) are in an order in which each refers to earlier ones only.
    `elements` maps the name of a map or set to its elements; the value is "" for a set.
    """

    base: str
    sets: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, str] = field(default_factory=dict)
    elements: Elements = field(default_factory=dict)


class Chains:
    """Collects chains in the order in which they may refer to each other."""

    def __init__(self) -> None:
        self.chains: dict[str, str] = {}

    def add(self, label: str, *rules: str) -> str:
        """The name of a chain with these rules; the same rules give the same chain."""
        body = "\n".join(rules)
        name = f"{label}-{content_hash(body)}"
        self.chains[name] = body
        return name


def content_hash(text: str) -> str:
    """A short name for a text; the lab would need thousands of millions of chains to clash."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def address_set(cidrs: Iterable[str], *, version: int = 4) -> str:
    """Networks of an address family as the inside of a set; merged, as nftables refuses overlaps.

    Those of the other family are left out. Raises ValueError for what is no network.
    """
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in cidrs]
    # The type stands for either family: it is the same one for all.
    kept = cast(list[ipaddress.IPv4Network], [one for one in networks if one.version == version])
    return ", ".join(str(network) for network in ipaddress.collapse_addresses(kept))


class TableWriter:
    """Owns one table in one network namespace. `family` is nftables' name of it: ip or ip6."""

    def __init__(self, nft: Nftables, table: str, family: str = "ip") -> None:
        self._nft = nft
        self._table = f"{family} {table}"
        self._current: TableProgram | None = None

    @property
    def current(self) -> TableProgram | None:
        """What the kernel has; None where the table is absent."""
        return self._current

    def write(self, wanted: TableProgram | None) -> bool:
        """Make the table this, or remove it for None; whether anything had to change.

        Raises OSError where the kernel refuses; the next call then makes the table anew.
        """
        current = self._current
        if wanted == current:
            return False
        if wanted is None or current is None or _is_other(current, wanted):
            self._current = None
            self._nft.run(f"add table {self._table}\ndelete table {self._table}")
            if wanted is None:
                return True
            self._nft.run(f"table {self._table} {{\n{wanted.base}\n}}")
            current = TableProgram(base=wanted.base)
        self._current = None
        self._change(current, wanted)
        self._current = wanted
        return True

    def _change(self, current: TableProgram, wanted: TableProgram) -> None:
        table = self._table
        added = [
            f"add set {table} {name} {{ {wanted.sets[name]} }}"
            for name in wanted.sets
            if name not in current.sets
        ]
        added += [
            f"table {table} {{\nchain {name} {{\n{body}\n}}\n}}"
            for name, body in wanted.chains.items()
            if name not in current.chains
        ]
        swap = [
            f"flush chain {table} {name}\ntable {table} {{\nchain {name} {{\n{body}\n}}\n}}"
            for name, body in wanted.chains.items()
            if current.chains.get(name, body) != body
        ]
        swap += self._swap(current.elements, wanted.elements)
        removed = [
            f"delete chain {table} {name}"
            for name in reversed(list(current.chains))
            if name not in wanted.chains
        ]
        removed += [
            f"delete set {table} {name}" for name in current.sets if name not in wanted.sets
        ]
        commands = (*added, *swap, *removed)
        if sum(map(len, commands)) < _ONE_TRANSACTION:
            if commands:
                self._nft.run("\n".join(commands))
            return
        self._nft.run_in_parts(added)
        if swap:
            self._nft.run("\n".join(swap))
        self._nft.run_in_parts(removed)

    def _swap(self, current: Elements, wanted: Elements) -> list[str]:
        commands = []
        for name in (*current, *(other for other in wanted if other not in current)):
            old, new = current.get(name, {}), wanted.get(name, {})
            gone = [key for key in old if new.get(key) != old[key]]
            come = [
                f"{key} : {value}" if value else key
                for key, value in new.items()
                if old.get(key) != value
            ]
            if gone:
                commands.append(f"delete element {self._table} {name} {{ {', '.join(gone)} }}")
            if come:
                commands.append(f"add element {self._table} {name} {{ {', '.join(come)} }}")
        return commands


def _is_other(current: TableProgram, wanted: TableProgram) -> bool:
    """Whether what cannot be changed in place is different."""
    sets = any(wanted.sets.get(name, kind) != kind for name, kind in current.sets.items())
    return sets or wanted.base != current.base


_ONE_TRANSACTION = 20_000  # characters; small changes are not worth three round trips
