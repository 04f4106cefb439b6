"""Tar archives: every member is routed; links and devices are findings if they lead out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import SliceSource, TarEntry, read_tar
from weighbridge.scanning._notes import deeper, examined, found, inert, leads_out, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_tar"]


def examine_tar(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Examine an archive and every member, in their order."""
    try:
        for entry in read_tar(source):
            context.budget.spend_members(1)
            yield from _examine_member(source, entry, at, context, examine)
    except ParseError as error:
        yield found("WB-TAR-002", at, f"The tar archive is not whole: {error}.")
        yield not_examined(at, "tar", str(error))
    else:
        yield examined(at, "tar")
    return True


def _examine_member(
    source: ByteSource, entry: TarEntry, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    place, inner = deeper(at, entry.name, context)
    if leads_out(entry.name):
        message = "The name leads out of the folder that an archive is unpacked into."
        yield found("WB-TAR-001", place, message, detail=entry.name[:400])
    if entry.kind == "file":
        member = SliceSource(entry.name, source, entry.data_offset, entry.size_bytes)
        yield from examine(member, place, inner)
    elif entry.kind == "link":
        if leads_out(entry.link):
            message = "The link leads out of the folder that an archive is unpacked into."
            yield found("WB-TAR-001", place, message, detail=entry.link[:400])
        yield inert(place, "link", "a link inside the archive has no bytes of its own")
    elif entry.kind == "other":
        reason = "it is neither a file, a folder nor a link"
        yield not_examined(place, "unknown", reason)
