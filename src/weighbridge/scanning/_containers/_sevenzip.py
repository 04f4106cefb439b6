"""7z archives: each folder is expanded once, and its members are routed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import SliceSource, expand_7z_folder, open_expanded, read_7z
from weighbridge.scanning._notes import (
    deeper,
    examined,
    found,
    inert,
    inside,
    leads_out,
    leave_out_damage,
    not_examined,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import SevenZipArchive, SevenZipEntry, SevenZipFolder
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_7z"]

_CRC_BYTES = 4 * 1024 * 1024
_MAX_LINK_BYTES = 4096
# What beginning a folder costs: its decompressor may want a dictionary of 256 MiB.
_FOLDER_COST_BYTES = 64 * 1024


def examine_7z(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Examine an archive and every member."""
    limit = context.limits.max_members
    try:
        archive = read_7z(source, max_members=limit, spend=context.budget.spend_header_bytes)
    except ParseError as error:
        yield not_examined(at, "7z", str(error))
        return True
    yield examined(at, "7z")
    for problem in archive.problems:
        yield found("WB-SVZ-001", at, f"The 7z archive is not as declared: {problem}.")
    members: dict[int, list[SevenZipEntry]] = {}
    for entry in archive.entries:
        context.budget.spend_members(1)
        yield from _check_name(entry, at)
        members.setdefault(entry.folder, []).append(entry)
    for number, folder in enumerate(archive.folders):
        yield from _examine_folder(source, folder, members.get(number, []), at, context, examine)
    yield from _check_rest(source, archive, at, context, examine)
    return True


def _check_name(entry: SevenZipEntry, at: Location) -> Iterator[Note]:
    place = inside(at, entry.name)
    if leads_out(entry.name):
        message = "The name leads out of the folder that an archive is unpacked into."
        yield found("WB-SVZ-002", place, message, detail=entry.name[:400])
    if entry.folder < 0 and entry.kind != "folder":
        if entry.size_bytes:
            yield not_examined(place, "unknown", "its bytes cannot be found in the archive")
        else:
            yield inert(place, "empty", "it has no bytes")


def _examine_folder(
    source: ByteSource,
    folder: SevenZipFolder,
    entries: list[SevenZipEntry],
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Iterator[Note]:
    """Examine the members of one folder, which are packed as one."""
    if folder.problem:
        for entry in entries:
            yield not_examined(inside(at, entry.name), "unknown", folder.problem)
        return
    context.budget.spend_expanded_bytes(_FOLDER_COST_BYTES)
    with open_expanded(
        expand_7z_folder(source, folder), name="7z", spend=context.budget.spend_expanded_bytes
    ) as expanded:
        if expanded.problem and not expanded.is_cut:
            yield found("WB-SVZ-001", at, f"The 7z archive is not whole: {expanded.problem}.")
        if expanded.problem:
            yield not_examined(at, "7z", expanded.problem)
        for entry in entries:
            notes = _examine_member(expanded.source, entry, at, context, examine)
            yield from leave_out_damage(notes) if expanded.is_cut else notes


def _examine_member(
    folder: ByteSource, entry: SevenZipEntry, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, frozenset[str]]:
    place, inner = deeper(at, entry.name, context)
    size = max(min(entry.size_bytes, folder.size_bytes - entry.offset), 0)
    member = SliceSource(entry.name, folder, entry.offset, size)
    if size < entry.size_bytes:
        yield not_examined(place, "unknown", "a part of it cannot be found in the archive")
    elif size <= _CRC_BYTES and entry.crc32 not in (None, zlib.crc32(member.read_at(0, size))):
        yield found("WB-SVZ-001", place, "The member does not have the CRC that is declared.")
    if entry.kind != "link":
        return (yield from examine(member, place, inner))
    target = member.read_at(0, _MAX_LINK_BYTES).decode("utf-8", errors="replace")
    if leads_out(target):
        message = "The link leads out of the folder that an archive is unpacked into."
        yield found("WB-SVZ-002", place, message, detail=target[:400])
    # Readers exist that write the content of a link into a file.
    return (yield from examine(member, place, inner))


def _check_rest(
    source: ByteSource,
    archive: SevenZipArchive,
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Iterator[Note]:
    """Examine what lies behind the last header."""
    if archive.end < source.size_bytes:
        place, inner = deeper(at, "(behind the archive)", context)
        rest = SliceSource(source.name, source, archive.end, source.size_bytes - archive.end)
        yield found("WB-SVZ-001", at, f"{rest.size_bytes:,} bytes lie behind the archive.")
        yield from examine(rest, place, inner)
