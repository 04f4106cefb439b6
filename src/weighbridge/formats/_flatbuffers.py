"""Flat buffers: tables, vectors and strings by offsets, each checked before it is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["FlatTable", "open_flat_root"]

_MAX_VECTOR = 2**24
_WINDOW_BYTES = 64 * 1024


class _Window:
    """A source with the last bytes that were read, since tables lie close together."""

    __slots__ = ("_base", "_data", "size_bytes", "source", "spend")

    def __init__(self, source: ByteSource, spend: Callable[[int], None]) -> None:
        self.source = source
        self.spend = spend
        self.size_bytes = source.size_bytes
        self._base = 0
        self._data = b""

    def read(self, at: int, size_bytes: int) -> bytes:
        """Return exactly so many bytes.

        Raises:
            ParseError: They are not all in the file.
        """
        if at < 0 or at + size_bytes > self.size_bytes:
            raise ParseError(f"{size_bytes:,} bytes are outside of the file", where=f"byte {at}")
        if not self._base <= at or at + size_bytes > self._base + len(self._data):
            if size_bytes > _WINDOW_BYTES:
                return self.source.read_at(at, size_bytes)
            # Tables refer forward and back: some of what lies before is read as well.
            self._base = max(0, at - _WINDOW_BYTES // 2)
            self._data = self.source.read_at(self._base, 2 * _WINDOW_BYTES)
        return self._data[at - self._base : at - self._base + size_bytes]

    def number(self, at: int, size_bytes: int) -> int:
        return int.from_bytes(self.read(at, size_bytes), "little")


class FlatTable:
    """A table of a flat buffer; a field is named by its place in the schema, from 0.

    Every method raises ``ParseError`` if something lies outside of the file, and tells ``spend`` of
    each field that is asked for: tables may be shared, so that a small file can have many.

    Source:
        https://flatbuffers.dev/internals/
    """

    __slots__ = ("_fields", "_window", "at")

    def __init__(self, window: _Window, at: int) -> None:
        window.spend(1)
        self._window = window
        self.at = at
        vtable = at - _signed(window.number(at, 4))
        size = window.number(vtable, 2)
        if size < 4 or size % 2:  # noqa: PLR2004 - its own length and that of the table
            raise ParseError(f"a table of fields is {size} bytes long", where=f"byte {vtable}")
        data = window.read(vtable, size)
        self._fields = [int.from_bytes(data[i : i + 2], "little") for i in range(4, size, 2)]

    @property
    def count(self) -> int:
        """How many fields the schema of the writer had, at least."""
        return len(self._fields)

    def place(self, index: int) -> int:
        """Return the offset of a field in the file; 0 if it is not there."""
        self._window.spend(1)
        offset = self._fields[index] if index < len(self._fields) else 0
        return self.at + offset if offset else 0

    def number(self, index: int, size_bytes: int, default: int = 0) -> int:
        """Return an unsigned number."""
        at = self.place(index)
        return self._window.number(at, size_bytes) if at else default

    def table(self, index: int) -> FlatTable | None:
        """Return a table, or None if it is not there."""
        at = self.place(index)
        return FlatTable(self._window, self._follow(at)) if at else None

    def vector(self, index: int, element_bytes: int) -> tuple[int, int]:
        """Return the offset of a vector's first element and how many it has; (0, 0) if none."""
        at = self.place(index)
        if not at:
            return 0, 0
        start = self._follow(at)
        length = self._window.number(start, 4)
        if start + 4 + length * element_bytes > self._window.size_bytes:
            raise ParseError(f"a vector of {length:,} ends behind the file", where=f"byte {start}")
        return start + 4, length

    def tables(self, index: int) -> Iterator[FlatTable]:
        """Yield the tables of a vector."""
        start, length = self.vector(index, 4)
        if length > _MAX_VECTOR:
            raise ParseError(f"a vector has {length:,} tables", where=f"byte {start}")
        for number in range(length):
            yield FlatTable(self._window, self._follow(start + 4 * number))

    def strings(self, index: int, limit_bytes: int = 4096) -> Iterator[str]:
        """Yield the strings of a vector."""
        start, length = self.vector(index, 4)
        for number in range(length):
            yield self._read_string(self._follow(start + 4 * number), limit_bytes)

    def text(self, index: int, limit_bytes: int = 4096) -> str:
        """Return a string, at most so many bytes of it; empty if it is not there."""
        at = self.place(index)
        return self._read_string(self._follow(at), limit_bytes) if at else ""

    def data(self, index: int, limit_bytes: int) -> bytes:
        """Return a vector of bytes, at most so many."""
        start, length = self.vector(index, 1)
        return self._window.read(start, min(length, limit_bytes)) if length else b""

    def numbers(self, index: int, element_bytes: int, limit: int = 1024) -> list[int]:
        """Return a vector of signed numbers, at most so many."""
        start, length = self.vector(index, element_bytes)
        count = min(length, limit)
        self._window.spend(count)
        data = self._window.read(start, count * element_bytes) if count else b""
        steps = range(0, len(data), element_bytes)
        return [int.from_bytes(data[i : i + element_bytes], "little", signed=True) for i in steps]

    def _read_string(self, start: int, limit_bytes: int) -> str:
        self._window.spend(1)
        length = self._window.number(start, 4)
        if start + 4 + length > self._window.size_bytes:
            raise ParseError(f"a string of {length:,} ends behind the file", where=f"byte {start}")
        return self._window.read(start + 4, min(length, limit_bytes)).decode("utf-8", "replace")

    def _follow(self, at: int) -> int:
        offset = self._window.number(at, 4)
        if not offset:
            raise ParseError("an offset is zero", where=f"byte {at}")
        return at + offset


def open_flat_root(
    source: ByteSource, *, spend: Callable[[int], None], start: int = 0
) -> FlatTable:
    """Return the root table of a flat buffer.

    Raises:
        ParseError: It is not in the file.
    """
    window = _Window(source, spend)
    return FlatTable(window, start + window.number(start, 4))


def _signed(value: int) -> int:
    return value - 2**32 if value >= 2**31 else value
