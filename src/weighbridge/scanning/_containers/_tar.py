"""Tar archives: every member is routed; links and devices are findings if they lead out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import SliceSource, TarEntry, read_tar
from weighbridge.scanning._notes import (
    deeper,
    examined,
    found,
    inert,
    inside,
    leads_out,
    not_examined,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_tar"]


_BLOCK_BYTES = 512
_CHUNK_BYTES = 64 * 1024


def examine_tar(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Examine an archive and every member, in their order."""
    end = 0
    links: set[str] = set()
    try:
        for entry in read_tar(source):
            context.budget.spend_members(1)
            end = entry.data_offset + entry.size_bytes
            yield from _check_names(entry, inside(at, entry.name), links)
            yield from _examine_member(source, entry, at, context, examine)
    except ParseError as error:
        yield found("WB-TAR-002", at, f"The tar archive is not whole: {error}.")
        yield not_examined(at, "tar", str(error))
        yield from _examine_rest(source, end, at, context, examine)
    else:
        yield examined(at, "tar")
    return True


def _check_names(entry: TarEntry, place: Location, links: set[str]) -> Iterator[Note]:
    if leads_out(entry.name):
        message = "The name leads out of the folder that an archive is unpacked into."
        yield found("WB-TAR-001", place, message, detail=entry.name[:400])
    if entry.kind not in ("link", "hard link"):
        return
    if entry.kind == "link" and ".." in entry.link:
        out = _climbs_out(entry, links)
    else:
        out = leads_out(entry.link)
    links.add(entry.name.rstrip("/"))
    if out:
        message = "The link leads out of the folder that an archive is unpacked into."
        yield found("WB-TAR-001", place, message, detail=entry.link[:400])


def _climbs_out(entry: TarEntry, links: set[str]) -> bool:
    """Return whether a link upwards leaves the archive, or may because of another link.

    Of ``..`` only the first parts of a target are followed, and only below real folders: behind a
    link they lead elsewhere (CVE-2025-4517).
    """
    folders = [part for part in entry.name.split("/")[:-1] if part != "."]
    parts = entry.link.split("/")
    up = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    below_link = any("/".join(folders[:count]) in links for count in range(1, len(folders) + 1))
    strange = ".." in folders or "\\" in entry.link or leads_out("/".join(parts[up:]))
    return below_link or strange or up > len(folders)


def _examine_member(
    source: ByteSource, entry: TarEntry, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    place, inner = deeper(at, entry.name, context)
    member = SliceSource(entry.name, source, entry.data_offset, entry.size_bytes)
    if entry.kind == "file":
        yield from examine(member, place, inner)
    elif entry.kind in ("link", "hard link"):
        yield inert(place, "link", "a link inside the archive has no bytes of its own")
    elif entry.kind == "other":
        reason = "it is neither a file, a folder nor a link"
        yield not_examined(place, "unknown", reason)
        if entry.size_bytes:  # readers exist that take it for a file
            yield from examine(member, place, inner)


def _examine_rest(
    source: ByteSource, start: int, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    """Examine what lies behind the last member: readers that pass over zeros go on there."""
    start += -start % _BLOCK_BYTES
    while chunk := source.read_at(start, _CHUNK_BYTES):
        if (zeros := len(chunk) - len(chunk.lstrip(b"\0"))) < len(chunk):
            start += zeros - zeros % _BLOCK_BYTES
            break
        start += len(chunk)
    if 0 < start < source.size_bytes:
        place, inner = deeper(at, "(behind the archive)", context)
        rest = SliceSource(source.name, source, start, source.size_bytes - start)
        yield from examine(rest, place, inner)
