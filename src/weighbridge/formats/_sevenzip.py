"""A bounded reader of 7z archives: the headers, and what their folders expand to.

Source:
    7-Zip's ``7zFormat.txt`` and ``Methods.txt`` (LZMA SDK 24.09).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._cursor import Cursor
from weighbridge.formats._sevenzip_coders import expand_7z_folder, name_coder
from weighbridge.formats._sources import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weighbridge.core.ports import ByteSource
    from weighbridge.formats._sevenzip_coders import Coder

__all__ = ["SevenZipArchive", "SevenZipEntry", "SevenZipFolder", "read_7z"]

_SIGNATURE = struct.Struct("<6s2sLQQL")
_MARK = b"7z\xbc\xaf\x27\x1c"
_MAX_HEADER_BYTES = 16 * 1024 * 1024
# Headers packed inside headers; 7-Zip writes one.
_MAX_HEADERS = 4
_MAX_CODERS = 32
_MAX_PROPERTIES_BYTES = 1024
_END, _HEADER, _ARCHIVE_PROPERTIES, _ADDITIONAL, _MAIN, _FILES = range(6)
_PACK_INFO, _UNPACK_INFO, _SUBSTREAMS, _SIZES, _DIGESTS, _FOLDER, _UNPACK_SIZES = range(6, 13)
_COUNTS, _EMPTY_STREAM, _EMPTY_FILE = 13, 14, 15
_NAMES, _ATTRIBUTES, _ENCODED_HEADER = 0x11, 0x15, 0x17
_UNIX_FLAG = 0x8000
_S_IFMT, _S_IFLNK = 0xF000, 0xA000


@dataclass(frozen=True, slots=True)
class SevenZipFolder:
    """A run of packed bytes, which expands to the contents of files one after another.

    Attributes:
        offset: Of the packed bytes in the archive.
        packed_bytes: How many there are.
        coders: What expands them, in the order in which they are applied.
        size_bytes: What it expands to.
        problem: Why it cannot be expanded; empty if it can, as far as the headers tell.
    """

    offset: int
    packed_bytes: int
    coders: tuple[Coder, ...]
    size_bytes: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SevenZipEntry:
    """A file or a folder of the archive.

    Attributes:
        name: As written; not made safe in any way.
        kind: ``file``, ``folder`` or ``link``, whose content is where it leads.
        folder: Number of the :class:`SevenZipFolder` that has its content; -1 if it has none.
        offset: Of its content in what the folder expands to.
        size_bytes: Of its content.
        crc32: As declared; None if it is not.
    """

    name: str
    kind: str
    folder: int = -1
    offset: int = 0
    size_bytes: int = 0
    crc32: int | None = None


@dataclass(frozen=True, slots=True)
class SevenZipArchive:
    """What the headers of an archive say.

    Attributes:
        folders: Packed contents.
        entries: In the order of the archive.
        end: Behind the last header.
        problems: What is wrong with it though it can be read.
    """

    folders: tuple[SevenZipFolder, ...]
    entries: tuple[SevenZipEntry, ...]
    end: int
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Streams:
    """What a block of ``StreamsInfo`` says."""

    folders: tuple[SevenZipFolder, ...] = ()
    digests: tuple[int | None, ...] = ()
    parts: tuple[tuple[tuple[int, int | None], ...], ...] = ()


def read_7z(
    source: ByteSource, *, max_members: int, spend: Callable[[int], None]
) -> SevenZipArchive:
    """Read the headers of a 7z archive that begins at the first byte; expands packed ones.

    Args:
        source: The archive.
        max_members: More files, folders or packed streams than that are refused.
        spend: Told how many bytes of headers are read; may raise.

    Raises:
        ParseError: It is no 7z archive, its headers are damaged, or they cannot be expanded.
    """
    raw = source.read_at(0, _SIGNATURE.size)
    if len(raw) < _SIGNATURE.size or not raw.startswith(_MARK):
        raise ParseError("it does not begin like a 7z archive")
    _, _, start_crc, offset, size, crc = _SIGNATURE.unpack(raw)
    problems = [] if zlib.crc32(raw[12:]) == start_crc else ["the CRC of the first header is wrong"]
    start = _SIGNATURE.size + offset
    if not size:
        return SevenZipArchive((), (), _SIGNATURE.size, tuple(problems))
    data = _read_header_bytes(source, start, size, spend)
    end = start + size
    for _ in range(_MAX_HEADERS):
        if zlib.crc32(data) != crc:
            problems.append("the CRC of the headers is wrong")
        cursor = _HeaderCursor(data, max_members)
        kind = cursor.byte()
        if kind == _HEADER:
            folders, entries = _read_files(cursor, source)
            return SevenZipArchive(folders, entries, end, tuple(problems))
        if kind != _ENCODED_HEADER:
            raise ParseError(f"unknown kind of header {kind}")
        streams = _read_streams(cursor, source)
        if len(streams.folders) != 1:
            raise ParseError("the packed header is not in one piece")
        data, packed_crc = _expand_header(source, streams.folders[0], spend), streams.digests[0]
        crc = zlib.crc32(data) if packed_crc is None else packed_crc
    raise ParseError("headers are packed inside each other too often")


def _read_header_bytes(
    source: ByteSource, start: int, size: int, spend: Callable[[int], None]
) -> bytes:
    if size > _MAX_HEADER_BYTES:
        raise ParseError(f"its headers claim {size:,} bytes")
    spend(size)
    data = source.read_at(start, size) if start < source.size_bytes else b""
    if len(data) < size:
        raise ParseError("its headers lie behind the end of the file")
    return data


def _expand_header(
    source: ByteSource, folder: SevenZipFolder, spend: Callable[[int], None]
) -> bytes:
    if folder.problem:
        raise ParseError(f"its headers cannot be read: {folder.problem}")
    if folder.size_bytes > _MAX_HEADER_BYTES:
        raise ParseError(f"its headers claim {folder.size_bytes:,} bytes")
    spend(folder.size_bytes)
    return b"".join(expand_7z_folder(source, folder))


class _HeaderCursor(Cursor):
    """Reads the numbers of 7z headers, and no more items than are allowed."""

    __slots__ = ("max_items",)

    def __init__(self, data: bytes, max_items: int) -> None:
        super().__init__(MemorySource("header", data), 0, len(data))
        self.max_items = max_items

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Return a number of 1 to 9 bytes: the first tells how many follow."""
        first = self.byte()
        value = 0
        for index in range(8):
            mask = 0x80 >> index
            if not first & mask:
                return value + ((first & (mask - 1)) << (8 * index))
            value |= self.byte() << (8 * index)
        return value

    def count(self) -> int:
        """Return a number of things.

        Raises:
            ParseError: There are more than is allowed.
        """
        value = self.number()
        if value > self.max_items:
            raise ParseError(f"it claims {value:,} items")
        return value

    def bits(self, count: int) -> list[bool]:
        raw = self.take((count + 7) // 8)
        return [bool(raw[index // 8] & 0x80 >> index % 8) for index in range(count)]

    def digests(self, count: int) -> list[int | None]:
        defined = [True] * count if self.byte() else self.bits(count)
        return [int.from_bytes(self.take(4), "little") if one else None for one in defined]

    def expect(self, kind: int) -> None:
        if (found := self.byte()) != kind:
            raise ParseError(f"a header has part {found} where {kind} must be")


def _read_streams(cursor: _HeaderCursor, source: ByteSource) -> _Streams:
    streams = _Streams()
    packed: list[tuple[int, int]] = []
    kind = cursor.byte()
    if kind == _PACK_INFO:
        packed = _read_pack_info(cursor)
        kind = cursor.byte()
    if kind == _UNPACK_INFO:
        _read_unpack_info(cursor, source, packed, streams)
        kind = cursor.byte()
    if kind == _SUBSTREAMS:
        _read_substreams(cursor, streams)
        kind = cursor.byte()
    if kind != _END:
        raise ParseError(f"a header has an unknown part {kind}")
    return streams


def _read_pack_info(cursor: _HeaderCursor) -> list[tuple[int, int]]:
    """Return the packed streams: offset and size."""
    offset, count = _SIGNATURE.size + cursor.number(), cursor.count()
    sizes: list[int] = []
    while (kind := cursor.byte()) != _END:
        if kind == _SIZES:
            sizes = [cursor.number() for _ in range(count)]
        elif kind == _DIGESTS:
            cursor.digests(count)
        else:
            raise ParseError(f"a header has an unknown part {kind}")
    packed = []
    for size in sizes:
        packed.append((offset, size))
        offset += size
    return packed


@dataclass(frozen=True, slots=True)
class _Chain:
    """The coders of one folder, in the order in which they are applied."""

    coders: tuple[Coder, ...]
    order: tuple[int, ...]
    outputs: int
    inputs: int
    problem: str


def _read_unpack_info(
    cursor: _HeaderCursor, source: ByteSource, packed: list[tuple[int, int]], streams: _Streams
) -> None:
    cursor.expect(_FOLDER)
    count = cursor.count()
    if cursor.byte():
        raise ParseError("its folders are described elsewhere")
    chains = [_read_chain(cursor) for _ in range(count)]
    cursor.expect(_UNPACK_SIZES)
    folders = []
    following = iter(packed)
    for chain in chains:
        sizes = [cursor.number() for _ in range(chain.outputs)]
        pieces = [next(following, (0, -1)) for _ in range(chain.inputs)]
        folders.append(_build_folder(chain, sizes, pieces, source.size_bytes))
    streams.folders = tuple(folders)
    streams.digests = (None,) * count
    while (kind := cursor.byte()) != _END:
        if kind != _DIGESTS:
            raise ParseError(f"a header has an unknown part {kind}")
        streams.digests = tuple(cursor.digests(count))
    streams.parts = tuple(
        ((folder.size_bytes, digest),)
        for folder, digest in zip(streams.folders, streams.digests, strict=True)
    )


def _build_folder(
    chain: _Chain, sizes: list[int], pieces: list[tuple[int, int]], archive_bytes: int
) -> SevenZipFolder:
    offset, packed_bytes = pieces[0] if pieces else (0, -1)
    problem = chain.problem
    if packed_bytes < 0 or offset + packed_bytes > archive_bytes:
        problem = problem or "its bytes cannot be found in the archive"
    coders = tuple(
        (method, properties, sizes[index])
        for (method, properties, _), index in zip(chain.coders, chain.order, strict=True)
    )
    size = coders[-1][2] if coders else max(sizes, default=0)
    return SevenZipFolder(offset, max(packed_bytes, 0), coders, size, problem)


def _read_chain(cursor: _HeaderCursor) -> _Chain:
    """Read how a folder is packed.

    Only chains are followed: each coder has one input and one output. (BCJ2 has four.)
    """
    count = cursor.number()
    if not 0 < count <= _MAX_CODERS:
        raise ParseError(f"a folder has {count:,} coders")
    coders: list[Coder] = []
    inputs = outputs = 0
    problem = ""
    for _ in range(count):
        flags = cursor.byte()
        method = cursor.take(flags & 0x0F)
        ins, outs = (cursor.number(), cursor.number()) if flags & 0x10 else (1, 1)
        size = cursor.number() if flags & 0x20 else 0
        if size > _MAX_PROPERTIES_BYTES or max(ins, outs) > _MAX_CODERS:
            raise ParseError("a coder has impossible properties")
        coders.append((method, cursor.take(size), 0))
        inputs, outputs = inputs + ins, outputs + outs
        name, known = name_coder(method)
        if not known or (ins, outs) != (1, 1):
            problem = f"it is packed by {name}, which is not expanded"
    bonds = {cursor.number(): cursor.number() for _ in range(outputs - 1)}
    packed_inputs = inputs - len(bonds)
    if packed_inputs < 1:
        raise ParseError("a folder has no packed stream")
    if packed_inputs > 1:
        for _ in range(packed_inputs):
            cursor.number()
    order = () if problem else _find_order(bonds, count)
    return _Chain(tuple(coders[index] for index in order), order, outputs, packed_inputs, problem)


def _find_order(bonds: dict[int, int], count: int) -> tuple[int, ...]:
    """Return the coders from the one that reads packed bytes to the one that gives the content."""
    fed = {output: taker for taker, output in bonds.items()}
    (*starts,) = (index for index in range(count) if index not in bonds)
    order: list[int] = []
    at: int | None = starts[0] if len(starts) == 1 else None
    while at is not None and at not in order and at < count:
        order.append(at)
        at = fed.get(at)
    if len(order) != count:
        raise ParseError("the coders of a folder are no chain")
    return tuple(order)


def _read_substreams(cursor: _HeaderCursor, streams: _Streams) -> None:
    counts = [1] * len(streams.folders)
    kind = cursor.byte()
    if kind == _COUNTS:
        counts = [cursor.count() for _ in streams.folders]
        if sum(counts) > cursor.max_items:
            raise ParseError(f"it claims {sum(counts):,} files")
        kind = cursor.byte()
    sizes = []
    for folder, count in zip(streams.folders, counts, strict=True):
        own = [cursor.number() for _ in range(count - 1)] if kind == _SIZES else []
        # The last size is what is left; without the part there is one file in each folder.
        sizes.append([*own, folder.size_bytes - sum(own)] if count else [])
    if kind == _SIZES:
        kind = cursor.byte()
    known = [
        digest if count == 1 else None
        for digest, count in zip(streams.digests, counts, strict=True)
    ]
    missing = sum(
        count for count, digest in zip(counts, known, strict=True) if count != 1 or digest is None
    )
    digests: list[int | None] = [None] * missing
    while kind != _END:
        if kind != _DIGESTS:
            raise ParseError(f"a header has an unknown part {kind}")
        digests = cursor.digests(missing)
        kind = cursor.byte()
    following = iter(digests)
    streams.parts = tuple(
        tuple((size, next(following) if whole is None else whole) for size in own)
        for own, whole in zip(sizes, known, strict=True)
    )


def _read_files(
    cursor: _HeaderCursor, source: ByteSource
) -> tuple[tuple[SevenZipFolder, ...], tuple[SevenZipEntry, ...]]:
    streams = _Streams()
    entries: tuple[SevenZipEntry, ...] = ()
    while (kind := cursor.byte()) != _END:
        if kind == _ARCHIVE_PROPERTIES:
            while cursor.byte() != _END:
                cursor.skip(cursor.number())
        elif kind == _ADDITIONAL:
            _read_streams(cursor, source)
        elif kind == _MAIN:
            streams = _read_streams(cursor, source)
        elif kind == _FILES:
            entries = _build_entries(_read_properties(cursor), streams)
        else:
            raise ParseError(f"a header has an unknown part {kind}")
    return streams.folders, entries


@dataclass(slots=True)
class _Files:
    """Properties of the files, by their number."""

    count: int
    names: list[str]
    empty: list[bool]
    empty_files: list[bool]
    attributes: list[int | None]


def _read_properties(cursor: _HeaderCursor) -> _Files:
    count = cursor.count()
    files = _Files(count, [], [False] * count, [], [None] * count)
    while (kind := cursor.byte()) != _END:
        size = cursor.number()
        part = _HeaderCursor(cursor.take(size), cursor.max_items)
        if kind == _EMPTY_STREAM:
            files.empty = part.bits(count)
        elif kind == _EMPTY_FILE:
            files.empty_files = part.bits(sum(files.empty))
        elif kind == _NAMES:
            if part.byte():
                raise ParseError("its names are described elsewhere")
            text = part.take(part.left_bytes).decode("utf-16-le", errors="replace")
            files.names = text.split("\0")[:count]
        elif kind == _ATTRIBUTES:
            defined = [True] * count if part.byte() else part.bits(count)
            if part.byte():
                raise ParseError("its attributes are described elsewhere")
            files.attributes = [
                int.from_bytes(part.take(4), "little") if one else None for one in defined
            ]
    return files


def _build_entries(files: _Files, streams: _Streams) -> tuple[SevenZipEntry, ...]:
    """Give each file its content: the parts of all folders, in their order."""
    contents = iter(
        (folder, offset, size, digest)
        for folder, parts in enumerate(streams.parts)
        for offset, size, digest in _place(parts)
    )
    empty_files = iter(files.empty_files)
    entries = []
    for index in range(files.count):
        name = files.names[index] if index < len(files.names) else ""
        if files.empty[index]:
            kind = "file" if next(empty_files, False) else "folder"
            entries.append(SevenZipEntry(name, kind))
            continue
        folder, offset, size, digest = next(contents, (-1, 0, 0, None))
        kind = _find_kind(files.attributes[index])
        entries.append(SevenZipEntry(name, kind, folder, offset, size, digest))
    # Contents without a name are examined as well.
    entries.extend(SevenZipEntry("", "file", *rest) for rest in contents)
    return tuple(entries)


def _place(parts: Sequence[tuple[int, int | None]]) -> list[tuple[int, int, int | None]]:
    placed = []
    offset = 0
    for size, digest in parts:
        placed.append((offset, max(size, 0), digest))
        offset += max(size, 0)
    return placed


def _find_kind(attributes: int | None) -> str:
    if attributes is None or not attributes & _UNIX_FLAG:
        return "file"
    return "link" if (attributes >> 16) & _S_IFMT == _S_IFLNK else "file"
