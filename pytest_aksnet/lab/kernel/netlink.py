"""rtnetlink: links, veth pairs, addresses, routes, rules, neighbours and the tbf queue.

A request is bytes made by one of the functions here; `RouteSocket.apply` sends many of them in
one go. A socket stays in the network namespace where it was opened, so one per namespace is all
that is needed. General libraries for this are about ten times slower at building a lab (0.5 s
instead of 50 ms for 3 nodes with 20 pods), which is why this module exists.

Whether a request is of IPv4 or IPv6 follows from its addresses.
"""

import ipaddress
import os
import socket
import struct
from collections.abc import Collection, Sequence

from pytest_aksnet.lab.kernel.attributes import attribute, nested, text
from pytest_aksnet.lab.kernel.syscalls import in_netns

LOOPBACK = 1
"""The interface index of `lo` in every namespace."""

MAIN_TABLE = 254

_NEWLINK, _DELLINK, _NEWADDR, _NEWROUTE, _DELROUTE = 16, 17, 20, 24, 25
_NEWNEIGH, _DELNEIGH, _NEWRULE, _NEWQDISC, _DELQDISC = 28, 29, 32, 36, 37
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_NLMSG_ERROR = 2
_SOL_NETLINK, _NETLINK_CAP_ACK = 270, 10
_HEADER = struct.Struct("=IHHII")
_BATCH = 64  # requests per send: their acknowledgements fit the default receive buffer

# Numbers of struct ifinfomsg attributes (linux/if_link.h) and of IPV4_DEVCONF_*.
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO = 1, 3, 4, 18
_IFLA_MASTER, _IFLA_BRPORT_MODE = 10, 4
_BRIDGE_NF_CALL_IPTABLES, _BRIDGE_NF_CALL_IP6TABLES = 36, 37
_IFLA_AF_SPEC, _IFLA_NET_NS_FD = 26, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER, _IFLA_INET_CONF = 1, 2, 1, 1
_IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA = 4, 5
_IFF_UP = 1
_FORWARDING, _SEND_REDIRECTS, _RP_FILTER = 1, 6, 8

_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_TYPE_UNICAST, _TYPE_BLACKHOLE, _TYPE_THROW = 1, 6, 9
_RULE_LOOKUP, _RULE_GOTO, _RULE_NOTHING = 1, 2, 3
_PROTOCOL_BOOT = 3  # as `ip route add` without a protocol
_ONLINK = 4
_METRIC_LOCK, _METRIC_MTU = 1, 2
_NUD_PERMANENT = 0x80
_NO_PREFIX_ROUTE, _NO_DUPLICATE_DETECTION = 0x200, 0x02
_TC_ROOT = 0xFFFFFFFF
_TBF_HANDLE = 0x10000
_LINKLAYER_ETHERNET = 1
_TBF_BURST_BYTES = 512 * 1024  # holds several 64 kB segments, or tbf splits them one by one
_TBF_QUEUE_BYTES = 1024 * 1024


