"""HDF5 files: other files that they read, pickles in them, and the config of a Keras model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import (
    Hdf5Attribute,
    Hdf5Dataset,
    Hdf5File,
    Hdf5Link,
    Hdf5Object,
    Hdf5Problem,
    MemorySource,
    SliceSource,
    find_hdf5_start,
    list_hdf5_heap_objects,
    read_hdf5,
    sniff,
)
from weighbridge.scanning._keras._config import check_keras_config, parse_keras_json
from weighbridge.scanning._keras._values import examine_value, list_dataset_values
from weighbridge.scanning._notes import (
    deeper,
    examined,
    found,
    inert,
    inside,
    leads_out,
    not_examined,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_hdf5"]

_SHOWN = 80
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LIBRARY_FILTERS = 256
# Of the registry of the HDF Group: what h5py, hdf5plugin and PyTables come with.
_KNOWN_FILTERS = {
    305: "lzo",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "sz",
    32024: "sz3",
    32026: "blosc2",
}
_CONFIGS = frozenset({"model_config", "training_config", "optimizer_config", "keras_config"})
_MATLAB = b"MATLAB 7.3 MAT-file"
_ZIP_MARK = b"PK\x03\x04"
_BLANK_BYTES = 64 * 1024
_MAX_HEAP_OBJECTS = 200_000


@dataclass(slots=True)
class _State:
    """What was met so far in one file."""

    head: Hdf5File | None = None
    problems: list[Hdf5Problem] = field(default_factory=list)
    has_long_values: bool = False


def examine_hdf5(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Yield what an HDF5 file would read elsewhere, load or run, and what is broken in it."""
    if find_hdf5_start(source) is None:
        return False
    state = _State()
    for event in read_hdf5(source, spend=context.budget.spend_header_bytes):
        if isinstance(event, Hdf5File):
            state.head = event
        elif isinstance(event, Hdf5Problem):
            yield from _tell_problem(event, at, state)
        elif isinstance(event, Hdf5Link):
            yield from _judge_link(event, at)
        else:
            yield from _judge_object(event, source, at, context, examine, state)
    if state.head is not None:
        if state.has_long_values:
            yield from _examine_heaps(source, state.head, at, context, examine)
        yield from _examine_outside(source, state.head, at, context, examine)
    if not state.problems:
        yield examined(at, "hdf5")
        return True
    first = state.problems[0]
    more = f" and {len(state.problems) - 1:,} more" if len(state.problems) > 1 else ""
    yield not_examined(at, "hdf5", f"{first.path[:_SHOWN]!r}: {first.message}{more}")
    return True


def _tell_problem(problem: Hdf5Problem, at: Location, state: _State) -> Iterator[Note]:
    """Keep a problem; it is a finding if something was read before, and is not merely unknown."""
    state.problems.append(problem)
    if problem.kind == "unknown" or state.head is None:
        return
    rule_id = "WB-HDF-003" if problem.kind == "outside" else "WB-HDF-004"
    yield found(rule_id, at, f"In {problem.path[:_SHOWN]!r}: {problem.message}.")


def _is_away(name: str) -> bool:
    return leads_out(name) or name.startswith("~") or _SCHEME.match(name) is not None


def _judge_link(link: Hdf5Link, at: Location) -> Iterator[Note]:
    if link.kind == "user":
        message = (
            f"The link {link.path[:_SHOWN]!r} is of class {link.target}, which a plug-in reads."
        )
        yield found("WB-HDF-007", at, message)
    elif link.kind == "external":
        yield from _judge_file(link.file, f"Opening {link.path[:_SHOWN]!r}", at, link.target)


def _judge_file(name: str, act: str, at: Location, target: str = "") -> Iterator[Note]:
    detail = f"{name}:{target}"[:500] if target else name[:500]
    rule_id = "WB-HDF-001" if _is_away(name) else "WB-HDF-002"
    yield found(rule_id, at, f"{act} reads another file: {name[:_SHOWN]!r}.", detail=detail)


