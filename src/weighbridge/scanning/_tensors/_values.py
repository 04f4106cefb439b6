"""Numbers that cannot be meant: not-a-number and infinity in weights, weights that are all zero.

Only bytes are looked at. A float is not finite if all bits of its exponent are set, and these are
in its highest byte but for one or four bits; no ordinary weight has that byte at all. So one pass
over every second or fourth byte is nearly always enough.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.scanning._notes import found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weighbridge.core import Finding, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext

__all__ = ["Numbers", "check_values", "digest_tensors"]

# What is read of the tensors of one file unless all of them are wanted, in four pieces: with more,
# the hash that follows has to stop and go more often, which costs more than the reading.
_SAMPLE_BYTES = 8 * 1024 * 1024
_PIECE_BYTES = 2 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_DIGESTED_BYTES = 1024 * 1024
# So many zeros, and nothing else, are no accident of a small test file.
_ZEROS_THAT_MATTER = 100_000
_MAX_NAMED = 8
_MATRIX_AXES = 2


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where the numbers of one tensor are.

    Attributes:
        name: Of the tensor.
        dtype: As safetensors writes it, such as ``F32``.
        axes: How many axes it has.
        offset: Of its first byte in the source; numbers are little-endian.
        size_bytes: How long it is.
    """

    name: str
    dtype: str
    axes: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Float:
    """How a type of float lies in memory.

    Attributes:
        width_bytes: Of one number.
        high: What its last byte is if it is not finite.
        next_mask: Bits of the byte before that are set then, too; 0 if the last byte says it all.
        below: Mask of the bits below the exponent; none of them is set in infinity. 0 if the type
            has no infinity.
    """

    width_bytes: int
    high: frozenset[int]
    next_mask: int
    below: int


def _range(first: int, last: int) -> frozenset[int]:
    return frozenset(sign | low for sign in (0, 0x80) for low in range(first, last + 1))


_FLOATS = {
    "F64": _Float(8, _range(0x7F, 0x7F), 0xF0, (1 << 52) - 1),
    "F32": _Float(4, _range(0x7F, 0x7F), 0x80, (1 << 23) - 1),
    "BF16": _Float(2, _range(0x7F, 0x7F), 0x80, (1 << 7) - 1),
    "F16": _Float(2, _range(0x7C, 0x7F), 0, (1 << 10) - 1),
    "F8_E5M2": _Float(1, _range(0x7C, 0x7F), 0, (1 << 2) - 1),
    "F8_E4M3": _Float(1, _range(0x7F, 0x7F), 0, 0),
}
_ORDINARY = {
    name: bytes(byte for byte in range(256) if byte not in kind.high)
    for name, kind in _FLOATS.items()
}
_NEAR_OR_STRANGE = {name: bytes(kind.high | {0, 0x80}) for name, kind in _FLOATS.items()}
_HIGH = {
    name: re.compile(b"[" + re.escape(bytes(sorted(kind.high))) + b"]")
    for name, kind in _FLOATS.items()
}


@dataclass(slots=True)
class _Seen:
    """What was seen of one tensor."""

    nan: bool = False
    infinity: bool = False
    nonzero: bool = False
    count: int = 0


def check_values(
    source: ByteSource, tensors: Iterable[Numbers], at: Location, context: ScanContext
) -> Iterator[Finding]:
    """Yield what is wrong with the numbers of a file's tensors.

    Reads 8 MiB in pieces spread evenly, or everything if the user asked for it; in rising order.

    Args:
        source: What the tensors are in.
        tensors: Where they are, in rising order.
        at: Where the source is.
        context: ``weights`` tells whether everything is read.
    """
    floats = [one for one in tensors if one.dtype in _FLOATS and one.size_bytes > 0]
    seen = _look_at(source, floats, everything=context.weights)
    broken = [one.name for one, saw in zip(floats, seen, strict=True) if saw.nan]
    if broken:
        message = f"Weights are not numbers (NaN): {_name(broken)}."
        yield found("WB-TNS-001", at, message, detail=", ".join(broken[:_MAX_NAMED]))
    endless = [
        one.name
        for one, saw in zip(floats, seen, strict=True)
        if saw.infinity and saw.nonzero and not saw.nan and one.axes >= _MATRIX_AXES
    ]
    if endless:
        message = f"Weights are infinite: {_name(endless)}."
        yield found("WB-TNS-002", at, message, detail=", ".join(endless[:_MAX_NAMED]))
    count = sum(saw.count for saw in seen)
    if count >= _ZEROS_THAT_MATTER and not any(s.nonzero or s.nan or s.infinity for s in seen):
        message = f"All {count:,} weights that were looked at are zero."
        yield found("WB-TNS-003", at, message)


