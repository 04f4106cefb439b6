"""Keras configs among the JSON and YAML documents of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._keras._config import (
    check_keras_config,
    check_manifest,
    looks_like_keras_config,
)
from weighbridge.scanning._notes import examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document
    from weighbridge.scanning._notes import Note

__all__ = ["check_keras", "check_weights_manifest"]

_MAX_GROUPS = 10_000


def check_keras(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge a document that is a Keras config, or a list of such; yield nothing for any other."""
    values = document.value if isinstance(document.value, list) else [document.value]
    configs = [value for value in values if looks_like_keras_config(value)]
    for config in configs:
        yield from check_keras_config(config, at, context, context.examine)
    if configs:
        yield examined(at, "keras config")


def check_weights_manifest(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Name the files of a TensorFlow.js model that has no Keras config, or only a manifest."""
    value = document.value
    if looks_like_keras_config(value):
        return  # its own check has done it
    groups = value.get("weightsManifest") if isinstance(value, dict) else value
    if not isinstance(groups, list) or not groups or len(groups) > _MAX_GROUPS:
        return
    if all(isinstance(group, dict) and {"paths", "weights"} <= group.keys() for group in groups):
        yield from check_manifest(document.value, at)
