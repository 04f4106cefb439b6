"""Databases of SQLite: what their schema does when they are opened or changed."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from weighbridge.scanning._notes import examined, not_examined
from weighbridge.scanning._pickle._scan import scan_pickles

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Finding, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_sqlite"]

_INTERIOR, _LEAF = 5, 13
_MAX_PAGES = 2_000
_FIRST_PAGE_HEADER = 100
# Tables whose content a module computes; the ones of full texts and rectangles are SQLite's own.
_VIRTUAL = re.compile(
    rb"(?i)create\s+virtual\s+table\b(?:(?!\busing\b).){0,400}\busing\s+(\w+)", re.DOTALL
)
_KNOWN_MODULES = frozenset({b"fts3", b"fts4", b"fts5", b"rtree", b"rtree_i32", b"geopoly"})
# Functions by which SQL loads code, or reads and writes files.
_ACTS = re.compile(
    rb"(?i)\b(?:load_extension|writefile|readfile|edit|fts3_tokenizer|eval|attach)\b"
)
_PIECE_BYTES = 4 * 1024 * 1024
_PICKLE_START = re.compile(
    rb"\x80[\x02-\x05](?:\x95.{6}\0\0|[c}\]()q\x8c])"
    rb"|c[A-Za-z_][\w.]{0,80}\n[A-Za-z_][\w.]{0,80}\n",
    re.DOTALL,
)
_MAX_PICKLES = 200


def examine_sqlite(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine the schema, and pickles in the rows that lie in one piece.

    Source:
        https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6 and 2.6.
    """
    try:
        pages = list(_list_schema_pages(source, context))
    except (struct.error, ValueError) as error:
        yield not_examined(at, "sqlite", f"its schema cannot be read: {error}")
        return True
    schema = b"\n".join(pages)
    modules = {name.lower() for name in _VIRTUAL.findall(schema)}
    virtual = len(re.findall(rb"(?i)create\s+virtual\b", schema))
    if virtual > len(_VIRTUAL.findall(schema)) or modules - _KNOWN_MODULES:
        shown = b", ".join(sorted(modules - _KNOWN_MODULES)).decode("ascii", "replace")[:80]
        yield not_examined(at, "sqlite", f"it has tables that a module computes ({shown or '?'})")
    elif match := _ACTS.search(schema):
        reason = f"its schema names {match[0].decode('ascii', 'replace').lower()}, which acts"
        yield not_examined(at, "sqlite", reason)
    else:
        yield examined(at, "sqlite")
    yield from _search_rows(source, at, context)
    return True


def _list_schema_pages(source: ByteSource, context: ScanContext) -> Iterator[bytes]:
    """Yield the leaves of the table that describes all others."""
    head = source.read_at(0, _FIRST_PAGE_HEADER)
    (size,) = struct.unpack(">H", head[16:18])
    size = 65_536 if size == 1 else size
    if size < 512 or size & (size - 1):  # noqa: PLR2004 - the smallest page
        raise ValueError("the size of its pages is wrong")
    pending, seen = [1], set[int]()
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        if len(seen) > _MAX_PAGES:
            raise ValueError("it is too large")
        context.budget.spend_header_bytes(size)
        page = source.read_at((number - 1) * size, size)
        start = _FIRST_PAGE_HEADER if number == 1 else 0
        if page[start] == _LEAF:
            yield page
        elif page[start] == _INTERIOR:
            pending.extend(_list_children(page, start))
        else:
            raise ValueError("a page is of no known kind")


def _list_children(page: bytes, start: int) -> Iterator[int]:
    """Return the pages below one."""
    count, _, _, last = struct.unpack(">2HBL", page[start + 3 : start + 12])
    yield last
    for (cell,) in struct.iter_unpack(">H", page[start + 12 : start + 12 + 2 * count]):
        yield struct.unpack(">L", page[cell : cell + 4])[0]


def _search_rows(source: ByteSource, at: Location, context: ScanContext) -> Iterator[Finding]:
    """Yield what pickles do that some programs keep in rows."""
    tried = 0
    for offset in range(0, source.size_bytes, _PIECE_BYTES):
        for match in _PICKLE_START.finditer(source.read_at(offset, _PIECE_BYTES + 16)):
            tried += 1
            if tried > _MAX_PICKLES:
                return
            scan = scan_pickles(source, at=at, context=context, start=offset + match.start())
            if scan is not None and scan.complete:
                yield from scan.findings
