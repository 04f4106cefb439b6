"""Notes that tensor files carry: texts for people, in which something else may be packed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Finding, Severity
from weighbridge.formats import MemorySource
from weighbridge.scanning._graphs._walk import Scene
from weighbridge.scanning._notes import deeper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note
    from weighbridge.scanning._tensors._values import Numbers

__all__ = ["look_into_bytes", "look_into_notes"]

_RULE = "WB-TNS-008"
_SHORT_BYTES = 8
_MAX_TEXT_BYTES = 1024 * 1024
_EXAMINE_COST = 100
_NAME_LETTERS = 80
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){16,}\s*")
# Numbers of one byte are the only ones that a loader hands on as they are, to unpack them.
_BYTE_TYPES = frozenset({"U8", "I8", "BOOL"})
_HEAD_BYTES = 4096
# Marks long enough that no tensor of numbers begins with them by chance.
_MARKS = (b"\x7fELF", b"PK\x03\x04", b"\xcf\xfa\xed\xfe", b"\0asm", b"\x93NUMPY", b"\x89HDF\r\n")
_PICKLE = re.compile(
    rb"c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n|\x80[\x02-\x05](?:\x95|c|\x8c|\}|\]|\()"
)


def look_into_notes(
    texts: Iterable[tuple[str, bytes]],
    source: ByteSource,
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Iterator[Note]:
    """Yield what the notes of a tensor file are besides text for people.

    Loaders hand them on as they are; programs exist that unpack, render or evaluate them.
    """
    scene = Scene(source, at, context, examine)
    for key, data in texts:
        if len(data) < _SHORT_BYTES:
            continue
        name = key[:_NAME_LETTERS]
        yield from scene.look_into(name, data, _RULE)
        if len(data) <= _MAX_TEXT_BYTES and _HEX.fullmatch(data):
            yield from scene.look_into(f"{name} (hex)", bytes.fromhex(data.decode()), _RULE)
        elif len(data) <= _MAX_TEXT_BYTES:
            yield from _examine_text(name, data, at, context, examine)


def _examine_text(
    name: str, data: bytes, at: Location, context: ScanContext, examine: Examine
) -> Iterator[Finding]:
    """Yield what a text does if somebody takes it for a document, a page or a template."""
    if context.nesting >= context.limits.max_nesting - 1:
        return
    context.budget.spend_fields(_EXAMINE_COST)
    place, inner = deeper(at, name, context)
    for note in examine(MemorySource("note", data), place, inner):
        if isinstance(note, Finding) and _gates(note):
            yield note


def _gates(finding: Finding) -> bool:
    is_bad = finding.answer is not Answer.PASS
    return is_bad and finding.severity.rank >= Severity.MEDIUM.rank


def look_into_bytes(
    source: ByteSource,
    tensors: Iterable[Numbers],
    at: Location,
    context: ScanContext,
    examine: Examine,
) -> Iterator[Note]:
    """Yield what tensors of bytes are besides numbers, by how they begin."""
    for one in tensors:
        if one.dtype not in _BYTE_TYPES or one.size_bytes < _SHORT_BYTES:
            continue
        head = source.read_at(one.offset, min(_HEAD_BYTES, one.size_bytes))
        if head.startswith(_MARKS) or _PICKLE.match(head):
            context.budget.spend_fields(_EXAMINE_COST)
            scene = Scene(source, at, context, examine)
            end = one.offset + one.size_bytes
            for note in scene.look_at_rest(one.name[:_NAME_LETTERS], one.offset, end):
                if isinstance(note, Finding) and note.answer is not Answer.PASS:
                    yield note
