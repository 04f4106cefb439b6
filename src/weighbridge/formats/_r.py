"""R's serialization: which symbols are called, which promises wait, what is bound actively.

A flat pass with a stack of its own: nothing is kept but the names of symbols, and nothing recurses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.errors import ParseError
from weighbridge.formats._cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["REvent", "find_r_start", "read_r"]


class REvent(NamedTuple):
    """Something that matters.

    Attributes:
        kind: ``call`` (a call of the symbol ``name``, in an expression), ``promise`` (an expression
            that is run when somebody looks at its variable; what follows up to ``promised`` is in
            it), ``active`` (a variable whose function is run then), ``closure``, ``bytecode``,
            ``environment``, ``pointer``.
        name: Of the symbol that is called, ``""`` for a call of anything else.
        offset: Of the item.
    """

    kind: str
    name: str
    offset: int


# Types, as R's Rinternals.h and serialize.c number them.
_SYM, _LIST, _CLOSURE, _ENV, _PROMISE, _LANG, _SPECIAL, _BUILTIN, _CHAR = 1, 2, 3, 4, 5, 6, 7, 8, 9
_LOGICAL, _INT, _REAL, _COMPLEX, _STR, _DOTS, _VEC, _EXPR = 10, 13, 14, 15, 16, 17, 19, 20
_BYTECODE, _POINTER, _WEAK, _RAW, _S4 = 21, 22, 23, 24, 25
_ALTREP, _ATTR_LIST, _ATTR_LANG, _BC_REF, _BC_DEF = 238, 239, 240, 243, 244
_PERSIST, _PACKAGE, _NAMESPACE, _UNBOUND, _REF = 247, 248, 249, 252, 255
# EMPTYENV, BASEENV, BASENAMESPACE, MISSINGARG, UNBOUNDVALUE, GLOBALENV, NILVALUE
_SINGLE = frozenset({241, 242, 250, 251, 252, 253, 254})
_ITEM_BYTES = {_LOGICAL: 4, _INT: 4, _REAL: 8, _COMPLEX: 16, _RAW: 1}
_NUMBERS_PER_ITEM = {_LOGICAL: 1, _INT: 1, _REAL: 1, _COMPLEX: 2, _RAW: 1}
_HAS_ATTRIBUTES, _HAS_TAG, _IS_ACTIVE = 0x200, 0x400, 1 << (12 + 15)
_MAX_NAME_BYTES = 4_096
_MAX_DEPTH = 1_000_000
_SPEND_STEP = 1_000
_MAX_ITEMS = 5_000_000
# What stands for the value of a promise that was never evaluated; no symbol is called so.
_NO_VALUE = "\0"
_HEADER = re.compile(rb"(?:RD[AX][23]\n)?([XAB])\n")


def find_r_start(head: bytes) -> int | None:
    """Return where R's serialization begins behind its header; None if it is none."""
    match = _HEADER.match(head)
    if match is None:
        return None
    version = head[match.end() :][:4]
    known = {b"X": (b"\0\0\0\2", b"\0\0\0\3"), b"B": (b"\2\0\0\0", b"\3\0\0\0")}
    kind = match[1]
    right = re.match(rb"[23]\n", version) if kind == b"A" else version in known[kind]
    return match.start(1) if right else None


def read_r(source: ByteSource, *, start: int, spend: Callable[[int], None]) -> Iterator[REvent]:
    """Yield what matters of what R has serialized, to its end.

    Args:
        source: The bytes, not compressed.
        start: What ``find_r_start`` says.
        spend: Told how many items were read; may raise.

    Raises:
        ParseError: It is not as R writes it, or has an item of an unknown type, or bytes behind it.

    Source:
        R ``src/main/serialize.c``, versions 2 and 3 of the format.
    """
    yield from _Reader(source, start, spend).read()


class _Binary:
    """Numbers as in memory, of either byte order."""

    def __init__(self, cursor: Cursor, order: str) -> None:
        self.cursor = cursor
        self._order: str = order

    def integer(self) -> int:
        return int.from_bytes(self.cursor.take(4), self._order, signed=True)  # type: ignore[arg-type]

    def skip(self, kind: int, count: int) -> None:
        self.cursor.skip(count * _ITEM_BYTES[kind])

    def text(self, length: int) -> bytes:
        kept = self.cursor.take(min(length, _MAX_NAME_BYTES))
        self.cursor.skip(length - len(kept))
        return kept


