"""The footer of a Parquet file: Thrift's compact protocol, read for its keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from weighbridge.core.ports import ByteSource

__all__ = ["ParquetFooter", "read_parquet_footer"]

_MARK = b"PAR1"
_TAIL_BYTES = 8
_MAX_FOOTER_BYTES = 64 * 1024 * 1024
_MAX_DEPTH = 32
_MAX_VALUES = 5_000_000
# Types of Thrift's compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
# Fields of FileMetaData and KeyValue.
_KEY_VALUES, _KEY, _VALUE = 5, 1, 2


@dataclass(frozen=True, slots=True)
class ParquetFooter:
    """What the footer says besides where columns are.

    Attributes:
        metadata: (key, value) of the file, such as ``ARROW:schema``; bytes as they stand.
        offset: Of the footer.
    """

    metadata: tuple[tuple[bytes, bytes], ...]
    offset: int


def read_parquet_footer(source: ByteSource) -> ParquetFooter:
    """Read the footer of a Parquet file that is not encrypted.

    Raises:
        ParseError: There is none, it is larger than 64 MiB, or it breaks Thrift's rules.

    Source:
        https://parquet.apache.org/docs/file-format/metadata/ and
        https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """
    tail = source.read_at(max(source.size_bytes - _TAIL_BYTES, 0), _TAIL_BYTES)
    if not tail.endswith(_MARK) or source.size_bytes < 2 * _TAIL_BYTES:
        raise ParseError("it does not end with PAR1")
    size = int.from_bytes(tail[:4], "little")
    offset = source.size_bytes - _TAIL_BYTES - size
    if size > _MAX_FOOTER_BYTES or offset < len(_MARK):
        raise ParseError(f"the footer claims {size:,} bytes")
    reader = _Thrift(source.read_at(offset, size))
    metadata = reader.read_metadata()
    if reader.at != size:
        raise ParseError("the footer has bytes behind it", where=f"byte {offset + reader.at}")
    return ParquetFooter(metadata, offset)


class _Thrift:
    """A position in a structure of the compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self._values = 0

    def read_metadata(self) -> tuple[tuple[bytes, bytes], ...]:
        """Read the whole structure; keep the list of keys and values."""
        found: list[tuple[bytes, bytes]] = []
        number = 0
        while (head := self._take(1)[0]) != 0:
            number = self._field(head, number)
            kind = head & 0x0F
            if number == _KEY_VALUES and kind == _LIST:
                count, item = self._list_head()
                if item != _STRUCT:
                    raise ParseError("the keys and values are no structures")
                found += [self._key_value() for _ in range(count)]
            else:
                self._skip(kind, depth=0)
        return tuple(found)

    def _key_value(self) -> tuple[bytes, bytes]:
        pair: dict[int, Any] = {}
        number = 0
        while (head := self._take(1)[0]) != 0:
            number = self._field(head, number)
            if head & 0x0F == _BINARY:
                pair[number] = self._take(self._varint())
            else:
                self._skip(head & 0x0F, depth=1)
        return pair.get(_KEY, b""), pair.get(_VALUE, b"")

    def _field(self, head: int, before: int) -> int:
        """Return the number of a field: a step from the one before, or written out."""
        step = head >> 4
        if step:
            return before + step
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _skip(self, kind: int, *, depth: int) -> None:
        self._values += 1
        if depth > _MAX_DEPTH or self._values > _MAX_VALUES:
            raise ParseError("the footer nests deeper or holds more than is read")
        if kind in (_TRUE, _FALSE):
            return
        if kind == _BYTE:
            self._take(1)
        elif kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _DOUBLE:
            self._take(8)
        elif kind == _BINARY:
            self._take(self._varint())
        elif kind in (_LIST, _SET):
            self._skip_list(depth)
        elif kind == _MAP:
            self._skip_map(depth)
        elif kind == _STRUCT:
            self._skip_struct(depth)
        else:
            raise ParseError(f"a field has the unknown type {kind}", where=f"byte {self.at}")

    def _skip_list(self, depth: int) -> None:
        count, kind = self._list_head()
        for _ in range(count):
            self._skip_item(kind, depth)

    def _skip_map(self, depth: int) -> None:
        count = self._varint()
        if not count:
            return
        kinds = self._take(1)[0]
        for _ in range(min(count, len(self._data))):
            self._skip_item(kinds >> 4, depth)
            self._skip_item(kinds & 0x0F, depth)

    def _skip_item(self, kind: int, depth: int) -> None:
        if kind in (_TRUE, _FALSE):  # in a list, unlike in a field, it has a byte of its own
            self._take(1)
        else:
            self._skip(kind, depth=depth + 1)

    def _skip_struct(self, depth: int) -> None:
        number = 0
        while (head := self._take(1)[0]) != 0:
            number = self._field(head, number)
            self._skip(head & 0x0F, depth=depth + 1)

    def _list_head(self) -> tuple[int, int]:
        head = self._take(1)[0]
        count = head >> 4
        if count == 0x0F:  # noqa: PLR2004 - written out behind it
            count = self._varint()
        if count > len(self._data):
            raise ParseError(f"a list claims {count:,} items", where=f"byte {self.at}")
        return count, head & 0x0F

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:  # noqa: PLR2004 - ten bytes of seven bits
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - no more follows
                return value
            shift += 7
        raise ParseError("a number has more than ten bytes", where=f"byte {self.at}")

    def _take(self, count: int) -> bytes:
        data = self._data[self.at : self.at + count]
        if len(data) < count:
            raise ParseError("the footer ends in the middle", where=f"byte {self.at}")
        self.at += count
        return data
