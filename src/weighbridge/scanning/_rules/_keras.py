"""The rules about Keras and HDF5."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
