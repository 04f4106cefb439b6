"""The outline of a msgpack document: how it nests, and where its values of extension types are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = [
    "MsgpackArray",
    "MsgpackExtension",
    "looks_like_msgpack",
    "read_msgpack",
    "read_msgpack_array",
]

_MAX_DEPTH = 1_000
_SPEND_STEP = 1_000
_NIL, _FALSE, _TRUE = 0xC0, 0xC2, 0xC3
# First byte -> bytes of the number behind it.
_NUMBERS = {
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
    _NIL: 0,
    _FALSE: 0,
    _TRUE: 0,
}
# First byte -> bytes of the length behind it.
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_LISTS = {0xDC: 2, 0xDD: 4}
_ARRAYS = frozenset({0xDC, 0xDD})
_MAPS = {0xDE: 2, 0xDF: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_FIRST_KEYS = frozenset((*range(0xA0, 0xC0), 0xD9))
_MAX_DTYPE_BYTES = 64


@dataclass(frozen=True, slots=True)
class MsgpackExtension:
    """A value of an extension type.

    Attributes:
        code: The type; negative ones are msgpack's own.
        offset: Of its bytes.
        size_bytes: How many.
    """

    code: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MsgpackArray:
    """What Flax writes for an array.

    Attributes:
        shape: Lengths of the axes.
        dtype: Name as NumPy has it, such as ``float32``.
        offset: Of its bytes.
        size_bytes: How many.
    """

    shape: tuple[int, ...]
    dtype: str
    offset: int
    size_bytes: int


def looks_like_msgpack(head: bytes) -> bool:
    """Return whether ``head`` may begin with a map whose first key is a text, or with an array."""
    first = head[0] if head else 0
    if first in _ARRAYS or 0x90 < first < 0xA0:  # noqa: PLR2004 - an array of 1 to 15
        return len(head) > 3 and (first not in _ARRAYS or any(head[1:3]))  # noqa: PLR2004
    skip = {0xDE: 3, 0xDF: 5}.get(first, 1)
    is_map = first in _MAPS or 0x80 < first < 0x90  # noqa: PLR2004 - a map of 1 to 15
    return is_map and len(head) > skip and head[skip] in _FIRST_KEYS


def read_msgpack(source: ByteSource, *, spend: Callable[[int], None]) -> Iterator[MsgpackExtension]:
    """Pass over one document that fills ``source``; yield its values of extension types.

    Args:
        source: The document.
        spend: Told how many values were read; may raise.

    Raises:
        ParseError: It is no msgpack, is nested deeper than 1,000, or does not end with the source.

    Source:
        https://github.com/msgpack/msgpack/blob/master/spec.md
    """
    cursor = Cursor(source, 0, source.size_bytes)
    pending = [1]  # values still to come, at each level
    count = 0
    while pending:
        if not pending[-1]:
            pending.pop()
            continue
        pending[-1] -= 1
        count += 1
        if count % _SPEND_STEP == 0:
            spend(_SPEND_STEP)
        inner, extension = _read_value(cursor)
        if extension is not None:
            yield extension
        if inner > cursor.left_bytes or len(pending) > _MAX_DEPTH:
            raise ParseError(
                "it nests deeper or holds more than it can", where=f"byte {cursor.offset}"
            )
        if inner:
            pending.append(inner)
    if cursor.left_bytes:
        raise ParseError(f"{cursor.left_bytes:,} bytes follow", where=f"byte {cursor.offset}")


def _read_value(cursor: Cursor) -> tuple[int, MsgpackExtension | None]:
    """Read one value; return how many values it holds, and the extension if it is one."""
    first = cursor.take(1)[0]
    if first < 0x80 or first >= 0xE0:  # noqa: PLR2004 - small numbers
        return 0, None
    if first < 0x90:  # noqa: PLR2004 - a map of up to 15
        return 2 * (first & 0x0F), None
    if first < 0xA0:  # noqa: PLR2004 - a list of up to 15
        return first & 0x0F, None
    if first < 0xC0:  # noqa: PLR2004 - a text of up to 31 bytes
        cursor.skip(first & 0x1F)
    elif first in _NUMBERS:
        cursor.skip(_NUMBERS[first])
    elif first in _BYTES:
        cursor.skip(_number(cursor, _BYTES[first]))
    elif first in _LISTS:
        return _number(cursor, _LISTS[first]), None
    elif first in _MAPS:
        return 2 * _number(cursor, _MAPS[first]), None
    else:
        return 0, _read_extension(cursor, first)
    return 0, None


def _number(cursor: Cursor, width_bytes: int) -> int:
    return int.from_bytes(cursor.take(width_bytes), "big")


def _read_extension(cursor: Cursor, first: int) -> MsgpackExtension:
    if first in _EXTENSIONS:
        size = _number(cursor, _EXTENSIONS[first])
    elif first in _FIXED_EXTENSIONS:
        size = _FIXED_EXTENSIONS[first]
    else:
        raise ParseError(f"0x{first:02x} begins no value", where=f"byte {cursor.offset - 1}")
    code = int.from_bytes(cursor.take(1), "big", signed=True)
    offset = cursor.offset
    cursor.skip(size)
    return MsgpackExtension(code, offset, size)


def read_msgpack_array(source: ByteSource, extension: MsgpackExtension) -> MsgpackArray:
    """Read what Flax packs into extension type 1: a list of shape, name of the dtype, bytes.

    Raises:
        ParseError: It is something else.

    Source:
        Flax ``flax/serialization.py``, ``_ndarray_to_bytes``.
    """
    end = extension.offset + extension.size_bytes
    cursor = Cursor(source, extension.offset, end)
    if cursor.take(1) != b"\x93":
        raise ParseError("an array is no list of three", where=f"byte {extension.offset}")
    count, _ = _read_value(cursor)
    shape = [_read_count(cursor) for _ in range(min(count, cursor.left_bytes))]
    first = cursor.take(1)[0]
    length = first & 0x1F if 0xA0 <= first < 0xC0 else _MAX_DTYPE_BYTES + 1  # noqa: PLR2004
    if length > _MAX_DTYPE_BYTES:
        raise ParseError("the dtype of an array is no short text", where=f"byte {cursor.offset}")
    dtype = cursor.take(length).decode("utf-8", "replace")
    kind = cursor.take(1)[0]
    if kind not in (0xC4, 0xC5, 0xC6):
        raise ParseError("an array has no bytes", where=f"byte {cursor.offset}")
    size = _number(cursor, _BYTES[kind])
    if cursor.left_bytes != size:
        raise ParseError("the bytes of an array do not fill it", where=f"byte {cursor.offset}")
    return MsgpackArray(tuple(shape), dtype, cursor.offset, size)


def _read_count(cursor: Cursor) -> int:
    """Read a number that is not negative."""
    first = cursor.take(1)[0]
    if first < 0x80:  # noqa: PLR2004 - the number itself
        return first
    if 0xCC <= first <= 0xCF:  # noqa: PLR2004 - unsigned, of 1, 2, 4 or 8 bytes
        return _number(cursor, _NUMBERS[first])
    raise ParseError("the shape of an array is no list of sizes", where=f"byte {cursor.offset}")
