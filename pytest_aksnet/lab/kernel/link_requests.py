"""rtnetlink requests about links: made, deleted, up and down, forwarding, and how fast they send.

A request is bytes that `netlink.RouteSocket` sends. Numbers are those of linux/if_link.h,
linux/if_bridge.h and linux/pkt_sched.h.
"""

import socket
import struct

from pytest_aksnet.lab.kernel.attributes import attribute, nested, text, u32
from pytest_aksnet.lab.kernel.netlink import CREATE, REPLACE, mac_address, message

LOOPBACK = 1
"""The interface index of `lo` in every namespace."""

_NEWLINK, _DELLINK, _NEWQDISC, _DELQDISC = 16, 17, 36, 37

# Numbers of struct ifinfomsg attributes (linux/if_link.h) and of IPV4_DEVCONF_*.
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO = 1, 3, 4, 18
_IFLA_MASTER, _IFLA_BRPORT_MODE = 10, 4
_BRIDGE_NF_CALL_IPTABLES, _BRIDGE_NF_CALL_IP6TABLES = 36, 37
_IFLA_AF_SPEC, _IFLA_NET_NS_FD = 26, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER, _IFLA_INET_CONF = 1, 2, 1, 1
_IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA = 4, 5
_IFF_UP = 1
_FORWARDING, _SEND_REDIRECTS, _RP_FILTER = 1, 6, 8

_TC_ROOT = 0xFFFFFFFF
_TBF_HANDLE = 0x10000
_LINKLAYER_ETHERNET = 1
_TBF_BURST_BYTES = 512 * 1024  # holds several 64 kB segments, or tbf splits them one by one
_TBF_QUEUE_BYTES = 1024 * 1024


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
        attribute(_IFLA_ADDRESS, mac_address(peer_mac)),
        u32(_IFLA_MTU, mtu),
        u32(_IFLA_NET_NS_FD, peer_netns_fd),
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
        attribute(_IFLA_ADDRESS, mac_address(mac)),
        u32(_IFLA_MTU, mtu),
        info,
    )
    return message(_NEWLINK, body, CREATE)


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
    named = text(_IFLA_IFNAME, name) + attribute(_IFLA_ADDRESS, mac_address(mac))
    return message(
        _NEWLINK, _link_body(index, 0, named, u32(_IFLA_MTU, mtu), info), CREATE | REPLACE
    )


def join_bridge(index: int, bridge_index: int) -> bytes:
    """Make a link a port of a bridge."""
    return message(_NEWLINK, _link_body(index, 0, u32(_IFLA_MASTER, bridge_index)))


def hairpin(index: int, *, on: bool) -> bytes:
    """Whether a bridge may send a frame back by the port that it came from."""
    info = nested(
        _IFLA_LINKINFO,
        text(_IFLA_INFO_SLAVE_KIND, "bridge"),
        nested(_IFLA_INFO_SLAVE_DATA, attribute(_IFLA_BRPORT_MODE, b"\1" if on else b"\0")),
    )
    return message(_NEWLINK, _link_body(index, 0, info))


def link_up(index: int) -> bytes:
    """Set a link up."""
    return message(_NEWLINK, _link_body(index, _IFF_UP))


def link_down(index: int) -> bytes:
    """Set a link down."""
    return message(_NEWLINK, struct.pack("=BxHiII", 0, 0, index, 0, _IFF_UP))


def set_mtu(index: int, mtu: int) -> bytes:
    """Change how long packets a link takes (bytes)."""
    return message(_NEWLINK, _link_body(index, 0, u32(_IFLA_MTU, mtu)))


def delete_link(name: str) -> bytes:
    """Delete a link by its name. ENODEV where there is none; the kernel takes some 20 ms."""
    return message(_DELLINK, _link_body(0, 0, text(_IFLA_IFNAME, name)))


def forwarding(index: int, *, on: bool) -> bytes:
    """Whether what comes in by a link is forwarded (IPv4)."""
    conf = nested(_IFLA_INET_CONF, u32(_FORWARDING, 1 if on else 0))
    family = nested(int(socket.AF_INET), conf)
    return message(_NEWLINK, _link_body(index, 0, nested(_IFLA_AF_SPEC, family)))


def forward_on(index: int) -> bytes:
    """Let a link forward IPv4, send no redirects and not filter by reverse path (IFLA_INET_CONF).

    Works where /proc/sys is read-only, as in many containers.
    """
    conf = nested(
        _IFLA_INET_CONF,
        u32(_FORWARDING, 1),
        u32(_SEND_REDIRECTS, 0),
        u32(_RP_FILTER, 0),
    )
    family = nested(int(socket.AF_INET), conf)
    return message(_NEWLINK, _link_body(index, 0, nested(_IFLA_AF_SPEC, family)))


def shape(index: int, gbit_per_second: float) -> bytes:
    """Limit what a link sends, by the token bucket filter (tc-tbf)."""
    rate = int(gbit_per_second * 1e9 / 8)
    spec = struct.pack("=BBHhHI", 0, _LINKLAYER_ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF))
    parameters = spec + bytes(12) + struct.pack("=III", _TBF_QUEUE_BYTES, 0, 0)
    options = nested(2, attribute(1, parameters), u32(6, _TBF_BURST_BYTES))
    head = struct.pack("=BxHiIII", 0, 0, index, _TBF_HANDLE, _TC_ROOT, 0)
    return message(_NEWQDISC, head + text(1, "tbf") + options, CREATE | REPLACE)


def unshape(index: int) -> bytes:
    """Take back `shape`. ENOENT or EINVAL where the link was not shaped."""
    return message(_DELQDISC, struct.pack("=BxHiIII", 0, 0, index, _TBF_HANDLE, _TC_ROOT, 0))
