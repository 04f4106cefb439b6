"""Zip archives one behind another, as distributed checkpoints of PyTorch are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.formats import SliceSource, ZipDirectory, read_zip_directory
from weighbridge.scanning._notes import deeper, examined

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_zip_row"]

_Member = tuple[int, str, int, int, int]


def examine_zip_row(
    source: ByteSource,
    directory: ZipDirectory,
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Generator[Note, None, bool]:
    """Examine each archive as a file of its own; return whether there is such a row.

    Readers take the last archive, or seek to one that they know of. Nothing lies between them or
    behind, and what any reader finds is a member of one of them; everything else is one archive
    with hidden members.

    Source:
        PyTorch ``torch/distributed/checkpoint/filesystem.py``, ``_write_files_from_queue``.
    """
    parts = _split(source, directory, context) if directory.last_start > 0 else []
    if len(parts) < 2:  # noqa: PLR2004
        return False
    yield examined(at, "zip")
    for start, end in reversed(parts):
        place, inner = deeper(at, f"bytes@{start}", context)
        yield from examine(SliceSource(source.name, source, start, end - start), place, inner)
    return True


def _split(
    source: ByteSource, directory: ZipDirectory, context: ScanContext
) -> list[tuple[int, int]]:
    """Return where the archives begin and end, the last first; nothing if it is no such row."""
    parts: list[tuple[int, int]] = []
    known: set[_Member] = set()
    seen: set[_Member] = set()
    found: ZipDirectory | None = directory
    end = source.size_bytes
    while end > 0:
        context.budget.spend_members(1)
        if parts:
            found = _read(source, 0, end, context)
        if found is None or found.end != end or not 0 <= found.last_start < end:
            return []
        start = found.last_start
        part = _read(source, start, end, context)
        if part is None or part.disagreements or part.last_start:
            return []
        seen.update(_list_members(found, 0))
        known.update(_list_members(part, start))
        parts.append((start, end))
        end = start
    return parts if seen <= known else []


def _read(source: ByteSource, start: int, end: int, context: ScanContext) -> ZipDirectory | None:
    part = SliceSource(source.name, source, start, end - start)
    return read_zip_directory(part, max_members=context.limits.max_members)


def _list_members(directory: ZipDirectory, base: int) -> set[_Member]:
    return {
        (entry.header_offset + base, entry.name, entry.method, entry.packed_bytes, entry.size_bytes)
        for entry in directory.entries
    }
