"""What examiners yield: findings, rows of coverage, and facts to compare."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from weighbridge.core import Answer, Coverage, CoverageStatus, Finding, Location
from weighbridge.scanning._facts import Fact
from weighbridge.scanning._rules import find_rule

if TYPE_CHECKING:
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext

__all__ = [
    "UNKNOWN_FORMAT",
    "Examine",
    "Note",
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

Note: TypeAlias = Finding | Coverage | Fact
"""A finding, a row of coverage, or a fact that is compared with those of other files."""

Notes: TypeAlias = Generator[Note, None, frozenset[str]]
"""Notes as they come; returns the keys of raw storages that a pickle named."""

UNKNOWN_FORMAT = "its format is not known"
"""The reason of the row of a file that nobody knew."""

# A stream that breaks off, a frame that reaches behind the end.
_CUT_PICKLE_RULES = frozenset({"WB-PKL-012", "WB-PKL-018"})

Examine: TypeAlias = Callable[["ByteSource", Location, "ScanContext"], Notes]
"""The router, given to examiners of containers so that they do not import it."""


def found(
    rule_id: str, at: Location, message: str, *, detail: str = "", offset: int | None = None
) -> Finding:
    """Return a finding of a rule; ``_rules`` has them all."""
    rule = find_rule(rule_id)
    place = replace(at, offset=offset)
    return Finding(rule_id, rule.answer, rule.severity, place, message, detail)


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
        if not isinstance(note, Finding) or note.answer is not Answer.FAIL or _is_act(note):
            yield note


def _is_act(finding: Finding) -> bool:
    return finding.rule_id.startswith("WB-PKL") and finding.rule_id not in _CUT_PICKLE_RULES


def inside(at: Location, name: str) -> Location:
    """Return the place of what is called ``name`` inside ``at``."""
    return Location(at.file, (*at.member, name))


def deeper(at: Location, name: str, context: ScanContext) -> tuple[Location, ScanContext]:
    """Return the place and the context of what is called ``name`` inside ``at``."""
    return inside(at, name), replace(context, nesting=context.nesting + 1, script="")


def leads_out(name: str) -> bool:
    """Return whether a member of this name would be unpacked outside of its folder somewhere."""
    parts = name.replace("\\", "/").split("/")
    has_drive = len(parts[0]) == 2 and parts[0][1] == ":"  # noqa: PLR2004 - a letter and a colon
    return ".." in parts or has_drive or name.startswith(("/", "\\")) or "\0" in name
