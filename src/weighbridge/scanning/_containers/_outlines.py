"""Arrays, tables, indexes and other data that cannot act; what lies behind their end is routed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from weighbridge.formats import HEAD_BYTES, SliceSource, find_outline
from weighbridge.scanning._containers._media import search_tail
from weighbridge.scanning._notes import deeper, inert

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_outline"]

# Bytes that text has. A header may be text, and a script may begin like one.
_TEXT = bytes(byte for byte in range(256) if byte >= 32 or byte in b"\t\n\f\r\x1b")  # noqa: PLR2004


def examine_outline(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Say that data can only be read, and examine what lies behind their end.

    Bytes that may be a text are left to whoever examines texts.
    """
    head = source.read_at(0, HEAD_BYTES)
    if not head.translate(None, _TEXT):
        return False
    try:
        outline = find_outline(source, head, context.budget.spend_header_bytes)
    except (struct.error, ValueError, IndexError):
        return False  # the header is shorter than it has to be, or holds no numbers
    if outline is None:
        return False
    yield inert(at, outline.name, outline.what)
    if outline.end is None:
        yield from search_tail(source, at, context)
        return True
    tail = source.read_at(outline.end, HEAD_BYTES)
    if tail.strip(b"\0\r\n "):
        place, inner = deeper(at, f"(behind the {outline.name})", context)
        size = source.size_bytes - outline.end
        yield from examine(SliceSource(source.name, source, outline.end, size), place, inner)
    return True
