"""The sections of the page that tell what the scan found, and what it looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import CoverageStatus, to_count
from weighbridge.export._html_parts import MAX_ROWS, code, more, section
from weighbridge.export._markup import Markup, element, lines, markup
from weighbridge.export._report import count_coverage, count_findings, worst_first

if TYPE_CHECKING:
    from weighbridge.core import Answer, Coverage, Finding, ScanReport
    from weighbridge.export._report import CoverageCount

__all__ = ["show_coverage", "show_findings"]

_MAX_FINDINGS = 500
_MAX_DETAIL_LINES = 40
_MAX_OPEN_ROWS = 20
_COLUMNS = ("File", "Status", "Format", "Why")

_STATUSES = {
    CoverageStatus.EXAMINED: "examined",
    CoverageStatus.INERT: "inert",
    CoverageStatus.NOT_EXAMINED: "not examined",
    CoverageStatus.OUT_OF_SCOPE: "out of scope",
}


def show_findings(scan: ScanReport) -> Markup:
    """Return the section of the findings, worst first."""
    if not scan.findings:
        nothing = element("p", "The scan found nothing to report in what it examined.")
        return section("Findings", nothing, name="findings")
    shown = [_finding(finding) for finding in worst_first(scan.findings)[:_MAX_FINDINGS]]
    return section(
        "Findings",
        element("ol", *shown, class_="cards"),
        *more(len(scan.findings), _MAX_FINDINGS),
        name="findings",
        note=count_findings(scan.findings),
    )


def _chip(answer: Answer, word: str) -> Markup:
    return element("span", word, class_=f"chip {answer.value}")


def _finding(finding: Finding) -> Markup:
    top = element(
        "div",
        _chip(finding.answer, finding.severity.value),
        element("code", str(finding.location), class_="where"),
        element("span", finding.rule_id, class_="id"),
        class_="line",
    )
    parts = [top, element("p", finding.message)]
    if finding.detail:
        parts.append(element("pre", lines(finding.detail, limit=_MAX_DETAIL_LINES)))
    return element("li", *parts, class_=f"finding {finding.answer.value}")


def show_coverage(scan: ScanReport, *, name: str = "coverage") -> Markup:
    """Return the section of what was looked at; what was not comes first."""
    count = count_coverage(scan.coverage)
    missed = scan.not_examined
    parts = [_meter(count)]
    if missed:
        parts.append(_table(missed, title="Not examined", is_open=len(missed) <= _MAX_OPEN_ROWS))
    parts.append(_table(scan.coverage, title="Every file and what is inside it"))
    return section("Coverage", *parts, name=name, note=to_count(count.files, "file"))


def _meter(count: CoverageCount) -> Markup:
    """Draw the shares; the list below says the same in words."""
    shares = (
        ("examined", count.examined),
        ("inert", count.inert),
        ("not examined", count.not_examined),
        ("out of scope", count.out_of_scope),
    )
    shown = [(name, files, name.replace(" ", "-")) for name, files in shares]
    bar = [
        element("span", class_=kind, style=f"flex-grow:{files}")
        for name, files, kind in shown
        if files and kind != "out-of-scope"
    ]
    legend = [
        element(
            "li",
            element("span", class_=f"key {kind}"),
            element("strong", f"{files:,}"),
            markup(" "),
            name,
        )
        for name, files, kind in shown
        if files or kind != "out-of-scope"
    ]
    return element(
        "div",
        element("div", *bar, class_="meter", aria_hidden="true"),
        element("ul", *legend, class_="legend"),
    )


def _table(rows: tuple[Coverage, ...], *, title: str, is_open: bool = False) -> Markup:
    head = element("tr", *(element("th", name, scope="col") for name in _COLUMNS))
    body = [
        element(
            "tr",
            element("th", code(str(row.location)), scope="row"),
            element("td", _STATUSES[row.status], class_=row.status.value),
            element("td", row.format),
            element("td", row.reason),
        )
        for row in rows[:MAX_ROWS]
    ]
    caption = element("caption", title, class_="unseen")
    table = element("table", caption, element("thead", head), element("tbody", *body))
    return element(
        "details",
        element("summary", f"{title} ({to_count(len(rows), 'row')})"),
        element("div", table, class_="scroll", tabindex="0", role="region", aria_label=title),
        *more(len(rows), MAX_ROWS),
        **({"open": ""} if is_open else {}),
    )
