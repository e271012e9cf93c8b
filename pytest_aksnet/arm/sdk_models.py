"""Makes the models of the Azure SDK safe between threads.

A generated model works its fields out when its class is first used, without a lock; a second thread
that uses the class meanwhile gets dicts in place of models (azure-mgmt-network 33.1, 8 threads on a
new class: 4 of 42 processes; none of 30 with this lock). So an address or an id would be read
wrongly now and then, which no verdict may rest on.
"""

import importlib
import threading
from typing import Any

_WORKING_OUT = threading.RLock()
_LOCKED: set[type] = set()


def lock_models(client: type) -> None:
    """Have the models of a client's package worked out by one thread at a time.

    Clients that were generated otherwise have nothing to lock.
    """
    package = client.__module__.partition("._")[0]
    try:
        model = importlib.import_module(f"{package}._utils.model_base").Model
    except (ModuleNotFoundError, AttributeError):
        return
    with _WORKING_OUT:
        if model in _LOCKED:
            return
        unlocked = model.__new__

        def locked(cls: type, *arguments: Any, **named: Any) -> Any:
            with _WORKING_OUT:
                return unlocked(cls, *arguments, **named)

        model.__new__ = staticmethod(locked)
        _LOCKED.add(model)
