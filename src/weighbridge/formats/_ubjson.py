"""Universal Binary JSON, as XGBoost writes it: all but the numbers in long lists."""

from __future__ import annotations

from array import array
from sys import byteorder
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource

__all__ = ["UbjsonValue", "looks_like_ubjson", "read_ubjson"]

_MAX_DEPTH = 64
_SPEND_STEP = 1_000
# Marker -> bytes, and the code by which the array module knows it.
_INTEGERS = {b"i": (1, "b"), b"U": (1, "B"), b"I": (2, "h"), b"l": (4, "i"), b"L": (8, "q")}
_FLOATS = {b"d": 4, b"D": 8}
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}

UbjsonValue = object
"""A dict, a list, an ``array`` of integers, a text, a number, a truth value, or None.

A list of floats is left out: an empty list stands for it.
"""


def looks_like_ubjson(head: bytes) -> bool:
    """Return whether ``head`` begins with an object and the length of a key: a guess."""
    # The highest byte of the length comes first; in a text a quote or a blank would.
    is_object = head[:1] == b"{" and head[1:2] in _INTEGERS
    return is_object and head[2:3] not in (b"", b'"', b" ", b":", b",")


def read_ubjson(
    source: ByteSource, *, keep: frozenset[str], spend: Callable[[int], None]
) -> UbjsonValue:
    """Read one document that fills ``source``.

    Args:
        source: The document.
        keep: Keys whose lists of integers are kept; all others are passed over.
        spend: Told how many values were read; may raise.

    Raises:
        ParseError: It is none, nests deeper than 64 levels, or does not end with the source.

    Source:
        https://ubjson.org/type-reference/ and XGBoost ``include/xgboost/json_io.h``.
    """
    reader = _Reader(source, keep, spend)
    value = reader.value(reader.take(1), key="", depth=0)
    if reader.cursor.left_bytes:
        raise ParseError(f"{reader.cursor.left_bytes:,} bytes follow")
    return value


class _Reader:
    def __init__(
        self, source: ByteSource, keep: frozenset[str], spend: Callable[[int], None]
    ) -> None:
        self.cursor = Cursor(source, 0, source.size_bytes)
        self._keep = keep
        self._spend = spend
        self._count = 0

    def take(self, size_bytes: int) -> bytes:
        """Return the next bytes."""
        return self.cursor.take(size_bytes)

    def value(self, marker: bytes, *, key: str, depth: int) -> UbjsonValue:
        """Return the value behind a marker."""
        self._count += 1
        if self._count % _SPEND_STEP == 0:
            self._spend(_SPEND_STEP)
        if depth > _MAX_DEPTH:
            raise ParseError(f"it nests deeper than {_MAX_DEPTH} levels")
        if marker == b"{":
            return self._object(depth)
        if marker == b"[":
            return self._list(key, depth)
        if marker == b"S":
            return self._text()
        if marker == b"C":
            return self.take(1).decode("latin-1")
        if marker in _INTEGERS:
            return self._integer(marker)
        if marker in _FLOATS:
            self.cursor.skip(_FLOATS[marker])
            return 0.0
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        raise ParseError(f"{marker!r} begins no value", where=f"byte {self.cursor.offset - 1}")

    def _integer(self, marker: bytes) -> int:
        width = _INTEGERS[marker][0]
        return int.from_bytes(self.take(width), "big", signed=marker != b"U")

    def _length(self) -> int:
        marker = self.take(1)
        length = self._integer(marker) if marker in _INTEGERS else -1
        if not 0 <= length <= self.cursor.left_bytes:
            raise ParseError("a length is too large", where=f"byte {self.cursor.offset}")
        return length

    def _text(self) -> str:
        return self.take(self._length()).decode("utf-8", "replace")

    def _object(self, depth: int) -> dict[str, UbjsonValue]:
        found: dict[str, UbjsonValue] = {}
        while (marker := self.take(1)) != b"}":
            if marker not in _INTEGERS:
                raise ParseError("a key has no length", where=f"byte {self.cursor.offset - 1}")
            length = self._integer(marker)
            if not 0 <= length <= self.cursor.left_bytes:
                raise ParseError("a length is too large", where=f"byte {self.cursor.offset}")
            key = self.take(length).decode("utf-8", "replace")
            if key in found:
                raise ParseError(f"the key {key[:80]!r} appears twice")
            found[key] = self.value(self.take(1), key=key, depth=depth + 1)
        return found

    def _list(self, key: str, depth: int) -> UbjsonValue:
        marker = self.take(1)
        if marker == b"$":
            return self._typed_list(key)
        if marker == b"#":
            count = self._length()
            return [self.value(self.take(1), key="", depth=depth + 1) for _ in range(count)]
        found = []
        while marker != b"]":
            found.append(self.value(marker, key="", depth=depth + 1))
            marker = self.take(1)
        return found

    def _typed_list(self, key: str) -> UbjsonValue:
        marker = self.take(1)
        if self.take(1) != b"#":
            raise ParseError("a typed list has no length", where=f"byte {self.cursor.offset - 1}")
        count = self._length()
        if marker in _FLOATS:
            self.cursor.skip(_FLOATS[marker] * count)
            return []
        if marker not in _INTEGERS:
            raise ParseError(
                f"a list is of the type {marker!r}", where=f"byte {self.cursor.offset}"
            )
        width, code = _INTEGERS[marker]
        if key not in self._keep:
            self.cursor.skip(width * count)
            return []
        numbers = array(code)
        numbers.frombytes(self.take(width * count))
        if byteorder == "little":
            numbers.byteswap()
        return numbers
