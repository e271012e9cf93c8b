"""Resource quantities such as 100m or 512Mi as exact numbers, and what pods ask for. Pure.

Syntax: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

import re
from decimal import Decimal

_SYNTAX = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkKMGTPE]?i?)")
_SUFFIXES = {
    "": Decimal(1),
    **{name: Decimal(10) ** power for name, power in (("n", -9), ("u", -6), ("m", -3))},
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}


def parse(text: object) -> Decimal:
    """The number that a quantity stands for. Raises ValueError."""
    found = _SYNTAX.fullmatch(str(text).strip())
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def show(number: Decimal) -> str:
    """A quantity in the usual way of writing it."""
    if number == number.to_integral_value():
        for suffix in ("Gi", "Mi", "Ki"):
            if number >= _SUFFIXES[suffix] and number % _SUFFIXES[suffix] == 0:
                return f"{int(number / _SUFFIXES[suffix])}{suffix}"
        return str(int(number))
    return f"{(number * 1000).normalize():f}m"
