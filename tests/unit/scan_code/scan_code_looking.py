"""Looks at a text as the scanner does."""

from __future__ import annotations

from weighbridge.core import Answer, Coverage, CoverageStatus, Finding, Limits, Location, Severity
from weighbridge.formats import MemorySource
from weighbridge.scanning._code import examine_code, examine_template
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._notes import Note

__all__ = ["gates", "look"]


def look(text: str | bytes, language: str) -> list[Note]:
    """Return the notes of a source, or of a template if the language is ``jinja``."""
    data = text.encode() if isinstance(text, str) else text
    context = ScanContext(Limits(), Budget(Limits(), "x", size_bytes=len(data)))
    at = Location("x", ())
    if language == "jinja":
        return list(examine_template(data.decode(), at, context))
    return list(examine_code(MemorySource("x", data), at, context, language=language))


def gates(notes: list[Note], *, findings_only: bool = True) -> bool:
    """Return whether a scan with these notes would not exit 0."""
    for note in notes:
        if isinstance(note, Finding):
            acts = note.answer is not Answer.PASS and note.severity is not Severity.LOW
        else:
            missed = isinstance(note, Coverage) and note.status is CoverageStatus.NOT_EXAMINED
            acts = missed and not findings_only
        if acts:
            return True
    return False
