"""Bodies in application/vnd.kubernetes.protobuf, which kubectl sends for the kinds it knows.

Reads only; answers are JSON, which such clients accept. `protobuf.json` has the kinds, and per type
its fields by number: [name, type, "list" or "map" or "inline"]. It was derived from the protocol
buffer descriptors of k8s.io/api, as Kubernetes' Go types carry them; a field is inline where the
JSON form shows its own fields instead of it.

Go writes fields that are no pointers even where they are zero, so that a zero says nothing, unless
the field is one of `_ZERO_IS_SAID`.
"""

import base64
import datetime
import functools
import json
import struct
from collections.abc import Iterator
from importlib import resources
from typing import Any, cast

from pytest_aksnet.lab.api import errors
from pytest_aksnet.lab.api.objects import JsonObject

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_TYPE_META, _RAW = 1, 2  # fields of runtime.Unknown
# Pointers to numbers and booleans, whose zero is not the same as nothing.
_ZERO_IS_SAID = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "allowPrivilegeEscalation",
        "automountServiceAccountToken",
        "activeDeadlineSeconds",
        "backoffLimit",
        "completions",
        "failedJobsHistoryLimit",
        "blockOwnerDeletion",
        "controller",
        "defaultMode",
        "enableServiceLinks",
        "expirationSeconds",
        "gracePeriodSeconds",
        "immutable",
        "maxSurge",
        "maxUnavailable",
        "minAvailable",
        "mode",
        "optional",
        "parallelism",
        "orphanDependents",
        "partition",
        "privileged",
        "readOnlyRootFilesystem",
        "ready",
        "replicas",
        "revisionHistoryLimit",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "serving",
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "shareProcessNamespace",
        "terminating",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
        "ttlSecondsAfterFinished",
    }
)
_Field = list[str]


class _Malformed(Exception):
    """Bytes that are no message."""


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    text = resources.files(__package__).joinpath("protobuf.json").read_text(encoding="utf-8")
    return cast(dict[str, dict[str, Any]], json.loads(text))


def decode(body: bytes) -> JsonObject:
    """The object in a body, as its JSON form would have it. Raises ApiError 400."""
    try:
        if not body.startswith(_MAGIC):
            raise _Malformed
        parts: dict[int, bytes] = {
            number: value
            for number, value in _fields(body[len(_MAGIC) :])
            if isinstance(value, bytes)
        }
        names = dict(_fields(parts.get(_TYPE_META, b"")))
        version, kind = (cast(bytes, names.get(number, b"")).decode() for number in (1, 2))
        wanted = _table()["kinds"].get(f"{version}/{kind}")
        if wanted is None:
            raise errors.bad_request(
                f'no kind "{kind}" is registered for version "{version}" in scheme '
                '"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"'
            )
        found = _message(parts.get(_RAW, b""), str(wanted))
    except (_Malformed, ValueError, IndexError, struct.error):
        raise errors.bad_request(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        ) from None
    return {"kind": kind, "apiVersion": version, **found}


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: numbers of varints, bytes of all else."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                number, at = _varint(data, at)
                yield key >> 3, number
                continue
            case 1:
                size = 8
            case 5:
                size = 4
            case 2:
                size, at = _varint(data, at)
            case _:
                raise _Malformed
        if at + size > len(data):
            raise _Malformed
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _message(data: bytes, type_name: str) -> JsonObject:
    fields: dict[str, _Field] = _table()["types"][type_name]
    found: JsonObject = {}
    for number, raw in _fields(data):
        if str(number) not in fields:
            continue
        name, kind, *flags = fields[str(number)]
        if "map" in flags:
            key, value = _entry(cast(bytes, raw), kind)
            found.setdefault(name, {})[key] = value
        elif "inline" in flags:
            found |= _message(cast(bytes, raw), kind)
        elif "list" in flags:
            found.setdefault(name, []).append(_value(raw, kind))
        else:
            value = _value(raw, kind)
            if _says_something(name, value):
                found[name] = value
    return found


def _says_something(name: str, value: object) -> bool:
    if value is None or value == "":
        return False
    return bool(value) or not isinstance(value, int) or name in _ZERO_IS_SAID


def _entry(data: bytes, kind: str) -> tuple[str, object]:
    parts = dict(_fields(data))
    return cast(bytes, parts.get(1, b"")).decode(), _value(parts.get(2, b""), kind)


def _value(raw: int | bytes, kind: str) -> object:
    if isinstance(raw, int):
        if kind == "boolean":
            return bool(raw)
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    match kind:
        case "string":
            return raw.decode()
        case "bytes":
            return base64.b64encode(raw).decode()
        case "number":
            return struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0]
        case "quantity":
            return cast(bytes, dict(_fields(raw)).get(1, b"")).decode()
        case "int-or-string":
            parts = dict(_fields(raw))
            text = cast(bytes, parts.get(3, b"")).decode()
            return text if parts.get(1) else _value(parts.get(2, 0), "integer")
        case "time" | "micro-time":
            return _time(raw, micro=kind == "micro-time")
        case "json":
            text = cast(bytes, dict(_fields(raw)).get(1, b"")).decode()
            return json.loads(text) if text else None
        case "duration":
            return f"{cast(int, dict(_fields(raw)).get(1, 0)) / 1e9:g}s"
    return _message(raw, kind)


def _time(raw: bytes, *, micro: bool) -> str | None:
    parts = dict(_fields(raw))
    seconds = cast(int, _value(parts.get(1, 0), "integer"))
    if not parts or seconds < 0:  # Go's zero time
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    if not micro:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    nanos = cast(int, parts.get(2, 0))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{nanos // 1000:06}Z"
