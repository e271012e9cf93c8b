"""Attributes of netlink messages (linux/netlink.h): a length, a kind, and a padded payload."""

import struct

_NESTED = 0x8000


def attribute(kind: int, payload: bytes) -> bytes:
    """An attribute."""
    head = struct.pack("=HH", 4 + len(payload), kind)
    return head + payload + b"\0" * (-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(attributes))


def u32(kind: int, value: int) -> bytes:
    """An attribute with a number in the order of this machine."""
    return attribute(kind, struct.pack("=I", value))


def big32(kind: int, value: int) -> bytes:
    """An attribute with a number in network order; negative ones as their two's complement."""
    return attribute(kind, struct.pack("!I", value & 0xFFFFFFFF))


def text(kind: int, value: str) -> bytes:
    """An attribute with a terminated string."""
    return attribute(kind, value.encode() + b"\0")
