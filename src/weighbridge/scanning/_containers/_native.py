"""Native code: what a loader that takes it runs, and nobody can examine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.formats import HEAD_BYTES, sniff
from weighbridge.scanning._notes import found, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["NATIVE_FORMATS", "examine_native"]

NATIVE_FORMATS = frozenset({"elf", "pe", "mach-o", "mach-o or java class", "webassembly"})


def examine_native(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Report native code."""
    del context, examine
    formats = [name for name in sniff(source.read_at(0, HEAD_BYTES)) if name in NATIVE_FORMATS]
    for format_name in formats:
        message = f"This is native code ({format_name}); a loader that takes it runs it."
        yield found("WB-BIN-001", at, message)
        yield not_examined(at, format_name, "native code cannot be examined")
    return bool(formats)
