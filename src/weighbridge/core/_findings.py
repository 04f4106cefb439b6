"""What a scan says: findings, and what was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from weighbridge.core._answer import Answer, Severity

__all__ = [
    "Coverage",
    "CoverageStatus",
    "FileScan",
    "Finding",
    "Location",
    "Rule",
    "ScanReport",
]


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
class Rule:
    """A rule of the scan: what a finding of it says, and where to read on.

    Attributes:
        rule_id: Stable, such as ``WB-PKL-001``; ``docs/rules/`` has a page of this name.
        answer: What a match answers.
        severity: How bad it is.
        title: A few words.
        what: A sentence or more: when it matches, and why that matters.
        example: Something that it matches.
        fix: What whoever meets it should do.
        cwe: Numbers of weaknesses (https://cwe.mitre.org).
        atlas: Techniques of MITRE ATLAS, such as ``AML.T0011.000``.
    """

    rule_id: str
    answer: Answer
    severity: Severity
    title: str
    what: str
    example: str
    fix: str
    cwe: tuple[int, ...] = ()
    atlas: tuple[str, ...] = ()


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
        opcode: Of a pickle, at the offset; empty if there is none or it is not known.
    """

    rule_id: str
    answer: Answer
    severity: Severity
    location: Location
    message: str
    detail: str = ""
    opcode: str = field(default="", compare=False)


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
        size_bytes: Of the file; None for a member, and where it is not known.
    """

    location: Location
    status: CoverageStatus
    format: str
    reason: str = ""
    size_bytes: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FileScan:
    """What scanning one file gave: at least one row of coverage, always.

    Attributes:
        findings: As they came.
        coverage: As they came.
        facts: What the scanner compares between the files of a folder; of no meaning elsewhere.
    """

    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    facts: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What scanning an artifact gave.

    Attributes:
        engine: Name and version of the engine and of its allow-list; the same engine and the same
            bytes give the same report on any machine.
        findings: By file, then offset.
        coverage: By file; every file has at least one row.
        rules: What the findings are findings of; by id.
    """

    engine: str
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    rules: tuple[Rule, ...] = ()

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
