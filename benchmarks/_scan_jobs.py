"""Measurements of the scan."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import ScanReport


def scan(path: Path) -> None:
    from weighbridge.workflow import scan_artifact

    scan_artifact(path)


def scan_whole(path: Path) -> None:
    """Scan, and break unless all of it was examined: leaving something out is quick."""
    report = _report(path)
    if report.not_examined:
        raise SystemExit(f"not examined: {report.not_examined[0].reason}")


def scan_beside_hashing(path: Path) -> float:
    """Return the seconds that scanning adds to hashing the same bytes, measured in turn."""
    from weighbridge.workflow import hash_artifact, scan_artifact

    more = []
    scan_whole(path)
    for _ in range(4):
        started = time.perf_counter()
        hash_artifact(path)
        hashed = time.perf_counter()
        scan_artifact(path)
        more.append((time.perf_counter() - hashed) - (hashed - started))
    return max(statistics.median(more[1:]), 0.0001)


def count_passed(path: Path) -> dict[str, float]:
    """Return the share of files that nothing of the scan would stop."""
    return {"passed": 1 - _count(path, only_failing=False)}


def count_flagged(path: Path) -> dict[str, float]:
    return {"flagged": _count(path, only_failing=False)}


def count_unnamed(path: Path) -> dict[str, float]:
    """Return the share of files that are not called dangerous, whatever else is said of them."""
    return {"passed": 1 - _count(path, only_failing=True)}


def _report(path: Path) -> ScanReport:
    from weighbridge.workflow import scan_artifact

    return scan_artifact(path)


def _count(path: Path, *, only_failing: bool) -> float:
    from weighbridge.core import Answer, Severity

    report = _report(path)
    files = {row.location.file for row in report.coverage}
    stopping = {Answer.FAIL} if only_failing else {Answer.FAIL, Answer.UNKNOWN}
    flagged = {
        finding.location.file
        for finding in report.findings
        if finding.answer in stopping and finding.severity.rank >= Severity.MEDIUM.rank
    }
    if not only_failing:
        flagged |= {row.location.file for row in report.not_examined}
    return len(flagged) / len(files)


JOBS = {
    "scan": scan,
    "scan-whole": scan_whole,
    "scan-beside": scan_beside_hashing,
    "scan-passed": count_passed,
    "scan-flagged": count_flagged,
    "scan-unnamed": count_unnamed,
}
IMPORTS = dict.fromkeys(
    ("scan", "scan-whole", "scan-passed", "scan-flagged", "scan-unnamed"),
    "weighbridge.workflow._scan",
)
