"""The header of a GGUF file: metadata and tensor table."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from weighbridge.errors import ParseError
from weighbridge.formats._cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Limits
    from weighbridge.core.ports import ByteSource

__all__ = ["TEMPLATE_KEY", "GgufHeader", "GgufProblem", "GgufTensor", "read_gguf"]

# type id -> (elements in a block, bytes of a block)
_TENSOR_TYPES = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 40),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    40: (64, 36),
    41: (128, 18),
}
# type id -> bytes of a value: u8 i8 u16 i16 u32 i32 f32 bool, then u64 i64 f64
_VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_MAX_ARRAY_NESTING = 4
_MAX_KEY_BYTES = 65_535
_MAX_DIMS = 8
_MAX_KEYS = 100_000
_MAX_TENSORS = 1_000_000
_MAX_PROBLEMS = 100
_DEFAULT_ALIGNMENT = 32
_MAX_COUNT = 2**63 - 1
_ALIGNMENT_KEY = "general.alignment"
TEMPLATE_KEY = "tokenizer.chat_template"
"""How the keys of chat templates begin; named ones have ``.NAME`` behind it."""
_MAX_TEMPLATE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GgufProblem:
    """Where the file breaks a rule of the format.

    Attributes:
        kind: ``header``, ``tensor`` or ``type`` (a tensor type that is not in the table).
        message: One sentence without a full stop.
    """

    kind: Literal["header", "tensor", "type"]
    message: str


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What the header says.

    Attributes:
        version: 2 or 3; anything else has a problem.
        keys: Names of the metadata, in order.
        tensor_count: Tensors in the table.
        problems: At most 100.
        templates: (key, text) of the chat templates; those that are no text of at most 1 MiB are
            left out, but not their keys.
        tensors: As the table has them; none if the header has a problem.
        data_offset: Where their data begins.
        big_endian: Whether its numbers are.
        gaps: (offset, bytes) of what belongs neither to the header nor to a tensor, be it padding;
            not known if there are problems.
        texts: (key, bytes) of all other texts of at most 1 MiB that are no part of a list.
    """

    version: int
    keys: tuple[str, ...]
    tensor_count: int
    problems: tuple[GgufProblem, ...]
    templates: tuple[tuple[str, str], ...] = ()
    tensors: tuple[GgufTensor, ...] = ()
    data_offset: int = 0
    big_endian: bool = False
    gaps: tuple[tuple[int, int], ...] = ()
    texts: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor of the table.

    Attributes:
        name: Its name.
        dims: Lengths of its axes, the innermost first.
        type_id: Such as 0 for float32.
        offset: Of its bytes, in the data.
    """

    name: str
    dims: tuple[int, ...]
    type_id: int
    offset: int


class _Reader:
    """A cursor that knows the byte order; version 3 has big-endian files."""

    __slots__ = ("_u32", "_u64", "cursor")

    def __init__(self, source: ByteSource, order: str, limits: Limits) -> None:
        self.cursor = Cursor(source, 4, min(source.size_bytes, limits.max_header_bytes))
        self._u32 = struct.Struct(order + "I")
        self._u64 = struct.Struct(order + "Q")

    def u32(self) -> int:
        return self._u32.unpack(self.cursor.take(4))[0]  # type: ignore[no-any-return]

    def u64(self) -> int:
        return self._u64.unpack(self.cursor.take(8))[0]  # type: ignore[no-any-return]

    def name(self) -> str:
        length = self.u64()
        if length > _MAX_KEY_BYTES:
            raise ParseError(f"a name claims {length:,} bytes", where=f"byte {self.cursor.offset}")
        try:
            return self.cursor.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ParseError("a name is not UTF-8", where=f"byte {self.cursor.offset}") from error


def read_gguf(source: ByteSource, *, limits: Limits) -> GgufHeader:
    """Read and check the header of a GGUF file; the tensors' bytes are not read.

    Args:
        source: The whole file, which begins with ``GGUF``.
        limits: ``max_header_bytes`` bounds metadata and tensor table together.

    Returns:
        The header with its problems; content never raises.

    Source:
        https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    raw_version = source.read_at(4, 4)
    # A version never needs its upper half: where it is set, the file is big-endian.
    order = ">" if int.from_bytes(raw_version, "little") > 0xFFFF else "<"  # noqa: PLR2004
    reader = _Reader(source, order, limits)
    keys: list[str] = []
    templates: list[tuple[str, str]] = []
    texts: list[tuple[str, bytes]] = []
    try:
        version = reader.u32()
        if version not in (2, 3):
            message = f"GGUF version {version} is not known; versions 2 and 3 are"
            return GgufHeader(version, (), 0, (GgufProblem("header", message),))
        tensor_count, key_count = reader.u64(), reader.u64()
        alignment = _read_metadata(reader, key_count, keys, templates, texts)
        tensors = _read_tensors(reader, tensor_count)
    except ParseError as error:
        problem = GgufProblem("header", str(error))
        return GgufHeader(0, tuple(keys), 0, (problem,), texts=tuple(texts))
    data_offset = reader.cursor.offset + -reader.cursor.offset % alignment
    problems = _check_tensors(tensors, reader.cursor.offset, alignment, source.size_bytes)
    gaps = _find_gaps(tensors, reader.cursor.offset, data_offset, source.size_bytes)
    return GgufHeader(
        version,
        tuple(keys),
        tensor_count,
        tuple(problems[:_MAX_PROBLEMS]),
        tuple(templates),
        tuple(tensors),
        data_offset,
        order == ">",
        () if problems else tuple(gaps),
        tuple(texts),
    )


