"""What examiners yield, and the table of the rules about everything but pickles."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from weighbridge.core import Answer, Coverage, CoverageStatus, Finding, Location, Severity

if TYPE_CHECKING:
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext

__all__ = [
    "RULES",
    "Examine",
    "Notes",
    "deeper",
    "examined",
    "found",
    "inert",
    "inside",
    "leads_out",
    "leave_out_damage",
    "not_examined",
]

Notes: TypeAlias = Generator[Finding | Coverage, None, frozenset[str]]
"""Findings and rows as they come; returns the keys of raw storages that a pickle named."""

# A stream that breaks off, a frame that reaches behind the end.
_CUT_PICKLE_RULES = frozenset({"WB-PKL-012", "WB-PKL-018"})

Examine: TypeAlias = Callable[["ByteSource", Location, "ScanContext"], Notes]
"""The router, given to examiners of containers so that they do not import it."""

RULES: dict[str, tuple[Answer, Severity]] = {
    "WB-ART-001": (Answer.FAIL, Severity.HIGH),
    "WB-ART-002": (Answer.FAIL, Severity.HIGH),
    "WB-BIN-001": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-CMP-001": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-GGF-001": (Answer.FAIL, Severity.MEDIUM),
    "WB-GGF-002": (Answer.FAIL, Severity.MEDIUM),
    "WB-GGF-003": (Answer.UNKNOWN, Severity.LOW),
    "WB-NPY-001": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-NPY-002": (Answer.FAIL, Severity.MEDIUM),
    "WB-NPY-003": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-SCN-001": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-STN-001": (Answer.FAIL, Severity.MEDIUM),
    "WB-STN-002": (Answer.FAIL, Severity.MEDIUM),
    "WB-STN-003": (Answer.FAIL, Severity.MEDIUM),
    "WB-TAR-001": (Answer.FAIL, Severity.MEDIUM),
    "WB-TAR-002": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-ZIP-001": (Answer.FAIL, Severity.HIGH),
    "WB-ZIP-002": (Answer.FAIL, Severity.MEDIUM),
    "WB-ZIP-003": (Answer.FAIL, Severity.HIGH),
    "WB-ZIP-004": (Answer.UNKNOWN, Severity.LOW),
    "WB-ZIP-005": (Answer.FAIL, Severity.MEDIUM),
    "WB-ZIP-006": (Answer.FAIL, Severity.MEDIUM),
    "WB-ZIP-007": (Answer.UNKNOWN, Severity.MEDIUM),
    "WB-ZIP-008": (Answer.FAIL, Severity.HIGH),
    "WB-ZIP-009": (Answer.UNKNOWN, Severity.LOW),
}
"""Rule -> what it answers and how bad it is. ``docs/rules`` says the rest."""


def found(
    rule_id: str, at: Location, message: str, *, detail: str = "", offset: int | None = None
) -> Finding:
    """Return a finding of a rule in ``RULES``."""
    answer, severity = RULES[rule_id]
    return Finding(rule_id, answer, severity, replace(at, offset=offset), message, detail)


def examined(at: Location, format_name: str) -> Coverage:
    """Return the row of something that an engine followed to its end."""
    return Coverage(at, CoverageStatus.EXAMINED, format_name)


def inert(at: Location, format_name: str, reason: str) -> Coverage:
    """Return the row of something that cannot do anything, whatever its content."""
    return Coverage(at, CoverageStatus.INERT, format_name, reason)


def not_examined(at: Location, format_name: str, reason: str) -> Coverage:
    """Return the row of something that nobody has looked at, or not to its end."""
    return Coverage(at, CoverageStatus.NOT_EXAMINED, format_name, reason)


def leave_out_damage(notes: Notes) -> Notes:
    """Pass on what was found in bytes that a limit of ours cut, but for what the cut itself did.

    Only what a pickle does before the cut is worth a FAIL; the size of an array is not.
    """
    while True:
        try:
            note = next(notes)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if isinstance(note, Coverage) or note.answer is not Answer.FAIL or _is_act(note):
            yield note


def _is_act(finding: Finding) -> bool:
    return finding.rule_id.startswith("WB-PKL") and finding.rule_id not in _CUT_PICKLE_RULES


def inside(at: Location, name: str) -> Location:
    """Return the place of what is called ``name`` inside ``at``."""
    return Location(at.file, (*at.member, name))


def deeper(at: Location, name: str, context: ScanContext) -> tuple[Location, ScanContext]:
    """Return the place and the context of what is called ``name`` inside ``at``."""
    return inside(at, name), replace(context, nesting=context.nesting + 1)


def leads_out(name: str) -> bool:
    """Return whether a member of this name would be unpacked outside of its folder somewhere."""
    parts = name.replace("\\", "/").split("/")
    has_drive = len(parts[0]) == 2 and parts[0][1] == ":"  # noqa: PLR2004 - a letter and a colon
    return ".." in parts or has_drive or name.startswith(("/", "\\")) or "\0" in name
