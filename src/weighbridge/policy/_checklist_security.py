"""The checklist of security: five items, each from evidence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, CoverageStatus, Origin, ProblemKind, Severity, printable
from weighbridge.policy._checklist_view import Judged
from weighbridge.policy._policy import ScanRule
from weighbridge.policy._results import name_node, to_sentence
from weighbridge.policy._rules import judge_scan

if TYPE_CHECKING:
    from weighbridge.core import Evidence
    from weighbridge.policy._checklist_view import View

__all__ = ["judge_pickles", "judge_scanned", "judge_sources", "judge_without_evidence"]

_PICKLES = frozenset({"pickle", "torch-legacy", "joblib", "joblib-zfile"})
_REFUSED = frozenset({ProblemKind.DENIED, ProblemKind.REJECTED})
_SCAN = ScanRule(fail_on=Severity.MEDIUM, complete=True)


def judge_sources(view: View) -> Judged:
    """Models from trusted sources only: somebody whom the policy trusts vouches for each."""
    if view.lineage is None:
        return Judged(Answer.UNKNOWN, f"Nothing tells: {view.problem}")
    for node in view.lineage.required:
        refused = [problem for problem in node.problems if problem.kind in _REFUSED]
        if refused:
            words = printable(refused[0].message, limit=200)
            return Judged(Answer.FAIL, f"{name_node(node)}: {words}")
    if view.gaps:
        return Judged(Answer.UNKNOWN, to_sentence(view.gaps[0]))
    count = len(view.lineage.required)
    shown = "it and all" if count > 1 else "it, with all"
    return Judged(Answer.PASS, f"Trusted signers or the policy vouch for {shown} it was made from")


def judge_pickles(view: View, evidence: Evidence) -> Judged:
    """No pickled objects from untrusted sources: none at all, or somebody trusted vouches."""
    rows = evidence.scan.coverage
    files = {row.location.file for row in rows if row.format in _PICKLES}
    names = tuple(sorted(files))
    if not names:
        return _judge_no_pickles(evidence)
    shown = f"{printable(names[0], limit=80)}{f' and {len(names) - 1:,} more' if names[1:] else ''}"
    diff, signers = evidence.signature.diff, evidence.signature.signers
    if signers and diff is not None and not diff:
        by = printable(", ".join(signers))
        return Judged(Answer.PASS, f"{shown} holds pickles, and {by} signed these files", names)
    if view.lineage is not None and view.lineage.root.origin is not Origin.UNKNOWN:
        refused = any(problem.kind in _REFUSED for problem in view.lineage.root.problems)
        if not refused and not view.gaps:
            by = printable(", ".join(view.lineage.root.signers)) or "what is believed"
            return Judged(Answer.PASS, f"{shown} holds pickles, and {by} vouches for them", names)
    return Judged(Answer.FAIL, f"{shown} holds pickles, and nobody trusted vouches for it", names)


def _judge_no_pickles(evidence: Evidence) -> Judged:
    outside = CoverageStatus.OUT_OF_SCOPE
    seen = {row.location.file for row in evidence.scan.coverage if row.status is not outside}
    missed = tuple(sorted({row.location.file for row in evidence.scan.not_examined}))
    if missed:
        reason = f"{len(missed):,} files were not examined in full, so a pickle may be in them"
        return Judged(Answer.UNKNOWN, reason, missed)
    if evidence.artifact.failures or len(seen) < evidence.artifact.file_count or not seen:
        return Judged(Answer.UNKNOWN, "The scan does not account for every file")
    return Judged(Answer.PASS, f"No pickle in {len(seen):,} files")


def judge_scanned(evidence: Evidence) -> Judged:
    """Model scanned for malicious payloads: all of it, and nothing found."""
    result = judge_scan(_SCAN, evidence)
    if result.answer is Answer.PASS and not evidence.artifact.file_count:
        return Judged(Answer.UNKNOWN, "There is no file that was scanned")
    return Judged(result.answer, result.reason, result.names)


def judge_without_evidence(what: str) -> Judged:
    """Say of something that no statement tells about that it is unknown."""
    return Judged(Answer.UNKNOWN, f"No evidence that is known here tells {what}")
