"""Keras configs among the JSON and YAML documents of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._keras._config import check_keras_config, looks_like_keras_config
from weighbridge.scanning._notes import examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document
    from weighbridge.scanning._notes import Note

__all__ = ["check_keras"]


def check_keras(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge a document that is a Keras config, or a list of such; yield nothing for any other."""
    values = document.value if isinstance(document.value, list) else [document.value]
    configs = [value for value in values if looks_like_keras_config(value)]
    for config in configs:
        yield from check_keras_config(config, at, context, context.examine)
    if configs:
        yield examined(at, "keras config")
