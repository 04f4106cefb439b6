"""Values in HDF5 files that may be more than numbers and words: pickles, archives, code."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, SliceSource, sniff
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import Hdf5Dataset
    from weighbridge.scanning._context import Budget, ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_value", "list_dataset_values"]

_GLANCE_BYTES = 4 * 1024
# Two or four bytes, which numbers begin with now and then.
_CHANCE = frozenset({"pe", "gzip", "zlib", "lzma", "joblib-zfile", "bzip2", "msgpack", "outline"})
_CALLED = frozenset(
    PICKLE_RULES[rule].rule_id
    for rule in ("dangerous-call", "dangerous-name", "foreign-call", "dotted-name", "unknown-call")
)
# What PyTables itself keeps as a pickle beside the data.
_PYTABLES = frozenset(
    {("tables.filters", "Filters"), ("tables.leaf", "Filters"), ("tables.Leaf", "Filters")}
)
_PROTOCOL = re.compile(rb"\x80[\x02-\x05]")
# No pickle that names anything is made of these alone: a name ends with a line feed, and the
# opcodes that need none are no letters.
_WORDS = re.compile(rb"[\x20-\x7e\t\0]*\Z")
_MAX_ELEMENTS = 100_000
_MAX_RUNS = 10_000
_MAX_JOINED_BYTES = 16 * 1024 * 1024
_SHUFFLE, _DEFLATE, _FLETCHER = 2, 1, 3
_MAX_CHUNK_BYTES = 64 * 1024 * 1024
_CHECKSUM_BYTES = 4
_OBJECT_KINDS = ("string", "opaque")


def examine_value(
    value: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    """Yield what a value is if it is a pickle or a file of some format; nothing otherwise.

    Numbers begin with anything. A pickle counts if it calls something, or if all of the value is
    one; what else only begins like a format by two bytes does not.
    """
    head = value.read_at(0, _GLANCE_BYTES)
    if not head or (len(head) < _GLANCE_BYTES and _WORDS.match(head)):
        return
    formats = set(sniff(head)) - _CHANCE
    allowed = context.allowed | _PYTABLES
    context = replace(context, allowed=allowed, nesting=context.nesting + 1)
    pickle = scan_pickles(value, at=at, context=context)
    whole = pickle is not None and pickle.complete and not pickle.reason
    called = pickle is not None and any(one.rule_id in _CALLED for one in pickle.findings)
    if called or formats or whole or (_PROTOCOL.match(head) and pickle is not None):
        yield from examine(value, at, context)


def list_dataset_values(
    source: ByteSource, dataset: Hdf5Dataset, path: str, budget: Budget
) -> Iterator[ByteSource]:
    """Yield what a dataset holds, if it holds bytes or words: each element, or the run of bytes.

    Numbers of more than one byte are not looked at, nor what is of variable length.

    Raises:
        ParseError: Words or bytes without a meaning are packed in a way that is not understood.
    """
    kind, size = dataset.type.kind, dataset.type.size_bytes
    telling = kind in _OBJECT_KINDS
    if not telling and not (kind in ("integer", "bitfield", "array") and _is_bytes(dataset)):
        return
    runs = _list_runs(source, dataset, path, budget, telling=telling)
    if not telling:
        yield from _join(runs, path)
        return
    left = _MAX_ELEMENTS
    for run in runs:
        if run.size_bytes <= _MAX_JOINED_BYTES and _WORDS.match(run.read_at(0, run.size_bytes)):
            continue
        if size >= run.size_bytes:
            yield run
            continue
        for offset in range(0, run.size_bytes - size + 1, max(size, 1)):
            if left <= 0:
                raise ParseError(f"only the first {_MAX_ELEMENTS:,} elements were examined")
            left -= 1
            yield SliceSource(path, run, offset, size)


def _join(runs: Iterator[ByteSource], path: str) -> Iterator[ByteSource]:
    """Yield the bytes of all chunks as one, for what loads a pickle from them begins at the first.

    A single run stays where it is; of many small ones the first mebibytes are enough.
    """
    first = next(runs, None)
    second = next(runs, None)
    if first is None or second is None or first.size_bytes > _MAX_JOINED_BYTES:
        yield from (run for run in (first,) if run is not None)
        return
    joined = bytearray(first.read_at(0, first.size_bytes))
    for run in chain((second,), runs):
        if len(joined) + run.size_bytes > _MAX_JOINED_BYTES:
            break
        joined += run.read_at(0, run.size_bytes)
    yield MemorySource(path, bytes(joined))


def _is_bytes(dataset: Hdf5Dataset) -> bool:
    type_ = dataset.type
    base = type_.parts[0] if type_.kind == "array" and type_.parts else type_
    return base.size_bytes == 1 and base.kind in ("integer", "bitfield")


def _list_runs(
    source: ByteSource, dataset: Hdf5Dataset, path: str, budget: Budget, *, telling: bool
) -> Iterator[ByteSource]:
    if dataset.data:
        yield MemorySource(path, dataset.data)
        return
    numbers = [one.number for one in dataset.filters]
    for number, (offset, size, mask) in enumerate(dataset.runs):
        if number >= _MAX_RUNS:
            if telling:
                raise ParseError(f"only the first {_MAX_RUNS:,} chunks were examined")
            return
        packed = [one for bit, one in enumerate(numbers) if not mask >> bit & 1]
        if not packed:
            yield SliceSource(path, source, offset, size)
            continue
        if not set(packed) <= {_SHUFFLE, _DEFLATE, _FLETCHER} or size > _MAX_CHUNK_BYTES:
            if telling:
                raise ParseError(f"its bytes are packed by filters {packed}, not undone here")
            return
        yield MemorySource(path, _unpack(source.read_at(offset, size), packed, dataset, budget))


def _unpack(data: bytes, filters: list[int], dataset: Hdf5Dataset, budget: Budget) -> bytes:
    """Undo the filters of a chunk, last first; damage ends it early."""
    for one in reversed(filters):
        if one == _FLETCHER:
            data = data[:-_CHECKSUM_BYTES]
        elif one == _DEFLATE:
            stream = zlib.decompressobj()
            try:
                data = stream.decompress(data, _MAX_CHUNK_BYTES)
            except zlib.error as error:
                raise ParseError(f"a chunk cannot be expanded: {error}") from None
            budget.spend_expanded_bytes(len(data))
        elif dataset.type.size_bytes > 1:
            data = _unshuffle(data, dataset.type.size_bytes)
    return data


def _unshuffle(data: bytes, size: int) -> bytes:
    """Undo the shuffle: the first bytes of all elements come first, then the second ones."""
    count = len(data) // size
    plain = bytearray(data)
    for byte in range(min(size, count * size)):
        plain[byte : count * size : size] = data[byte * count : (byte + 1) * count]
    return bytes(plain)
