"""How pickles are laid out: bytes -> opcodes with their arguments. No stack, no judgement.

What CPython's C unpickler, its Python twin and ``pickletools`` accept differs in small ways; this
reader accepts all of it. Nothing is ever allocated because a length says so.
"""

from __future__ import annotations

import re
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["Blob", "PickleArg", "PickleCursor", "PickleOpcode", "read_pickle_ops"]

_CHUNK_BYTES = 1 << 20
# There may be very many very small pickles, so that the first chunk is small and the next larger.
_FIRST_BYTES = 1 << 12
# Every opcode with an argument of at most 255 bytes fits; so it is never split between chunks.
_MARGIN_BYTES = 300
# Longer texts cannot be names; of them, and of all byte strings, only the head is kept.
_KEPT_BYTES = 256
_HEAD_BYTES = 96
# A line that is longer is read to its end, and cut.
_LINE_BYTES = 1 << 16
_LONG_DIGITS = 1_000


class PickleOpcode(IntEnum):
    """All opcodes of protocols 0 to 5, by the names that ``pickletools`` gives them."""

    MARK = 0x28
    EMPTY_TUPLE = 0x29
    STOP = 0x2E
    POP = 0x30
    POP_MARK = 0x31
    DUP = 0x32
    BINBYTES = 0x42
    SHORT_BINBYTES = 0x43
    FLOAT = 0x46
    BINFLOAT = 0x47
    INT = 0x49
    BININT = 0x4A
    BININT1 = 0x4B
    LONG = 0x4C
    BININT2 = 0x4D
    NONE = 0x4E
    PERSID = 0x50
    BINPERSID = 0x51
    REDUCE = 0x52
    STRING = 0x53
    BINSTRING = 0x54
    SHORT_BINSTRING = 0x55
    UNICODE = 0x56
    BINUNICODE = 0x58
    EMPTY_LIST = 0x5D
    APPEND = 0x61
    BUILD = 0x62
    GLOBAL = 0x63
    DICT = 0x64
    APPENDS = 0x65
    GET = 0x67
    BINGET = 0x68
    INST = 0x69
    LONG_BINGET = 0x6A
    LIST = 0x6C
    OBJ = 0x6F
    PUT = 0x70
    BINPUT = 0x71
    LONG_BINPUT = 0x72
    SETITEM = 0x73
    TUPLE = 0x74
    SETITEMS = 0x75
    EMPTY_DICT = 0x7D
    PROTO = 0x80
    NEWOBJ = 0x81
    EXT1 = 0x82
    EXT2 = 0x83
    EXT4 = 0x84
    TUPLE1 = 0x85
    TUPLE2 = 0x86
    TUPLE3 = 0x87
    NEWTRUE = 0x88
    NEWFALSE = 0x89
    LONG1 = 0x8A
    LONG4 = 0x8B
    SHORT_BINUNICODE = 0x8C
    BINUNICODE8 = 0x8D
    BINBYTES8 = 0x8E
    EMPTY_SET = 0x8F
    ADDITEMS = 0x90
    FROZENSET = 0x91
    NEWOBJ_EX = 0x92
    STACK_GLOBAL = 0x93
    MEMOIZE = 0x94
    FRAME = 0x95
    BYTEARRAY8 = 0x96
    NEXT_BUFFER = 0x97
    READONLY_BUFFER = 0x98


class Blob(NamedTuple):
    """A constant that is not kept: a byte string, a long text, a number of thousands of digits.

    Attributes:
        kind: ``text``, ``bytes``, ``int``, or ``escaped`` for a text that is a line with escapes.
        offset: Of its first byte in the source.
        size_bytes: How long it is there.
        head: Its first bytes.
    """

    kind: str
    offset: int
    size_bytes: int
    head: bytes


PickleArg = bytes | int | float | Blob | tuple[bytes, bytes] | None
"""A text is given as its UTF-8 bytes; a byte string is a ``Blob``; GLOBAL and INST give a pair."""

