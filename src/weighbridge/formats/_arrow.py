"""Arrow's IPC files and streams: the messages one after another, without the data in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["looks_like_arrow", "read_arrow_messages"]

_FILE_MARK = b"ARROW1\0\0"
_CONTINUED = b"\xff\xff\xff\xff"
_HEAD_BYTES = 8
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_MAX_MESSAGES = 1_000_000
_BODY_LENGTH_FIELD = 3  # of the table Message in Message.fbs
_ALIGNMENT = 8


def looks_like_arrow(head: bytes) -> bool:
    """Return whether ``head`` begins like a file or a stream of Arrow's: a guess."""
    if head.startswith(_FILE_MARK):
        return True
    size = int.from_bytes(head[4:8], "little")
    return head.startswith(_CONTINUED) and 0 < size <= _MAX_MESSAGE_BYTES and size % _ALIGNMENT == 0


def read_arrow_messages(source: ByteSource) -> Iterator[bytes]:
    """Yield the metadata of each message, then what lies behind the last one: the footer of a file.

    Raises:
        ParseError: A message is cut off, larger than 64 MiB, or no flatbuffer.

    Source:
        https://arrow.apache.org/docs/format/Columnar.html (IPC), Arrow ``format/Message.fbs``.
    """
    is_file = source.read_at(0, len(_FILE_MARK)) == _FILE_MARK
    at = len(_FILE_MARK) if is_file else 0
    for _ in range(_MAX_MESSAGES):
        head = source.read_at(at, _HEAD_BYTES)
        size = int.from_bytes(head[4:], "little")
        if not head and not is_file:
            return
        if len(head) < _HEAD_BYTES or head[:4] != _CONTINUED:
            raise ParseError("a message does not begin as it should", where=f"byte {at}")
        if size == 0:
            yield from _read_rest(source, at + _HEAD_BYTES, is_file=is_file)
            return
        if size > _MAX_MESSAGE_BYTES or at + _HEAD_BYTES + size > source.size_bytes:
            raise ParseError(f"a message claims {size:,} bytes", where=f"byte {at}")
        message = source.read_at(at + _HEAD_BYTES, size)
        yield message
        body = _read_body_length(message)
        at += _HEAD_BYTES + size + body + -body % _ALIGNMENT
        if body < 0 or at > source.size_bytes:
            raise ParseError("the data of a message are cut off", where=f"byte {at}")
    raise ParseError(f"it has more than {_MAX_MESSAGES:,} messages")


def _read_rest(source: ByteSource, at: int, *, is_file: bool) -> Iterator[bytes]:
    """Read what follows the end of a stream: in a file, the footer, its size and the mark."""
    left = source.size_bytes - at
    if not is_file:
        if left:
            raise ParseError(f"{left:,} bytes follow the end", where=f"byte {at}")
        return
    tail = source.read_at(source.size_bytes - 10, 10)
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] != _FILE_MARK[:6] or size + 10 != left or size > _MAX_MESSAGE_BYTES:
        raise ParseError("the footer is not where it should be", where=f"byte {at}")
    yield source.read_at(at, size)


def _read_body_length(message: bytes) -> int:
    """Return the field ``bodyLength`` of a flatbuffer, 0 if it has none."""
    table = int.from_bytes(message[:4], "little")
    if table + 4 > len(message):
        raise ParseError("a message is no flatbuffer")
    fields = table - int.from_bytes(message[table : table + 4], "little", signed=True)
    place = fields + 4 + 2 * _BODY_LENGTH_FIELD
    if not 0 <= fields <= len(message) - 4:
        raise ParseError("a message is no flatbuffer")
    if int.from_bytes(message[fields : fields + 2], "little") < 6 + 2 * _BODY_LENGTH_FIELD:
        return 0
    offset = int.from_bytes(message[place : place + 2], "little")
    if offset == 0:
        return 0
    length = message[table + offset : table + offset + 8]
    return int.from_bytes(length, "little", signed=True)
