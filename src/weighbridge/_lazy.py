"""Doors that open a room only when somebody enters (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["lazy_getattr"]


def lazy_getattr(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return a module ``__getattr__`` that imports a module when one of its names is first used.

    Args:
        package: ``__name__`` of the package whose door this is.
        modules: Module inside the package -> the names that the door takes from it.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def getattr_(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)  # so that this function is asked only once
        return value

    return getattr_