_Op = PickleOpcode
_SLOW, _TEXT1 = -2, -1
_FIXED: dict[int, str] = {
    _Op.BINFLOAT: ">d",
    _Op.BININT: "<i",
    _Op.BININT1: "<B",
    _Op.BININT2: "<H",
    _Op.BINGET: "<B",
    _Op.LONG_BINGET: "<I",
    _Op.BINPUT: "<B",
    _Op.LONG_BINPUT: "<I",
    _Op.PROTO: "<B",
    _Op.EXT1: "<B",
    _Op.EXT2: "<H",
    _Op.EXT4: "<i",
    _Op.FRAME: "<Q",
}
_COUNTED: dict[int, tuple[str, str]] = {
    _Op.BINBYTES: ("<I", "bytes"),
    _Op.SHORT_BINBYTES: ("<B", "bytes"),
    _Op.BINBYTES8: ("<Q", "bytes"),
    _Op.BYTEARRAY8: ("<Q", "bytes"),
    _Op.LONG1: ("<B", "int"),
    _Op.LONG4: ("<i", "int"),
    _Op.BINSTRING: ("<i", "text"),
    _Op.BINUNICODE: ("<I", "text"),
    _Op.BINUNICODE8: ("<Q", "text"),
}
_LINES = {
    _Op.FLOAT,
    _Op.INT,
    _Op.LONG,
    _Op.PERSID,
    _Op.STRING,
    _Op.UNICODE,
    _Op.GLOBAL,
    _Op.GET,
    _Op.INST,
    _Op.PUT,
}


def _build_widths() -> list[int]:
    widths = [_SLOW] * 256
    for plain in _Op:
        widths[plain] = 0
    for op, layout in _FIXED.items():
        widths[op] = struct.calcsize(layout)
    for slow in (*_COUNTED, *_LINES):
        widths[slow] = _SLOW
    widths[_Op.SHORT_BINUNICODE] = widths[_Op.SHORT_BINSTRING] = _TEXT1
    return widths


_WIDTHS = _build_widths()
_UNPACK = {int(op): struct.Struct(layout).unpack_from for op, layout in _FIXED.items()}


class PickleCursor:
    """Reads opcodes from an offset on, through STOPs; reads rising offsets in chunks up to 1 MiB.

    Memory does not depend on what the bytes say. Frames are opcodes like any other: whether their
    lengths are true does not change what follows.

    Attributes:
        data: The bytes at hand; every opcode that begins before ``safe`` is in it as a whole, but
            for counted arguments of more than 255 bytes and lines.
        base: Offset of ``data`` in the source.
        pos: Where the next opcode is in ``data``; may be set.
        safe: See ``data``.
        size_bytes: Of the source.
    """

    __slots__ = ("_source", "_step_bytes", "base", "data", "pos", "safe", "size_bytes")

    def __init__(self, source: ByteSource, start: int) -> None:
        self._source = source
        self.size_bytes = source.size_bytes
        self._step_bytes = _FIRST_BYTES
        self.data = b""
        self.base = start
        self.pos = 0
        self.safe = 0

    def refill(self) -> None:
        """Make ``data`` begin at the next opcode.

        Raises:
            ParseError: There are no more bytes.
        """
        self.base += self.pos
        self.pos = 0
        self.data = self._source.read_at(self.base, self._step_bytes)
        self._step_bytes = min(self._step_bytes * 8, _CHUNK_BYTES)
        if not self.data:
            raise _ended(self.base)
        last = self.base + len(self.data) >= self.size_bytes
        self.safe = len(self.data) if last else max(1, len(self.data) - _MARGIN_BYTES)

    def fetch(self, offset: int, size_bytes: int) -> bytes:
        """Return bytes from anywhere at or behind ``data``, from ``data`` if they are there."""
        begin = offset - self.base
        if begin >= 0 and begin + size_bytes <= len(self.data):
            return self.data[begin : begin + size_bytes]
        return self._source.read_at(offset, size_bytes)

    def read(self) -> tuple[int, PickleArg, int]:
        """Return the next ``(opcode, argument, offset)``.

        Raises:
            ParseError: The byte is no opcode, its argument cannot be read, or the bytes end.

        Source:
            PEP 307, PEP 3154, PEP 574; CPython ``Lib/pickle.py`` and ``Modules/_pickle.c``.
        """
        if self.pos >= self.safe:
            self.refill()
        data, pos = self.data, self.pos
        op = data[pos]
        at = self.base + pos
        width = _WIDTHS[op]
        if width == 0:
            self.pos = pos + 1
            return op, None, at
        try:
            if width == _SLOW:
                argument, end = _read_slowly(self, op, at)
                self.pos = end - self.base
                return op, argument, at
            if width == _TEXT1:
                end = pos + 2 + data[pos + 1]
                argument = data[pos + 2 : end]
            else:
                end = pos + 1 + width
                (argument,) = _UNPACK[op](data, pos + 1)
        except (IndexError, struct.error) as error:
            raise _ended(at) from error
        if end > len(data):
            raise _ended(at)
        self.pos = end
        return op, argument, at


