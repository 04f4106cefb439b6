"""A bounded reader of zip archives that sees what every loader might see.

``zipfile`` stops where real loaders go on: it refuses an archive whose flags or names disagree
between directory and local header, while the reader inside PyTorch loads it. It also takes one of
several possible directories and never tells of the others. Here the union is read: every end
record and every directory position that some reader would choose, and the local headers as well as
the directory. Disagreements are values for the caller to judge.

Source:
    APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = [
    "ZIP_METHODS",
    "ZipDirectory",
    "ZipEntry",
    "find_zip_gaps",
    "read_zip_directory",
    "read_zip_entry",
]

ZIP_METHODS = {
    0: "stored",
    8: "deflate",
    12: "bzip2",
    14: "zip-lzma",
    20: "zstd",
    93: "zstd",
    95: "xz",
}
"""Compression methods that can be expanded: number in the header -> name."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LOCAL_MARK, _CENTRAL_MARK = b"PK\x03\x04", b"PK\x01\x02"
_END_MARK, _END64_MARK, _LOCATOR_MARK = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
# The comment, and what PyTorch's reader looks at beyond it because it searches by blocks.
_TAIL_BYTES = 65_535 + _END.size + 4_096
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_UTF8_FLAG, _ENCRYPTED_FLAGS, _DESCRIPTOR_FLAG = 0x800, 0x2041, 0x08
_MAX_DESCRIPTOR_BYTES = 24
_S_IFMT, _S_IFLNK = 0xF000, 0xA000
_MAX_READINGS = 8
# 100,000 members with names of 600 bytes; what lies behind is reported as a wrong count.
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One member, as the directory or its local header describes it.

    Attributes:
        name: Decoded as UTF-8, else as code page 437; not made safe in any way.
        header_offset: Of the local header.
        flags: General purpose bits.
        method: Compression method, see ``ZIP_METHODS``.
        crc32: As declared.
        packed_bytes: As declared.
        size_bytes: As declared.
        data_offset: Where the packed bytes begin; 0 until ``read_zip_entry`` was asked.
        is_link: Whether the directory says that the content is where a link leads.
    """

    name: str
    header_offset: int
    flags: int
    method: int
    crc32: int
    packed_bytes: int
    size_bytes: int
    data_offset: int = 0
    is_link: bool = False

    @property
    def is_encrypted(self) -> bool:
        """Return whether the flags say so; loaders exist that do not look."""
        return bool(self.flags & _ENCRYPTED_FLAGS)

    @property
    def is_folder(self) -> bool:
        """Return whether this is the name of a folder without content."""
        return self.name.endswith("/") and not self.size_bytes and not self.packed_bytes

    @property
    def end_offset(self) -> int:
        """Return the offset behind the packed bytes."""
        stored_bytes = self.size_bytes if self.method == 0 else 0
        return self.data_offset + max(self.packed_bytes, stored_bytes)


@dataclass(frozen=True, slots=True)
class ZipDirectory:
    """What the directories of an archive say, joined.

    Attributes:
        entries: By the offset of their local headers; equal ones once.
        start: Where the first directory begins; the members lie before it.
        end: Behind the last end record and its comment.
        disagreements: Ways in which readers would differ about the directory; no full stop.
        last_start: Where the first member is of the directory that lies nearest to the end.
    """

    entries: tuple[ZipEntry, ...]
    start: int
    end: int
    disagreements: tuple[str, ...]
    last_start: int = 0


@dataclass(frozen=True, slots=True)
class _Claim:
    """Where one reading of an end record says that the directory is."""

    start: int
    base: int
    stop: int
    count: int
    size_bytes: int


def read_zip_directory(source: ByteSource, *, max_members: int) -> ZipDirectory | None:
    """Find and read the directory of a zip archive; None if there is none.

    The end record may lie anywhere in the last 64 KiB, with bytes before the archive and behind
    it. At most ``max_members + 1`` entries are read, so that the caller can tell that there are
    more.
    """
    tail_offset = max(source.size_bytes - _TAIL_BYTES - _LOCATOR.size, 0)
    tail = source.read_at(tail_offset, source.size_bytes - tail_offset)
    ends = _find_end_records(tail)
    claims: dict[tuple[int, int], _Claim] = {}
    for at in ends:
        for claim in _read_claims(source, tail_offset + at, tail[at : at + _END.size]):
            claims.setdefault((claim.start, claim.base), claim)
    readings = []
    for claim in list(claims.values())[:_MAX_READINGS]:
        entries, stop = _read_entries(source, claim, max_members=max_members)
        if entries or (claim.count == 0 and claim.size_bytes == 0 and claim.start == claim.stop):
            readings.append((claim, entries, stop))
    if not readings:
        return None
    # Of a directory that was not read to its end, nobody knows whether readers disagree about it.
    whole = [reading for reading in readings if len(reading[1]) <= max_members]
    end = max(tail_offset + at + _END.size + _comment_bytes(tail, at) for at in ends)
    _, last, _ = max(readings, key=lambda reading: reading[0].start)
    joined = {entry: None for _, entries, _ in readings for entry in entries}
    return ZipDirectory(
        entries=tuple(sorted(joined, key=lambda e: (e.header_offset, e.name))),
        start=min(claim.start for claim, _, _ in readings),
        end=min(end, source.size_bytes),
        disagreements=tuple(_compare_readings(whole)) if whole else (),
        last_start=min((entry.header_offset for entry in last), default=0),
    )


def _comment_bytes(tail: bytes, at: int) -> int:
    return int.from_bytes(tail[at + 20 : at + 22], "little")


def _find_end_records(tail: bytes) -> list[int]:
    """Return the end records that one reader or another would take, each once.

    The last one (``zipfile``, miniz), the last whose comment fits into the file (Go), the last
    whose comment reaches its end (Java), and one at the very end without a comment.
    """
    candidates = []
    at = tail.rfind(_END_MARK, 0, max(len(tail) - _END.size + len(_END_MARK), 0))
    last, fitting, exact = -1, -1, -1
    while at >= 0 and exact < 0:
        left = len(tail) - at - _END.size - _comment_bytes(tail, at)
        last = max(last, at)
        if left >= 0:
            fitting = max(fitting, at)
        if left == 0:
            exact = at
        at = tail.rfind(_END_MARK, 0, at)
    candidates = [found for found in (last, fitting, exact) if found >= 0]
    return list(dict.fromkeys(candidates))


def _read_claims(source: ByteSource, at: int, raw: bytes) -> Iterator[_Claim]:
    """Yield each place where a reader of this end record would look for the directory."""
    _, _, _, _, count, size, offset, _ = _END.unpack(raw)
    if (sound := _read_sound_zip64(source, at, (count, size, offset))) is not None:
        yield sound
        return
    # Some readers take the declared offset, others the place right before the end record.
    yield from _both_places(offset, size, at, count)
    locator = source.read_at(at - _LOCATOR.size, _LOCATOR.size) if at >= _LOCATOR.size else b""
    if not locator.startswith(_LOCATOR_MARK):
        return
    declared = _LOCATOR.unpack(locator)[2]
    for end64 in dict.fromkeys((declared, at - _LOCATOR.size - _END64.size)):
        raw64 = source.read_at(end64, _END64.size) if end64 >= 0 else b""
        if len(raw64) == _END64.size and raw64.startswith(_END64_MARK):
            *_, count64, size64, offset64 = _END64.unpack(raw64)
            yield from _both_places(offset64, size64, end64, count64)


def _read_sound_zip64(source: ByteSource, at: int, declared: tuple[int, int, int]) -> _Claim | None:
    """Return the only place for the directory if a zip64 end record fits in every way.

    PyTorch writes one into each archive. Then "right before the end record" is no reading: Python
    and Java look before the zip64 record, Go takes the declared offset where an entry can be read,
    miniz and libzip do so in any case. All must agree, so all of it has to fit: the directory is
    followed at once by the zip64 record, its locator and the end record, which say the same.

    Source:
        CPython ``zipfile._EndRecData64``, OpenJDK ``ZipFile.Source.findEND``, Go ``archive/zip``
        ``readDirectoryEnd``, miniz ``mz_zip_reader_read_central_dir``.
    """
    end64 = at - _LOCATOR.size - _END64.size
    if end64 < 0:
        return None
    raw = source.read_at(end64, _END64.size + _LOCATOR.size)
    mark64, length64, _, _, *disks, count64, all64, size64, offset64 = _END64.unpack_from(raw)
    locator = _LOCATOR.unpack_from(raw, _END64.size)
    fits = mark64 == _END64_MARK and length64 == _END64.size - 12 and disks == [0, 0]
    fits = fits and locator == (_LOCATOR_MARK, 0, end64, 1) and count64 == all64
    fits = fits and offset64 + size64 == end64 and _has_plain_entry(source, offset64)
    exact = zip(declared, (count64, size64, offset64), (_FULL16, _FULL32, _FULL32), strict=True)
    if not fits or any(one not in (other, full) for one, other, full in exact):
        return None
    return _Claim(offset64, 0, end64, count64, size64)


def _has_plain_entry(source: ByteSource, offset: int) -> bool:
    """Return whether every reader can read a directory entry at ``offset``."""
    raw = source.read_at(offset, _CENTRAL.size)
    if len(raw) < _CENTRAL.size or not raw.startswith(_CENTRAL_MARK):
        return False
    fields = _CENTRAL.unpack(raw)
    return _FULL32 not in (fields[8], fields[9], fields[16])


def _both_places(offset: int, size: int, stop: int, count: int) -> Iterator[_Claim]:
    if offset <= stop:
        yield _Claim(offset, 0, stop, count, size)
    before = stop - size
    if before >= 0 and before != offset:
        yield _Claim(before, before - offset, stop, count, size)


def _read_entries(
    source: ByteSource, claim: _Claim, *, max_members: int
) -> tuple[list[ZipEntry], int]:
    """Read directory entries while there are any; return them and the offset behind them."""
    entries: list[ZipEntry] = []
    cursor = Cursor(source, claim.start, min(claim.stop, claim.start + _MAX_DIRECTORY_BYTES))
    stop = claim.start
    while len(entries) <= max_members:
        try:
            raw = cursor.take(_CENTRAL.size)
            if not raw.startswith(_CENTRAL_MARK):
                break
            entries.append(_read_central(raw, cursor, base=claim.base))
        except ParseError:
            break
        stop = cursor.offset
    return entries, stop


def _read_central(raw: bytes, cursor: Cursor, *, base: int) -> ZipEntry:
    fields = _CENTRAL.unpack(raw)
    flags, method, crc32, packed, size = fields[3], fields[4], *fields[7:10]
    name_bytes, extra_bytes, comment_bytes = fields[10:13]
    attributes, offset = fields[15:17]
    # Lengths that reach behind the directory end it, and readers still take the entry.
    name = cursor.take(min(name_bytes, cursor.left_bytes))
    extra = cursor.take(min(extra_bytes, cursor.left_bytes))
    cursor.skip(min(comment_bytes, cursor.left_bytes))
    size, packed, offset = _apply_zip64(extra, (size, packed, offset))
    entry = ZipEntry(_decode(name, flags), offset + base, flags, method, crc32, packed, size)
    return replace(entry, is_link=(attributes >> 16) & _S_IFMT == _S_IFLNK)


def _apply_zip64(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Replace each value that is all ones by the next one of the zip64 extra field.

    Source:
        APPNOTE.TXT 4.5.3: the fields appear only where the record holds 0xFFFFFFFF.
    """
    field = _find_extra(extra, 0x0001)
    result = []
    for value in values:
        if value == _FULL32 and len(field) >= 8:  # noqa: PLR2004 - eight bytes a value
            result.append(int.from_bytes(field[:8], "little"))
            field = field[8:]
        else:
            result.append(value)
    return tuple(result)


