"""The header of a safetensors file, as strictly as the reference implementation reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.core.ports import ByteSource

__all__ = ["SafetensorsHeader", "SafetensorsProblem", "SafetensorsTensor", "read_safetensors"]

# Texts of ten letters take ten times as much memory as the header; a tensor has six values.
_MAX_VALUES = 1_000_000
# Bits, because there are dtypes of four and six of them.
_DTYPE_BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
_LENGTH_BYTES = 8
_MAX_INT = 2**64 - 1
_MAX_PROBLEMS = 100
# 200,000 tensors. Parsed values take fifty times the space of their text, so the size of the text
# alone does not bound memory.
_MAX_COMMAS = 2_000_000


@dataclass(frozen=True, slots=True)
class SafetensorsProblem:
    """Where the header breaks a rule of the format.

    Attributes:
        kind: ``header``, ``tensor`` or ``layout``.
        message: One sentence without a full stop.
    """

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What the header says.

    Attributes:
        tensor_count: Tensors in it.
        metadata: ``__metadata__``; empty if there is none.
        problems: At most 100; a reader of the reference implementation refuses a file with any.
        tensors: Those that are well-formed, by their place.
        data_offset: Where the data begins.
    """

    tensor_count: int
    metadata: dict[str, str]
    problems: tuple[SafetensorsProblem, ...]
    tensors: tuple[SafetensorsTensor, ...] = ()
    data_offset: int = 0


@dataclass(frozen=True, slots=True)
class SafetensorsTensor:
    """One tensor.

    Attributes:
        name: Its key.
        dtype: Such as ``F32``.
        shape: Lengths of the axes.
        begin: Of its bytes, in the data.
        end: Behind its bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors(source: ByteSource, *, limits: Limits) -> SafetensorsHeader:
    """Read and check the header of a safetensors file; the tensors' bytes are not read.

    Args:
        source: The whole file.
        limits: ``max_header_bytes`` and ``max_json_depth`` apply.

    Returns:
        The header with its problems; content never raises.

    Source:
        https://huggingface.co/docs/safetensors (Format) and ``safetensors/src/tensor.rs``.
    """
    try:
        document, data_bytes = _read_document(source, limits)
        metadata = _read_metadata(document)
    except ParseError as error:
        return SafetensorsHeader(0, {}, (SafetensorsProblem("header", str(error)),))
    tensors: list[SafetensorsTensor] = []
    problems: list[SafetensorsProblem] = []
    for name, info in document.items():
        if name == "__metadata__":
            continue
        try:
            tensors.append(_read_tensor(name, info))
        except ParseError as error:
            problems.append(SafetensorsProblem("tensor", str(error)))
    if not problems:
        problems.extend(_check_layout(tensors, data_bytes))
    count = len(document) - ("__metadata__" in document)
    return SafetensorsHeader(
        count,
        metadata,
        tuple(problems[:_MAX_PROBLEMS]),
        tuple(sorted(tensors, key=lambda t: (t.begin, t.end))),
        source.size_bytes - data_bytes,
    )


def _read_document(source: ByteSource, limits: Limits) -> tuple[dict[str, Any], int]:
    raw_length = source.read_at(0, _LENGTH_BYTES)
    if len(raw_length) < _LENGTH_BYTES:
        raise ParseError(f"it has {len(raw_length)} bytes; the header length alone takes 8")
    length = int.from_bytes(raw_length, "little")
    left = source.size_bytes - _LENGTH_BYTES
    if length > left:
        raise ParseError(f"the header claims {length:,} bytes and {left:,} follow")
    if length > limits.max_header_bytes:
        message = f"the header has {length:,} bytes, over max_header_bytes = "
        raise ParseError(f"{message}{limits.max_header_bytes:,}")
    raw = source.read_at(_LENGTH_BYTES, length)
    if not raw.startswith(b"{"):
        raise ParseError("the header does not start with '{'")
    if raw.count(b",") > _MAX_COMMAS:
        raise ParseError(f"the header has more than {_MAX_COMMAS:,} values")
    most = min(_MAX_VALUES, limits.max_json_values)
    document = parse_json(raw, what="the header", limits=limits, max_values=most)
    if not isinstance(document, dict):
        raise ParseError("the header is not an object")
    return document, left - length


def _read_metadata(document: dict[str, Any]) -> dict[str, str]:
    metadata = document.get("__metadata__")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ParseError("__metadata__ does not map strings to strings")
    return metadata


def _read_tensor(name: str, info: object) -> SafetensorsTensor:
    label = repr(name[:80])
    if not isinstance(info, dict) or info.keys() != {"dtype", "shape", "data_offsets"}:
        raise ParseError(f"tensor {label} does not have exactly dtype, shape and data_offsets")
    bits = _DTYPE_BITS.get(info["dtype"]) if isinstance(info["dtype"], str) else None
    if bits is None:
        raise ParseError(f"tensor {label} has the unknown dtype {str(info['dtype'])[:80]!r}")
    shape, offsets = info["shape"], info["data_offsets"]
    if not _are_sizes(shape):
        raise ParseError(f"tensor {label} has a shape that is not a list of sizes")
    if not _are_sizes(offsets) or len(offsets) != 2:  # noqa: PLR2004 - begin and end
        raise ParseError(f"tensor {label} has data_offsets that are not two sizes")
    begin, end = offsets
    wanted_bits = _count(shape, label) * bits
    if end < begin or wanted_bits != (end - begin) * 8:
        what = f"needs {wanted_bits / 8:,.15g} bytes by dtype and shape"
        raise ParseError(f"tensor {label} {what} and has {end - begin:,}")
    return SafetensorsTensor(name, info["dtype"], tuple(shape), begin, end)


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v <= _MAX_INT for v in value)


def _count(shape: list[int], label: str) -> int:
    """Multiply as the reference does: any overflow on the way is refused, a later zero or not."""
    count = 1
    for size in shape:
        count *= size
        if count > _MAX_INT // 64:
            raise ParseError(f"tensor {label} has more elements than can be counted")
    return count


def _check_layout(tensors: list[SafetensorsTensor], data_bytes: int) -> list[SafetensorsProblem]:
    """Check that the tensors cover the data from end to end, without a hole or an overlap."""
    problems = []
    expected = 0
    for tensor in sorted(tensors, key=lambda t: (t.begin, t.end)):
        if tensor.begin != expected:
            kind = "overlaps the one before it" if tensor.begin < expected else "leaves a hole"
            where = f"begins at {tensor.begin:,} of the data where {expected:,} is due"
            message = f"tensor {tensor.name[:80]!r} {kind}: it {where}"
            problems.append(SafetensorsProblem("layout", message))
            if len(problems) >= _MAX_PROBLEMS:
                return problems
        expected = max(expected, tensor.end)
    if expected != data_bytes:
        message = f"the tensors end at {expected:,} and the data at {data_bytes:,}"
        problems.append(SafetensorsProblem("layout", message))
    return problems
