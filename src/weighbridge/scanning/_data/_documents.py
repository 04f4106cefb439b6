"""Models of other libraries among the JSON documents of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._data import _skops, _trees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document
    from weighbridge.scanning._notes import Note

__all__ = ["check_skops", "check_xgboost"]


def check_skops(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge a schema of skops; yield nothing for any other document."""
    if _skops.is_skops(document.value):
        yield from _skops.check_skops(document.value, at, context)


def check_xgboost(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge a model of XGBoost; yield nothing for any other document."""
    if _trees.is_xgboost(document.value):
        yield from _trees.check_xgboost(document.value, at, context)
