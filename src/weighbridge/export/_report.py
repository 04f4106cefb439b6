"""The report: one value that every writer takes, and what all of them say of it alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import (
    Answer,
    CoverageStatus,
    Origin,
    ProblemKind,
    Severity,
    short_id,
    to_count,
)

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core import (
        Coverage,
        Digest,
        DocumentCheck,
        Evidence,
        Finding,
        LineageReport,
        RuleResult,
        ScanReport,
        Verdict,
    )

__all__ = [
    "CheckReport",
    "CoverageCount",
    "count_coverage",
    "count_entries",
    "count_findings",
    "counts",
    "find_lineage",
    "judge_scan",
    "rule_words",
    "short_digest",
    "to_rfc3339",
    "worst_first",
]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A verdict with the evidence that it was given on.

    Attributes:
        verdict: What the policy says.
        evidence: What it was said of.
        version: The version of Weighbridge, such as ``0.1.0``.
    """

    verdict: Verdict
    evidence: Evidence
    version: str


def find_lineage(evidence: Evidence) -> LineageReport | None:
    """Return the lineage if there is anything to tell of it.

    Of most models nobody has signed anything. That is no news in a report: if the policy asks where
    it is from a rule says so, and else it stands among what was not checked.
    """
    lineage = evidence.lineage
    if lineage is None or lineage.set_aside or len(lineage.nodes) > 1:
        return lineage
    root = lineage.root
    kinds = {problem.kind for problem in root.problems}
    is_bare = root.origin is Origin.UNKNOWN and kinds <= {ProblemKind.DEAD_END}
    return None if is_bare and not (root.reviews or root.results) else lineage


@dataclass(frozen=True, slots=True)
class CoverageCount:
    """How many files of the artifact became what; each file counts once.

    A file with members counts by the most telling of its rows: as not examined if any row was not,
    else as examined if any row was, else as inert.

    Attributes:
        examined: Read by an engine, with everything inside.
        inert: Known to hold nothing that could act.
        not_examined: Not looked at, or not wholly.
        out_of_scope: There, and not part of the artifact.
    """

    examined: int
    inert: int
    not_examined: int
    out_of_scope: int

    @property
    def files(self) -> int:
        """Return how many files of the artifact there are; out of scope ones are not of it."""
        return self.examined + self.inert + self.not_examined

    def to_text(self) -> str:
        """Return ``13 files: 2 examined, 11 inert, 0 not examined``."""
        text = (
            f"{to_count(self.files, 'file')}: {self.examined:,} examined, {self.inert:,} inert, "
            f"{self.not_examined:,} not examined"
        )
        return f"{text}; {self.out_of_scope:,} out of scope" if self.out_of_scope else text


_TELLING = (
    CoverageStatus.OUT_OF_SCOPE,
    CoverageStatus.INERT,
    CoverageStatus.EXAMINED,
    CoverageStatus.NOT_EXAMINED,
)


def count_coverage(rows: tuple[Coverage, ...]) -> CoverageCount:
    """Count files by what became of them."""
    by_file: dict[str, int] = {}
    for row in rows:
        rank = _TELLING.index(row.status)
        by_file[row.location.file] = max(rank, by_file.get(row.location.file, 0))
    ranks = list(by_file.values())
    return CoverageCount(
        examined=ranks.count(_TELLING.index(CoverageStatus.EXAMINED)),
        inert=ranks.count(_TELLING.index(CoverageStatus.INERT)),
        not_examined=ranks.count(_TELLING.index(CoverageStatus.NOT_EXAMINED)),
        out_of_scope=ranks.count(_TELLING.index(CoverageStatus.OUT_OF_SCOPE)),
    )


_BY_ANSWER = {Answer.FAIL: 0, Answer.UNKNOWN: 1, Answer.PASS: 2}


def count_entries(document: DocumentCheck) -> str:
    """Return ``1 entry is not so, 2 cannot be told, 5 hold``."""
    answers = [entry.answer for entry in document.entries]
    wrong, open_ = answers.count(Answer.FAIL), answers.count(Answer.UNKNOWN)
    said = f"{wrong:,} entries are not so" if wrong != 1 else "1 entry is not so"
    holds = answers.count(Answer.PASS)
    return f"{said}, {open_:,} cannot be told, {holds:,} {'holds' if holds == 1 else 'hold'}"


def counts(rule: RuleResult) -> bool:
    """Say whether a rule had a say in the verdict, on its own account.

    One that only warns has none, and one that was waived holds by somebody's word: neither may look
    like a pass.
    """
    return not rule.is_warning and not rule.waiver


def rule_words(rule: RuleResult) -> str:
    """Return why a rule says what it says, with what makes it count otherwise in front."""
    if rule.waiver:
        return f"Waived: {rule.waiver.rstrip('.')}. Without that: {rule.reason}"
    if rule.is_warning:
        holds = "it holds" if rule.answer is Answer.PASS else rule.answer.value
        return f"Only warns ({holds}): {rule.reason}"
    return rule.reason


def worst_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Sort findings by answer, then severity, worst first; equals keep their order."""
    return tuple(sorted(findings, key=lambda f: (_BY_ANSWER[f.answer], -f.severity.rank)))


def count_findings(findings: tuple[Finding, ...]) -> str:
    """Return ``2 dangerous, 1 unknown, 3 notes``, or ``no findings``."""
    counts = {answer: sum(f.answer is answer for f in findings) for answer in Answer}
    parts = (
        (counts[Answer.FAIL], "dangerous or malformed"),
        (counts[Answer.UNKNOWN], "unknown"),
        (counts[Answer.PASS], "note" if counts[Answer.PASS] == 1 else "notes"),
    )
    return ", ".join(f"{count:,} {word}" for count, word in parts if count) or "no findings"


def judge_scan(report: ScanReport) -> Answer:
    """Judge a scan as the built-in policy does: medium and worse counts, coverage is complete."""
    return report.judge(fail_on=Severity.MEDIUM, complete=True)


def short_digest(digest: Digest | None) -> str:
    """Return the beginning of a digest, or that there is none."""
    return "no digest" if digest is None else short_id(str(digest))


def to_rfc3339(at: datetime) -> str:
    """Return ``2026-11-21T09:30:00Z``; ``at`` is aware UTC.

    Source:
        RFC 3339, section 5.6.
    """
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
