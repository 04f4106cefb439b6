"""Which function examines what: format -> room and function, loaded when first met."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from weighbridge.scanning._notes import Note

if TYPE_CHECKING:
    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine

__all__ = ["Examiner", "find_examiner"]

Examiner: TypeAlias = Callable[
    ["ByteSource", "Location", "ScanContext", "Examine"], Generator[Note, None, bool]
]
"""Yields findings, rows and facts; returns whether the bytes are of the format after all.

If they are not, nothing was yielded, and they count as whatever else they may be.
"""

# Format, as ``formats.sniff`` names it -> module of this room, and its function.
_EXAMINERS: dict[str, tuple[str, str]] = {
    "7z": ("_containers._sevenzip", "examine_7z"),
    "arrow": ("_data._tables", "examine_arrow"),
    "catboost": ("_data._trees", "examine_catboost"),
    "dalvik bytecode": ("_containers._native", "examine_native"),
    "elf": ("_containers._native", "examine_native"),
    "executorch": ("_graphs._flat", "examine_executorch"),
    "gguf": ("_tensors._headers", "examine_gguf"),
    "hdf5": ("_keras._hdf5", "examine_hdf5"),
    "lightgbm": ("_data._trees", "examine_lightgbm"),
    "llvm bitcode": ("_containers._native", "examine_native"),
    "lua bytecode": ("_containers._native", "examine_native"),
    "mach-o or java class": ("_containers._native", "examine_native"),
    "mach-o": ("_containers._native", "examine_native"),
    "media": ("_containers._media", "examine_media"),
    "msgpack": ("_data._msgpack", "examine_msgpack"),
    "numpy": ("_tensors._headers", "examine_npy"),
    "outline": ("_containers._outlines", "examine_outline"),
    "parquet": ("_data._tables", "examine_parquet"),
    "pdf": ("_containers._pdf", "examine_pdf"),
    "pe": ("_containers._native", "examine_native"),
    "r": ("_data._r", "examine_r"),
    "safetensors": ("_tensors._headers", "examine_safetensors"),
    "sqlite": ("_data._sqlite", "examine_sqlite"),
    "tar": ("_containers._tar", "examine_tar"),
    "tflite": ("_graphs._flat", "examine_tflite"),
    "ubjson": ("_data._trees", "examine_ubjson"),
    "webassembly": ("_containers._native", "examine_native"),
}


@cache
def find_examiner(format_name: str) -> Examiner | None:
    """Return what examines a format; None if nothing does."""
    place = _EXAMINERS.get(format_name)
    if place is None:
        return None
    module = import_module(f"weighbridge.scanning.{place[0]}")
    examiner: Examiner = getattr(module, place[1])
    return examiner
