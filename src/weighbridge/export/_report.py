"""The report: one value that every writer takes, and what all of them say of it alike."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
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
        Location,
        RuleResult,
        ScanReport,
        ScanTerms,
        Verdict,
    )

__all__ = [
    "AllowEntry",
    "CheckReport",
    "CoverageCount",
    "FormatCount",
    "SameFinding",
    "ScannedPath",
    "count_coverage",
    "count_entries",
    "count_findings",
    "count_formats",
    "counts",
    "find_allow_entries",
    "find_lineage",
    "group_findings",
    "judge_scan",
    "rule_words",
    "scan_word",
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


@dataclass(frozen=True, slots=True)
class ScannedPath:
    """A scan of one path, and what it came to.

    Attributes:
        path: As it was given.
        report: What the scan says.
        answer: What that comes to.
        terms: By what it was judged.
        digest: Of the artifact, from the same read; None if there is none.
        claims: The claims file that a signed statement about it went to; empty if it was not
            signed.
        unsigned: Why it was not signed although it should be; else empty.
    """

    path: str
    report: ScanReport
    answer: Answer
    terms: ScanTerms
    digest: Digest | None = None
    claims: str = ""
    unsigned: str = ""

    @property
    def counted(self) -> Answer:
        """Return the answer that decides: a policy that only warns lets everything pass."""
        return Answer.PASS if self.terms.warn_only else self.answer


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


_WORDS = {Answer.FAIL: "malicious", Answer.UNKNOWN: "unknown", Answer.PASS: "clean"}


def scan_word(answer: Answer) -> str:
    """Return what a scan calls content that comes to an answer."""
    return _WORDS[answer]


@dataclass(frozen=True, slots=True)
class SameFinding:
    """A finding, and the other places where the same was found.

    Attributes:
        finding: The first one.
        others: Where else, in the order of the report.
    """

    finding: Finding
    others: tuple[Location, ...]


def group_findings(findings: tuple[Finding, ...]) -> tuple[SameFinding, ...]:
    """Join findings of the same rule in the same words, worst first."""
    same: dict[tuple[str, ...], list[Finding]] = {}
    for finding in worst_first(findings):
        key = (finding.rule_id, finding.severity, finding.answer, finding.message, finding.detail)
        same.setdefault(key, []).append(finding)
    return tuple(
        SameFinding(first, tuple(one.location for one in rest)) for first, *rest in same.values()
    )


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """A name in a pickle that nobody vouches for, as a policy and as an option would allow it."""

    module: str
    name: str

    @property
    def toml(self) -> str:
        """Return an item of ``require.scan.allow``."""
        return f"[{json.dumps(self.module)}, {json.dumps(self.name)}]"

    @property
    def option(self) -> str:
        """Return an option of ``weighbridge scan``."""
        return f"--allow {shlex.quote(self.module)} {shlex.quote(self.name)}"


_ALLOW = "allow = "


def find_allow_entries(findings: tuple[Finding, ...]) -> tuple[AllowEntry, ...]:
    """Return the names that findings show an entry for, each once."""
    entries: dict[AllowEntry, None] = {}
    for finding in findings:
        if finding.answer is not Answer.UNKNOWN or not finding.detail.startswith(_ALLOW):
            continue
        try:
            pairs = json.loads(finding.detail.removeprefix(_ALLOW))
            entries.update((AllowEntry(str(module), str(name)), None) for module, name in pairs)
        except (TypeError, ValueError):
            continue  # it was cut, because it is too long for a name that somebody would allow
    return tuple(entries)


@dataclass(slots=True)
class FormatCount:
    """What became of what is of one format: files and members of containers alike.

    Attributes:
        format: As the scan names it.
        examined: How many; so the others.
        size_bytes: Of the files among them.
    """

    format: str
    examined: int = 0
    inert: int = 0
    not_examined: int = 0
    size_bytes: int = field(default=0)


def count_formats(rows: tuple[Coverage, ...]) -> tuple[FormatCount, ...]:
    """Count rows by format, the most frequent first; what is out of scope is not counted."""
    counts: dict[str, FormatCount] = {}
    for row in rows:
        if row.status is CoverageStatus.OUT_OF_SCOPE:
            continue
        count = counts.setdefault(row.format, FormatCount(row.format))
        count.examined += row.status is CoverageStatus.EXAMINED
        count.inert += row.status is CoverageStatus.INERT
        count.not_examined += row.status is CoverageStatus.NOT_EXAMINED
        count.size_bytes += row.size_bytes or 0
    found = counts.values()
    return tuple(
        sorted(found, key=lambda one: (-one.examined - one.inert - one.not_examined, one.format))
    )


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