def _u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def _ip(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def _family(address: str) -> int:
    version = ipaddress.ip_network(address, strict=False).version
    return int(socket.AF_INET if version == 4 else socket.AF_INET6)


def _mac(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def _message(kind: int, body: bytes, flags: int = 0) -> bytes:
    # Sequence number and port id stay 0 here: RouteSocket numbers the requests.
    size = _HEADER.size + len(body)
    return _HEADER.pack(size, kind, _REQUEST | _ACK | flags, 0, 0) + body


def _link_body(index: int, flags: int, *attributes: bytes) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, flags) + b"".join(attributes)


def veth(
    *,
    index: int,
    name: str,
    mac: str,
    peer_index: int,
    peer_name: str,
    peer_mac: str,
    peer_netns_fd: int,
    mtu: int,
) -> bytes:
    """A veth pair, both ends down (the kernel refuses to create it up); the peer elsewhere."""
    peer = _link_body(
        peer_index,
        0,
        text(_IFLA_IFNAME, peer_name),
        attribute(_IFLA_ADDRESS, _mac(peer_mac)),
        _u32(_IFLA_MTU, mtu),
        _u32(_IFLA_NET_NS_FD, peer_netns_fd),
    )
    info = nested(
        _IFLA_LINKINFO,
        text(_IFLA_INFO_KIND, "veth"),
        nested(_IFLA_INFO_DATA, nested(_VETH_INFO_PEER, peer)),
    )
    body = _link_body(
        index,
        0,
        text(_IFLA_IFNAME, name),
        attribute(_IFLA_ADDRESS, _mac(mac)),
        _u32(_IFLA_MTU, mtu),
        info,
    )
    return _message(_NEWLINK, body, _CREATE)


def bridge(*, index: int, name: str, mac: str, mtu: int) -> bytes:
    """A bridge whose frames pass the IP hooks of netfilter (bridge-nf-call-iptables)."""
    info = nested(
        _IFLA_LINKINFO,
        text(_IFLA_INFO_KIND, "bridge"),
        nested(
            _IFLA_INFO_DATA,
            attribute(_BRIDGE_NF_CALL_IPTABLES, b"\1"),
            attribute(_BRIDGE_NF_CALL_IP6TABLES, b"\1"),
        ),
    )
    named = text(_IFLA_IFNAME, name) + attribute(_IFLA_ADDRESS, _mac(mac))
    return _message(
        _NEWLINK, _link_body(index, 0, named, _u32(_IFLA_MTU, mtu), info), _CREATE | _REPLACE
    )


def join_bridge(index: int, bridge_index: int) -> bytes:
    """Make a link a port of a bridge."""
    return _message(_NEWLINK, _link_body(index, 0, _u32(_IFLA_MASTER, bridge_index)))


def hairpin(index: int, *, on: bool) -> bytes:
    """Whether a bridge may send a frame back by the port that it came from."""
    info = nested(
        _IFLA_LINKINFO,
        text(_IFLA_INFO_SLAVE_KIND, "bridge"),
        nested(_IFLA_INFO_SLAVE_DATA, attribute(_IFLA_BRPORT_MODE, b"\1" if on else b"\0")),
    )
    return _message(_NEWLINK, _link_body(index, 0, info))


def link_up(index: int) -> bytes:
    """Set a link up."""
    return _message(_NEWLINK, _link_body(index, _IFF_UP))


def link_down(index: int) -> bytes:
    """Set a link down."""
    return _message(_NEWLINK, struct.pack("=BxHiII", 0, 0, index, 0, _IFF_UP))


def delete_link(name: str) -> bytes:
    """Delete a link by its name. ENODEV where there is none; the kernel takes some 20 ms."""
    return _message(_DELLINK, _link_body(0, 0, text(_IFLA_IFNAME, name)))


def forwarding(index: int, *, on: bool) -> bytes:
    """Whether what comes in by a link is forwarded (IPv4)."""
    conf = nested(_IFLA_INET_CONF, _u32(_FORWARDING, 1 if on else 0))
    family = nested(int(socket.AF_INET), conf)
    return _message(_NEWLINK, _link_body(index, 0, nested(_IFLA_AF_SPEC, family)))


def forward_on(index: int) -> bytes:
    """Let a link forward IPv4, send no redirects and not filter by reverse path (IFLA_INET_CONF).

    Works where /proc/sys is read-only, as in many containers.
    """
    conf = nested(
        _IFLA_INET_CONF,
        _u32(_FORWARDING, 1),
        _u32(_SEND_REDIRECTS, 0),
        _u32(_RP_FILTER, 0),
    )
    family = nested(int(socket.AF_INET), conf)
    return _message(_NEWLINK, _link_body(index, 0, nested(_IFLA_AF_SPEC, family)))


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
    attributes = attribute(1, packed) + attribute(2, packed) + _u32(8, flags)
    return _message(_NEWADDR, head + attributes, _CREATE | _REPLACE)


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
    attributes = _u32(4, index)
    if gateway:
        attributes += attribute(5, _ip(gateway))
    if source:
        attributes += attribute(7, _ip(source))
    if mtu:
        attributes += nested(8, _u32(_METRIC_LOCK, 1 << _METRIC_MTU), _u32(_METRIC_MTU, mtu))
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
    attributes = _u32(4, index) if index else b""
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
    attributes = attribute(1, network.network_address.packed) + _u32(15, table) + more
    return _message(kind, head + attributes, _CREATE | _REPLACE)


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
    attributes = _u32(6, priority)
    for number, network in ((0, destination), (1, source)):
        if network is not None:
            family = _family(network)
            value = ipaddress.ip_network(network)
            lengths[number] = value.prefixlen
            attributes += attribute(1 + number, value.network_address.packed)
    if from_link is not None:
        attributes += text(3, from_link)
    if mark is not None:
        attributes += _u32(10, mark) + _u32(16, 0xFFFFFFFF)
    action = _RULE_NOTHING
    if goto is not None:
        action, attributes = _RULE_GOTO, attributes + _u32(4, goto)
    elif table:
        action, attributes = _RULE_LOOKUP, attributes + _u32(15, table)
    head = struct.pack("=BBBBBBBBI", family, *lengths, 0, 0, 0, 0, action, 0)
    return _message(_NEWRULE, head + attributes, _CREATE)


def neighbour(index: int, ip: str, mac: str) -> bytes:
    """A permanent neighbour: never asked for by ARP, and not counted against the ARP table.

    The table's limit (gc_thresh3, 1024) is one for all network namespaces of the machine.
    """
    head = struct.pack("=BBHiHBB", _family(ip), 0, 0, index, _NUD_PERMANENT, 0, 1)
    attributes = attribute(1, _ip(ip)) + attribute(2, _mac(mac))
    return _message(_NEWNEIGH, head + attributes, _CREATE | _REPLACE)


def delete_neighbour(index: int, ip: str) -> bytes:
    """Take a neighbour back. ENOENT where there is none."""
    head = struct.pack("=BBHiHBB", _family(ip), 0, 0, index, 0, 0, 0)
    return _message(_DELNEIGH, head + attribute(1, _ip(ip)))


def shape(index: int, gbit_per_second: float) -> bytes:
    """Limit what a link sends, by the token bucket filter (tc-tbf)."""
    rate = int(gbit_per_second * 1e9 / 8)
    spec = struct.pack("=BBHhHI", 0, _LINKLAYER_ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF))
    parameters = spec + bytes(12) + struct.pack("=III", _TBF_QUEUE_BYTES, 0, 0)
    options = nested(2, attribute(1, parameters), _u32(6, _TBF_BURST_BYTES))
    head = struct.pack("=BxHiIII", 0, 0, index, _TBF_HANDLE, _TC_ROOT, 0)
    return _message(_NEWQDISC, head + text(1, "tbf") + options, _CREATE | _REPLACE)


