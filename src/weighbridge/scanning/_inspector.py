"""The inspector of one file, and the report on all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from weighbridge.core import (
    Coverage,
    CoverageStatus,
    FileScan,
    Finding,
    Location,
    ReadFailure,
    ReadFailureKind,
    ScanReport,
    worst,
)
from weighbridge.errors import ArtifactChangedError, IncompleteError
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._folder import check_folder, explain_rows
from weighbridge.scanning._notes import found, not_examined
from weighbridge.scanning._router import examine
from weighbridge.scanning._rules import find_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.core import Limits
    from weighbridge.core.ports import ByteSource, Inspector
    from weighbridge.scanning._facts import Fact
    from weighbridge.scanning._pickle._trace import PickleTracer

__all__ = ["ENGINE", "build_inspector", "conclude", "inspect"]

ENGINE = "weighbridge-scan 2; allow-list 3"
"""Name and version of the engine and of its allow-list: same engine, same bytes, same report."""

# So many times the findings that are kept are counted before the rest of a file is left alone.
_COUNTED_FINDINGS = 20


def build_inspector(
    *, limits: Limits, allowed: frozenset[tuple[str, str]] = frozenset(), weights: bool = False
) -> Inspector[FileScan]:
    """Return what examines one file while it is hashed.

    It executes, imports and unpickles nothing, and never raises on content: what cannot be
    examined is a row that says why. Errors of reading (``OSError``, ``ArtifactChangedError``) pass
    through, for they are not about content. Memory stays bounded by ``limits`` whatever the file
    claims; what decompression gives beyond 4 MiB goes to a temporary file.

    Args:
        limits: Bounds for each file.
        allowed: (module, name) pairs in pickles that the user vouches for.
        weights: Whether to read every tensor, where otherwise a sample is looked at.
    """
    return partial(inspect, limits=limits, allowed=allowed, weights=weights)


def inspect(
    source: ByteSource,
    *,
    limits: Limits,
    allowed: frozenset[tuple[str, str]],
    weights: bool,
    tracer: PickleTracer | None = None,
) -> FileScan:
    """Examine one file; see :func:`build_inspector`."""
    at = Location(source.name)
    budget = Budget(limits, source.name, source.size_bytes)
    context = ScanContext(limits, budget, allowed, weights=weights, tracer=tracer, examine=examine)
    findings = _Findings(at, limits.max_findings)
    facts: list[Fact] = []
    rows = _Rows(at, limits.max_rows)
    try:
        for note in examine(source, at, context):
            if isinstance(note, Coverage):
                rows.add(note)
            elif not isinstance(note, Finding):
                facts.append(note)
            elif not findings.add(note):
                reason = f"it has more than {findings.count - 1:,} findings; the rest was left"
                rows.add(not_examined(at, "unknown", reason))
                break
    except (ArtifactChangedError, OSError):
        raise  # not about content: the reader reports it
    except IncompleteError as error:
        rows.add(not_examined(at, "unknown", str(error)))
    except Exception as error:  # noqa: BLE001 - a fault of an examiner must never read as a pass
        rows.add(not_examined(at, "unknown", f"the examiner failed: {type(error).__name__}"))
    return FileScan(findings.conclude(), rows.conclude(source.size_bytes), tuple(facts))


class _Findings:
    """Findings of one file: the first ones as they are, of the rest how many and how bad."""

    def __init__(self, at: Location, limit: int) -> None:
        self._at = at
        self._limit = limit
        self._kept: list[Finding] = []
        self._worst: Finding | None = None
        self.count = 0

    def add(self, finding: Finding) -> bool:
        """Take one; return False if there are so many that nobody needs to look further."""
        self.count += 1
        if len(self._kept) < self._limit:
            self._kept.append(finding)
            return True
        worse = self._worst or finding
        self._worst = replace(
            worse,
            answer=worst((worse.answer, finding.answer)),
            severity=max(worse.severity, finding.severity, key=lambda one: one.rank),
        )
        return self.count <= _COUNTED_FINDINGS * self._limit

    def conclude(self) -> tuple[Finding, ...]:
        """Return them, and one as bad as the worst of those that are not kept."""
        if self._worst is None:
            return tuple(self._kept)
        message = f"{self.count - len(self._kept):,} more findings are not listed."
        more = found("WB-SCN-001", self._at, message)
        more = replace(more, answer=self._worst.answer, severity=self._worst.severity)
        return (*self._kept, more)


class _Rows:
    """Coverage rows of one file: the first ones as they are, the rest counted by kind."""

    def __init__(self, at: Location, limit: int) -> None:
        self._at = at
        self._limit = limit
        self._kept: list[Coverage] = []
        self._counts: Counter[tuple[CoverageStatus, str, str]] = Counter()

    def add(self, row: Coverage) -> None:
        if len(self._kept) < self._limit:
            self._kept.append(row)
        elif len(self._counts) < self._limit:
            self._counts[row.status, row.format, row.reason] += 1
        else:
            self._counts[row.status, "unknown", "of many kinds"] += 1

    def conclude(self, size_bytes: int) -> tuple[Coverage, ...]:
        summed = (
            Coverage(self._at, status, format_name, f"{count:,} more members: {reason}")
            for (status, format_name, reason), count in self._counts.items()
        )
        # Of a file that is of two formats, the bytes count once.
        for index, row in enumerate(self._kept):
            if row.location == self._at:
                self._kept[index] = replace(row, size_bytes=size_bytes)
                break
        return (*self._kept, *summed)


def conclude(
    scans: Iterable[FileScan], *, failures: Sequence[ReadFailure], out_of_scope: Sequence[str]
) -> ScanReport:
    """Join what was found in each file with what could not be read.

    Args:
        scans: One for each file that was read, in any order.
        failures: Entries without a digest: each gets a row, and a finding unless it was merely
            unreadable.
        out_of_scope: Names in the artifact that its digest does not cover.

    Returns:
        Findings by file, member and offset; rows by file.
    """
    findings: list[Finding] = []
    rows: list[Coverage] = []
    facts: list[Fact] = []
    for scan in scans:
        findings.extend(scan.findings)
        rows.extend(scan.coverage)
        facts.extend(scan.facts)  # type: ignore[arg-type]  # they are this room's own
    names = {row.location.file for row in rows}
    findings.extend(check_folder(facts, names))
    rows = list(explain_rows(facts, rows))
    for failure in failures:
        at = Location(failure.name)
        rows.append(not_examined(at, "unknown", failure.reason))
        findings.extend(_judge_failure(failure, at))
    rows.extend(
        Coverage(Location(name), CoverageStatus.OUT_OF_SCOPE, "unknown", "not part of the artifact")
        for name in out_of_scope
    )
    return ScanReport(
        ENGINE,
        tuple(sorted(findings, key=_place)),
        tuple(sorted(rows, key=lambda row: row.location.file)),
        tuple(find_rule(rule_id) for rule_id in sorted({one.rule_id for one in findings})),
    )


def _judge_failure(failure: ReadFailure, at: Location) -> tuple[Finding, ...]:
    if failure.kind is ReadFailureKind.REFUSED:
        return (found("WB-ART-001", at, f"This entry {failure.reason}."),)
    if failure.kind is ReadFailureKind.CHANGED:
        return (found("WB-ART-002", at, f"This file {failure.reason}."),)
    return ()


def _place(finding: Finding) -> tuple[str, tuple[str, ...], int]:
    at = finding.location
    return at.file, at.member, -1 if at.offset is None else at.offset