def _name(names: list[str]) -> str:
    shown = ", ".join(repr(printable(name, limit=80)) for name in names[:3])
    more = len(names) - 3
    return f"{shown} and {more:,} more tensors" if more > 0 else shown


def _look_at(source: ByteSource, tensors: list[Numbers], *, everything: bool) -> list[_Seen]:
    """Look at the tensors, or at pieces of them that are spread evenly over all their bytes."""
    total = sum(one.size_bytes for one in tensors)
    everything = everything or total <= _SAMPLE_BYTES
    stride = max(total // (_SAMPLE_BYTES // _PIECE_BYTES), _PIECE_BYTES)
    seen = []
    before = 0  # bytes of tensors before this one; a piece begins at each multiple of the stride
    for one in tensors:
        saw = _Seen()
        if everything:
            _look_at_range(source, one, 0, one.size_bytes, saw)
        else:
            first = before // stride * stride
            for piece in range(first, before + one.size_bytes, stride):
                begin, end = piece - before, piece + _PIECE_BYTES - before
                _look_at_range(source, one, max(begin, 0), min(end, one.size_bytes), saw)
        before += one.size_bytes
        seen.append(saw)
    return seen


def _look_at_range(source: ByteSource, one: Numbers, begin: int, end: int, saw: _Seen) -> None:
    """Look at a part of a tensor, in whole numbers."""
    width = _FLOATS[one.dtype].width_bytes
    begin -= begin % width
    for start in range(begin, end, _CHUNK_BYTES):
        size = min(_CHUNK_BYTES, end - start)
        data = source.read_at(one.offset + start, size - size % width)
        _judge(data[: len(data) - len(data) % width], one.dtype, saw)


def _judge(data: bytes, dtype: str, saw: _Seen) -> None:
    kind = _FLOATS[dtype]
    width = kind.width_bytes
    saw.count += len(data) // width
    high = data[width - 1 :: width]
    strange = len(high.translate(None, _ORDINARY[dtype]))
    if not saw.nonzero:
        # What is far from zero shows in the highest byte; what is near it anywhere, unless other
        # bytes are set because of numbers that are not finite.
        far = high.translate(None, _NEAR_OR_STRANGE[dtype])
        saw.nonzero = bool(far) or (not strange and bool(data.translate(None, b"\0\x80")))
    if strange and not saw.nan:
        _find_strange(data, high, dtype, saw)


def _find_strange(data: bytes, high: bytes, dtype: str, saw: _Seen) -> None:
    """Tell numbers that are not finite from large ones that are."""
    kind = _FLOATS[dtype]
    width = kind.width_bytes
    for match in _HIGH[dtype].finditer(high):
        number = data[match.start() * width : (match.start() + 1) * width]
        if width > 1 and number[-2] & kind.next_mask != kind.next_mask:
            continue
        if kind.below and not int.from_bytes(number, "little") & kind.below:
            saw.infinity = True
        else:
            saw.nan = True
            return


def digest_tensors(
    source: ByteSource, tensors: Iterable[Numbers], context: ScanContext
) -> dict[str, str]:
    """Return sha256 of each tensor by name, to compare it with the same one in another file.

    Returns:
        Nothing if the tensors have more than 1 MiB, unless the user asked for all weights.
    """
    tensors = list(tensors)
    if not context.weights and sum(one.size_bytes for one in tensors) > _DIGESTED_BYTES:
        return {}
    return {one.name: _digest(source, one) for one in tensors}


def _digest(source: ByteSource, one: Numbers) -> str:
    digest = hashlib.sha256()
    for start in range(0, one.size_bytes, _CHUNK_BYTES):
        size = min(_CHUNK_BYTES, one.size_bytes - start)
        digest.update(source.read_at(one.offset + start, size))
    return digest.hexdigest()
