"""A bounded reader of tar archives: one header after another, nothing unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["TarEntry", "read_tar"]

_BLOCK_BYTES = 512
_MAX_EXTENSION_BYTES = 1024 * 1024
_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = "x", "X", "g", "L", "K"
_EXTENSIONS = (_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One member.

    Attributes:
        name: As written; not made safe in any way.
        kind: ``file``, ``folder``, ``link`` or ``other`` (devices, sparse files, unknown types).
        link: Where a link leads; empty for the rest.
        data_offset: Where its bytes begin.
        size_bytes: How many there are.
    """

    name: str
    kind: str
    link: str
    data_offset: int
    size_bytes: int


_KINDS = {"0": "file", "\0": "file", "7": "file", "5": "folder", "1": "link", "2": "link"}
# Links, devices, folders and pipes: readers pass over no data, whatever size is declared.
_WITHOUT_DATA = "123456"


def read_tar(source: ByteSource) -> Iterator[TarEntry]:
    """Yield the members in their order, up to the two blocks of zeros that end the archive.

    Extended headers (pax, GNU long names) are applied to the member that follows.

    Raises:
        ParseError: A header is damaged, or other bytes follow the end; earlier members were
            yielded.

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
            extension |= _read_extension(source, entry, type_flag)
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
    unsigned = sum(raw[:148]) + 8 * 32 + sum(raw[156:])
    if _number(raw[148:156], offset) != unsigned:
        raise ParseError("a header has a wrong checksum", where=f"byte {offset}")
    name = _text(raw[:100])
    if raw[257:263] == b"ustar\0" and (prefix := _text(raw[345:500])):
        name = f"{prefix}/{name}"
    type_flag = chr(raw[156])
    kind = _KINDS.get(type_flag, "other")
    size = _number(raw[124:136], offset)
    if type_flag == "\0" and name.endswith("/"):  # how the oldest tar wrote folders
        kind = "folder"
    if kind == "folder" or type_flag in _WITHOUT_DATA:
        size = 0
    return TarEntry(name, kind, _text(raw[157:257]), offset + _BLOCK_BYTES, size), type_flag


def _number(raw: bytes, offset: int) -> int:
    if raw[0] in (0x80, 0xFF):  # GNU: base 256, the first bit set
        value = int.from_bytes(raw[1:], "big")
        if raw[0] == 0xFF or value >= 2**63:  # noqa: PLR2004
            raise ParseError("a header holds an impossible number", where=f"byte {offset}")
        return value
    digits = raw.strip(b" \0")
    if not digits:
        return 0
    try:
        return int(digits.split(b"\0")[0], 8)
    except ValueError as error:
        raise ParseError("a header holds no octal number", where=f"byte {offset}") from error


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
    if "size" in records:
        raise ParseError("a size for all members is given, which readers take in different ways")
    return {}


def _apply(entry: TarEntry, extension: dict[str, str]) -> TarEntry:
    size = extension.get("size", "")
    if size and not (size.isascii() and size.isdigit() and len(size) < 20):  # noqa: PLR2004
        raise ParseError("an extended header holds an impossible size")
    sparse = any(key.startswith("GNU.sparse.") for key in extension)
    return TarEntry(
        name=extension.get("path", entry.name),
        kind="other" if sparse else entry.kind,
        link=extension.get("linkpath", entry.link),
        data_offset=entry.data_offset,
        size_bytes=int(size) if size else entry.size_bytes,
    )
