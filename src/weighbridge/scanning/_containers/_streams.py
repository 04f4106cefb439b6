"""Files that are one compressed stream: expanded within bounds, then routed like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.formats import expand_stream, open_expanded
from weighbridge.scanning._notes import (
    deeper,
    examined,
    found,
    leave_out_damage,
    not_examined,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["STREAM_FORMATS", "examine_stream"]

STREAM_FORMATS = frozenset(
    ["gzip", "zlib", "bzip2", "xz", "lzma", "joblib-zfile", "zstd", "lz4", "lz4-legacy"]
)

# joblib up to 0.9 wrote "ZF", the expanded size as text of 19 characters (one more on old
# Python 2), then a zlib stream: joblib.numpy_pickle_compat.read_zfile.
_ZFILE_HEADER_BYTES = 21


def examine_stream(
    source: ByteSource, format_name: str, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Examine what ``source`` expands to; return False, in silence, if it expands to nothing."""
    start, method = 0, format_name
    if format_name == "joblib-zfile":
        start, method = _find_zfile_data(source), "zlib"
    packed_bytes = source.size_bytes - start
    chunks = expand_stream(source, method, start=start, size_bytes=packed_bytes)
    with open_expanded(
        chunks,
        name=at.member[-1] if at.member else at.file,
        spend=context.budget.spend_expanded_bytes,
    ) as expanded:
        if expanded.problem and not expanded.source.size_bytes:
            if "memory" not in expanded.problem.lower():
                return False
            # Only our own bound stops at such a dictionary; a loader has none.
            yield not_examined(at, format_name, expanded.problem)
            return True
        place, inner_context = deeper(at, f"({format_name})", context)
        notes = examine(expanded.source, place, inner_context)
        if expanded.is_cut:
            yield not_examined(at, format_name, expanded.problem)
            notes = leave_out_damage(notes)
        elif expanded.problem:
            # A loader that reads as it goes has acted on everything before the damage.
            message = f"The {format_name} stream is not whole: {expanded.problem}."
            yield found("WB-CMP-001", at, message)
            yield not_examined(at, format_name, expanded.problem)
        else:
            yield examined(at, format_name)
        yield from notes
    return True


def _find_zfile_data(source: ByteSource) -> int:
    extra = source.read_at(_ZFILE_HEADER_BYTES, 1) == b" "
    return _ZFILE_HEADER_BYTES + extra
