"""Reading little fields one after another from a source, without reading it whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    import struct

    from weighbridge.core.ports import ByteSource

__all__ = ["Cursor"]

_WINDOW_BYTES = 256 * 1024


class Cursor:
    """A position in a source that moves forward; holds one window of at most 256 KiB.

    Attributes:
        offset: Of the next byte.
        end: No byte at or behind this offset is read.
    """

    __slots__ = ("_source", "_start", "_window", "end", "offset")

    def __init__(self, source: ByteSource, offset: int, end: int) -> None:
        self._source = source
        self._start = offset
        self._window = b""
        self.offset = offset
        self.end = min(end, source.size_bytes)

    @property
    def left_bytes(self) -> int:
        """How many bytes are left before ``end``."""
        return self.end - self.offset

    def take(self, size_bytes: int) -> bytes:
        """Return the next bytes.

        Raises:
            ParseError: Fewer are left; nothing was read or allocated then.
        """
        at = self.offset - self._start
        data = self._window[at : at + size_bytes]
        if len(data) < size_bytes:
            data = self._refill(size_bytes)
        self.offset += size_bytes
        return data

    def _refill(self, size_bytes: int) -> bytes:
        if size_bytes > self.left_bytes:
            message = f"it ends {size_bytes - self.left_bytes:,} bytes too early"
            raise ParseError(message, where=f"byte {self.offset}")
        wanted = min(max(size_bytes, _WINDOW_BYTES), self.left_bytes)
        self._start = self.offset
        self._window = self._source.read_at(self.offset, wanted)
        return self._window[:size_bytes]

    def skip(self, size_bytes: int) -> None:
        """Pass over the next bytes.

        Raises:
            ParseError: Fewer are left.
        """
        if size_bytes > self.left_bytes:
            message = f"it ends {size_bytes - self.left_bytes:,} bytes too early"
            raise ParseError(message, where=f"byte {self.offset}")
        self.offset += size_bytes

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """Return the fields of ``layout``.

        Raises:
            ParseError: Fewer bytes are left.
        """
        return layout.unpack(self.take(layout.size))
