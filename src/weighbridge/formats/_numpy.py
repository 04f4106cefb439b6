"""The header of a NumPy ``.npy`` file, read without evaluating anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource

__all__ = ["NpyHeader", "read_npy_header"]

_MAGIC = b"\x93NUMPY"
# What version 1 can hold; only a dtype of thousands of fields needs more.
_MAX_PLAIN_BYTES = 64 * 1024
_MAX_FIELDS_BYTES = 1024 * 1024
_MAX_NESTING = 32
_MAX_AXES = 64
_MAX_COUNT = 2**63 - 1
_SHOWN_CHARS = 200
# One token and the blanks before it. Python 2 wrote ``10L``. A string is taken as it is written: a
# backslash in one is no part of any dtype, and of names only the quotes matter.
_TOKEN = re.compile(
    r"[ \t\r\n]*+(?:('(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")|([0-9]{1,19})L?|([A-Za-z]+)|(.))",
    re.DOTALL,
)
# Only the spellings that NumPy writes; ``dtype()`` takes many more, some of which mean objects.
_TYPE = re.compile(r"[<>|=]?([biufcSUVMm])(\d{1,9})(?:\[\w{1,20}\])?")
_OBJECTS = frozenset({"|O", "O", "|O8", "|O4"})
_CODE_POINT_BYTES = 4
_KEYS = ("descr", "fortran_order", "shape")


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What the header says.

    Attributes:
        descr: The dtype as written, for people; cut after 200 characters.
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


def read_npy_header(source: ByteSource, *, spend: Callable[[int], None]) -> NpyHeader:
    """Read the header of a ``.npy`` file of version 1, 2 or 3.

    The header is a Python literal. It is read by the grammar of what NumPy writes and no more, in
    one pass, without building what it describes: time and memory stay in proportion to its size.

    Args:
        source: The bytes, from the magic on.
        spend: Told the size of the header before it is parsed; may raise to stop.

    Raises:
        ParseError: Not such a header, or a dtype whose meaning is not certain.

    Source:
        NEP 1 and ``numpy.lib.format``.
    """
    text, data_offset = _read_text(source)
    spend(len(text))
    parser = _Parser(text)
    item, shape = parser.read_header()
    return NpyHeader(
        descr=parser.descr,
        shape=shape,
        data_offset=data_offset,
        has_objects=item.has_objects,
        data_bytes=None if item.has_objects else _count(shape) * item.size_bytes,
    )


def _read_text(source: ByteSource) -> tuple[str, int]:
    head = source.read_at(0, 12)
    if not head.startswith(_MAGIC) or len(head) < 12:  # noqa: PLR2004 - magic, version, length
        raise ParseError("it does not begin with a whole NumPy header")
    major, minor = head[6], head[7]
    if (major, minor) not in ((1, 0), (2, 0), (3, 0)):
        raise ParseError(f"NumPy format version {major}.{minor} is not known")
    begin = 10 if major == 1 else 12
    length = int.from_bytes(head[8:begin], "little")
    if length > _MAX_FIELDS_BYTES:
        raise ParseError(f"the header claims {length:,} bytes, which no array needs")
    raw = source.read_at(begin, length)
    if len(raw) < length:
        raise ParseError("the file ends inside the header")
    if length > _MAX_PLAIN_BYTES and not raw.lstrip().startswith(b"{'descr': [("):
        raise ParseError(f"the header has {length:,} bytes and no fields that would need them")
    try:
        return raw.decode("utf-8" if major == 3 else "latin-1"), begin + length  # noqa: PLR2004
    except UnicodeDecodeError as error:
        raise ParseError("the header is not UTF-8") from error


class _Parser:
    """Reads ``{'descr': TYPE, 'fortran_order': BOOL, 'shape': SIZES}``, the keys in any order.

    ``TYPE`` is a string, ``(TYPE, SIZES)`` or a list of ``(NAME, TYPE)`` and
    ``(NAME, TYPE, SIZES)``, where ``NAME`` is a string or a pair of them.

    Attributes:
        descr: The dtype as written, once it was read.
    """

    __slots__ = ("_position", "_text", "_word", "descr")

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._word = ""
        self.descr = ""
        self._advance()

    def read_header(self) -> tuple[_Item, tuple[int, ...]]:
        """Read everything.

        Raises:
            ParseError: It is anything else.
        """
        item: _Item | None = None
        shape: tuple[int, ...] | None = None
        missing = set(_KEYS)
        self._take("{")
        while self._word != "}":
            key = self._read_string()
            self._take(":")
            if key not in missing:
                raise ParseError("the header does not have exactly descr, fortran_order and shape")
            missing.remove(key)
            if key == "descr":
                begin = self._position - len(self._word)
                item = self._read_type(0)
                written = self._text[begin : min(self._position, begin + _SHOWN_CHARS)]
                self.descr = written.rstrip(" ,}")
            elif key == "shape":
                shape = self._read_sizes()
            elif self._word in ("True", "False"):
                self._advance()
            else:
                raise ParseError("fortran_order is not a truth value")
            self._end_item("}")
        self._take("}")
        if missing or item is None or shape is None:
            raise ParseError("the header does not have exactly descr, fortran_order and shape")
        if self._word:
            raise self._unexpected()
        return item, shape

    def _read_type(self, nesting: int) -> _Item:
        if nesting > _MAX_NESTING:
            raise ParseError("the header is nested too deeply")
        if self._word == "[":
            return self._read_fields(nesting)
        if self._word != "(":
            return _read_simple_type(self._read_string())
        self._advance()
        item = self._read_type(nesting + 1)
        self._take(",")
        count = _count(self._read_sizes())
        self._end_item(")")
        self._take(")")
        return _Item(item.size_bytes * count, item.has_objects)

    def _read_fields(self, nesting: int) -> _Item:
        self._take("[")
        size, has_objects, any_field = 0, False, False
        while self._word != "]":
            item = self._read_field(nesting)
            self._end_item("]")
            size += item.size_bytes
            has_objects = has_objects or item.has_objects
            any_field = True
        self._take("]")
        if not any_field:
            raise ParseError("the dtype has no fields")
        return _Item(size, has_objects)

    def _read_field(self, nesting: int) -> _Item:
        self._take("(")
        if self._word == "(":  # a title and a name
            self._advance()
            self._read_string()
            self._take(",")
            self._read_string()
            self._end_item(")")
            self._take(")")
        else:
            self._read_string()
        self._take(",")
        item = self._read_type(nesting + 1)
        count = 1
        self._end_item(")")
        if self._word != ")":
            count = _count(self._read_sizes())
            self._end_item(")")
        self._take(")")
        return _Item(item.size_bytes * count, item.has_objects)

    def _read_sizes(self) -> tuple[int, ...]:
        self._take("(")
        sizes: list[int] = []
        while self._word != ")":
            if not self._word.isdigit() or len(sizes) == _MAX_AXES:
                raise ParseError("the shape is not a tuple of sizes")
            sizes.append(int(self._word))
            self._advance()
            self._end_item(")")
        self._take(")")
        return tuple(sizes)

    def _read_string(self) -> str:
        token = self._word
        if token[:1] not in ("'", '"'):
            raise self._unexpected()
        self._advance()
        return token[1:-1]

    def _end_item(self, closing: str) -> None:
        """Pass over the comma behind an item; it may be missing behind the last."""
        if self._word == ",":
            self._advance()
        elif self._word != closing:
            raise self._unexpected()

    def _take(self, wanted: str) -> None:
        if self._word != wanted:
            raise self._unexpected()
        self._advance()

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            self._word, self._position = "", len(self._text)
            return
        self._word, self._position = match[match.lastindex or 0], match.end()

    def _unexpected(self) -> ParseError:
        found = repr(self._word[:40]) if self._word else "its end"
        where = f"character {self._position}"
        return ParseError(f"the header is not what NumPy writes: {found}", where=where)


def _read_simple_type(text: str) -> _Item:
    if text in _OBJECTS:
        return _Item(0, has_objects=True)
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ParseError(f"the dtype {text[:80]!r} is not understood")
    size = int(match[2]) * (_CODE_POINT_BYTES if match[1] == "U" else 1)
    return _Item(size, has_objects=False)


def _count(sizes: tuple[int, ...]) -> int:
    count = 1
    for size in sizes:
        count *= size
        if count > _MAX_COUNT:
            raise ParseError("the shape has more elements than can be counted")
    return count
