"""The report on a terminal: what a person reads in five seconds, then what they look up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, to_count, to_size
from weighbridge.export._report import (
    count_coverage,
    count_entries,
    count_findings,
    find_lineage,
    rule_words,
    short_digest,
    to_rfc3339,
    worst_first,
)
from weighbridge.export._style import BOLD, DIM, MIN_WIDTH, RED, Style
from weighbridge.export._wrap import count_cells, pad

if TYPE_CHECKING:
    from weighbridge.core import (
        ArtifactEvidence,
        DocumentCheck,
        Finding,
        RuleResult,
        ScanReport,
        Verdict,
    )
    from weighbridge.export._report import CheckReport

__all__ = ["to_text"]

_CHECKLIST = "checklist."
_MAX_NAMES = 5
_MAX_RULE_NAME = 20
_MAX_FINDINGS = 10
_MAX_NOT_EXAMINED = 10
_MAX_LEFT_OUT = 8
_MAX_ENTRIES = 20
_MAX_DETAIL_LINES = 6


def to_text(report: CheckReport, *, width: int, colour: bool, unicode: bool = True) -> str:
    """Return the report that a person reads on a terminal.

    The first line is the answer and the artifact. One line a rule follows, then the worst findings,
    the coverage, the lineage if there is one, and what was not checked. Names from
    the artifact cannot act on the terminal.

    Args:
        report: The verdict and its evidence.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours. The symbols say the same without them.
        unicode: Whether the terminal shows more than ASCII.

    Returns:
        Lines joined by newlines, none at the end.
    """
    style = Style(max(width, MIN_WIDTH), colour=colour, unicode=unicode)
    scan = report.evidence.scan
    blocks = (
        _head(style, report.verdict.answer, report.evidence.artifact),
        _rules(style, report.verdict.rules),
        _checklists(style, report.verdict.rules),
        _findings(style, scan),
        _coverage(style, scan) + _left_out(style, report.evidence.artifact),
        _lineage(style, report),
        _document(style, report.evidence.document),
        _foot(style, report.verdict, version=report.version),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _head(style: Style, answer: Answer, artifact: ArtifactEvidence) -> list[str]:
    word = f"{style.symbol(answer)} {answer.value.upper()}"
    path = style.clean(artifact.path)
    facts = (
        f"{short_digest(artifact.digest)}, {to_size(artifact.size_bytes)}, "
        f"{to_count(artifact.file_count, 'file')}"
    )
    if count_cells(f"{word}  {path}  {facts}") <= style.width:
        return [f"{style.mark(answer, word)}  {style.paint(path, BOLD)}  {facts}"]
    room = style.width - count_cells(word) - 2
    path = style.paint(style.shorten(path, room), BOLD)
    return [f"{style.mark(answer, word)}  {path}", *style.hang("  ", facts)]


def _rules(style: Style, rules: tuple[RuleResult, ...]) -> list[str]:
    own = [rule for rule in rules if not rule.rule.startswith(_CHECKLIST)]
    widest = max((count_cells(style.clean(rule.rule)) for rule in own), default=0)
    column = min(widest, _MAX_RULE_NAME, style.width // 3)
    lines = []
    for rule in own:
        name = pad(style.shorten(style.clean(rule.rule), column), column)
        symbol, colour = style.rule_mark(rule)
        first, *rest = style.hang(f"  {symbol} {name}  ", rule_words(rule))
        lines += [f"  {style.paint(symbol, BOLD, colour)}" + first[2 + len(symbol) :], *rest]
        if rule.answer is not Answer.PASS:
            lines += _next_step(style, rule, indent=" " * (column + 6))
    return lines


def _checklists(style: Style, rules: tuple[RuleResult, ...]) -> list[str]:
    if not any(rule.rule.startswith(_CHECKLIST) for rule in rules):
        return []
    from weighbridge.export._checklist_text import checklist_block  # noqa: PLC0415 - seldom there

    return checklist_block(style, rules)


def _next_step(style: Style, rule: RuleResult, *, indent: str) -> list[str]:
    room = style.width - len(indent)
    lines = [indent + style.shorten(style.clean(name), room) for name in rule.names[:_MAX_NAMES]]
    if more := len(rule.names) - _MAX_NAMES:
        lines += [f"{indent}and {more:,} more"] if more > 0 else []
    arrow = "→ " if style.unicode else "-> "
    return lines + (style.hang(indent + arrow, rule.remedy) if rule.remedy else [])


def _findings(style: Style, scan: ScanReport) -> list[str]:
    """Show the worst of what needs a decision; notes are only counted."""
    if not scan.findings:
        return []
    open_ = [finding for finding in scan.findings if finding.answer is not Answer.PASS]
    shown = worst_first(tuple(open_))[:_MAX_FINDINGS]
    told = count_findings(scan.findings)
    if not open_:
        return style.title("Findings", f"{told} (--json shows them)")
    lines = style.title("Findings", told)
    lines += [line for finding in shown for line in _finding(style, finding)]
    return lines + _more(len(scan.findings) - len(shown))


def _more(count: int) -> list[str]:
    return [f"  {count:,} more; --json lists them all"] if count > 0 else []


def _finding(style: Style, finding: Finding) -> list[str]:
    symbol, severity = style.symbol(finding.answer), f"{finding.severity.value:<8}"
    indent = " " * (count_cells(symbol) + 13)
    rule_id = style.clean(finding.rule_id)
    room = style.width - len(indent) - count_cells(rule_id) - 2
    location = style.shorten(style.clean(str(finding.location)), max(room, 8))
    mark = style.mark(finding.answer, f"{symbol} {severity}")
    lines = [f"  {mark}  {style.paint(location, BOLD)}  {style.paint(rule_id, DIM)}"]
    lines += style.hang(indent, finding.message)
    details = finding.detail.splitlines()
    for detail in details[:_MAX_DETAIL_LINES]:
        lines += style.hang(indent, detail, DIM)
    if len(details) > _MAX_DETAIL_LINES:
        lines.append(f"{indent}and {to_count(len(details) - _MAX_DETAIL_LINES, 'line')} more")
    return lines


def _coverage(style: Style, scan: ScanReport) -> list[str]:
    lines = style.title("Coverage", count_coverage(scan.coverage).to_text())
    missed = scan.not_examined
    for row in missed[:_MAX_NOT_EXAMINED]:
        location = style.shorten(style.clean(str(row.location)), style.width - 5)
        first, *rest = style.hang("  ? ", f"{location}: {row.reason or 'no reason given'}")
        lines += [f"  {style.mark(Answer.UNKNOWN, '?')}" + first[3:], *rest]
    return lines + _more(len(missed) - _MAX_NOT_EXAMINED)


def _left_out(style: Style, artifact: ArtifactEvidence) -> list[str]:
    """Say which files the digest does not cover; without it their count would not add up."""
    if not artifact.left_out:
        return []
    names = ", ".join(artifact.left_out[:_MAX_LEFT_OUT])
    more = len(artifact.left_out) - _MAX_LEFT_OUT
    return style.hang(
        "  ", f"not part of the digest: {names}" + (f" and {more:,} more" if more > 0 else "")
    )


def _lineage(style: Style, report: CheckReport) -> list[str]:
    lineage = find_lineage(report.evidence)
    if lineage is None:
        return []
    from weighbridge.export._trace_text import trace_block  # noqa: PLC0415 - seldom there

    return trace_block(style, lineage, at=report.verdict.at)


def _document(style: Style, document: DocumentCheck | None) -> list[str]:
    """Say what in a document kept by hand is not so, or cannot be told; what holds is counted."""
    if document is None:
        return []
    if document.problem:
        return style.title("Document", f"{document.path}: {document.problem}", RED)
    lines = style.title("Document", f"{document.path}: {count_entries(document)}")
    open_ = [entry for entry in document.entries if entry.answer is not Answer.PASS]
    open_.sort(key=lambda entry: entry.answer is not Answer.FAIL)
    for entry in open_[:_MAX_ENTRIES]:
        symbol = style.symbol(entry.answer)
        first, *rest = style.hang(f"  {symbol} ", f"{entry.place}: {entry.message}")
        lines += [f"  {style.mark(entry.answer, symbol)}" + first[2 + len(symbol) :], *rest]
    return lines + _more(len(open_) - _MAX_ENTRIES)


def _foot(style: Style, verdict: Verdict, *, version: str) -> list[str]:
    lines = []
    if verdict.not_checked:
        # "provenance: how it was made" is short for the terminal; the other reports tell it all.
        what = ", ".join(item.what.partition(":")[0] for item in verdict.not_checked)
        lines += style.hang("", f"Not checked: {what}.", DIM)
    judged = f"Policy: {verdict.policy}. {to_rfc3339(verdict.at)}, Weighbridge {version}."
    return lines + style.hang("", judged, DIM)
