"""What a scan says: findings, and what was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from weighbridge.core._answer import Answer, Severity

__all__ = ["Coverage", "CoverageStatus", "FileScan", "Finding", "Location", "ScanReport"]


@dataclass(frozen=True, slots=True)
class Location:
    """Where something was found.

    Attributes:
        file: POSIX path inside the artifact.
        member: Path inside containers, outermost first, such as ``("archive/data.pkl",)``.
        offset: Byte offset inside the innermost member, or None for the whole of it.
    """

    file: str
    member: tuple[str, ...] = ()
    offset: int | None = None

    def __str__(self) -> str:
        """Return ``model.pt!archive/data.pkl@17``."""
        at = "" if self.offset is None else f"@{self.offset}"
        return "!".join((self.file, *self.member)) + at


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a scan found.

    Attributes:
        rule_id: Stable, such as ``WB-PKL-001``; documented in ``docs/rules/``.
        answer: FAIL: this is dangerous or malformed. UNKNOWN: nobody vouches for it.
            PASS: a note.
        severity: How much harm it can do if it is what it looks like.
        location: Where.
        message: One sentence: what it is and what it would do.
        detail: What a person would paste or look up: the callable, the arguments; may be empty.
    """

    rule_id: str
    answer: Answer
    severity: Severity
    location: Location
    message: str
    detail: str = ""


class CoverageStatus(StrEnum):
    """What became of a file in a scan."""

    EXAMINED = "examined"
    INERT = "inert"
    NOT_EXAMINED = "not-examined"
    OUT_OF_SCOPE = "out-of-scope"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of one file or container member.

    Attributes:
        location: Which (``offset`` is None).
        status: EXAMINED by an engine, known to be INERT, NOT_EXAMINED, or OUT_OF_SCOPE of the
            artifact.
        format: What it is, such as ``pickle``, ``zip``, ``safetensors``, ``text``; ``unknown``.
        reason: Why, for everything but EXAMINED; may be empty.
    """

    location: Location
    status: CoverageStatus
    format: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FileScan:
    """What scanning one file gave: at least one row of coverage, always."""

    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What scanning an artifact gave.

    Attributes:
        engine: Name and version of the engine and of its allow-list; the same engine and the same
            bytes give the same report on any machine.
        findings: By file, then offset.
        coverage: By file; every file has at least one row.
    """

    engine: str
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]

    @property
    def not_examined(self) -> tuple[Coverage, ...]:
        """Return the rows that were not examined."""
        return tuple(row for row in self.coverage if row.status is CoverageStatus.NOT_EXAMINED)

    def judge(self, *, fail_on: Severity, complete: bool) -> Answer:
        """Return FAIL, UNKNOWN or PASS.

        Args:
            fail_on: The mildest severity that counts, for failing and unknown findings alike.
            complete: Whether anything that was not examined makes a PASS UNKNOWN.
        """
        counted = {f.answer for f in self.findings if f.severity.rank >= fail_on.rank}
        if Answer.FAIL in counted:
            return Answer.FAIL
        if Answer.UNKNOWN in counted or (complete and self.not_examined):
            return Answer.UNKNOWN
        return Answer.PASS
