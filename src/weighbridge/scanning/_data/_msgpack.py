"""msgpack, in which Flax keeps its weights: arrays that lie, and values that readers interpret."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats import read_msgpack, read_msgpack_array
from weighbridge.scanning._notes import examined, found

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import MsgpackExtension
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_msgpack"]

# Flax: an array, a complex number of Python's, a scalar of NumPy's; msgpack itself: a time.
_ARRAY, _COMPLEX, _SCALAR, _TIME = 1, 2, 3, -1
_KNOWN = frozenset({_ARRAY, _COMPLEX, _SCALAR, _TIME})
_ITEM_BYTES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int4": 1,
    "uint4": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "bfloat16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}
_MAX_TOLD = 20


def examine_msgpack(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Yield what is wrong with a document; return False if it is no msgpack to its end."""
    extensions: list[MsgpackExtension] = []
    strange: dict[int, int] = {}
    try:
        for extension in read_msgpack(source, spend=context.budget.spend_pickle_ops):
            if extension.code not in _KNOWN:
                strange.setdefault(extension.code, extension.offset)
            elif extension.code in (_ARRAY, _SCALAR):
                extensions.append(extension)
    except ParseError:
        return False
    for code, offset in sorted(strange.items())[:_MAX_TOLD]:
        message = f"It has a value of the extension type {code}, which is not one of Flax's."
        yield found("WB-MSG-001", at, message, offset=offset)
    told = 0
    for extension in extensions:
        for note in _judge_array(source, extension, at):
            told += 1
            if told <= _MAX_TOLD:
                yield note
    yield examined(at, "msgpack")
    return True


def _judge_array(source: ByteSource, extension: MsgpackExtension, at: Location) -> Iterator[Note]:
    try:
        array = read_msgpack_array(source, extension)
    except ParseError as error:
        message = f"A value of Flax's type for arrays is none: {error}."
        yield found("WB-MSG-001", at, message, offset=extension.offset)
        return
    width = _ITEM_BYTES.get(array.dtype)
    if width is None:
        message = (
            f"An array has the dtype {printable(array.dtype)!r}, whose meaning is not certain."
        )
        yield found("WB-MSG-001", at, message, offset=extension.offset)
    elif prod(array.shape) * width != array.size_bytes:
        wanted = prod(array.shape) * width
        message = (
            f"An array needs {wanted:,} bytes by dtype and shape and has {array.size_bytes:,}."
        )
        yield found("WB-MSG-002", at, message, offset=array.offset)