def _find_extra(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _decode(raw: bytes, flags: int) -> str:
    """Decode a name: UTF-8 where it is said or possible, else code page 437."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437" if not flags & _UTF8_FLAG else "utf-8", errors="replace")


def _compare_readings(readings: list[tuple[_Claim, list[ZipEntry], int]]) -> Iterator[str]:
    for (one, _, _), (other, _, _) in pairwise(readings):
        yield (
            f"one reader finds the directory at byte {one.start:,} (offsets from {one.base:,}), "
            f"another at byte {other.start:,} (offsets from {other.base:,})"
        )
    for claim, entries, stop in readings:
        if claim.count not in (len(entries), len(entries) & _FULL16, _FULL16):
            yield f"the end record counts {claim.count:,} entries and there are {len(entries):,}"
        if claim.size_bytes not in (stop - claim.start, _FULL32):
            read_bytes = f"{stop - claim.start:,}"
            yield f"the end record gives the directory {claim.size_bytes:,} bytes, not {read_bytes}"
        names = [entry.name for entry in entries]
        if len(set(names)) != len(names):
            twice = next(n for n, m in pairwise(sorted(names)) if n == m)
            yield f"the name {twice[:80]!r} appears twice, and loaders take different ones"


def read_zip_entry(source: ByteSource, entry: ZipEntry) -> tuple[tuple[ZipEntry, ...], str]:
    """Read the local header of a directory entry.

    Returns:
        The readings that differ in content (one, or the directory's and the local one), each with
        its ``data_offset``, and what the two headers disagree about (empty if nothing). No reading
        if there is no local header.
    """
    local = _read_local(source, entry.header_offset)
    if local is None:
        return (), "there is no local header where the directory says"
    readings = [replace(entry, data_offset=local.data_offset)]
    wrong = [] if local.name == entry.name else [f"the name {local.name[:80]!r}"]
    if local.flags & _ENCRYPTED_FLAGS != entry.flags & _ENCRYPTED_FLAGS:
        wrong.append("the encryption flags")
    if local.method != entry.method:
        wrong.append("the method")
    # With a data descriptor behind the data, writers leave these three empty.
    if not (local.flags & _DESCRIPTOR_FLAG and local.packed_bytes in (0, _FULL32)):
        pairs = (
            ("the packed size", local.packed_bytes, entry.packed_bytes),
            ("the size", local.size_bytes, entry.size_bytes),
            ("the CRC", local.crc32, entry.crc32),
        )
        wrong.extend(what for what, one, other in pairs if one != other)
        if (local.method, local.end_offset) != (entry.method, readings[0].end_offset):
            readings.append(local)
    elif local.method != entry.method:
        # The sizes are the directory's: this header leaves them to the data descriptor.
        readings.append(
            replace(local, packed_bytes=entry.packed_bytes, size_bytes=entry.size_bytes)
        )
    return tuple(readings), ", ".join(wrong)


def _read_local(source: ByteSource, offset: int) -> ZipEntry | None:
    raw = source.read_at(offset, _LOCAL.size)
    if len(raw) < _LOCAL.size or not raw.startswith(_LOCAL_MARK):
        return None
    _, _, flags, method, _, _, crc32, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(raw)
    rest = source.read_at(offset + _LOCAL.size, name_bytes + extra_bytes)
    name, extra = rest[:name_bytes], rest[name_bytes:]
    size, packed = _apply_zip64(extra, (size, packed))
    data_offset = offset + _LOCAL.size + name_bytes + extra_bytes
    return ZipEntry(_decode(name, flags), offset, flags, method, crc32, packed, size, data_offset)


def find_zip_gaps(
    source: ByteSource, entries: Iterable[ZipEntry], *, end: int
) -> Iterator[tuple[int, int, ZipEntry | None]]:
    """Yield what lies between the members: start, size, and the hidden member that is there.

    Data descriptors and runs of zeros are not gaps. Bytes before the first member are one, so that
    the caller can look at them as a file of their own.

    Args:
        source: The archive.
        entries: With their ``data_offset``.
        end: Where the directory begins.
    """
    reached = 0
    descriptor = False
    for entry in sorted(entries, key=lambda e: e.header_offset):
        yield from _gap(source, reached, min(entry.header_offset, end), descriptor=descriptor)
        if entry.end_offset > reached:
            reached = entry.end_offset
            descriptor = bool(entry.flags & _DESCRIPTOR_FLAG)
    yield from _gap(source, reached, end, descriptor=descriptor)


def _gap(
    source: ByteSource, start: int, end: int, *, descriptor: bool
) -> Iterator[tuple[int, int, ZipEntry | None]]:
    if descriptor and end - start <= _MAX_DESCRIPTOR_BYTES:
        return
    while start < end:
        hidden = _read_local(source, start)
        if hidden is None:
            size = end - start
            if size > _TAIL_BYTES or source.read_at(start, size).strip(b"\0"):
                yield start, size, None
            return
        if hidden.flags & _DESCRIPTOR_FLAG and not hidden.packed_bytes:
            # Its size is only written behind its data; it may reach up to the next known thing.
            rest = max(end - hidden.data_offset, 0)
            hidden = replace(hidden, packed_bytes=rest, size_bytes=rest)
        stop = min(hidden.end_offset, end)
        yield start, stop - start, hidden
        start = stop
