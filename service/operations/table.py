"""Every operation there is, by the path it is called at: whatever a module of this package declares."""

import importlib
import pkgutil
from functools import lru_cache

from service import operations
from service.operations.base import Operation


@lru_cache(maxsize=1)
def operation_table() -> dict[str, Operation]:
    """`/v1/chat/completions` -> its Operation, and so on."""
    found: dict[str, Operation] = {}
    for module in pkgutil.iter_modules(operations.__path__, f"{operations.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Operation):
                found[value.path] = value
    return found
