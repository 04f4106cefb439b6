"""Where the bytes of an array end that joblib writes into the middle of a pickle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import PickleOpcode, read_pickle_ops
from weighbridge.scanning._pickle._dtype import measure_dtype
from weighbridge.scanning._pickle._shapes import ARRAYS
from weighbridge.scanning._pickle._values import DictItems, Global, Made, Value, to_text

if TYPE_CHECKING:
    from weighbridge.core.ports import ByteSource

__all__ = [
    "OLD_WRAPPER",
    "WRAPPER",
    "ArrayLayout",
    "find_array_end",
    "is_wrapper",
    "may_act",
    "measure_array",
    "names_file_beside",
]

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
OLD_WRAPPER = "joblib.numpy_pickle.NDArrayWrapper"
_PLAIN_NAME = re.compile(r"\w[\w.-]{0,250}")
_ACTING = frozenset(
    {
        PickleOpcode.GLOBAL,
        PickleOpcode.STACK_GLOBAL,
        PickleOpcode.INST,
        PickleOpcode.OBJ,
        PickleOpcode.REDUCE,
        PickleOpcode.NEWOBJ,
        PickleOpcode.NEWOBJ_EX,
        PickleOpcode.BUILD,
        PickleOpcode.PERSID,
        PickleOpcode.BINPERSID,
        PickleOpcode.EXT1,
        PickleOpcode.EXT2,
        PickleOpcode.EXT4,
        PickleOpcode.APPEND,
        PickleOpcode.APPENDS,
        PickleOpcode.SETITEM,
        PickleOpcode.SETITEMS,
        PickleOpcode.ADDITEMS,
        PickleOpcode.PUT,
        PickleOpcode.BINPUT,
        PickleOpcode.LONG_BINPUT,
        PickleOpcode.MEMOIZE,
        PickleOpcode.FRAME,
    }
)
_ATTRIBUTES = frozenset(
    {b"subclass", b"shape", b"order", b"dtype", b"allow_mmap", b"numpy_array_alignment_bytes"}
)
_OLD_ATTRIBUTES = frozenset({b"subclass", b"filename", b"allow_mmap"})
_MAX_TRIED_OPS = 1_000


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """What follows an array wrapper.

    Attributes:
        objects: A pickle of its own follows, no raw bytes.
        size_bytes: Raw bytes, without padding.
        padded: Whether a byte that counts the padding comes first, then the padding.
    """

    objects: bool
    size_bytes: int = 0
    padded: bool = False


def names_file_beside(state: Value) -> bool:
    """Return whether the state of an old wrapper names a file in the folder of the pickle.

    That one is an array of its own, which is examined like any other file.

    Source:
        joblib 0.9 ``numpy_pickle.NDArrayWrapper.read``.
    """
    if not isinstance(state, DictItems) or state.more:
        return False
    known = all(type(key) is bytes and key in _OLD_ATTRIBUTES for key in state[::2])
    subclass, name = state.find(b"subclass"), to_text(state.find(b"filename"))
    right = isinstance(subclass, Global) and subclass.path in ARRAYS
    return known and right and name is not None and _PLAIN_NAME.fullmatch(name) is not None


def is_wrapper(value: Value) -> bool:
    """Return whether joblib reads an array when BUILD leaves ``value`` on the stack."""
    return isinstance(value, Made) and value.path == WRAPPER


def measure_array(wrapper: Made | None) -> ArrayLayout | None:
    """Compute what follows ``wrapper``; None if its state does not tell exactly.

    Source:
        joblib ``numpy_pickle.NumpyArrayWrapper.read_array``.
    """
    if wrapper is None:
        return None
    state = wrapper.state
    if wrapper.args != () or not isinstance(state, DictItems) or state.more:
        return None
    # An attribute of another name, such as ``read``, would stand before the class's method.
    if not all(type(key) is bytes and key in _ATTRIBUTES for key in state[::2]):
        return None
    shape, dtype, subclass = (state.find(key) for key in (b"shape", b"dtype", b"subclass"))
    if not isinstance(subclass, Global) or subclass.path not in ARRAYS:
        return None
    item = measure_dtype(dtype)
    if item is None or type(shape) is not tuple:
        return None
    if item.objects:
        return ArrayLayout(objects=True)
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            return None
        count *= length
    padding = state.find(b"numpy_array_alignment_bytes")
    return ArrayLayout(
        objects=False, size_bytes=count * item.size_bytes, padded=padding is not None
    )


def find_array_end(source: ByteSource, position: int, layout: ArrayLayout) -> int | None:
    """Return where the raw array ends that begins at ``position``.

    None if it is cut off.
    """
    first = source.read_at(position, 1)
    if not first:
        return None
    end = position + layout.size_bytes + (1 + first[0] if layout.padded else 0)
    return None if end > source.size_bytes else end


def may_act(source: ByteSource, position: int, end: int) -> bool:
    """Return whether bytes, taken for opcodes, come to one that uses names or the stack.

    ``pickle.load`` knows nothing of arrays, and goes on right there. (The count of padding bytes
    that joblib writes first is at most 16, which is no opcode.)
    """
    try:
        for count, (op, _, at) in enumerate(read_pickle_ops(source, position)):
            if at >= end or op in _ACTING or count >= _MAX_TRIED_OPS:
                return at < end
    except ParseError:
        pass
    return False
