"""XML and its kin: what is declared before the first element, and who reads that element."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import read_xml_outline
from weighbridge.scanning._code import examine_code
from weighbridge.scanning._documents._document import show
from weighbridge.scanning._notes import examined, found, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import XmlOutline
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

    XmlCheck = Callable[[str, ByteSource, Location, ScanContext], Iterator[Note]]

__all__ = ["MARKUP_NEEDLES", "XML_CHECKS", "examine_markup"]

XML_CHECKS: dict[str, tuple[str, str]] = {
    "net": ("_graphs._xml", "check"),
    "pmml": ("_graphs._xml", "check"),
    # Name of the first element without its prefix, in small letters -> room and function.
    # ``check(root_tag, source, at, context) -> Iterator[Note]`` yields findings and at least one
    # row. It gets the whole text, and the entities before the element were judged already.
}
_CODE_ROOTS = {"html": "html", "svg": "svg", "xhtml": "html"}
# Forms whose readers create objects and call methods that the document names.
_OBJECT_ROOTS = frozenset(
    {"java", "object-stream", "dynamic-proxy", "resourcedictionary", "objectdataprovider"}
)
# Documents that are programs, or that tell a tool what to run.
_ACTING_ROOTS = frozenset(
    {"stylesheet", "transform", "beans", "scriptlet", "job", "xul", "workflow-app"}
)
MARKUP_NEEDLES = (b"<script", b"<?php", b"java.", b"ObjectDataProvider", b"xi:include", b"<!ENTITY")
_OBJECTS = re.compile(
    rb"java\.beans\.XMLDecoder|java\.lang\.(?:ProcessBuilder|Runtime)|ObjectDataProvider"
    rb"|javax\.script\.|com\.sun\.|x:Static|clr-namespace:System\.Diagnostics"
)
# What an element or an attribute names, not what a text between elements is about.
_NAMED_OBJECTS = re.compile(rb"<[^<>]{0,4000}?(?:" + _OBJECTS.pattern + rb")")
# Nothing here can match in two ways: a hundred comments would take for ever.
_HTML_START = re.compile(
    r"\s*+(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+<(?:!doctype html|html|svg|head|body)", re.IGNORECASE
)
_MAX_OUTLINE_CHARACTERS = 1024 * 1024


def examine_markup(
    data: bytes, hits: frozenset[bytes], source: ByteSource, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Examine a text that begins like markup; yields at least one row.

    Args:
        data: Its beginning, or all of it.
        hits: Which of ``MARKUP_NEEDLES`` occur anywhere in it.
        source: All of it.
        at: Where.
        context: Limits and budget.
    """
    text = data[:_MAX_OUTLINE_CHARACTERS].decode("utf-8", "ignore").removeprefix("\ufeff")
    if "<?php" in text or b"<?php" in hits:
        yield from examine_code(source, at, context, language="php")
        return
    try:
        outline = read_xml_outline(text.lstrip())
    except ParseError as error:
        if _HTML_START.match(text):
            yield from examine_code(source, at, context, language="html")
        elif b"<script" in hits or text.lstrip().startswith("<?xml"):
            yield not_examined(at, "xml", str(error))
        else:
            yield inert(at, "text", "begins like markup, is not, and has no scripts")
        return
    yield from _check_entities(outline, at)
    yield from _route(outline, data, hits, source, at, context)


def _check_entities(outline: XmlOutline, at: Location) -> Iterator[Note]:
    if outline.external:
        name, address = outline.external[0]
        message = f"Its entity {show(name)} stands for {show(address)}, which readers may fetch."
        yield found("WB-XML-001", at, message, detail=show(address))
    if len(outline.nested) > 2:  # noqa: PLR2004 - two levels of entities are still a document
        message = f"Its {len(outline.nested):,} entities are made of each other and grow when read."
        yield found("WB-DOC-010", at, message, detail=show(outline.nested[0]))


def _route(
    outline: XmlOutline,
    data: bytes,
    hits: frozenset[bytes],
    source: ByteSource,
    at: Location,
    context: ScanContext,
) -> Iterator[Note]:
    root = outline.root.rpartition(":")[2].lower()
    mentions = _OBJECTS.search(data) is not None
    if (place := XML_CHECKS.get(root)) is not None:
        module = import_module(f"weighbridge.scanning.{place[0]}")
        check: XmlCheck = getattr(module, place[1])
        yield from check(outline.root, source, at, context)
    elif root in _CODE_ROOTS:
        yield from examine_code(source, at, context, language=_CODE_ROOTS[root])
    elif root in _OBJECT_ROOTS or (mentions and _NAMED_OBJECTS.search(data)):
        message = f"A reader of this XML (<{show(outline.root)}>) creates objects that it names."
        yield found("WB-XML-002", at, message, detail=show(outline.root))
        yield examined(at, "xml")
    elif root in _ACTING_ROOTS or {b"<script", b"xi:include"} & hits or mentions:
        reason = f"XML of <{show(outline.root)}> may act or hold scripts and is not examined"
        yield not_examined(at, "xml", reason)
    elif not outline.root:
        yield not_examined(at, "xml", "it has too many entities")
    else:
        yield inert(at, "xml", f"data in <{show(outline.root)}>")
