"""What goes between a worker and the controller: calls of `Shared`, answers, and errors of ours.

Only data of ours is written, and only that is read: plain types and our own dataclasses. The
socket has no file: its name is random, and whoever connects must know a key.
"""

import importlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from pytest_aksnet.model.errors import AksnetError

# What a worker may call. The rest of `Shared` is not asked of another process.
CALLS = frozenset(
    {
        *("opening", "profile", "reading", "preflight", "pool_namespace", "warm", "image_refused"),
        *("image_tried", "begun", "keep", "kept", "uses", "alone"),
    }
)
_ERRORS = "pytest_aksnet.model.errors"
_PLAIN = (("datetime", "date"),)  # of the standard library, in what the site file says
_DATA = ("pytest_aksnet.model.", "pytest_aksnet.shared", "pytest_aksnet.needs")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `Shared` by name."""

    name: str
    positional: tuple[object, ...] = ()
    named: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the call gave."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """What the call raised: one of our errors by its name, or a bug of the controller in words."""

    kind: str
    message: str
    details: Mapping[str, object] = field(default_factory=dict)


Message = Call | Answer | Raised


def send(connection: "Connection[object, object]", message: Message) -> None:
    """Send one message. Raises OSError."""
    connection.send_bytes(pickle.dumps(message))


def receive(connection: "Connection[object, object]") -> object:
    """The next message. Raises OSError, EOFError, or UnpicklingError for what is not ours."""
    return _Reader(io.BytesIO(connection.recv_bytes())).load()


def raised(error: BaseException) -> Raised:
    """An error on its way."""
    kind = type(error).__name__ if type(error).__module__ == _ERRORS else ""
    if not kind:
        return Raised("", f"{type(error).__name__}: {error}")
    return Raised(kind, str(error), dict(vars(error)))


def error_of(message: Raised) -> Exception:
    """The error that was raised, as itself; a RuntimeError for a bug of the controller."""
    kind = getattr(importlib.import_module(_ERRORS), message.kind, None) if message.kind else None
    if not (isinstance(kind, type) and issubclass(kind, AksnetError)):
        return RuntimeError(f"the controller of this run failed: {message.message}")
    error = kind.__new__(kind, message.message)
    vars(error).update(message.details)
    return error


class _Reader(pickle.Unpickler):
    """Reads nothing but data of ours."""

    def find_class(self, module_name: str, name: str) -> object:
        """Our own classes, and plain data of the library. Raises UnpicklingError."""
        ours = module_name.startswith(_DATA) and "." not in name
        if ours or (module_name, name) in _PLAIN:
            return super().find_class(module_name, name)
        raise pickle.UnpicklingError(f"{module_name}.{name} is not sent between our processes")
