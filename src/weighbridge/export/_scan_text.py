"""A scan on a terminal: what would run, what nobody looked at, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, Finding, ScanTerms, to_count, to_size
from weighbridge.export._report import (
    ScannedPath,
    count_coverage,
    count_findings,
    count_formats,
    find_allow_entries,
    group_findings,
    judge_scan,
    scan_word,
)
from weighbridge.export._style import BOLD, COLOURS, DIM, MIN_WIDTH, Style
from weighbridge.export._wrap import count_cells, pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import Coverage, ScanReport
    from weighbridge.export._report import FormatCount, SameFinding

__all__ = ["scan_to_text", "scans_to_text"]

_MAX_FINDINGS = 100
_MAX_NOT_EXAMINED = 10
_MAX_PLACES = 3
_MAX_ENTRIES = 50
_MAX_DETAIL_LINES = 6
_MAX_FORMATS = 40
_NEXT = {
    Answer.FAIL: "Do not load it. Get it from its publisher again, or as safetensors.",
    Answer.UNKNOWN: "Do not load it before somebody has looked at what is listed above.",
    Answer.PASS: "Nothing in it would run or mislead a loader, as far as this scan can tell.",
}


def scan_to_text(
    report: ScanReport,
    *,
    width: int,
    colour: bool,
    unicode: bool = True,
    answer: Answer | None = None,
) -> str:
    """Return a scan for a terminal: findings worst first, then what was looked at.

    Args:
        report: The scan.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours.
        unicode: Whether the terminal shows more than ASCII.
        answer: What it was judged to be; None judges it as the built-in policy does.

    Returns:
        Lines joined by newlines, none at the end.
    """
    scan = ScannedPath("", report, answer or judge_scan(report), ScanTerms())
    return scans_to_text((scan,), width=width, colour=colour, unicode=unicode)


def scans_to_text(
    scans: Sequence[ScannedPath], *, width: int, colour: bool, unicode: bool = True
) -> str:
    """Return scans of several paths, one below the other, and what they come to together.

    Args:
        scans: As they were made.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours.
        unicode: Whether the terminal shows more than ASCII.

    Returns:
        Lines joined by newlines, none at the end.
    """
    style = Style(max(width, MIN_WIDTH), colour=colour, unicode=unicode)
    texts = [
        "\n\n".join("\n".join(block) for block in _blocks(style, one) if block) for one in scans
    ]
    if len(scans) > 1:
        counts = [(answer, sum(one.answer is answer for one in scans)) for answer in Answer]
        told = ", ".join(f"{count:,} {scan_word(answer)}" for answer, count in counts if count)
        texts.append("\n".join(style.title("Together", f"{to_count(len(scans), 'path')}: {told}")))
    return "\n\n".join(texts)


def _blocks(style: Style, scan: ScannedPath) -> tuple[list[str], ...]:
    report = scan.report
    groups = group_findings(report.findings)
    return (
        _head(style, scan),
        _findings(style, groups),
        _allow(style, report.findings),
        _coverage(style, report),
        _foot(style, scan),
    )


def _verdict(style: Style, answer: Answer) -> str:
    return f"{style.symbol(answer)} {answer.value.upper()}"


def _head(style: Style, scan: ScannedPath) -> list[str]:
    """Say the answer in both ways: as exit codes count it, and as a word for what is inside."""
    word, found = scan_word(scan.answer), count_findings(scan.report.findings)
    told = f"{scan.path}: {word} ({found})" if scan.path else f"{word}: {found}"
    return style.title(_verdict(style, scan.answer), told, COLOURS[scan.answer])


def _findings(style: Style, groups: Sequence[SameFinding]) -> list[str]:
    """Show findings by file; the file with the worst one comes first."""
    by_file: dict[str, list[SameFinding]] = {}
    for group in groups[:_MAX_FINDINGS]:
        by_file.setdefault(group.finding.location.file, []).append(group)
    lines: list[str] = []
    for file, found in by_file.items():
        lines += [""] if lines else []
        lines.append(style.paint(style.shorten(style.clean(file), style.width), BOLD))
        lines += [line for group in found for line in _finding(style, group)]
    more = len(groups) - _MAX_FINDINGS
    return lines + ([f"  {more:,} more; --json lists them all"] if more > 0 else [])


def _finding(style: Style, group: SameFinding) -> list[str]:
    finding = group.finding
    symbol, severity = style.symbol(finding.answer), f"{finding.severity.value:<8}"
    indent = " " * (count_cells(symbol) + 13)
    rule_id = style.clean(finding.rule_id)
    mark = style.mark(finding.answer, f"{symbol} {severity}")
    place = style.shorten(
        style.clean(_place(finding)), max(8, style.width - len(indent) - count_cells(rule_id) - 2)
    )
    lines = [f"  {mark}  {style.paint(rule_id, DIM)}  {place}".rstrip()]
    lines += style.hang(indent, finding.message)
    details = [] if find_allow_entries((finding,)) else finding.detail.splitlines()
    for detail in details[:_MAX_DETAIL_LINES]:
        lines += style.hang(indent, detail, DIM)
    if len(details) > _MAX_DETAIL_LINES:
        lines.append(f"{indent}and {to_count(len(details) - _MAX_DETAIL_LINES, 'line')} more")
    if others := group.others:
        names = ", ".join(str(one) for one in others[:_MAX_PLACES])
        more = f" and {len(others) - _MAX_PLACES:,} more" if len(others) > _MAX_PLACES else ""
        told = f"The same in {to_count(len(others), 'other place')}: {names}{more}"
        lines += style.hang(indent, told)
    return lines


def _place(finding: Finding) -> str:
    """Return where in its file, outermost container first."""
    at = finding.location
    parts = ["!".join(at.member)] if at.member else []
    if at.offset is not None:
        parts.append(f"byte {at.offset:,}")
    if finding.opcode:
        parts.append(f"opcode {finding.opcode}")
    return ", ".join(parts)


def _allow(style: Style, findings: tuple[Finding, ...]) -> list[str]:
    """Show, once, what to write for the names that nobody vouches for."""
    entries = find_allow_entries(findings)
    if not entries:
        return []
    shown = entries[:_MAX_ENTRIES]
    lines = style.title(
        "Names", "that nobody vouches for. If you trust their code, in the policy or as options:"
    )
    lines += ["  [require.scan]", "  allow = ["]
    # What is to be pasted is not wrapped; only a name that is too long for the terminal is cut.
    lines += [style.shorten(f"    {style.clean(one.toml)},", style.width) for one in shown]
    lines.append("  ]")
    lines += [style.shorten(f"  {style.clean(one.option)}", style.width) for one in shown]
    more = len(entries) - len(shown)
    return lines + ([f"  {more:,} more; --json lists them all"] if more > 0 else [])


def _coverage(style: Style, report: ScanReport) -> list[str]:
    lines = style.title("Coverage", count_coverage(report.coverage).to_text())
    counts = count_formats(report.coverage)
    if counts:
        lines += _formats(style, counts)
    missed = report.not_examined
    for row in missed[:_MAX_NOT_EXAMINED]:
        lines += _missed(style, row)
    more = len(missed) - _MAX_NOT_EXAMINED
    return lines + ([f"  {more:,} more; --json lists them all"] if more > 0 else [])


def _formats(style: Style, counts: tuple[FormatCount, ...]) -> list[str]:
    """Draw a table: what is in it, members of containers too, by format."""
    narrow = style.width < 68  # noqa: PLR2004 - as wide as the columns together
    widest = max(count_cells(style.clean(one.format)) for one in counts)
    column = max(6, min(widest, style.width - (27 if narrow else 52)))
    names = ("examined", "inert", "missed") if narrow else ("examined", "inert", "not examined")
    heads = "".join(f"{name:>{len(name) + 2}}" for name in names)
    heads += "" if narrow else f"  {'bytes':>10}"
    lines = [style.paint(f"  {pad('format', column)}{heads}", DIM)]
    for one in counts[:_MAX_FORMATS]:
        name = pad(style.shorten(style.clean(one.format), column), column)
        figures = zip(names, (one.examined, one.inert, one.not_examined), strict=True)
        cells = "".join(f"{count or '-':>{len(head) + 2}}" for head, count in figures)
        size = to_size(one.size_bytes) if one.size_bytes else "-"
        lines.append(f"  {name}{cells}" if narrow else f"  {name}{cells}  {size:>10}")
    more = len(counts) - _MAX_FORMATS
    return lines + ([f"  {more:,} more formats"] if more > 0 else [])


def _missed(style: Style, row: Coverage) -> list[str]:
    location = style.shorten(style.clean(str(row.location)), style.width - 5)
    first, *rest = style.hang("  ? ", f"{location}: {row.reason or 'no reason given'}")
    return [f"  {style.mark(Answer.UNKNOWN, '?')}" + first[3:], *rest]


def _foot(style: Style, scan: ScannedPath) -> list[str]:
    lines = style.hang("", f"Engine: {scan.report.engine}. Policy: {scan.terms.policy}.", DIM)
    if scan.digest is not None and scan.claims:
        lines += style.hang("", f"Signed: {scan.digest}, in {scan.claims}", DIM)
    if scan.unsigned:
        lines += style.hang("", f"Not signed: {scan.unsigned}", COLOURS[Answer.UNKNOWN])
    said = f"{scan_word(scan.answer)}. {_NEXT[scan.answer]}"
    missed = len(scan.report.not_examined)
    if missed and scan.answer is Answer.PASS:
        said += f" {to_count(missed, 'thing')} nobody examined, which the policy accepts."
    if scan.terms.warn_only and scan.answer is not Answer.PASS:
        said += " The policy only warns."
    return lines + style.title(_verdict(style, scan.answer), said, COLOURS[scan.answer])