def _judge_object(
    one: Hdf5Object,
    source: ByteSource,
    at: Location,
    context: ScanContext,
    examine: Examine,
    state: _State,
) -> Iterator[Note]:
    for attribute in one.attributes:
        yield from _judge_attribute(attribute, one.path, at, context, examine)
    dataset = one.dataset
    if dataset is None:
        return
    act = f"Reading {one.path[:_SHOWN]!r}"
    for name in dataset.files:
        if name not in (".", ""):
            yield from _judge_file(name, act, at)
    yield from _judge_filters(dataset, one.path, at)
    if dataset.type.has("vlen", "vlen-string"):
        state.has_long_values = True
    place = inside(at, one.path[:200])
    values = list_dataset_values(source, dataset, one.path, context.budget)
    while True:
        try:
            value = next(values)
        except StopIteration:
            return
        except ParseError as error:
            yield not_examined(place, "hdf5 data", str(error))
            return
        yield from examine_value(value, place, context, examine)


def _judge_filters(dataset: Hdf5Dataset, path: str, at: Location) -> Iterator[Note]:
    for one in dataset.filters:
        if one.number < _LIBRARY_FILTERS:
            continue
        name = _KNOWN_FILTERS.get(one.number)
        if name is not None:
            message = f"Data are packed by the plug-in {name} (filter {one.number})."
            yield found("WB-HDF-006", at, message)
        else:
            message = (
                f"Reading {path[:_SHOWN]!r} loads a plug-in for filter {one.number}, unknown here."
            )
            yield found("WB-HDF-005", at, message, detail=one.name[:_SHOWN])


def _judge_attribute(
    attribute: Hdf5Attribute, path: str, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    place = inside(at, f"{path[:200]}@{attribute.name[:_SHOWN]}")
    values = attribute.values
    if not values and attribute.type.kind in ("opaque", "integer", "bitfield", "array", "compound"):
        values = (attribute.data,)
    for value in values:
        text = value.lstrip()
        is_config = attribute.name in _CONFIGS or b'"class_name"' in value
        if is_config and text.startswith((b"{", b"[")):
            yield from _check_config(value, place, context, examine)
        elif is_config and text and attribute.name in _CONFIGS and not _is_pickle_like(text):
            yield not_examined(place, "keras config", "it is not JSON")
        else:
            yield from examine_value(MemorySource(attribute.name, value), place, context, examine)


def _is_pickle_like(text: bytes) -> bool:
    return text.startswith(b"\x80") or text.endswith(b".")


def _check_config(
    data: bytes, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    context.budget.spend_parsed_bytes(len(data))
    try:
        document = parse_keras_json(data.strip(b"\0 \r\n\t"), context.limits)
    except ParseError as error:
        yield not_examined(at, "keras config", str(error))
        return
    yield from check_keras_config(document, at, context, examine)
    yield examined(at, "keras config")


def _examine_heaps(
    source: ByteSource, head: Hdf5File, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    """Examine the values of variable length, which PyTables and pandas keep pickles in."""
    objects = list_hdf5_heap_objects(source, head, spend=context.budget.spend_text_bytes)
    for number, (offset, size) in enumerate(objects):
        if number >= _MAX_HEAP_OBJECTS:
            reason = f"only the first {_MAX_HEAP_OBJECTS:,} values of variable length were examined"
            yield not_examined(at, "hdf5 data", reason)
            return
        value = SliceSource(f"value at {offset}", source, offset, size)
        yield from examine_value(value, inside(at, value.name), context, examine)


def _examine_outside(
    source: ByteSource, head: Hdf5File, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Note]:
    """Examine what lies before the superblock, and behind the end that it tells."""
    begin = source.read_at(0, min(head.start, _BLANK_BYTES))
    if begin.startswith(_ZIP_MARK) or "tar" in sniff(begin):
        return  # a member of an archive, which is examined as such, begins at a round place
    if begin.startswith(_MATLAB):
        yield inert(inside(at, "user block"), "matlab header", "text and zeros")
    elif head.start and not _is_blank(source, 0, head.start):
        place, inner = deeper(at, "user block", context)
        yield from examine(SliceSource("user block", source, 0, head.start), place, inner)
    left = source.size_bytes - head.end
    if 0 < left < source.size_bytes and not _is_blank(source, head.end, left):
        place, inner = deeper(at, "behind its end", context)
        tail = SliceSource("behind its end", source, head.end, left)
        yield from examine(tail, place, inner)


def _is_blank(source: ByteSource, offset: int, size: int) -> bool:
    return size <= _BLANK_BYTES and not source.read_at(offset, size).strip(b"\0")
