"""Zip archives: plain, NumPy's npz, PyTorch's and everything else that is one."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from weighbridge.core import Finding
from weighbridge.formats import (
    ZIP_METHODS,
    SliceSource,
    ZipDirectory,
    ZipEntry,
    expand_stream,
    find_zip_gaps,
    open_expanded,
    read_zip_entry,
)
from weighbridge.scanning._containers._export import examine_export_program
from weighbridge.scanning._containers._torchscript import (
    describe_archive,
    enter_member,
    report_script,
)
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
    from weighbridge.scanning._containers._torchscript import ModelArchive
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note, Notes

__all__ = ["Examiners", "examine_zip"]

_CRC_BYTES = 4 * 1024 * 1024
_MAX_LINK_BYTES = 4096
_PADDING_BYTES = 64 * 1024
_MARK = b"PK\x03\x04"
_NO_KEYS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Examiners:
    """The router's two ways to look at a member.

    Attributes:
        whole: For all members.
        raw: For storages of numbers, which a pickle names: yields nothing if they are no more.
    """

    whole: Examine
    raw: Examine


def examine_zip(
    source: ByteSource,
    directory: ZipDirectory,
    at: Location,
    context: ScanContext,
    examiners: Examiners,
) -> Generator[Note, None, int]:
    """Examine an archive and every member; return how many bytes lie before it.

    Members are read in the order of their place in the file. Of raw storages of tensors only the
    beginning is read: the pickle beside them says which members they are.
    """
    archive = describe_archive(entry.name for entry in directory.entries)
    yield examined(at, archive.format)
    yield from report_script(archive, at)
    context = replace(context, script="archive" if archive.script == "plain" else "")
    for message in directory.disagreements:
        yield found("WB-ZIP-001", at, f"Readers disagree about the directory: {message}.")
    if directory.end < source.size_bytes:
        behind = source.size_bytes - directory.end
        message = f"{behind:,} bytes lie behind the archive."
        yield found("WB-ZIP-009", at, message, offset=directory.end)
        yield from _examine_behind(source, directory.end, at, context, examiners.whole)
    located = yield from _examine_entries(source, directory, archive, at, context, examiners)
    yield from _check_overlaps(located, at)
    return (yield from _examine_gaps(source, directory, located, at, context, examiners.whole))


def _examine_behind(
    source: ByteSource, end: int, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    """Examine what lies behind the archive, unless it is zeros or ends of lines.

    Where the archive lies in the middle of something else, such as a 7z that stores it, what is
    behind it may well be the rest of that: only what it does counts then.
    """
    is_first = source.read_at(0, len(_MARK)) == _MARK
    size = source.size_bytes - end
    if size <= _PADDING_BYTES and not source.read_at(end, size).strip(b"\0\r\n "):
        return
    context.budget.spend_members(1)
    place, inner = deeper(at, f"bytes@{end}", context)
    notes = examine(SliceSource(place.member[-1], source, end, size), place, inner)
    yield from (note for note in notes if is_first or isinstance(note, Finding))


def _examine_entries(
    source: ByteSource,
    directory: ZipDirectory,
    archive: ModelArchive,
    at: Location,
    context: ScanContext,
    examiners: Examiners,
) -> Generator[Note, None, list[ZipEntry]]:
    """Examine what the directory lists; return where its members are."""
    located: list[ZipEntry] = []
    reached = 0
    unnamed: list[ZipEntry] = []
    named = {name for name in archive.names if archive.is_exported(name)}
    raw: Counter[str] = Counter()
    for entry in directory.entries:
        context.budget.spend_members(1)
        readings, problem = read_zip_entry(source, entry)
        located.extend(readings)
        # Bytes that members share are work that the size of the file does not bound.
        for reading in readings:
            shared = min(reached, reading.end_offset) - reading.data_offset
            context.budget.spend_expanded_bytes(max(shared, 0))
            reached = max(reached, min(reading.end_offset, source.size_bytes))
        yield from _check_entry(entry, problem, at, located=bool(readings))
        if len(readings) == 1 and not problem and archive.may_be_storage(readings[0]):
            if entry.name in named:
                raw += yield from _examine_storage(source, readings[0], at, context, examiners.raw)
            else:
                unnamed.extend(readings)  # the pickle that names it may follow
            continue
        is_program = archive.is_program(entry.name)
        for reading in readings:
            examine = _with_program(examiners.whole) if is_program else examiners.whole
            keys = yield from _examine_member(source, reading, at, context, examine)
            named.update(archive.name_storages(entry.name, keys))
    for entry in unnamed:
        if entry.name in named:
            raw += yield from _examine_storage(source, entry, at, context, examiners.raw)
        else:
            yield from _examine_member(source, entry, at, context, examiners.whole)
    for folder, count in raw.items():
        reason = f"{count:,} raw tensor storages that a pickle beside them names, by their begins"
        yield inert(inside(at, f"{folder}/"), "raw tensors", reason)
    return located


def _with_program(examine: Examine) -> Examine:
    """Return a way to look at a member that is a program of ``torch.export`` besides."""

    def examine_both(source: ByteSource, at: Location, context: ScanContext) -> Notes:
        yield from examine_export_program(source, at, context)
        return (yield from examine(source, at, context))

    return examine_both


def _check_entry(entry: ZipEntry, problem: str, at: Location, *, located: bool) -> Iterator[Note]:
    place = inside(at, entry.name)
    if problem:
        message = f"The directory and the local header disagree: {problem}."
        yield found("WB-ZIP-002", place, message)
    if not located:
        yield not_examined(place, "unknown", "its bytes cannot be found in the archive")
    if leads_out(entry.name):
        message = "The name leads out of the folder that an archive is unpacked into."
        yield found("WB-ZIP-005", place, message, detail=entry.name[:400])
    if entry.is_encrypted:
        message = "The member is marked as encrypted; loaders exist that do not look."
        yield found("WB-ZIP-007", place, message)


def _examine_member(
    source: ByteSource, entry: ZipEntry, at: Location, context: ScanContext, examine: Examine
) -> Notes:
    if entry.is_folder:
        return _NO_KEYS
    place, inner = deeper(at, entry.name, context)
    inner = enter_member(entry.name, context, inner)
    if entry.is_encrypted:
        yield not_examined(place, "unknown", "it is marked as encrypted")
    method = ZIP_METHODS.get(entry.method)
    if method is None:
        reason = f"compression method {entry.method} is not supported"
        yield not_examined(place, "unknown", reason)
        return _NO_KEYS
    packed_bytes = min(entry.end_offset, source.size_bytes) - entry.data_offset
    if method == "stored":
        member = SliceSource(entry.name, source, entry.data_offset, max(packed_bytes, 0))
        yield from _check_stored(member, entry, place)
        yield from _check_link(member, entry, place)
        return (yield from examine(member, place, inner))
    chunks = expand_stream(source, method, start=entry.data_offset, size_bytes=packed_bytes)
    with open_expanded(
        chunks,
        name=entry.name,
        spend=context.budget.spend_expanded_bytes,
    ) as expanded:
        if expanded.is_cut:
            yield not_examined(place, method, expanded.problem)
            return (yield from leave_out_damage(examine(expanded.source, place, inner)))
        size = expanded.source.size_bytes
        if expanded.problem:
            yield found("WB-CMP-001", place, f"The member is not whole: {expanded.problem}.")
            yield not_examined(place, method, expanded.problem)
        if size != entry.size_bytes or expanded.crc32 != entry.crc32:
            yield _wrong_content(place, entry, size)
        yield from _check_link(expanded.source, entry, place)
        return (yield from examine(expanded.source, place, inner))


def _check_link(member: ByteSource, entry: ZipEntry, place: Location) -> Iterator[Finding]:
    """Check where a link leads, which unpackers exist that make."""
    if not entry.is_link:
        return
    target = member.read_at(0, _MAX_LINK_BYTES).decode("utf-8", errors="replace")
    up = len(target.split("/")) - len([part for part in target.split("/") if part != ".."])
    below = target.lstrip("./") if target.startswith("../") else target
    if leads_out(below) or up > entry.name.count("/"):
        message = "The link leads out of the folder that an archive is unpacked into."
        yield found("WB-ZIP-005", place, message, detail=target[:400])


def _check_stored(member: SliceSource, entry: ZipEntry, place: Location) -> Iterator[Finding]:
    """Check the size, and the CRC of what is small enough to be read for it."""
    size = member.size_bytes
    wrong = not entry.packed_bytes == entry.size_bytes == size
    if not wrong and size <= _CRC_BYTES:
        wrong = zlib.crc32(member.read_at(0, size)) != entry.crc32
    if wrong:
        yield _wrong_content(place, entry, size)


def _wrong_content(place: Location, entry: ZipEntry, size: int) -> Finding:
    declared = f"declared as {entry.size_bytes:,} bytes with CRC {entry.crc32:08x}"
    message = f"The member is {declared}, and its {size:,} bytes do not match."
    return found("WB-ZIP-006", place, message)


def _examine_storage(
    source: ByteSource, entry: ZipEntry, at: Location, context: ScanContext, examine_raw: Examine
) -> Generator[Note, None, Counter[str]]:
    """Glance at a storage that a pickle named; return its folder if it is numbers and no more."""
    place, inner = deeper(at, entry.name, context)
    size = min(entry.end_offset, source.size_bytes) - entry.data_offset
    if size != entry.size_bytes:
        yield _wrong_content(place, entry, max(size, 0))
    member = SliceSource(entry.name, source, entry.data_offset, max(size, 0))
    is_raw = True
    for note in examine_raw(member, place, inner):
        is_raw = False
        yield note
    return Counter([entry.name.rpartition("/")[0]] if is_raw else [])


def _check_overlaps(located: list[ZipEntry], at: Location) -> Iterator[Finding]:
    """Report members that share bytes; two readings of the same header are one member."""
    reached, before = 0, None
    for entry in sorted(located, key=lambda e: (e.header_offset, e.end_offset)):
        if before is not None and before.header_offset < entry.header_offset < reached:
            message = f"Two members share bytes: {before.name[:80]!r} and {entry.name[:80]!r}."
            yield found("WB-ZIP-008", at, message, offset=entry.header_offset)
            return
        if entry.end_offset > reached:
            reached, before = entry.end_offset, entry


def _examine_gaps(
    source: ByteSource,
    directory: ZipDirectory,
    located: list[ZipEntry],
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Generator[Note, None, int]:
    """Examine what no directory speaks of; return the size of the part before the archive."""
    prefix_bytes = 0
    for start, size, hidden in find_zip_gaps(source, located, end=directory.start):
        if hidden is not None:
            context.budget.spend_members(1)
            place = inside(at, hidden.name)
            message = "The member is not in the directory; readers that go by local headers see it."
            yield found("WB-ZIP-003", place, message, offset=start)
            yield from _examine_member(source, hidden, at, context, examine)
        elif start == 0:
            prefix_bytes = size
        else:
            message = f"{size:,} bytes between the members belong to none."
            yield found("WB-ZIP-004", at, message, offset=start)
    return prefix_bytes
