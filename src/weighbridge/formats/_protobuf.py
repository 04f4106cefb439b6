"""The wire format of Protocol Buffers: fields one after another, without any schema.

Nothing is copied and nothing is decoded before somebody asks for it, so that a message of gigabytes
of weights costs as much as the number of its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["ProtoField", "ProtoMessage", "looks_like_protobuf", "read_varints"]

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = 0, 1, 2, 3, 4, 5
"""Wire types."""

_MAX_VARINT_BYTES = 10
_MAX_NUMBER = 2**29 - 1
# A tag and the longest number behind it.
_FIELD_HEAD_BYTES = 2 * _MAX_VARINT_BYTES
_WINDOW_BYTES = 64 * 1024
# A message of this size is read at once, with all that is inside it.
_WHOLE_BYTES = 1024 * 1024
_MAX_GROUPS = 100
_SIGN = 2**63


class ProtoField(NamedTuple):
    """One field as it stands on the wire.

    Attributes:
        number: Its number.
        wire: Its wire type: 0 varint, 1 eight bytes, 2 length-delimited, 3 group, 5 four bytes.
        value: Of a varint or a fixed field, unsigned; 0 for others.
        start: Offset in the source of the first byte of its content.
        end: Offset behind the last one.
    """

    number: int
    wire: int
    value: int
    start: int
    end: int

    @property
    def signed(self) -> int:
        """The value as ``int64``."""
        return self.value - 2 * _SIGN if self.value >= _SIGN else self.value

    @property
    def size_bytes(self) -> int:
        """How long the content is."""
        return self.end - self.start


class ProtoMessage:
    """A run of bytes that is read as a message.

    Attributes:
        start: Offset in the source of its first byte.
        end: Offset behind its last one.
        depth: Messages around it.
    """

    __slots__ = ("_base", "_buffer", "_outline", "_source", "_spend", "depth", "end", "start")

    def __init__(
        self,
        source: ByteSource,
        *,
        spend: Callable[[int], None],
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self._source = source
        self._spend = spend
        self.start = start
        self.end = source.size_bytes if end is None else min(end, source.size_bytes)
        self.depth = 0
        self._outline: frozenset[tuple[int, int]] | None = None
        self._base = start
        self._buffer = b""
        if self.size_bytes <= _WHOLE_BYTES:
            self._buffer = source.read_at(start, self.size_bytes)

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.end - self.start

    def fields(self) -> Iterator[ProtoField]:
        """Yield the fields in their order.

        Contents are passed over, not read. ``spend`` is told of each field.

        Raises:
            ParseError: A tag, a length or a number that cannot be; fields before it were yielded.

        Source:
            https://protobuf.dev/programming-guides/encoding/
        """
        at = self.start
        while at < self.end:
            self._spend(1)
            field = self._read_field(at)
            if field.wire == GROUP:
                field = self._close_group(field)
                at = field.end + len(_encode_varint(field.number << 3))
            else:
                at = field.end
            yield field

    def outline(self) -> frozenset[tuple[int, int]]:
        """Return which (number, wire type) occur; read once, however often it is asked for.

        Raises:
            ParseError: As for :meth:`fields`.
        """
        if self._outline is None:
            self._outline = frozenset((one.number, one.wire) for one in self.fields())
        return self._outline

    def open(self, field: ProtoField) -> ProtoMessage:
        """Return the message that a length-delimited field holds.

        Raises:
            ParseError: The field is of another wire type.
        """
        if field.wire not in (BYTES, GROUP):
            raise ParseError(f"field {field.number} is no message", where=f"byte {field.start}")
        inner = object.__new__(ProtoMessage)
        inner._outline = None
        inner._source, inner._spend = self._source, self._spend
        inner.start, inner.end, inner.depth = field.start, field.end, self.depth + 1
        inner._base, inner._buffer = self._base, self._buffer
        if not self._holds(field.start, field.end):
            inner._base, inner._buffer = field.start, b""
            if field.size_bytes <= _WHOLE_BYTES:
                inner._buffer = self._source.read_at(field.start, field.size_bytes)
        return inner

    def read(self, field: ProtoField, limit_bytes: int) -> bytes:
        """Return the content of a field, at most ``limit_bytes`` of it."""
        wanted = min(field.size_bytes, limit_bytes)
        if self._holds(field.start, field.start + wanted):
            at = field.start - self._base
            return self._buffer[at : at + wanted]
        return self._source.read_at(field.start, wanted)

    def _holds(self, start: int, end: int) -> bool:
        return start >= self._base and end <= self._base + len(self._buffer)

    def _need(self, at: int) -> int:
        """Make sure that the head of a field is in the buffer; return where it is there."""
        if not self._holds(at, min(at + _FIELD_HEAD_BYTES, self.end)):
            self._buffer = self._source.read_at(at, min(_WINDOW_BYTES, self.end - at))
            self._base = at
        return at - self._base

    def _read_field(self, at: int) -> ProtoField:
        index = self._need(at)
        buffer, base = self._buffer, self._base
        stop = min(len(buffer), self.end - base)
        tag, index = _read_varint(buffer, index, stop, base)
        number, wire = tag >> 3, tag & 7
        if not 0 < number <= _MAX_NUMBER:
            raise ParseError(f"there is no field number {number}", where=f"byte {at}")
        if wire == VARINT:
            start = index
            value, index = _read_varint(buffer, index, stop, base)
            return ProtoField(number, wire, value, base + start, base + index)
        if wire == BYTES:
            size, index = _read_varint(buffer, index, stop, base)
            value = 0
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
            value = int.from_bytes(buffer[index : index + size], "little")
        elif wire in (GROUP, GROUP_END):
            return ProtoField(number, wire, 0, base + index, base + index)
        else:
            raise ParseError(f"there is no wire type {wire}", where=f"byte {at}")
        start = base + index
        if size > self.end - start:
            message = f"field {number} is {size:,} bytes long and {self.end - start:,} are left"
            raise ParseError(message, where=f"byte {at}")
        return ProtoField(number, wire, value, start, start + size)

    def _close_group(self, field: ProtoField) -> ProtoField:
        """Return a group with its end, found without recursion."""
        around = [field.number]
        at = field.start
        while at < self.end:
            self._spend(1)
            inner = self._read_field(at)
            if inner.wire == GROUP:
                around.append(inner.number)
                if len(around) > _MAX_GROUPS:
                    break
            elif inner.wire == GROUP_END:
                if around.pop() != inner.number:
                    break
                if not around:
                    return field._replace(end=at)
            at = inner.end
        raise ParseError(f"group {field.number} has no end", where=f"byte {field.start}")


def _read_varint(buffer: bytes, index: int, stop: int, base: int) -> tuple[int, int]:
    """Return a number and the index behind it."""
    if index < stop and (byte := buffer[index]) < 0x80:  # noqa: PLR2004 - the usual case, one byte
        return byte, index + 1
    value = shift = 0
    begin = index
    while index < stop and index - begin < _MAX_VARINT_BYTES:
        byte = buffer[index]
        value |= (byte & 0x7F) << shift
        index += 1
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value & (2 * _SIGN - 1), index
        shift += 7
    raise ParseError("a number has no end", where=f"byte {base + begin}")


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varints(data: bytes, limit: int) -> list[int]:
    """Return the numbers of a packed field as ``int64``, at most ``limit`` of them.

    Raises:
        ParseError: A number has no end.
    """
    values: list[int] = []
    index = 0
    while index < len(data) and len(values) < limit:
        value, index = _read_varint(data, index, len(data), 0)
        values.append(value - 2 * _SIGN if value >= _SIGN else value)
    return values


def looks_like_protobuf(head: bytes) -> bool:
    """Return whether a tag of a field that models use may stand at the beginning: a weak guess."""
    if not head or head[0] & 7 not in (VARINT, BYTES):
        return False
    return head[0] >> 3 != 0 and (head[0] < 0x80 or head[1:2] < b"\x80")  # noqa: PLR2004 - varints
