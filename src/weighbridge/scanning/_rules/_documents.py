"""The rules about documents: JSON, YAML, requirements; and what lies about in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
