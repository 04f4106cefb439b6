"""What the examiners of graphs share: where they are, strings that are looked into, messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Coverage, CoverageStatus, Finding
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, ProtoMessage, SliceSource, sniff
from weighbridge.scanning._notes import deeper, found, leads_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import ProtoField
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["Fields", "Scene", "gather", "is_foreign_path", "matches", "quote"]

MAX_DEPTH = 64
"""Graphs inside each other, counted in messages; real ones have four or five graphs."""

_QUOTE_LETTERS = 120
# What a finding, and what giving a string to the router, cost in fields.
_FINDING_COST = 50
_EXAMINE_COST = 500
_TEXT_BYTES = 256 * 1024
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CODE = re.compile(
    rb"__import__\s*\(|\b(?:eval|exec|compile)\s*\(|\bimport\s+(?:os|sys|subprocess|socket|pty)\b|"
    rb"\bos\.(?:system|popen|exec)|\bsubprocess\.|<script|<\?php|\bpowershell\b|"
    rb"\b(?:curl|wget)\b[^\n]{0,200}\|\s*(?:bash|sh)\b|^#!\s*/|/bin/(?:bash|sh)\b",
    re.MULTILINE,
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{64,}={0,2}\s*")
_PICKLE = re.compile(rb"\x80[\x02-\x05]|c[\w.]+\n[\w.]+\n|\(c[\w.]+\n|\(i[\w.]+\n")
# What two bytes may begin by chance, and what nobody knows, says nothing about a string.
_CHANCE = frozenset({"unknown", "text", "zlib", "gzip", "lzma", "pe", "joblib-zfile"})

Fields = dict[int, list["ProtoField"]]
"""The fields of a small message by their numbers."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What examining one graph needs.

    Attributes:
        source: The bytes.
        at: Where they are.
        context: Limits and budget.
        examine: The router.
    """

    source: ByteSource
    at: Location
    context: ScanContext
    examine: Examine

    def message(self) -> ProtoMessage:
        """Return the bytes as a message."""
        return ProtoMessage(self.source, spend=self.context.budget.spend_fields)

    def found(
        self, rule_id: str, message: str, *, detail: str = "", offset: int | None = None
    ) -> Finding:
        """Return a finding at this place."""
        return found(rule_id, self.at, message, detail=detail, offset=offset)

    def look_into(self, name: str, data: bytes, rule_id: str = "WB-TFG-006") -> Iterator[Note]:
        """Yield what a string is besides a string: code, a pickle, an archive, also in base64."""
        if len(data) < 8:  # noqa: PLR2004 - nothing that does anything is so short
            return
        self.context.budget.spend_text_bytes(len(data))
        if (code := _CODE.search(data[:_TEXT_BYTES])) is not None:
            self.context.budget.spend_fields(_FINDING_COST)
            message = f"{name} looks like program code: {quote(code.group())}."
            yield self.found(rule_id, message, detail=quote(data))
        yield from self._examine_binary(name, data)
        if _BASE64.fullmatch(data[:4096]) and _BASE64.fullmatch(data):
            import base64  # noqa: PLC0415 - only where it is needed
            import binascii  # noqa: PLC0415 - only where it is needed

            try:
                plain = base64.b64decode(data + b"==", validate=False)
            except (binascii.Error, ValueError):
                return
            yield from self._examine_binary(f"{name} (base64)", plain)
            if (code := _CODE.search(plain[:_TEXT_BYTES])) is not None:
                message = f"{name} hides program code in base64: {quote(code.group())}."
                yield self.found(rule_id, message, detail=quote(plain))

    def look_at_rest(self, name: str, start: int, end: int) -> Iterator[Note]:
        """Yield what the bytes between two offsets are, given to the router."""
        place, context = deeper(self.at, name, self.context)
        rest = SliceSource(name, self.source, start, end - start)
        yield from self.examine(rest, place, context)

    def _examine_binary(self, name: str, data: bytes) -> Iterator[Note]:
        """Yield what the router knows about a string, if it knows it."""
        if not (sniff(data[:4096]) or _PICKLE.match(data) or data.startswith(b"PK\x03\x04")):
            return
        if self.context.nesting >= self.context.limits.max_nesting - 1:
            return
        self.context.budget.spend_fields(_EXAMINE_COST)
        place, context = deeper(self.at, name, self.context)
        for note in self.examine(MemorySource(name, data), place, context):
            if isinstance(note, Finding):
                if note.answer is not Answer.PASS and not note.rule_id.startswith("WB-CMP"):
                    yield note
            elif isinstance(note, Coverage) and _counts(note):
                yield note


def _counts(row: Coverage) -> bool:
    return row.status is CoverageStatus.NOT_EXAMINED and row.format not in _CHANCE


def gather(message: ProtoMessage) -> Fields:
    """Return the fields of a small message by their numbers."""
    fields: Fields = {}
    for field in message.fields():
        fields.setdefault(field.number, []).append(field)
    return fields


def read_text(message: ProtoMessage, fields: Fields, number: int) -> str:
    """Return a string field, the last one as protobuf has it; empty if there is none."""
    last = fields.get(number)
    if not last:
        return ""
    return message.read(last[-1], _TEXT_BYTES).decode("utf-8", "replace")


def matches(message: ProtoMessage, known: dict[int, int], *, most: int = 0) -> bool:
    """Return whether a message has only fields of these numbers and wire types, to its end.

    Args:
        message: The bytes.
        known: Number -> wire type.
        most: Stop after so many fields; 0 for all.
    """
    try:
        outline = (
            frozenset((one.number, one.wire) for one in islice(message.fields(), most))
            if most
            else message.outline()
        )
    except ParseError:
        return False
    return bool(outline) and all(known.get(number, -1) in (wire, 9) for number, wire in outline)


def is_foreign_path(path: str) -> bool:
    """Return whether a path leaves the folder, or is no plain path: a URL, a home, a variable."""
    return (
        leads_out(path) or path.startswith("~") or _SCHEME.match(path) is not None or "\n" in path
    )


def quote(text: str | bytes) -> str:
    """Return a text for a message: printable and short."""
    if isinstance(text, bytes):
        text = text[: 4 * _QUOTE_LETTERS].decode("utf-8", "replace")
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:_QUOTE_LETTERS])
    return plain + ("..." if len(text) > _QUOTE_LETTERS else "")