def read_pickle_ops(source: ByteSource, start: int = 0) -> Iterator[tuple[int, PickleArg, int]]:
    """Yield ``(opcode, argument, offset)`` from ``start``, through STOPs, until something is wrong.

    Raises:
        ParseError: See ``PickleCursor.read``.
    """
    cursor = PickleCursor(source, start)
    while True:
        yield cursor.read()


def _ended(offset: int) -> ParseError:
    return ParseError("the pickle ends in the middle", where=f"byte {offset}")


def _read_slowly(cursor: PickleCursor, op: int, at: int) -> tuple[PickleArg, int]:
    """Return the argument of an opcode that is counted or a line, and where it ends."""
    if op in _COUNTED:
        return _read_counted(cursor, op, at)
    if op not in _LINES:
        message = f"0x{op:02x} is no pickle opcode"
        raise ParseError(message, where=f"byte {at}")
    line, end = _read_line(cursor, at + 1)
    if op in (_Op.GLOBAL, _Op.INST):
        name, end = _read_line(cursor, end)
        return (line, name), end
    if len(line) == _LINE_BYTES and op not in (_Op.GET, _Op.PUT):
        return Blob("escaped", at + 1, end - at - 1, line[:_HEAD_BYTES]), end
    return _LINE_READERS[op](line, at + 1), end


# Shared, as there may be millions: nobody needs to know where nothing is.
_EMPTY: dict[str, PickleArg] = {"text": b"", "int": 0, "bytes": Blob("bytes", 0, 0, b"")}


def _read_counted(cursor: PickleCursor, op: int, at: int) -> tuple[PickleArg, int]:
    layout, kind = _COUNTED[op]
    width = struct.calcsize(layout)
    (count,) = struct.unpack(layout, cursor.fetch(at + 1, width))
    begin = at + 1 + width
    if count == 0:
        return _EMPTY[kind], begin
    if count < 0:
        raise ParseError("a length is negative", where=f"byte {at}")
    if begin + count > cursor.size_bytes:
        raise _ended(at)
    kept = cursor.fetch(begin, min(count, _KEPT_BYTES))
    if len(kept) < min(count, _KEPT_BYTES):
        raise _ended(at)
    end = begin + count
    if count <= _KEPT_BYTES and kind == "text":
        return kept, end
    if count <= _KEPT_BYTES and kind == "int":
        return int.from_bytes(kept, "little", signed=True), end
    return Blob(kind, begin, count, kept[:_HEAD_BYTES]), end


