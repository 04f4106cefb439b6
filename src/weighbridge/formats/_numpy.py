"""The header of a NumPy ``.npy`` file, read without evaluating anything."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.core.ports import ByteSource

__all__ = ["NpyHeader", "read_npy_header"]

_MAGIC = b"\x93NUMPY"
_MAX_LITERAL_BYTES = 1024 * 1024
_MAX_BRACKETS = 32
_MAX_COUNT = 2**63 - 1
_BRACKET = re.compile(r"[(\[{)\]}]")
_LONG_SIGNS = re.compile(r"(?:[-+~]\s?){9}")
# Only the spellings that NumPy writes; ``dtype()`` takes many more, some of which mean objects.
_TYPE = re.compile(r"[<>|=]?([biufcSUVMm])(\d{1,9})(?:\[\w{1,20}\])?")
_OBJECTS = frozenset({"|O", "O", "|O8", "|O4"})
_CODE_POINT_BYTES = 4


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What the header says.

    Attributes:
        descr: The dtype as written, for people.
        shape: Sizes of the axes.
        data_offset: Where the elements, or the pickle of an object array, begin.
        has_objects: Whether the elements are pickled.
        data_bytes: How many bytes the elements take; None for objects.
    """

    descr: str
    shape: tuple[int, ...]
    data_offset: int
    has_objects: bool
    data_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Item:
    size_bytes: int
    has_objects: bool


def read_npy_header(source: ByteSource, *, limits: Limits) -> NpyHeader:
    """Read the header of a ``.npy`` file of version 1, 2 or 3.

    Args:
        source: The bytes, from the magic on.
        limits: ``max_header_bytes`` applies; one MiB is the bound for any array NumPy wrote.

    Raises:
        ParseError: Not such a header, or a dtype whose meaning is not certain.

    Source:
        NEP 1 and ``numpy.lib.format``.
    """
    text, data_offset = _read_text(source, limits)
    fields = _read_literal(text)
    if not isinstance(fields, dict) or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise ParseError("the header does not have exactly descr, fortran_order and shape")
    shape = fields["shape"]
    if not isinstance(fields["fortran_order"], bool):
        raise ParseError("fortran_order is not a truth value")
    item = _read_type(fields["descr"])
    count = _count(shape)
    return NpyHeader(
        descr=repr(fields["descr"])[:200],
        shape=shape,
        data_offset=data_offset,
        has_objects=item.has_objects,
        data_bytes=None if item.has_objects else count * item.size_bytes,
    )


def _read_text(source: ByteSource, limits: Limits) -> tuple[str, int]:
    head = source.read_at(0, 12)
    if not head.startswith(_MAGIC) or len(head) < 12:  # noqa: PLR2004 - magic, version, length
        raise ParseError("it does not begin with a whole NumPy header")
    major, minor = head[6], head[7]
    if (major, minor) not in ((1, 0), (2, 0), (3, 0)):
        raise ParseError(f"NumPy format version {major}.{minor} is not known")
    begin = 10 if major == 1 else 12
    length = int.from_bytes(head[8:begin], "little")
    if length > min(_MAX_LITERAL_BYTES, limits.max_header_bytes):
        raise ParseError(f"the header claims {length:,} bytes, which no array needs")
    raw = source.read_at(begin, length)
    if len(raw) < length:
        raise ParseError("the file ends inside the header")
    try:
        return raw.decode("utf-8" if major == 3 else "latin-1"), begin + length  # noqa: PLR2004
    except UnicodeDecodeError as error:
        raise ParseError("the header is not UTF-8") from error


def _read_literal(text: str) -> object:
    """Read a Python literal; ``ast.literal_eval`` builds values and calls nothing.

    Its only danger is deep nesting, so brackets and signs are counted first. Python 2 wrote
    ``10L``.
    """
    if _depth(text) > _MAX_BRACKETS or _LONG_SIGNS.search(text):
        raise ParseError("the header is nested too deeply")
    try:
        return ast.literal_eval(re.sub(r"(?<=\d)L\b", "", text.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ParseError("the header is not a Python literal") from error


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def _read_type(descr: object) -> _Item:
    if isinstance(descr, str):
        return _read_simple_type(descr)
    if isinstance(descr, tuple) and len(descr) == 2:  # noqa: PLR2004 - (type, shape)
        item = _read_type(descr[0])
        return _Item(item.size_bytes * _count(descr[1]), item.has_objects)
    if isinstance(descr, list) and descr:
        fields = [_read_field(field) for field in descr]
        return _Item(sum(f.size_bytes for f in fields), any(f.has_objects for f in fields))
    raise ParseError(f"the dtype {repr(descr)[:80]} is not understood")


def _read_field(field: object) -> _Item:
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        raise ParseError(f"the field {repr(field)[:80]} is not understood")
    item = _read_type(field[1])
    if len(field) == 3:  # noqa: PLR2004 - (name, type, shape)
        shape = field[2]
        return _Item(item.size_bytes * _count(shape), item.has_objects)
    return item


def _read_simple_type(text: str) -> _Item:
    if text in _OBJECTS:
        return _Item(0, has_objects=True)
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ParseError(f"the dtype {text[:80]!r} is not understood")
    size = int(match[2]) * (_CODE_POINT_BYTES if match[1] == "U" else 1)
    return _Item(size, has_objects=False)


def _count(shape: object) -> int:
    sizes = (shape,) if type(shape) is int else shape
    if not isinstance(sizes, tuple) or len(sizes) > 64:  # noqa: PLR2004 - NumPy's own bound
        raise ParseError(f"the shape {repr(shape)[:80]} is not a tuple of sizes")
    count = 1
    for size in sizes:
        if type(size) is not int or not 0 <= size <= _MAX_COUNT:
            raise ParseError(f"the shape {repr(shape)[:80]} is not a tuple of sizes")
        count *= size
        if count > _MAX_COUNT:
            raise ParseError("the shape has more elements than can be counted")
    return count
