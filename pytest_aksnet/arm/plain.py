"""Whether what a reader made of ARM's answers is what its model says: plain values of those types.

The SDK decodes lazily and hands on what it cannot decode: a list where an object is documented, a
number as text. Found here it is an answer that cannot be read; in a check it would be an error.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any

_PLAIN = (str, int, float, bool, types.NoneType)
_UNIONS = (typing.Union, types.UnionType)


class NotPlain(ValueError):
    """A value is not of the type that its model says."""


def check_plain(value: object) -> None:
    """Raise NotPlain with the class and field of a value that is not what its model says."""
    _check(value, Any, type(value).__name__)


def _check(value: object, hint: Any, where: str) -> None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _UNIONS:
        if any(_fits(value, one) for one in arguments):
            return
        raise NotPlain(f"{where} is {_name(value)}")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not _is_any(hint) and not isinstance(value, origin or hint):
            raise NotPlain(f"{where} is {_name(value)}")
        for field, expected in _hints(type(value)).items():
            _check(getattr(value, field), expected, f"{type(value).__name__}.{field}")
    elif isinstance(value, tuple) and (_is_any(hint) or origin is tuple or hint is tuple):
        every = len(arguments) == 2 and arguments[1] is ...
        if arguments and not every and len(arguments) != len(value):
            raise NotPlain(f"{where} has {len(value)} items")
        for index, one in enumerate(value):
            part = arguments[0] if every else arguments[index] if arguments else Any
            _check(one, part, where)
    elif isinstance(value, Mapping) and (_is_any(hint) or origin in (Mapping, dict)):
        of_key, of_value = arguments or (Any, Any)
        for key, one in value.items():
            _check(key, of_key, where)
            _check(one, of_value, where)
    elif type(value) not in _PLAIN or not _is_of(type(value), hint):
        raise NotPlain(f"{where} is {_name(value)}")


def _fits(value: object, hint: Any) -> bool:
    try:
        _check(value, hint, "")
    except NotPlain:
        return False
    return True


def _is_any(hint: Any) -> bool:
    return hint is Any or isinstance(hint, typing.TypeVar)


def _is_of(kind: type, hint: Any) -> bool:
    if hint is None:
        return kind is types.NoneType
    if typing.get_origin(hint) is typing.Literal:
        return kind is str
    return _is_any(hint) or kind is hint or (kind is int and hint is float)


def _name(value: object) -> str:
    return f"a {type(value).__name__}"


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