def _read_line(cursor: PickleCursor, begin: int) -> tuple[bytes, int]:
    r"""Return the line without its ``\n``, cut at 64 KiB, and where the next begins.

    A last line without ``\n``, even an empty one, counts: unpicklers act on it before they see that
    bytes are missing.
    """
    near = begin - cursor.base
    end = cursor.data.find(b"\n", near, near + _LINE_BYTES)
    if end >= 0:
        return cursor.data[near:end], cursor.base + end + 1
    head, offset = b"", begin
    step = _KEPT_BYTES
    while chunk := cursor.fetch(offset, step):
        found = chunk.find(b"\n")
        piece = chunk if found < 0 else chunk[:found]
        head += piece[: _LINE_BYTES - len(head)]
        if found >= 0:
            return head, offset + found + 1
        offset += len(chunk)
        step = min(step * 8, _CHUNK_BYTES)
    return head, offset


# How protocols 0 and 1 write truth values, by INT.
_TRUTHS: dict[bytes, PickleArg] = {b"00": False, b"01": True}
_OCTAL = re.compile(rb"[+-]?0[0-7]+")


def _parse_int(line: bytes, offset: int) -> PickleArg:
    """Read what INT and LONG accept: any base by prefix, blanks, underscores, a final ``L``.

    For CPython's C unpickler a number ends at a NUL, whatever follows; so it does below.
    """
    if line in _TRUTHS:
        return _TRUTHS[line]
    text = line.partition(b"\0")[0].strip().removesuffix(b"L")
    if len(text) > _LONG_DIGITS:  # reading them takes time that grows with their square
        return Blob("int", offset, len(line), line[:_HEAD_BYTES])
    try:
        return int(text, 0) if text.strip(b"0") else 0
    except ValueError:
        try:
            # C's strtol reads 010 as eight where int() refuses it.
            octal = _OCTAL.fullmatch(text)
            return int(text, 8 if octal else 10)
        except ValueError as error:
            raise ParseError("a number cannot be read", where=f"byte {offset}") from error


def _parse_index(line: bytes, offset: int) -> int:
    try:
        if len(line) <= _LONG_DIGITS:
            return int(line.partition(b"\0")[0])
        raise ParseError("a memo index cannot be read", where=f"byte {offset}")
    except ValueError as error:
        raise ParseError("a memo index cannot be read", where=f"byte {offset}") from error


def _parse_float(line: bytes, offset: int) -> float:
    try:
        return float(line.partition(b"\0")[0])
    except ValueError as error:
        raise ParseError("a number cannot be read", where=f"byte {offset}") from error


_ESCAPE = re.compile(rb"""\\([\\'"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2})""")
_ESCAPED = dict(zip(b"\\'\"abfnrtv", b"\\'\"\a\b\f\n\r\t\v", strict=True))


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[0] in _ESCAPED:
        return bytes([_ESCAPED[code[0]]])
    return bytes([int(code[1:], 16) if code[:1] == b"x" else int(code, 8) & 0xFF])


def _parse_string(line: bytes, offset: int) -> PickleArg:
    quoted = line.strip()
    if len(quoted) < 2 or quoted[0] != quoted[-1] or quoted[0] not in b"'\"":  # noqa: PLR2004
        raise ParseError("a STRING is not quoted", where=f"byte {offset}")
    return _keep(_ESCAPE.sub(_unescape, quoted[1:-1]), offset)


def _parse_unicode(line: bytes, offset: int) -> PickleArg:
    try:
        text = line.decode("raw-unicode-escape").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ParseError("a UNICODE cannot be decoded", where=f"byte {offset}") from error
    return _keep(text, offset)


def _keep(text: bytes, offset: int) -> PickleArg:
    if len(text) <= _KEPT_BYTES:
        return text
    return Blob("escaped", offset, len(text), text[:_HEAD_BYTES])


_LINE_READERS: dict[int, Callable[[bytes, int], PickleArg]] = {
    _Op.FLOAT: _parse_float,
    _Op.INT: _parse_int,
    _Op.LONG: _parse_int,
    _Op.PERSID: _keep,
    _Op.STRING: _parse_string,
    _Op.UNICODE: _parse_unicode,
    _Op.GET: _parse_index,
    _Op.PUT: _parse_index,
}
