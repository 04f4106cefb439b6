"""A bounded reader of tar archives: one header after another, nothing unpacked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["TarEntry", "looks_like_tar", "read_tar"]

_BLOCK_BYTES = 512
_MAX_EXTENSION_BYTES = 1024 * 1024
_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = "x", "X", "g", "L", "K"
_EXTENSIONS = (_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One member.

    Attributes:
        name: As written; not made safe in any way.
        kind: ``file``, ``folder``, ``link``, ``hard link`` or ``other`` (devices, sparse files,
            unknown types).
        link: Where a link leads; empty for the rest.
        data_offset: Where its bytes begin.
        size_bytes: How many there are.
    """

    name: str
    kind: str
    link: str
    data_offset: int
    size_bytes: int


_KINDS = {"0": "file", "\0": "file", "7": "file", "5": "folder", "1": "hard link", "2": "link"}
# Blanks, digits, then blanks and zeros: nothing that one reader stops at and another does not.
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
# Links, devices, folders and pipes: readers pass over no data, whatever size is declared.
_WITHOUT_DATA = "123456"


def looks_like_tar(head: bytes) -> bool:
    """Return whether ``head`` begins with a tar header, by its checksum alone.

    Loaders ask for nothing else: the mark ``ustar`` is absent from the oldest kind (V7), and a
    header may be the beginning of almost any other format as well.

    Source:
        CPython ``Lib/tarfile.py``, ``TarInfo.frombuf``.
    """
    if len(head) < _BLOCK_BYTES or not head[:_BLOCK_BYTES].strip(b"\0"):
        return False
    raw = head[148:156]
    try:
        # As loosely as Python reads it; the walk through the archive is stricter.
        declared = _number(raw, 0) if raw[0] & 0x80 else int(raw.split(b"\0")[0].strip() or b"0", 8)
    except ValueError:  # a ParseError is one
        return False
    return declared in _checksums(head)


def _checksums(raw: bytes) -> tuple[int, int]:
    """Return the checksum of a header over unsigned and, as some tars had it, signed bytes."""
    counted = raw[:148] + b" " * 8 + raw[156:_BLOCK_BYTES]
    unsigned = sum(counted)
    return unsigned, unsigned - 256 * sum(byte > 0x7F for byte in counted)  # noqa: PLR2004


def read_tar(source: ByteSource) -> Iterator[TarEntry]:
    """Yield the members in their order, up to the two blocks of zeros that end the archive.

    Extended headers (pax, GNU long names) are applied to the member that follows. What readers
    take in different ways is refused: they would find different members behind it.

    Raises:
        ParseError: A header is damaged or has more than one meaning, or other bytes follow the
            end; earlier members were yielded.

    Source:
        POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
    """
    offset = 0
    extension: dict[str, str] = {}
    while offset < source.size_bytes:
        raw = source.read_at(offset, _BLOCK_BYTES)
        if not raw.strip(b"\0"):
            _check_end(source, offset)
            return
        entry, type_flag = _read_header(raw, offset)
        if type_flag in _EXTENSIONS:
            records = _read_extension(source, entry, type_flag)
            if "size" in extension and "size" in records:
                raise ParseError("two sizes are given for one member", where=f"byte {offset}")
            extension |= records
        else:
            entry = _apply(entry, extension)
            extension = {}
            if entry.data_offset + entry.size_bytes > source.size_bytes:
                raise ParseError(f"{entry.name[:80]!r} ends behind the end of the archive")
            yield entry
        offset = entry.data_offset + entry.size_bytes + -entry.size_bytes % _BLOCK_BYTES


def _check_end(source: ByteSource, offset: int) -> None:
    """Accept zeros up to the usual record size, and nothing else, behind the last member."""
    while offset < source.size_bytes:
        raw = source.read_at(offset, 64 * 1024)
        if raw.strip(b"\0"):
            raise ParseError("other bytes follow the end of the archive", where=f"byte {offset}")
        offset += len(raw)


def _read_header(raw: bytes, offset: int) -> tuple[TarEntry, str]:
    if len(raw) < _BLOCK_BYTES:
        raise ParseError("the archive ends inside a header", where=f"byte {offset}")
    if _number(raw[148:156], offset) not in _checksums(raw):
        raise ParseError("a header has a wrong checksum", where=f"byte {offset}")
    name = _text(raw[:100])
    if raw[257:263] == b"ustar\0" and (prefix := _text(raw[345:500])):
        name = f"{prefix}/{name}"
    type_flag = chr(raw[156])
    kind = _KINDS.get(type_flag, "other")
    size = _number(raw[124:136], offset)
    if type_flag == "\0" and name.endswith("/"):  # how the oldest tar wrote folders
        kind = "folder"
    if size and (kind == "folder" or type_flag in _WITHOUT_DATA):
        # Some pass over as many bytes, others go on right here.
        raise ParseError("a member without content has a size", where=f"byte {offset}")
    return TarEntry(name, kind, _text(raw[157:257]), offset + _BLOCK_BYTES, size), type_flag


def _number(raw: bytes, offset: int) -> int:
    if raw[0] in (0x80, 0xFF):  # GNU: base 256, the first bit set
        value = int.from_bytes(raw[1:], "big")
        if raw[0] == 0xFF or value >= 2**63:  # noqa: PLR2004
            raise ParseError("a header holds an impossible number", where=f"byte {offset}")
        return value
    match = _OCTAL.fullmatch(raw)
    if match is None:
        raise ParseError("a header holds no octal number", where=f"byte {offset}")
    return int(match[1] or b"0", 8)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", errors="replace")


def _read_extension(source: ByteSource, entry: TarEntry, type_flag: str) -> dict[str, str]:
    if entry.size_bytes > _MAX_EXTENSION_BYTES:
        raise ParseError(f"an extended header claims {entry.size_bytes:,} bytes")
    raw = source.read_at(entry.data_offset, entry.size_bytes)
    if type_flag == _GNU_NAME:
        return {"path": _text(raw)}
    if type_flag == _GNU_LINK:
        return {"linkpath": _text(raw)}
    records: dict[str, str] = {}
    while raw.strip(b"\0"):
        length, space, _ = raw.partition(b" ")
        if not space or not length.isdigit() or not len(length) < int(length) <= len(raw):
            raise ParseError("an extended header is damaged")
        key, _, value = raw[len(length) + 1 : int(length) - 1].partition(b"=")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        raw = raw[int(length) :]
    if type_flag != _PAX_GLOBAL:
        return records
    if any(key == "size" or key.startswith("GNU.sparse.") for key in records):
        raise ParseError("a size for all members is given, which readers take in different ways")
    return {}


def _apply(entry: TarEntry, extension: dict[str, str]) -> TarEntry:
    size = extension.get("size", "")
    if size and not (size.isascii() and size.isdigit() and len(size) < 20):  # noqa: PLR2004
        raise ParseError("an extended header holds an impossible size")
    if size and entry.kind != "file":
        raise ParseError("an extended header gives a size to what has no content")
    sparse = any(key.startswith("GNU.sparse.") for key in extension)
    return TarEntry(
        name=extension.get("path", entry.name),
        kind="other" if sparse else entry.kind,
        link=extension.get("linkpath", entry.link),
        data_offset=entry.data_offset,
        size_bytes=int(size) if size else entry.size_bytes,
    )
