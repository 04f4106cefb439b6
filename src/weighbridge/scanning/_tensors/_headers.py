"""Tensor files whose header says everything: safetensors, GGUF, NumPy."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import (
    TEMPLATE_KEY,
    SliceSource,
    read_gguf,
    read_npy_header,
    read_safetensors,
)
from weighbridge.scanning._code import examine_template
from weighbridge.scanning._facts import TensorEntry, TensorTable
from weighbridge.scanning._notes import deeper, examined, found, inside, not_examined
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._tensors._metadata import look_into_bytes, look_into_notes
from weighbridge.scanning._tensors._values import Numbers, check_values, digest_tensors

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import GgufHeader, NpyHeader, SafetensorsHeader
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_gguf", "examine_npy", "examine_safetensors"]

_SAFETENSORS_RULES = {"header": "WB-STN-001", "tensor": "WB-STN-002", "layout": "WB-STN-003"}
# type id -> dtype as safetensors writes it, bytes of a number
_GGUF_FLOATS = {0: ("F32", 4), 1: ("F16", 2), 28: ("F64", 8), 30: ("BF16", 2)}
# The longest run of zeros that is taken for padding at once.
_PADDING_BYTES = 64 * 1024
_GGUF_RULES = {"header": "WB-GGF-001", "tensor": "WB-GGF-002", "type": "WB-GGF-003"}


def examine_safetensors(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Yield what is wrong with a safetensors file, and what its metadata carries."""
    length = int.from_bytes(source.read_at(0, 8), "little")
    context.budget.spend_header_bytes(min(length, source.size_bytes))
    header = read_safetensors(source, limits=context.limits)
    for problem in header.problems:
        rule_id = _SAFETENSORS_RULES[problem.kind]
        yield found(rule_id, at, f"Not a valid safetensors file: {problem.message}.")
    yield examined(at, "safetensors")
    texts = ((key, text.encode("utf-8", "replace")) for key, text in header.metadata.items())
    yield from look_into_notes(texts, source, at, context, examine)
    if not header.problems:
        yield from _look_at_tensors(source, header, at, context, examine)
    return True


def _look_at_tensors(
    source: ByteSource,
    header: SafetensorsHeader,
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Iterator[Note]:
    tensors = [
        Numbers(
            one.name, one.dtype, len(one.shape), header.data_offset + one.begin, one.end - one.begin
        )
        for one in header.tensors
    ]
    yield from check_values(source, tensors, at, context)
    yield from look_into_bytes(source, tensors, at, context, examine)
    if not at.member:
        digests = digest_tensors(source, tensors, context)
        entries = (
            TensorEntry(one.name, one.dtype, one.shape, digests.get(one.name, ""))
            for one in header.tensors
        )
        yield TensorTable(at.file, "safetensors", tuple(entries))


def examine_gguf(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Yield what is wrong with a GGUF file and its templates, and what is in its gaps."""
    # How long the header is shows only when it was read.
    context.budget.spend_header_bytes(min(source.size_bytes, context.limits.max_header_bytes))
    header = read_gguf(source, limits=context.limits)
    for problem in header.problems:
        rule_id = _GGUF_RULES[problem.kind]
        yield found(rule_id, at, f"Not a valid GGUF file: {problem.message}.")
    if any(problem.kind == "header" for problem in header.problems):
        yield not_examined(at, "gguf", "its header could not be read to its end")
    else:
        yield examined(at, "gguf")
    yield from look_into_notes(header.texts, source, at, context, examine)
    read = dict(header.templates)
    for key in header.keys:
        if not key.startswith(TEMPLATE_KEY):
            continue
        if key in read:
            yield from examine_template(read[key], inside(at, key), context)
        elif key == TEMPLATE_KEY or "." in key.removeprefix(TEMPLATE_KEY):
            reason = "it is no text, or one of more than 1 MiB"
            yield not_examined(inside(at, key), "jinja template", reason)
    yield from _examine_gaps(source, header, at, context, examine)
    if not header.problems and not header.big_endian:
        yield from check_values(source, _list_floats(header), at, context)
    return True


def _examine_gaps(
    source: ByteSource, header: GgufHeader, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    """Examine what belongs to nothing, unless it is a padding of zeros."""
    for begin, size in header.gaps:
        head = source.read_at(begin, min(size, _PADDING_BYTES))
        padding = len(head) - len(head.lstrip(b"\0"))
        if padding == size:
            continue
        start, left = begin + padding, size - padding
        message = f"{left:,} bytes belong neither to the header nor to a tensor."
        yield found("WB-GGF-004", at, message, offset=start)
        context.budget.spend_members(1)
        place, inner = deeper(at, f"bytes@{start}", context)
        yield from examine(SliceSource(place.member[-1], source, start, left), place, inner)


def _list_floats(header: GgufHeader) -> list[Numbers]:
    """Return where the tensors of plain floats are; the others are packed in blocks."""
    floats = []
    for one in sorted(header.tensors, key=lambda tensor: tensor.offset):
        dtype, width_bytes = _GGUF_FLOATS.get(one.type_id, ("", 0))
        offset = header.data_offset + one.offset
        size_bytes = prod(one.dims) * width_bytes
        floats.append(Numbers(one.name, dtype, len(one.dims), offset, size_bytes))
    return floats


def examine_npy(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Yield what is wrong with a NumPy array, and what its pickle does if it has one."""
    try:
        header = read_npy_header(source, spend=context.budget.spend_header_bytes)
    except ParseError as error:
        yield found("WB-NPY-001", at, f"The NumPy header cannot be trusted: {error}.")
        yield not_examined(at, "numpy", "its header could not be read")
        yield from _pickle_somewhere(source, at, context)
        return True
    if header.has_objects:
        yield from _examine_objects(source, header, at, context)
        return True
    size = source.size_bytes - header.data_offset
    if size != header.data_bytes:
        message = (
            f"The array needs {header.data_bytes:,} bytes by dtype and shape "
            f"and the file has {size:,}."
        )
        yield found("WB-NPY-002", at, message, offset=header.data_offset)
    yield examined(at, "numpy")
    return True


def _examine_objects(
    source: ByteSource, header: NpyHeader, at: Location, context: ScanContext
) -> Iterator[Note]:
    scan = scan_pickles(source, at=at, context=context, start=header.data_offset)
    if scan is None:
        message = "The array is of objects, and what follows its header is no pickle."
        yield found("WB-NPY-003", at, message, offset=header.data_offset)
        yield not_examined(at, "numpy objects", "no pickle follows the header")
        return
    yield from scan.findings
    if scan.complete and not scan.reason:
        yield examined(at, "numpy objects")
    else:
        reason = scan.reason or "the pickle was not followed to its end"
        yield not_examined(at, "numpy objects", reason)


def _pickle_somewhere(source: ByteSource, at: Location, context: ScanContext) -> Iterator[Note]:
    """Look for a pickle where the header claims to end, even if it makes no other sense."""
    head = source.read_at(0, 12)
    begin = 10 if head[6:7] == b"\x01" else 12
    start = begin + int.from_bytes(head[8:begin], "little")
    if len(head) == 12 and start < source.size_bytes:  # noqa: PLR2004 - magic, version, length
        scan = scan_pickles(source, at=at, context=context, start=start)
        if scan is not None:
            yield from scan.findings
