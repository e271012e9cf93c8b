"""Resource quantities ("100m", "128Mi", "1e3") as exact numbers. Pure.

Source: Kubernetes API reference, "Quantity".
"""

import re
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
_SYNTAX = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")


def parse(text: object) -> Decimal:
    """The number that a quantity stands for. Raises ValueError."""
    found = _SYNTAX.fullmatch(str(text).strip())
    if found is None or found.group(2) not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(found.group(1)) * _SUFFIXES[found.group(2)]


def pod_requests(spec: JsonObject) -> dict[str, Decimal]:
    """What a pod asks of its node by resource name: the sum of its containers.

    An init container counts where it alone asks for more ("Init containers", resource sharing).
    """
    total: dict[str, Decimal] = {}
    for container in spec.get("containers") or []:
        for name, value in _requests(container).items():
            total[name] = total.get(name, Decimal(0)) + value
    for container in spec.get("initContainers") or []:
        for name, value in _requests(container).items():
            total[name] = max(total.get(name, Decimal(0)), value)
    return total


def _requests(container: JsonObject) -> dict[str, Decimal]:
    stated = (container.get("resources") or {}).get("requests") or {}
    return {name: parse(value) for name, value in stated.items()}
