"""The rules about models of trees and other libraries, and files of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
