"""A self-signed certificate for a host name, made of nothing but the standard library.

ECDSA with P-256 and SHA-256 (FIPS 186-4; SEC 1; RFC 5280, 5480, 5915). It is for a check's own host
and lives as long as the check: no secret hangs on it, so nothing here is hardened against anybody
who measures the time it takes.
"""

import base64
import datetime
import hashlib
import secrets
from dataclasses import dataclass

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
_PRIME256V1 = bytes.fromhex("06082a8648ce3d030107")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("0603550403")
_BASIC_CONSTRAINTS, _ALT_NAME = bytes.fromhex("0603551d13"), bytes.fromhex("0603551d11")
_DAYS = 2


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A certificate and its key (PEM) for `host`."""

    host: str
    certificate: str
    key: str


def self_signed(host: str) -> SelfSigned:
    """A new certificate for a DNS name, good from an hour ago for two days."""
    private = secrets.randbelow(_N - 1) + 1
    public = _point_bytes(_times(private, _G))
    name = _sequence(_set(_sequence(_COMMON_NAME, _tlv(0x0C, host.encode()[:64]))))
    key_info = _sequence(_sequence(_EC_PUBLIC_KEY, _PRIME256V1), _bits(public))
    now = datetime.datetime.now(datetime.UTC)
    validity = _sequence(
        _time(now - datetime.timedelta(hours=1)), _time(now + datetime.timedelta(days=_DAYS))
    )
    authority = _sequence(_BASIC_CONSTRAINTS, _tlv(4, _sequence(_tlv(1, b"\xff"))))
    names = _sequence(_ALT_NAME, _tlv(4, _sequence(_tlv(0x82, host.encode()))))
    body = _sequence(
        _tlv(0xA0, _integer(2)),
        _integer(secrets.randbits(64) | 1),
        _ECDSA_SHA256,
        name,
        validity,
        name,
        key_info,
        _tlv(0xA3, _sequence(authority, names)),
    )
    certificate = _sequence(body, _ECDSA_SHA256, _bits(_sign(private, body)))
    key = _sequence(
        _integer(1),
        _tlv(4, private.to_bytes(32, "big")),
        _tlv(0xA0, _PRIME256V1),
        _tlv(0xA1, _bits(public)),
    )
    return SelfSigned(host, _pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", key))


def _sign(private: int, data: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _times(nonce, _G)
        assert point is not None
        r = point[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * private) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


# -- the curve -----------------------------------------------------------------------------


def _times(factor: int, point: _Point) -> _Point:
    result: _Point = None
    while factor:
        if factor & 1:
            result = _plus(result, point)
        point = _plus(point, point)
        factor >>= 1
    return result


def _plus(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % _P == 0:
            return None
        slope = 3 * (one[0] ** 2 - 1) * pow(2 * one[1], -1, _P) % _P  # a = -3
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P) % _P
    x = (slope**2 - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _point_bytes(point: _Point) -> bytes:
    assert point is not None
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


# -- DER -----------------------------------------------------------------------------------


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 128:
        return bytes((tag, size)) + value
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 | len(digits))) + digits + value


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _set(*parts: bytes) -> bytes:
    return _tlv(0x31, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(value: bytes) -> bytes:
    return _tlv(3, b"\x00" + value)


def _time(moment: datetime.datetime) -> bytes:
    return _tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _pem(label: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
