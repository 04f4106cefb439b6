"""Reading HDF5's little fields, whose widths the superblock decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource

__all__ = ["Fields", "Hdf5Bytes"]


class Fields:
    """A position in bytes that are held in memory."""

    __slots__ = ("data", "l_bytes", "o_bytes", "offset")

    def __init__(self, data: bytes, *, o_bytes: int, l_bytes: int) -> None:
        self.data = data
        self.o_bytes = o_bytes
        self.l_bytes = l_bytes
        self.offset = 0

    @property
    def left_bytes(self) -> int:
        """How many bytes follow."""
        return len(self.data) - self.offset

    def take(self, size_bytes: int) -> bytes:
        """Return the next bytes.

        Raises:
            ParseError: There are fewer.
        """
        end = self.offset + size_bytes
        if end > len(self.data):
            raise ParseError(f"a record ends {end - len(self.data):,} bytes too early")
        data = self.data[self.offset : end]
        self.offset = end
        return data

    def number(self, size_bytes: int) -> int:
        """Return the next little-endian number of so many bytes."""
        return int.from_bytes(self.take(size_bytes), "little")

    def address(self) -> int | None:
        """Return the next address; None if it is the one that means none."""
        raw = self.take(self.o_bytes)
        return None if raw == b"\xff" * self.o_bytes else int.from_bytes(raw, "little")

    def length(self) -> int:
        """Return the next length."""
        return self.number(self.l_bytes)

    def text(self) -> str:
        """Return the characters up to a zero, which is taken too.

        Raises:
            ParseError: No zero follows.
        """
        end = self.data.find(b"\0", self.offset)
        if end < 0:
            raise ParseError("a name has no end")
        raw = self.data[self.offset : end]
        self.offset = end + 1
        return raw.decode("utf-8", "replace")

    def align(self, start: int) -> None:
        """Pass over what fills up to a multiple of eight bytes from ``start``."""
        self.take(-(self.offset - start) % 8)


@dataclass(frozen=True, slots=True)
class Hdf5Bytes:
    """The bytes of the file by address.

    Attributes:
        source: The whole file.
        base: Offset of address 0.
        o_bytes: Width of an address.
        l_bytes: Width of a length.
        spend: Told how many bytes are read, before they are; may raise.
        collections: Global heaps that were read: address -> their objects.
    """

    source: ByteSource
    base: int
    o_bytes: int
    l_bytes: int
    spend: Callable[[int], None]
    collections: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)

    def read(self, address: int | None, size_bytes: int) -> bytes:
        """Return the bytes at an address.

        Raises:
            ParseError: They are not in the file; nothing was read or allocated then.
        """
        if address is None:
            raise ParseError("an address is missing")
        offset = self.base + address
        if offset + size_bytes > self.source.size_bytes:
            message = f"{size_bytes:,} bytes at {offset:,} are outside the file"
            raise ParseError(message, where="outside")
        self.spend(size_bytes)
        return self.source.read_at(offset, size_bytes)

    def fields(self, address: int | None, size_bytes: int, mark: bytes = b"") -> Fields:
        """Return the record at an address, behind its mark.

        Raises:
            ParseError: It is not in the file, or has another mark.
        """
        record = self.over(self.read(address, size_bytes))
        if record.take(len(mark)) != mark:
            raise ParseError(f"no {mark.decode()} at address {address}")
        return record

    def over(self, data: bytes) -> Fields:
        """Return ``data`` as a record."""
        return Fields(data, o_bytes=self.o_bytes, l_bytes=self.l_bytes)