def unshape(index: int) -> bytes:
    """Take back `shape`. ENOENT or EINVAL where the link was not shaped."""
    return _message(_DELQDISC, struct.pack("=BxHiIII", 0, 0, index, _TBF_HANDLE, _TC_ROOT, 0))


class RouteSocket:
    """A NETLINK_ROUTE socket that lives in one network namespace."""

    def __init__(self, netns_fd: int) -> None:
        with in_netns(netns_fd):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
            )
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._sequence = 0

    def apply(self, requests: Sequence[bytes], *, ignore: Collection[int] = ()) -> None:
        """Send requests in order and wait for all answers.

        Raises OSError with the errno of the first refusal that is not in `ignore`; the requests
        after it have been carried out all the same.
        """
        refusal: OSError | None = None
        for start in range(0, len(requests), _BATCH):
            refusal = self._apply(requests[start : start + _BATCH], ignore) or refusal
        if refusal is not None:
            raise refusal

    def _apply(self, requests: Sequence[bytes], ignore: Collection[int]) -> OSError | None:
        first = self._sequence + 1
        self._sequence += len(requests)
        self._socket.send(
            b"".join(
                request[:8] + struct.pack("=I", first + number) + request[12:]
                for number, request in enumerate(requests)
            )
        )
        refusal: OSError | None = None
        waiting = len(requests)
        while waiting:
            answer = self._socket.recv(65536)
            offset = 0
            while offset < len(answer):
                size, kind, _, sequence, _ = _HEADER.unpack_from(answer, offset)
                if kind == _NLMSG_ERROR:
                    waiting -= 1
                    code = -struct.unpack_from("=i", answer, offset + _HEADER.size)[0]
                    if code and code not in ignore and refusal is None:
                        number = sequence - first
                        kind_sent = _HEADER.unpack_from(requests[number])[1]
                        refusal = OSError(
                            code,
                            f"rtnetlink request {number} (type {kind_sent}): {os.strerror(code)}",
                        )
                offset += (size + 3) & ~3
        return refusal

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
