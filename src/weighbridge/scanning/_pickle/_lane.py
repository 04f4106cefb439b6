"""The fast lane: whether everything up to the end of a pickle is data, told by one pass of a regex.

Most bytes of a big pickle build lists, dicts, numbers and texts. Where nothing but such opcodes is
left, no order of them can do harm: they act on nothing but what is on the stack and in the memo,
and there is nothing but data and a few classes that take anything. So nobody has to follow them
one by one. What is not proved that way is left to the exact machine.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.formats import PickleOpcode

if TYPE_CHECKING:
    from weighbridge.core.ports import ByteSource

__all__ = ["INERT_CLASSES", "LANE_BYTES", "Glide", "glide"]

LANE_BYTES = 256 * 1024
"""What is shorter is not worth the lane."""

# Compiled classes, so that nobody can change them, that may be called with anything that is data
# or one of them, and whose instances may get any attribute: no code of anybody else would run.
# None of them makes much out of little, as range and bytearray do.
INERT_CLASSES = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("collections", "deque"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
    }
)

# Most of what is tried is no pickle at all: the first chunk is small, and the next ones larger.
_FIRST_BYTES = 1 << 12
_CHUNK_BYTES = 1 << 20
# Longer than any opcode that the regex takes: counted texts and numbers of up to 255 bytes.
_MARGIN_BYTES = 300
_NO_EDGE = 1 << 65
_FRAME_BYTES = 9
_Op = PickleOpcode
_COUNT_BYTES: dict[int, int] = {
    _Op.LONG4: 4,
    _Op.BINBYTES: 4,
    _Op.BINSTRING: 4,
    _Op.BINUNICODE: 4,
    _Op.BINBYTES8: 8,
    _Op.BINUNICODE8: 8,
    _Op.BYTEARRAY8: 8,
}
_PLAIN = (
    *(_Op.NONE, _Op.NEWTRUE, _Op.NEWFALSE, _Op.EMPTY_TUPLE, _Op.EMPTY_LIST, _Op.EMPTY_DICT),
    *(_Op.EMPTY_SET, _Op.MARK, _Op.TUPLE, _Op.TUPLE1, _Op.TUPLE2, _Op.TUPLE3, _Op.LIST, _Op.DICT),
    *(_Op.FROZENSET, _Op.APPEND, _Op.APPENDS, _Op.SETITEM, _Op.SETITEMS, _Op.ADDITEMS),
    *(_Op.MEMOIZE, _Op.POP, _Op.POP_MARK, _Op.DUP),
)
# A class that is at hand is called, or an instance of it gets its state.
_CALLS = (_Op.REDUCE, _Op.NEWOBJ, _Op.NEWOBJ_EX, _Op.OBJ, _Op.BUILD)


class Glide(NamedTuple):
    """How far the lane reaches.

    Attributes:
        end: Offset of the first opcode that the lane does not take, or behind the STOP.
        whole: Whether that is behind a STOP with which the source ends, too.
    """

    end: int
    whole: bool


def glide(source: ByteSource, start: int, *, frame_end: int, calls: bool) -> Glide:
    """Follow opcodes that build data from ``start``, where an opcode begins.

    Args:
        source: The pickle, which must end where the source does.
        start: Offset of an opcode.
        frame_end: Where the frame ends that ``start`` is in; 0 without frames.
        calls: Whether calls and states are data, too, because all names that were met so far are
            in ``INERT_CLASSES``.

    Returns:
        Where something else comes. What a frame's end cuts is something else.
    """
    match = _compile(calls=calls).match
    size = source.size_bytes
    edge = frame_end if start < frame_end else _NO_EDGE
    base, data, position = start, b"", start
    step_bytes = _FIRST_BYTES
    while True:
        near = position - base
        if len(data) - near < _MARGIN_BYTES and base + len(data) < size:
            base, near = position, 0
            data = source.read_at(base, step_bytes)
            step_bytes = min(step_bytes * 8, _CHUNK_BYTES)
        found = match(data, near, min(len(data), edge - base))
        position = base + (found.end() if found is not None else near)
        if position == edge:
            edge = _NO_EDGE
        following, frame_end = _step(data, base, position, frame_end)
        if following == position and base + len(data) < size and position > base + near:
            continue  # cut by the end of the chunk, perhaps
        if following < 0:
            return Glide(-following, -following == size)
        if following == position or following > min(edge, size):
            return Glide(position, whole=False)
        if data[position - base] == _Op.FRAME:
            edge = frame_end
        position = following


def _step(data: bytes, base: int, position: int, frame_end: int) -> tuple[int, int]:
    """Take one opcode that the regex does not: a STOP, a frame, something long.

    Returns:
        Where the next opcode is, negative behind a STOP and ``position`` if this one is something
        else; and where the frame ends.
    """
    near = position - base
    op = data[near] if near < len(data) else -1
    if op == _Op.STOP and position + 1 >= frame_end:
        return -(position + 1), frame_end
    if op == _Op.FRAME and near + _FRAME_BYTES <= len(data) and position >= frame_end:
        begin = position + _FRAME_BYTES
        return begin, begin + int.from_bytes(data[near + 1 : near + _FRAME_BYTES], "little")
    width = _COUNT_BYTES.get(op, 0)
    counted = data[near + 1 : near + 1 + width]
    if width and len(counted) == width:
        return position + 1 + width + int.from_bytes(counted, "little"), frame_end
    return position, frame_end


@cache
def _compile(*, calls: bool) -> re.Pattern[bytes]:
    """Build the regex that takes a run of opcodes in one go, never to step back into one."""
    plain = re.escape(bytes((*_PLAIN, *_CALLS) if calls else _PLAIN))
    tokens = (
        b"[" + plain + b"]++",
        b"[%c%c%c]." % (_Op.BININT1, _Op.BINGET, _Op.BINPUT),
        b"%c" % _Op.SHORT_BINUNICODE + _counted(1),
        b"%c.{8}" % _Op.BINFLOAT,
        b"%c.." % _Op.BININT2,
        b"[%c%c%c].{4}" % (_Op.BININT, _Op.LONG_BINGET, _Op.LONG_BINPUT),
        b"%c" % _Op.BINUNICODE + _counted(4),
        b"[%c%c%c]" % (_Op.SHORT_BINSTRING, _Op.SHORT_BINBYTES, _Op.LONG1) + _counted(1),
        b"[IFLVSgp][^\n]{0,255}+\n",
    )
    return re.compile(b"(?s:(?:" + b"|".join(tokens) + b")*+)")


def _counted(width_bytes: int) -> bytes:
    """Return what matches a count of up to 255 and as many bytes."""
    counts = (
        re.escape(count.to_bytes(width_bytes, "little")) + (b".{%d}" % count if count else b"")
        for count in range(256)
    )
    return b"(?:" + b"|".join(counts) + b")"
