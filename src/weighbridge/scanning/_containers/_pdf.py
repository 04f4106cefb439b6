"""PDF: inert only if no name in it makes a reader run, start, fetch or unpack something."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from weighbridge.formats import SliceSource
from weighbridge.scanning._notes import deeper, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_pdf"]

_MAX_WHOLE_BYTES = 32 * 1024 * 1024
# Names of four letters and more: shorter ones, such as /JS, are met in packed data by chance, and
# each goes with one of these.
_ACTING = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFiles?|RichMedia|XFA|SubmitForm|ImportData|GoToE|GoToR|"
    rb"Rendition|Sound|Movie|OnInstantiate|Encrypt)(?![A-Za-z0-9_])"
)
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_ESCAPED_NAME = re.compile(rb"/[^\s/#<>\[\](){}%]*+#[^\s/<>\[\](){}%]*+")
# A stream of objects; only what its dictionary says about filters can be expanded here.
_OBJECT_STREAM = re.compile(rb"/ObjStm\b")
_STREAM = re.compile(rb"stream\r?\n")
# The format's own words, which are no English.
_ZLIB = re.compile(rb"/Filter\s*(?:/Fl" rb"ateDecode\b|\[\s*/Fl" rb"ateDecode\s*\])")
_PREDICTOR = b"/DecodeP" + b"arms"
_DICTIONARY_BYTES = 1024
_MAX_OBJECTS_BYTES = 8 * 1024 * 1024
_STEP_BYTES = 64 * 1024
_END_MARK = b"%%EOF"
_PADDING = b"\r\n\0 \t"


def examine_pdf(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Search a PDF, and the objects packed in it, for names of what acts.

    Source:
        ISO 32000-2, sections 7.3.5 (names), 7.5.7 (object streams), 12.6.4 (actions).
    """
    if source.size_bytes > _MAX_WHOLE_BYTES:
        yield not_examined(at, "pdf", f"it has {source.size_bytes:,} bytes")
        return True
    context.budget.spend_text_bytes(source.size_bytes)
    data = source.read_at(0, source.size_bytes)
    problem = _find_action(data) or _search_objects(data, context)
    if problem:
        yield not_examined(at, "pdf", problem)
    else:
        yield inert(at, "pdf", "pages without scripts, forms that send, or files inside")
    end = data.rfind(_END_MARK)
    end = len(data) if end < 0 else end + len(_END_MARK)
    end += len(data) - end - len(data[end:].lstrip(_PADDING))
    if end < len(data):
        place, inner = deeper(at, "(behind the pdf)", context)
        yield from examine(SliceSource(source.name, source, end, len(data) - end), place, inner)
    return True


def _find_action(data: bytes) -> str:
    match = _ACTING.search(data)
    if match is None and b"#" in data:
        # Names may be written with escaped letters.
        for name in _ESCAPED_NAME.finditer(data):
            plain = _ESCAPE.sub(lambda hit: bytes([int(hit[1], 16)]), name[0])
            if _OBJECT_STREAM.match(plain) and not _OBJECT_STREAM.match(name[0]):
                return "it hides objects behind escaped letters"
            if match := _ACTING.match(plain):
                break
    return f"it has {match[0].decode()}, which may act when it is opened" if match else ""


def _search_objects(data: bytes, context: ScanContext) -> str:
    """Search the streams of objects, which are packed; return what is wrong with one."""
    for match in _OBJECT_STREAM.finditer(data):
        context.budget.spend_members(1)
        start = _STREAM.search(data, match.end(), match.end() + _DICTIONARY_BYTES)
        before = data[max(match.start() - _DICTIONARY_BYTES, 0) : start.start() if start else 0]
        dictionary = before[before.rfind(b" obj") :]
        if start is None or _ZLIB.search(dictionary) is None or _PREDICTOR in dictionary:
            return "it has objects that are packed in a way that is not examined"
        # What follows the packed objects is for the decompressor to find.
        size = min(len(data) - start.end(), _MAX_OBJECTS_BYTES)
        plain, whole = _expand(data, start.end(), size, context)
        if not whole:
            return "it has objects that cannot be expanded"
        context.budget.spend_text_bytes(len(plain))
        if problem := _find_action(plain):
            return problem
    return ""


def _expand(data: bytes, start: int, size: int, context: ScanContext) -> tuple[bytes, bool]:
    """Return what a zlib stream expands to, and whether it is whole and not too long."""
    expander = zlib.decompressobj()
    plain = bytearray()
    packed = b""
    try:
        while not expander.eof and (packed or size > 0):
            if not packed:
                packed = data[start : start + min(size, _STEP_BYTES)]
                start, size = start + len(packed), size - len(packed)
            piece = expander.decompress(packed, _STEP_BYTES)
            packed = expander.unconsumed_tail
            context.budget.spend_expanded_bytes(len(piece))
            plain += piece
            if len(plain) > _MAX_OBJECTS_BYTES:
                return b"", False
    except zlib.error:
        return b"", False
    return bytes(plain), expander.eof
