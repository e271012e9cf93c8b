"""Resource quantities ("100m", "128Mi", "1e3") as exact numbers. Pure.

Source: Kubernetes API reference, "Quantity".
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from pytest_aksnet.lab.api.objects import JsonObject

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_SYNTAX = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")


def parse(text: object) -> Decimal:
    """The number that a quantity stands for. Raises ValueError."""
    found = _SYNTAX.fullmatch(str(text).strip())
    if found is None or found.group(2) not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(found.group(1)) * _SUFFIXES[found.group(2)]


def canonical(text: object) -> str:
    """A quantity as the API server writes it: a whole number with the greatest suffix it can have.

    Raises ValueError.
    """
    return _written(parse(text), binary=_is_binary(str(text)))


def total(texts: Iterable[object]) -> str:
    """The canonical sum; suffixes are of the kind of the first quantity that is not 0."""
    value, binary = Decimal(0), False
    for text in texts:
        if not value:
            binary = _is_binary(str(text))
        value += parse(text)
    return _written(value, binary=binary)


def _is_binary(text: str) -> bool:
    return text.strip().endswith("i")


def _written(value: Decimal, *, binary: bool) -> str:
    whole = value == value.to_integral_value()
    suffixes = ("", *_BINARY) if binary and whole and abs(value) >= _SUFFIXES["Ki"] else _DECIMAL
    for suffix in reversed(suffixes):
        scaled = value / _SUFFIXES[suffix]
        if value and scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return "0"


def pod_requests(spec: JsonObject) -> dict[str, Decimal]:
    """What a pod asks of its node by resource name."""
    return {name: parse(value) for name, value in pod_total(spec, "requests").items()}


def pod_total(spec: JsonObject, part: str) -> dict[str, str]:
    """The `part` ("requests" or "limits") of a pod by resource name: the sum of its containers.

    An init container counts where it alone asks for more ("Init containers", resource sharing).
    """
    stated: dict[str, list[str]] = {}
    for container in spec.get("containers") or []:
        for name, value in _stated(container, part).items():
            stated.setdefault(name, []).append(value)
    found = {name: total(values) for name, values in stated.items()}
    for container in spec.get("initContainers") or []:
        for name, value in _stated(container, part).items():
            found[name] = max(found.get(name, "0"), canonical(value), key=parse)
    return found


def _stated(container: JsonObject, part: str) -> dict[str, str]:
    found: dict[str, str] = (container.get("resources") or {}).get(part) or {}
    return found
