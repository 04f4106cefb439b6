"""Doors that open a room only when somebody enters (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazy_getattr"]


def lazy_getattr(package: str, table: Mapping[str, tuple[str, str]]) -> Callable[[str], Any]:
    """Return a module ``__getattr__`` that imports on first use.

    Args:
        package: ``__name__`` of the package whose door this is.
        table: Public name -> (module, name in it).
    """

    def getattr_(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = table[name]
        return getattr(import_module(module), attribute)

    return getattr_
