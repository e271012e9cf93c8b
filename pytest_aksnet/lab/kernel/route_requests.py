"""rtnetlink requests about where packets go: addresses, routes, rules and neighbours.

A request is bytes that `netlink.RouteSocket` sends. Whether it is of IPv4 or IPv6 follows from its
addresses. Numbers are those of linux/rtnetlink.h, linux/fib_rules.h and linux/neighbour.h.
"""

import ipaddress
import socket
import struct

from pytest_aksnet.lab.kernel.attributes import attribute, nested, text, u32
from pytest_aksnet.lab.kernel.netlink import CREATE, REPLACE, mac_address, message

MAIN_TABLE = 254
"""The routing table that is looked up where no rule says otherwise."""

_NEWADDR, _NEWROUTE, _DELROUTE, _NEWNEIGH, _DELNEIGH, _NEWRULE = 20, 24, 25, 28, 29, 32
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_TYPE_UNICAST, _TYPE_BLACKHOLE, _TYPE_THROW = 1, 6, 9
_RULE_LOOKUP, _RULE_GOTO, _RULE_NOTHING = 1, 2, 3
_PROTOCOL_BOOT = 3  # as `ip route add` without a protocol
_ONLINK = 4
_METRIC_LOCK, _METRIC_MTU = 1, 2
_NUD_PERMANENT = 0x80
_NO_PREFIX_ROUTE, _NO_DUPLICATE_DETECTION = 0x200, 0x02


def _ip(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def _family(address: str) -> int:
    version = ipaddress.ip_network(address, strict=False).version
    return int(socket.AF_INET if version == 4 else socket.AF_INET6)


def address(index: int, interface: str) -> bytes:
    """Give a link an address, "IP/PREFIX", without the route that the kernel would add.

    IPv6 addresses can be used at once: the fabric knows that nobody else has them.
    """
    value = ipaddress.ip_interface(interface)
    head = struct.pack(
        "=BBBBI", _family(interface), value.network.prefixlen, 0, _SCOPE_UNIVERSE, index
    )
    packed = value.ip.packed
    flags = _NO_PREFIX_ROUTE | (_NO_DUPLICATE_DETECTION if value.version == 6 else 0)
    attributes = attribute(1, packed) + attribute(2, packed) + u32(8, flags)
    return message(_NEWADDR, head + attributes, CREATE | REPLACE)


def route(
    destination: str,
    index: int,
    *,
    gateway: str | None = None,
    source: str | None = None,
    onlink: bool = False,
    table: int = MAIN_TABLE,
    mtu: int | None = None,
) -> bytes:
    """A route to a network through a link. `onlink`: no other route need lead to the gateway.

    Packets longer than `mtu` bytes do not pass: their sender is told so, forwarded ones included.
    """
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    flags = _ONLINK if onlink else 0
    attributes = u32(4, index)
    if gateway:
        attributes += attribute(5, _ip(gateway))
    if source:
        attributes += attribute(7, _ip(source))
    if mtu:
        attributes += nested(8, u32(_METRIC_LOCK, 1 << _METRIC_MTU), u32(_METRIC_MTU, mtu))
    return _route(_NEWROUTE, destination, table, scope, _TYPE_UNICAST, flags, attributes)


def blackhole(destination: str, *, table: int = MAIN_TABLE) -> bytes:
    """A route that drops what is forwarded to a network, silently."""
    return _route(_NEWROUTE, destination, table, _SCOPE_UNIVERSE, _TYPE_BLACKHOLE, 0, b"")


def throw(destination: str, *, table: int) -> bytes:
    """A route that ends the search in its table: the next rule decides."""
    return _route(_NEWROUTE, destination, table, _SCOPE_UNIVERSE, _TYPE_THROW, 0, b"")


def delete_route(
    destination: str, index: int = 0, *, gateway: str | None = None, table: int = MAIN_TABLE
) -> bytes:
    """Take back the route to a network, through a link where one is given.

    ESRCH where there is none.
    """
    # Scope "nowhere" and no type: whatever route there is.
    attributes = u32(4, index) if index else b""
    if gateway:
        attributes += attribute(5, _ip(gateway))
    return _route(_DELROUTE, destination, table, _SCOPE_NOWHERE, 0, 0, attributes)


def _route(
    kind: int, destination: str, table: int, scope: int, type_: int, flags: int, more: bytes
) -> bytes:
    network = ipaddress.ip_network(destination)
    head = struct.pack(
        "=BBBBBBBBI",
        _family(destination),
        network.prefixlen,
        0,
        0,
        0,
        _PROTOCOL_BOOT,
        scope,
        type_,
        flags,
    )
    attributes = attribute(1, network.network_address.packed) + u32(15, table) + more
    return message(kind, head + attributes, CREATE | REPLACE)


def rule(
    *,
    priority: int,
    table: int = 0,
    from_link: str | None = None,
    mark: int | None = None,
    source: str | None = None,
    destination: str | None = None,
    goto: int | None = None,
    version: int = 4,
) -> bytes:
    """A rule that looks up `table` for packets that meet all conditions given.

    They came in by a link, carry a mark, have a source or destination in a network. With `goto`
    the search goes on at the rule of that priority instead; without table and goto the rule does
    nothing, and is there to be gone to. `version` is IPv4's or IPv6's where no network says it.
    """
    family = int(socket.AF_INET if version == 4 else socket.AF_INET6)
    lengths = [0, 0]
    attributes = u32(6, priority)
    for number, network in ((0, destination), (1, source)):
        if network is not None:
            family = _family(network)
            value = ipaddress.ip_network(network)
            lengths[number] = value.prefixlen
            attributes += attribute(1 + number, value.network_address.packed)
    if from_link is not None:
        attributes += text(3, from_link)
    if mark is not None:
        attributes += u32(10, mark) + u32(16, 0xFFFFFFFF)
    action = _RULE_NOTHING
    if goto is not None:
        action, attributes = _RULE_GOTO, attributes + u32(4, goto)
    elif table:
        action, attributes = _RULE_LOOKUP, attributes + u32(15, table)
    head = struct.pack("=BBBBBBBBI", family, *lengths, 0, 0, 0, 0, action, 0)
    return message(_NEWRULE, head + attributes, CREATE)


def neighbour(index: int, ip: str, mac: str) -> bytes:
    """A permanent neighbour: never asked for by ARP, and not counted against the ARP table.

    The table's limit (gc_thresh3, 1024) is one for all network namespaces of the machine.
    """
    head = struct.pack("=BBHiHBB", _family(ip), 0, 0, index, _NUD_PERMANENT, 0, 1)
    attributes = attribute(1, _ip(ip)) + attribute(2, mac_address(mac))
    return message(_NEWNEIGH, head + attributes, CREATE | REPLACE)


def delete_neighbour(index: int, ip: str) -> bytes:
    """Take a neighbour back. ENOENT where there is none."""
    head = struct.pack("=BBHiHBB", _family(ip), 0, 0, index, 0, 0, 0)
    return message(_DELNEIGH, head + attribute(1, _ip(ip)))
