"""Images, sound, films and fonts: inert as such; what lies behind their end is routed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import Answer
from weighbridge.formats import (
    HEAD_BYTES,
    MEDIA_KINDS,
    SliceSource,
    find_media_end,
    sniff_media,
)
from weighbridge.scanning._notes import deeper, inert
from weighbridge.scanning._pickle._scan import scan_pickles

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Finding, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_media", "search_tail"]

# Formats in which bytes may hide that belong to nothing: their last part is searched.
_OPEN_ENDED = frozenset({"flac", "tiff", "mp4", "matroska", "au"})
_TAIL_BYTES = 64 * 1024
_MAX_TRIES = 64
# A protocol header, or a name as the oldest protocols write it.
_PICKLE_START = re.compile(rb"\x80[\x02-\x05]|c[A-Za-z_][\w.]{0,80}\n[A-Za-z_][\w.]{0,80}\n")
# Zeros and line breaks that writers leave behind the end.
_PADDING = b"\0\r\n "
_MAX_PADDING_BYTES = 64 * 1024


def examine_media(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Say that a file can only be shown or heard, and examine what lies behind its end."""
    spend = context.budget.spend_header_bytes
    ends = {}
    for kind in sniff_media(source.read_at(0, HEAD_BYTES)):
        if (end := find_media_end(source, kind, spend)) is not None:
            ends[kind] = end
    if not ends:
        return False
    kind = max(ends, key=lambda name: ends[name])
    end = min(ends[kind], source.size_bytes)
    yield inert(at, kind, MEDIA_KINDS[kind])
    padding = source.read_at(end, _MAX_PADDING_BYTES)
    end += len(padding) - len(padding.lstrip(_PADDING))
    if (size := source.size_bytes - end) > 0:
        place, inner = deeper(at, f"(behind the {kind})", context)
        yield from examine(SliceSource(source.name, source, end, size), place, inner)
    elif kind in _OPEN_ENDED:
        yield from search_tail(source, at, context)
    return True


def search_tail(source: ByteSource, at: Location, context: ScanContext) -> Iterator[Finding]:
    """Try pickles in the last part of a file whose format does not say where it ends."""
    start = max(source.size_bytes - _TAIL_BYTES, 0)
    tail = source.read_at(start, _TAIL_BYTES)
    for count, match in enumerate(_PICKLE_START.finditer(tail)):
        if count >= _MAX_TRIES:
            return
        scan = scan_pickles(source, at=at, context=context, start=start + match.start())
        fails = [one for one in scan.findings if one.answer is Answer.FAIL] if scan else []
        if scan is not None and scan.complete and fails:
            yield from fails
            return