def _read_metadata(
    reader: _Reader,
    count: int,
    keys: list[str],
    templates: list[tuple[str, str]],
    texts: list[tuple[str, bytes]],
) -> int:
    """Pass over the metadata, collect keys and texts, and return the alignment in bytes."""
    alignment = _DEFAULT_ALIGNMENT
    seen: set[str] = set()
    if count > _MAX_KEYS:
        raise ParseError(f"the header claims {count:,} metadata entries")
    for _ in range(count):
        key = reader.name()
        if key in seen:
            raise ParseError(f"the key {key[:80]!r} appears twice")
        seen.add(key)
        keys.append(key)
        type_id = reader.u32()
        if key == _ALIGNMENT_KEY:
            if type_id != _UINT32:
                raise ParseError("general.alignment is not a 32-bit number")
            alignment = reader.u32()
            if alignment == 0 or alignment % 8:
                raise ParseError(f"general.alignment is {alignment}, not a multiple of 8")
        elif key.startswith(TEMPLATE_KEY) and type_id == _STRING:
            templates += [(key, text.decode("utf-8", "replace")) for text in _read_text(reader)]
        elif type_id == _STRING:
            texts += [(key, text) for text in _read_text(reader)]
        else:
            _skip_value(reader, type_id, nesting=0)
    return alignment


def _read_text(reader: _Reader) -> list[bytes]:
    """Return a text; nothing, but pass over it, if it is too long for one."""
    length = reader.u64()
    if length > _MAX_TEMPLATE_BYTES:
        reader.cursor.skip(length)
        return []
    return [reader.cursor.take(length)]


def _skip_value(reader: _Reader, type_id: int, *, nesting: int) -> None:
    if type_id in _VALUE_BYTES:
        reader.cursor.skip(_VALUE_BYTES[type_id])
    elif type_id == _STRING:
        reader.cursor.skip(reader.u64())
    elif type_id == _ARRAY:
        _skip_array(reader, nesting=nesting + 1)
    else:
        where = f"byte {reader.cursor.offset}"
        raise ParseError(f"a value has the unknown type {type_id}", where=where)


def _skip_array(reader: _Reader, *, nesting: int) -> None:
    if nesting > _MAX_ARRAY_NESTING:
        raise ParseError(f"arrays are nested deeper than {_MAX_ARRAY_NESTING} levels")
    item_type, count = reader.u32(), reader.u64()
    if item_type in _VALUE_BYTES:
        reader.cursor.skip(_VALUE_BYTES[item_type] * count)
        return
    if count > reader.cursor.left_bytes:  # each item takes more than one byte
        raise ParseError(f"an array claims {count:,} items", where=f"byte {reader.cursor.offset}")
    for _ in range(count):
        _skip_value(reader, item_type, nesting=nesting)


def _read_tensors(reader: _Reader, count: int) -> list[GgufTensor]:
    if count > _MAX_TENSORS:
        raise ParseError(f"the header claims {count:,} tensors")
    tensors = []
    for _ in range(count):
        name = reader.name()
        dim_count = reader.u32()
        if dim_count > _MAX_DIMS:
            raise ParseError(f"tensor {name[:80]!r} claims {dim_count:,} dimensions")
        dims = tuple(reader.u64() for _ in range(dim_count))
        tensors.append(GgufTensor(name, dims, reader.u32(), reader.u64()))
    return tensors


def _check_tensors(
    tensors: list[GgufTensor], header_end: int, alignment: int, file_bytes: int
) -> list[GgufProblem]:
    """Check names, sizes and places: aligned, inside the file, apart from each other."""
    problems = []
    if len({tensor.name for tensor in tensors}) != len(tensors):
        problems.append(GgufProblem("tensor", "two tensors have the same name"))
    data_bytes = file_bytes - (header_end + -header_end % alignment)
    reached = 0
    for tensor in sorted(tensors, key=lambda t: t.offset):
        label = repr(tensor.name[:80])
        size = _size_bytes(tensor)
        if size is None:
            message = f"tensor {label} has the unknown type {tensor.type_id}"
            problems.append(GgufProblem("type", message))
            continue
        if tensor.offset % alignment:
            message = f"tensor {label} is not aligned to {alignment} bytes"
        elif tensor.offset < reached:
            message = f"tensor {label} overlaps the one before it"
        elif tensor.offset + size > data_bytes:
            message = f"tensor {label} ends behind the end of the file"
        elif size < 0:
            message = f"tensor {label} has dimensions that do not fit its type"
        else:
            message = ""
        if message:
            problems.append(GgufProblem("tensor", message))
        reached = max(reached, tensor.offset + size)
    return problems


def _find_gaps(
    tensors: list[GgufTensor], header_end: int, data_offset: int, file_bytes: int
) -> Iterator[tuple[int, int]]:
    """Yield (offset, bytes) of what lies behind the header, between tensors and behind them."""
    reached = header_end
    for tensor in sorted(tensors, key=lambda t: t.offset):
        begin = data_offset + tensor.offset
        if begin > reached:
            yield reached, begin - reached
        reached = max(reached, begin + (_size_bytes(tensor) or 0))
    if file_bytes > reached:
        yield reached, file_bytes - reached


def _size_bytes(tensor: GgufTensor) -> int | None:
    """Return the bytes of a tensor, None for an unknown type, -1 for impossible dimensions."""
    block = _TENSOR_TYPES.get(tensor.type_id)
    if block is None:
        return None
    count = 1
    for dim in tensor.dims:
        count *= dim
        if count > _MAX_COUNT:
            return -1
    if tensor.dims and tensor.dims[0] % block[0]:
        return -1
    return count // block[0] * block[1]