class _Ascii:
    """Numbers as words, one a line; texts with escapes."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    def integer(self) -> int:
        word = self._word()
        try:
            return -(2**31) if word == b"NA" else int(word)
        except ValueError as error:
            raise ParseError(
                "a number cannot be read", where=f"byte {self.cursor.offset}"
            ) from error

    def _word(self) -> bytes:
        word = bytearray()
        while True:
            letter = self.cursor.take(1)
            if not letter.isspace():
                word += letter
            elif word:
                return bytes(word)
            if len(word) > _MAX_NAME_BYTES:
                raise ParseError("a word is too long", where=f"byte {self.cursor.offset}")

    def skip(self, kind: int, count: int) -> None:
        words = count * _NUMBERS_PER_ITEM[kind]
        if words > self.cursor.left_bytes:
            raise ParseError("it ends in the middle", where=f"byte {self.cursor.offset}")
        for _ in range(words):
            self._word()

    def text(self, length: int) -> bytes:
        text = bytearray()
        for _ in range(length):
            letter = self.cursor.take(1)
            while not text and letter.isspace():
                letter = self.cursor.take(1)
            if letter == b"\\":
                letter = self._escape()
            if len(text) < _MAX_NAME_BYTES:
                text += letter
        return bytes(text)

    def _escape(self) -> bytes:
        code = self.cursor.take(1)
        if code not in b"01234567":
            return code
        digits = code
        while len(digits) < 3:  # noqa: PLR2004 - an octal number of a byte
            at = self.cursor.offset
            following = self.cursor.take(1)
            if following not in b"01234567":
                self.cursor.offset = at
                break
            digits += following
        return bytes([int(digits, 8) & 0xFF])


class _Reader:
    """The pass: tasks on a stack, the next one on top."""

    def __init__(self, source: ByteSource, start: int, spend: Callable[[int], None]) -> None:
        kind = source.read_at(start, 1)
        cursor = Cursor(source, start + 2, source.size_bytes)
        self._in: _Binary | _Ascii
        self._in = (
            _Ascii(cursor) if kind == b"A" else _Binary(cursor, "big" if kind == b"X" else "little")
        )
        self._cursor = cursor
        self._spend = spend
        self._tasks: list[Callable[[], None]] = []
        self._events: list[REvent] = []
        self._references: list[str] = []
        # The name of the symbol that was read last; empty if the last item was none.
        self._last = ""

    def read(self) -> Iterator[REvent]:
        version = self._in.integer()
        self._in.integer()
        self._in.integer()
        if version == 3:  # noqa: PLR2004 - has the native encoding
            self._text(self._in.integer())
        self._tasks.append(self._item)
        items = 0
        while self._tasks:
            self._tasks.pop()()
            items += 1
            if items % _SPEND_STEP == 0:
                self._spend(_SPEND_STEP)
            if items > _MAX_ITEMS or len(self._tasks) > _MAX_DEPTH:
                raise ParseError(
                    "it has more items than are read", where=f"byte {self._cursor.offset}"
                )
            if self._events:
                yield from self._events
                self._events.clear()
        rest = self._cursor.left_bytes
        if rest and (isinstance(self._in, _Binary) or self._cursor.take(rest).strip()):
            raise ParseError(f"{rest:,} bytes follow it", where=f"byte {self._cursor.offset}")

    def _push(self, *tasks: Callable[[], None]) -> None:
        """Have tasks done in the order in which they are given."""
        self._tasks.extend(reversed(tasks))

    def _tell(self, kind: str, at: int, name: str = "") -> None:
        self._events.append(REvent(kind, name, at))

    def _text(self, length: int) -> bytes:
        if length < -1:
            raise ParseError("a length is negative", where=f"byte {self._cursor.offset}")
        return self._in.text(max(length, 0))

    def _length(self) -> int:
        length = self._in.integer()
        if length == -1:
            length = (self._in.integer() << 32) + (self._in.integer() & 0xFFFFFFFF)
        if length < 0:
            raise ParseError("a length is negative", where=f"byte {self._cursor.offset}")
        return length

    # -- items -----------------------------------------------------------------------------------

    def _item(self) -> None:
        at = self._cursor.offset
        flags = self._in.integer()
        kind = flags & 0xFF
        self._last = ""
        if kind in _SINGLE:
            self._last = _NO_VALUE if kind == _UNBOUND else ""
        elif kind == _REF:
            self._reference(flags >> 8)
        elif kind == _SYM:
            self._push(self._item, self._remember)
        elif kind in _PAIRS:
            self._pairs(kind, flags, at)
        elif kind in _ITEM_BYTES:
            self._in.skip(kind, self._length())
            self._attributes(flags)
        elif kind == _STR:
            self._strings(self._length())
            self._attributes(flags)
        elif kind in (_VEC, _EXPR):
            self._vector(self._length(), flags)
        elif kind == _CHAR:
            self._last = self._text(self._in.integer()).decode("utf-8", "replace")
            self._attributes(flags)
        elif kind in (_SPECIAL, _BUILTIN):
            self._last = self._text(self._in.integer()).decode("utf-8", "replace")
        else:
            self._rare(kind, flags, at)

    def _rare(self, kind: int, flags: int, at: int) -> None:
        """Read an item of a type that plain data does not have."""
        if kind == _ENV:
            self._tell("environment", at)
            self._references.append("")
            self._in.integer()
            self._push(self._item, self._item, self._item, self._item)
        elif kind in (_PERSIST, _PACKAGE, _NAMESPACE):
            self._references.append("")
            self._in.integer()
            self._push(*[self._item] * self._bounded(self._in.integer()))
        elif kind == _POINTER:
            self._tell("pointer", at)
            self._references.append("")
            self._push(self._item, self._item, *self._wanted(flags))
        elif kind == _WEAK:
            self._references.append("")
            self._attributes(flags)
        elif kind == _S4:
            self._attributes(flags)
        elif kind == _ALTREP:
            self._push(self._item, self._item, self._item)
        elif kind == _BYTECODE:
            self._tell("bytecode", at)
            self._in.integer()
            self._push(self._bytecode, *self._wanted(flags))
        else:
            raise ParseError(f"an item has the unknown type {kind}", where=f"byte {at}")

    def _bounded(self, count: int) -> int:
        if not 0 <= count <= self._cursor.left_bytes:
            raise ParseError("a count is too large", where=f"byte {self._cursor.offset}")
        return count

    def _remember(self) -> None:
        self._references.append(self._last)

    def _reference(self, index: int) -> None:
        index = index or self._in.integer()
        if not 1 <= index <= len(self._references):
            raise ParseError("a reference leads nowhere", where=f"byte {self._cursor.offset}")
        self._last = self._references[index - 1]

    def _attributes(self, flags: int) -> None:
        self._push(*self._wanted(flags))

    def _wanted(self, flags: int) -> list[Callable[[], None]]:
        """Return the task of reading attributes if there are any."""
        return [self._item] if flags & _HAS_ATTRIBUTES else []

    def _strings(self, count: int) -> None:
        """Pass over texts, of which there may be millions."""
        for number in range(self._bounded(count)):
            flags, length = self._in.integer(), self._in.integer()
            if flags & 0xFF != _CHAR or length < -1:
                raise ParseError("a text is none", where=f"byte {self._cursor.offset}")
            self._in.text(max(length, 0))
            if number % _SPEND_STEP == 0:
                self._spend(_SPEND_STEP)

    def _vector(self, length: int, flags: int) -> None:
        self._attributes(flags)
        if self._bounded(length):
            self._push(lambda: self._next_of(length - 1))

    def _next_of(self, left: int) -> None:
        if left:
            self._push(lambda: self._next_of(left - 1))
        self._item()

    def _pairs(self, kind: int, flags: int, at: int) -> None:
        """Read a cell of a list: attributes, tag, head; what is behind it is the next task."""
        if kind == _CLOSURE:
            self._tell("closure", at)
        if flags & _IS_ACTIVE and kind == _LIST:
            self._tell("active", at)
        head = self._wanted(flags)
        if flags & _HAS_TAG:
            head.append(self._item)
        head.append(self._item)
        if kind == _LANG:
            head.append(lambda: self._called(at))
        if kind == _PROMISE:
            head.append(lambda: self._promised(at))
        self._push(*head, self._item)

    def _called(self, at: int) -> None:
        self._tell("call", at, self._last)

    def _promised(self, at: int) -> None:
        # Its value was read: only one without a value is still to be run.
        if self._last == _NO_VALUE:
            self._tell("promise", at)
            expression = self._tasks.pop()
            self._push(expression, lambda: self._tell("promised", at))

    # -- bytecode --------------------------------------------------------------------------------

    def _bytecode(self) -> None:
        self._push(self._item, self._constants)

    def _constants(self) -> None:
        count = self._bounded(self._in.integer())
        if count:
            self._push(lambda: self._next_constant(count - 1))

    def _next_constant(self, left: int) -> None:
        if left:
            self._push(lambda: self._next_constant(left - 1))
        kind = self._in.integer()
        if kind == _BYTECODE:
            self._push(self._bytecode)
        elif kind in _CODE_CELLS:
            self._code_cell(kind)
        else:
            self._item()

    def _code_cell(self, kind: int) -> None:
        at = self._cursor.offset
        if kind == _BC_REF:
            self._in.integer()
            self._last = ""
            return
        if kind == _BC_DEF:
            self._in.integer()
            kind = self._in.integer()
        if kind not in (_LANG, _LIST, _ATTR_LANG, _ATTR_LIST):
            self._item()
            return
        tasks: list[Callable[[], None]] = [self._item] if kind in (_ATTR_LANG, _ATTR_LIST) else []
        tasks += [self._item, self._typed_cell]
        if kind in (_LANG, _ATTR_LANG):
            tasks.append(lambda: self._called(at))
        self._push(*tasks, self._typed_cell)

    def _typed_cell(self) -> None:
        kind = self._in.integer()
        if kind in _CODE_CELLS:
            self._code_cell(kind)
        else:
            self._item()


_PAIRS = frozenset({_LIST, _CLOSURE, _PROMISE, _LANG, _DOTS})
_CODE_CELLS = frozenset({_LANG, _LIST, _ATTR_LANG, _ATTR_LIST, _BC_DEF, _BC_REF})
