"""What a symbolic NumPy dtype says about the memory of its items.

NumPy believes the state that a pickle gives to a dtype. One that hides objects, or has fields
outside its items, would make NumPy take raw bytes for pointers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from weighbridge.scanning._pickle._values import DictItems, Global, Made, Value, to_text

__all__ = ["DTYPE", "RECORDS", "ItemLayout", "measure_dtype", "set_dtype_state"]

DTYPE = "numpy.dtype"
RECORDS = frozenset(
    f"{module}.record"
    for module in ("numpy", "numpy.rec", "numpy.core.records", "numpy._core.records")
)
_CODE = re.compile(r"[<>=|]?([biufcmMSUVO])(\d{1,9})")
_FLEXIBLE = "SUV"
# __setstate__ of a dtype: (version, byte order, subarray, names, fields, size, alignment, flags).
_STATE_PARTS, _SUBARRAY, _FIELDS, _SIZE, _FLAGS = 8, 2, 4, 5, 7
_HAS_OBJECTS = 1
_UNICODE_BYTES = 4
_UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class ItemLayout:
    """Bytes of one item, and whether there are pointers to objects in it."""

    size_bytes: int
    objects: bool


def measure_dtype(dtype: Value) -> ItemLayout | None:
    """Return the layout of a dtype's items; None if it cannot be told.

    From then on the dtype counts as used: ``set_dtype_state`` will not have it changed.
    """
    if not isinstance(dtype, Made) or dtype.path != DTYPE:
        return None
    if dtype.state is None:
        dtype.state = _measure_code(dtype.args, None) or _UNCLEAR
    return dtype.state if isinstance(dtype.state, ItemLayout) else None


def set_dtype_state(dtype: Made, state: Value) -> bool:
    """Do what BUILD does to a dtype; return whether its new layout is known and sound.

    Source:
        NumPy ``arraydescr_setstate``, versions 3 and 4 of the state.
    """
    fresh = dtype.state is None
    dtype.state = _UNCLEAR
    if not fresh or type(state) is not tuple or len(state) < _STATE_PARTS:
        return False
    own = _measure_code(dtype.args, state[_SIZE])
    if own is None or type(state[_FLAGS]) is not int:
        return False
    inner = _measure_inner(own.size_bytes, state)
    if inner is None or bool(state[_FLAGS] & _HAS_OBJECTS) != (own.objects or inner):
        return False
    dtype.state = ItemLayout(own.size_bytes, objects=own.objects or inner)
    return True


def _measure_code(args: Value, size_bytes: Value) -> ItemLayout | None:
    """Read what the dtype was made from: ``f8``; a flexible one must agree with its state."""
    if type(args) is not tuple or not args:
        return None
    if isinstance(args[0], Global) and args[0].path in RECORDS:
        known = type(size_bytes) is int and size_bytes >= 0
        return ItemLayout(size_bytes, objects=False) if known else None
    match = _CODE.fullmatch(to_text(args[0]) or "")
    if match is None:
        return None
    kind, count = match[1], int(match[2]) * (_UNICODE_BYTES if match[1] == "U" else 1)
    if kind in _FLEXIBLE and size_bytes not in (None, count):
        return None
    return ItemLayout(count, objects=kind == "O")


def _measure_inner(size_bytes: int, state: tuple[Value, ...]) -> bool | None:
    """Return whether fields or a subarray hold objects; None if they are unclear or do not fit."""
    spans = _list_fields(state[_FIELDS])
    if spans is None:
        return None
    if state[_SUBARRAY] is not None:
        spans = [*spans, state[_SUBARRAY]]
    objects = False
    for span in spans:
        if type(span) is not tuple or len(span) < 2:  # noqa: PLR2004  # (dtype, offset or shape)
            return None
        layout = measure_dtype(span[0])
        end = _find_end(layout, span[1])
        if layout is None or end is None or end > size_bytes:
            return None
        objects = objects or layout.objects
    return objects


def _find_end(layout: ItemLayout | None, place: Value) -> int | None:
    """Return where a field at an offset ends, or a subarray of a shape."""
    numbers = place if type(place) is tuple else (place,)
    if layout is None or any(type(number) is not int or number < 0 for number in numbers):
        return None
    if type(place) is not tuple:
        return layout.size_bytes + int(place)
    size_bytes = layout.size_bytes
    for length in numbers:
        size_bytes *= length
    return size_bytes


def _list_fields(fields: Value) -> list[Value] | None:
    """Return (dtype, offset) for each field of a dtype; None if they are not all known."""
    if fields is None:
        return []
    if not isinstance(fields, DictItems) or fields.more:
        return None
    names = fields[::2]
    if any(type(name) is not bytes for name in names) or len(set(names)) < len(names):
        return None
    return fields[1::2]
