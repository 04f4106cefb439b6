"""Routing: every file and member is tried for all that it could be.

Names are not asked, for whoever loads a file may not ask either. A name may only make it worse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Coverage, CoverageStatus, Finding
from weighbridge.formats import (
    HEAD_BYTES,
    MemorySource,
    SliceSource,
    ZipDirectory,
    looks_like_text,
    read_zip_directory,
    sniff,
)
from weighbridge.scanning._containers._row import examine_zip_row
from weighbridge.scanning._containers._streams import STREAM_FORMATS, examine_stream
from weighbridge.scanning._containers._zip import Examiners, examine_zip
from weighbridge.scanning._documents._names import check_name
from weighbridge.scanning._documents._text import examine_text
from weighbridge.scanning._examiners import find_examiner
from weighbridge.scanning._graphs._unmarked import examine_numbers, examine_unmarked
from weighbridge.scanning._notes import UNKNOWN_FORMAT, examined, inert, not_examined
from weighbridge.scanning._pickle._hidden import find_hidden_pickle
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import PickleScan, ScanContext
    from weighbridge.scanning._notes import Note, Notes

__all__ = ["examine"]

# Read at once; more reads of small pieces would cost more.
_SMALL_BYTES = 1024 * 1024
# Formats that no first bytes give away.
_UNMARKED_FORMATS = {
    "onnx": "onnx",
    "pb": "tensorflow graph",
    "pbtxt": "tensorflow graph",
    "msgpack": "msgpack",
    "mlmodel": "core ml",
    "engine": "tensorrt engine",
    "plan": "tensorrt engine",
    "trt": "tensorrt engine",
    "rknn": "rknn",
    "mnn": "mnn",
    "model": "sentencepiece or other protobuf",
    "pyc": "python bytecode",
    "rds": "r",
    "feather": "arrow",
}
_ZIP_MARK = b"PK\x03\x04"
_PERSID = b"P"
# Findings that show a name at work: what no bytes give by chance.
_NAMED = frozenset(
    PICKLE_RULES[rule].rule_id
    for rule in ("dangerous-call", "dangerous-name", "foreign-call", "dotted-name")
)
# So does a call of a name that nobody vouches for.
_CALLED = _NAMED | {PICKLE_RULES["unknown-call"].rule_id}
# Enough for every mark, for a tar header and for the first superblocks of HDF5.
_GLANCE_BYTES = 4 * 1024
# Two bytes, which one storage of numbers in some ten thousand begins with.
_CHANCE_FORMATS = frozenset(
    {
        "pe",
        "gzip",
        "zlib",
        "lzma",
        "joblib-zfile",
        "media",
        "arrow",
        "msgpack",
        "ubjson",
        "r",
        "outline",
    }
)
_NO_KEYS: frozenset[str] = frozenset()


def examine(source: ByteSource, at: Location, context: ScanContext) -> Notes:
    """Yield findings and at least one row about ``source`` and everything inside it.

    Raises:
        LimitExceededError: The budget of the file is spent; what was found so far was yielded.
        IncompleteError: There is no room to expand something.
    """
    yield from check_name(at)
    if (row := _dismiss(source, at, context)) is not None:
        yield row
        return _NO_KEYS
    if source.size_bytes <= _SMALL_BYTES:
        source = MemorySource(source.name, source.read_at(0, source.size_bytes))
    # The pickle first: a real one is read in rising order, anything else fails at its head.
    pickle = _scan_start(source, at, context)
    told = False
    if pickle is not None:
        yield from pickle.findings
        if _is_whole(pickle):
            yield examined(at, pickle.format)
            told = True
    directory = read_zip_directory(source, max_members=context.limits.max_members)
    if directory is None and source.read_at(0, len(_ZIP_MARK)) == _ZIP_MARK:
        reason = "it has no directory; only what its local headers show was examined"
        yield not_examined(at, "zip", reason)
        directory = ZipDirectory((), source.size_bytes, source.size_bytes, ())
    if directory is None:
        told = yield from _examine_body(source, source, at, context, told=told)
        yield from find_hidden_pickle(source, at, context) if pickle is None else ()
    elif (yield from examine_zip_row(source, directory, at, context, examine)):
        told = True
    else:
        examiners = Examiners(examine, _examine_raw)
        prefix_bytes = yield from examine_zip(source, directory, at, context, examiners)
        prefix = SliceSource(source.name, source, 0, prefix_bytes)
        told = yield from _examine_body(prefix, source, at, context, told=not prefix_bytes or told)
    if pickle is not None and not _is_whole(pickle) and (pickle.findings or not told):
        yield not_examined(at, pickle.format, pickle.reason or "it was not followed to its end")
        told = True
    if not told:
        yield _name_unknown(source, at)
    return pickle.storage_keys if pickle is not None else _NO_KEYS


def _dismiss(source: ByteSource, at: Location, context: ScanContext) -> Coverage | None:
    """Return the row of what is not looked at: too deep, or empty; None for all the rest."""
    if context.nesting > context.limits.max_nesting:
        reason = f"it is nested deeper than max_nesting = {context.limits.max_nesting}"
        return not_examined(at, "unknown", reason)
    return None if source.size_bytes else inert(at, "empty", "it has no bytes")


def _scan_start(source: ByteSource, at: Location, context: ScanContext) -> PickleScan | None:
    """Scan for pickles at the beginning; None if there is none, or only the letter P.

    ``P`` is the opcode PERSID, which reads to the next line feed. No loader of PyTorch or joblib
    takes such an id and goes on, and what follows in a zip (``PK``), a picture or a text is read
    out of step: it counts only if a bad name is really met, or if all of it is a pickle.
    """
    pickle = scan_pickles(source, at=at, context=context)
    head = source.read_at(0, len(_ZIP_MARK))
    if pickle is None or not head.startswith(_PERSID) or _has_name(pickle):
        return pickle
    return pickle if head != _ZIP_MARK and _is_whole(pickle) else None


def _has_name(pickle: PickleScan) -> bool:
    """Return whether a finding names something dangerous or foreign."""
    return any(finding.rule_id in _NAMED for finding in pickle.findings)


def _examine_raw(source: ByteSource, at: Location, context: ScanContext) -> Notes:
    """Yield what a storage of numbers is besides; nothing if its beginning is nothing else.

    Whoever opens it by its name may take it for any kind of file, but only the first bytes are
    read, because there may be gigabytes of them.
    """
    head = source.read_at(0, _GLANCE_BYTES)
    formats = set(sniff(head))
    pickle = scan_pickles(source, at=at, context=context)
    found = {finding.rule_id for finding in pickle.findings} if pickle is not None else set()
    if found & _CALLED or formats - _CHANCE_FORMATS or head.startswith(_ZIP_MARK):
        return (yield from examine(source, at, context))
    for format_name in sorted(formats & STREAM_FORMATS):
        yield from _drop_chance_hit(examine_stream(source, format_name, at, context, examine))
    return _NO_KEYS


def _name_unknown(source: ByteSource, at: Location) -> Coverage:
    """Return the row of what nobody knew; the name is good enough to say what it may be."""
    claimed = _UNMARKED_FORMATS.get(source.name.rpartition(".")[2].lower())
    if claimed is None:
        return not_examined(at, "unknown", UNKNOWN_FORMAT)
    return not_examined(at, claimed, f"{claimed} is not examined yet (told by its name)")


def _is_whole(pickle: PickleScan) -> bool:
    return pickle.complete and not pickle.reason


def _examine_body(
    body: ByteSource, whole: ByteSource, at: Location, context: ScanContext, *, told: bool
) -> Generator[Note, None, bool]:
    """Examine bytes as every format but pickle and zip; return whether anybody knew them.

    No format hides another: each whose mark fits is examined, over all the bytes, because the
    archives that loaders find by themselves may lie anywhere in the others.

    Args:
        body: ``whole``, or the part of it that lies before a zip archive, which may be text.
        whole: Everything.
        at: Where.
        context: Limits and budget.
        told: Whether the bytes are known already.
    """
    formats = list(sniff(whole.read_at(0, HEAD_BYTES)))
    if whole.name.endswith(".safetensors") and not told and "safetensors" not in formats:
        formats.append("safetensors")  # so that it is said what is wrong with it
    for format_name in formats:
        knew = yield from _examine_format(whole, format_name, at, context)
        told = told or knew
    told = (yield from examine_unmarked(body, at, context, examine)) or told
    if told or (yield from examine_text(body, at, context)):
        return True
    if (yield from _examine_format(body, "outline", at, context)):
        return True  # its mark is so weak that the sizes in it speak
    return (yield from examine_numbers(body, at))


def _examine_format(
    source: ByteSource, format_name: str, at: Location, context: ScanContext
) -> Generator[Note, None, bool]:
    """Examine ``source`` as one format; return whether it turned out to be of it."""
    if format_name in STREAM_FORMATS:
        notes = examine_stream(source, format_name, at, context, examine)
        if looks_like_text(source.read_at(0, HEAD_BYTES)):
            notes = _drop_chance_hit(notes)
        return (yield from notes)
    if (examiner := find_examiner(format_name)) is not None:
        return (yield from examiner(source, at, context, examine))
    yield not_examined(at, format_name, f"{format_name} is not examined yet")
    return True


def _drop_chance_hit(
    notes: Generator[Note, None, bool],
) -> Generator[Note, None, bool]:
    """Pass on what a compressed stream gave, unless something else only begins like one.

    ``x^2`` has the first two bytes of zlib and expands to a few bytes before the damage. It counts
    only if it is whole, or if something was found in these bytes.
    """
    kept = list(notes)
    rules = {note.rule_id for note in kept if isinstance(note, Finding)}
    if not rules - {"WB-CMP-001"} and not (kept and _is_examined(kept[0])):
        return False
    yield from kept
    return True


def _is_examined(note: Note) -> bool:
    return isinstance(note, Coverage) and note.status is CoverageStatus.EXAMINED
