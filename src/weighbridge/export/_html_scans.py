"""Scans as one self-contained page: findings as cards that can be filtered without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, Severity, to_count, to_size, worst
from weighbridge.export._html_parts import bar, build_page, code, icon, more, section, term_list
from weighbridge.export._html_rules import show_rules
from weighbridge.export._html_scan import show_coverage
from weighbridge.export._markup import Markup, element, lines, markup
from weighbridge.export._report import (
    count_findings,
    count_formats,
    find_allow_entries,
    group_findings,
    scan_word,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.core import Finding, Rule, ScanReport
    from weighbridge.export._report import SameFinding, ScannedPath

__all__ = ["scans_to_html"]

_STYLE = "scan.css"
_MAX_FINDINGS = 500
_MAX_FILTERED_FILES = 30
_MAX_DETAIL_LINES = 40
_MAX_PLACES = 50
_MAX_ENTRIES = 200
_MEANINGS = {
    Answer.PASS: "Nothing in it would run or mislead a loader, as far as this scan can tell.",
    Answer.FAIL: "Do not load it. Get it from its publisher again, or as safetensors.",
    Answer.UNKNOWN: "Do not load it before somebody has looked at what is listed below.",
}
_TITLES = {Answer.PASS: "Pass", Answer.FAIL: "Fail", Answer.UNKNOWN: "Unknown"}


def scans_to_html(
    scans: Sequence[ScannedPath], *, version: str = "", at: datetime | None = None
) -> str:
    """Return the page; see :func:`weighbridge.export.scans_to_html`."""
    answer = worst(tuple(scan.answer for scan in scans)) if scans else Answer.UNKNOWN
    named = scans[0].path if len(scans) == 1 else to_count(len(scans), "path")
    rules: dict[str, Rule] = {}
    for scan in scans:
        rules |= {rule.rule_id: rule for rule in scan.report.rules}
    parts = [part for number, scan in enumerate(scans) for part in _scan(scan, number, len(scans))]
    engine = scans[0].report.engine if scans else ""
    footer = element(
        "footer",
        element("p", f"Weighbridge {version}. Scanned by {engine}."),
        element("p", "This page holds no script and fetches nothing."),
    )
    main = element("main", *parts, show_rules(rules.values()))
    title = f"{_TITLES[answer]}: {named}"
    return build_page(title, bar(at), main, footer, styles=(_STYLE,))


def _scan(scan: ScannedPath, number: int, count: int) -> list[Markup]:
    report = scan.report
    return [
        _banner(scan, tag="h1" if count == 1 else "h2"),
        _about(scan, number),
        _findings(report, number),
        _allow(report.findings, number),
        _coverage(report, number),
    ]


def _banner(scan: ScannedPath, *, tag: str) -> Markup:
    told = f"{scan_word(scan.answer).capitalize()}: {count_findings(scan.report.findings)}."
    if scan.terms.warn_only and scan.answer is not Answer.PASS:
        told += " The policy only warns."
    words = element(
        "div",
        element(
            tag,
            element("span", _TITLES[scan.answer], class_="answer"),
            element("span", markup(": "), class_="unseen"),
            element("code", scan.path, class_="path"),
            class_="headline",
        ),
        element("p", element("strong", _MEANINGS[scan.answer]), markup(" "), told),
    )
    return element("div", icon(scan.answer), words, class_=f"banner {scan.answer.value}")


def _about(scan: ScannedPath, number: int) -> Markup:
    terms = scan.terms
    allowed = ", ".join(f"{module}.{name}" for module, name in sorted(terms.allowed))
    policy: list[Markup] = [code(terms.policy)]
    if terms.policy_digest:
        policy.append(element("code", terms.policy_digest, class_="digest"))
    digest = "" if scan.digest is None else str(scan.digest)
    counted = f"severity {terms.fail_on.value} and worse"
    counted += "; what was not examined, too" if terms.complete else ""
    facts = term_list(
        (
            ("Digest", element("code", digest, class_="digest") if digest else ""),
            ("Policy", element("span", *policy, class_="stack")),
            ("What counts", counted),
            ("Vouched for", code(allowed) if allowed else ""),
            ("Signed in", code(scan.claims) if scan.claims else ""),
            ("Not signed", scan.unsigned),
        )
    )
    return section("What was scanned", facts, name=f"scanned-{number}")


# -- findings -------------------------------------------------------------------------------------


def _findings(report: ScanReport, number: int) -> Markup:
    """Return the cards, with switches for each severity and each file that has one."""
    if not report.findings:
        nothing = element("p", "The scan found nothing to report in what it examined.")
        return section("Findings", nothing, name=f"findings-{number}")
    groups = group_findings(report.findings)
    shown = groups[:_MAX_FINDINGS]
    files = list(dict.fromkeys(one.finding.location.file for one in shown))
    marks = {file: f"f{index}" for index, file in enumerate(files[:_MAX_FILTERED_FILES])}
    explained = {rule.rule_id for rule in report.rules}
    cards = [
        _card(
            one,
            marks.get(one.finding.location.file, "f-other"),
            is_explained=one.finding.rule_id in explained,
        )
        for one in shown
    ]
    name = f"findings-{number}"
    return section(
        "Findings",
        _switches(shown, marks, number),
        element("ol", *cards, class_="cards filtered"),
        *more(len(groups), _MAX_FINDINGS),
        name=name,
        note=count_findings(report.findings),
    )


def _switches(shown: Sequence[SameFinding], marks: dict[str, str], number: int) -> Markup:
    """Return check boxes for severities and round ones for files; the style sheet does the rest."""
    parts = []
    counts = {
        severity: sum(one.finding.severity is severity for one in shown)
        for severity in sorted(Severity, key=lambda one: -one.rank)
    }
    boxes = [
        _switch(f"s{number}-{severity.value}", f"{severity.value} {count:,}", kind=severity.value)
        for severity, count in counts.items()
        if count
    ]
    if len(boxes) > 1:
        parts.append(_fieldset("Severity", boxes))
    if len(marks) > 1:
        name = f"file-{number}"
        rounds = [_round(f"{name}-all", name, "all files", kind="all", is_on=True)]
        rounds += [_round(f"{name}-{mark}", name, file, kind=mark) for file, mark in marks.items()]
        parts.append(_fieldset("File", rounds))
    return element("div", *parts, class_="switches") if parts else markup("")


def _fieldset(legend: str, inputs: Sequence[Markup]) -> Markup:
    return element("fieldset", element("legend", legend), *inputs)


def _switch(name: str, words: str, *, kind: str) -> Markup:
    box = _input(id=name, type="checkbox", class_=f"switch {kind}", checked="")
    return element("span", box, element("label", words, **{"for": name}), class_="choice")


def _round(name: str, group: str, words: str, *, kind: str, is_on: bool = False) -> Markup:
    state = {"checked": ""} if is_on else {}
    ring = _input(id=name, type="radio", name=group, class_=f"pick {kind}", **state)
    return element("span", ring, element("label", words, **{"for": name}), class_="choice")


def _input(**attributes: str) -> Markup:
    """Return an input, which has no end tag; a reload must not keep cards hidden."""
    made = element("input", autocomplete="off", **attributes)
    return Markup(made.html.removesuffix("</input>"))


def _card(group: SameFinding, mark: str, *, is_explained: bool) -> Markup:
    finding = group.finding
    top = element(
        "div",
        element("span", finding.severity.value, class_=f"chip {finding.answer.value}"),
        element("code", str(finding.location), class_="where"),
        *([element("span", finding.opcode, class_="opcode")] if finding.opcode else []),
        element("a", finding.rule_id, href=f"#rule-{finding.rule_id}", class_="id")
        if is_explained
        else element("span", finding.rule_id, class_="id"),
        class_="line",
    )
    parts = [top, element("p", finding.message)]
    if finding.detail and not find_allow_entries((finding,)):
        parts.append(element("pre", lines(finding.detail, limit=_MAX_DETAIL_LINES)))
    if group.others:
        places = [element("li", code(str(one))) for one in group.others[:_MAX_PLACES]]
        told = f"The same in {to_count(len(group.others), 'other place')}"
        parts.append(
            element(
                "details",
                element("summary", told),
                element("ul", *places),
                *more(len(group.others), _MAX_PLACES),
            )
        )
    kinds = f"finding {finding.answer.value} is-{finding.severity.value} in-{mark}"
    return element("li", *parts, class_=kinds)


def _allow(findings: tuple[Finding, ...], number: int) -> Markup:
    """Show, once, what to write for the names that nobody vouches for."""
    entries = find_allow_entries(findings)
    if not entries:
        return markup("")
    shown = entries[:_MAX_ENTRIES]
    policy = "\n".join(
        ("[require.scan]", "allow = [", *(f"    {entry.toml}," for entry in shown), "]")
    )
    options = " \\\n    ".join(("weighbridge scan PATH", *(entry.option for entry in shown)))
    return section(
        "Names that nobody vouches for",
        element("p", "Loading the file calls them. If you trust their code, write in the policy:"),
        element("pre", lines(policy, limit=_MAX_ENTRIES + 3)),
        element("p", "or, for one scan:"),
        element("pre", lines(options, limit=_MAX_ENTRIES + 1)),
        *more(len(entries), _MAX_ENTRIES),
        name=f"allow-{number}",
    )


# -- coverage -------------------------------------------------------------------------------------


def _coverage(report: ScanReport, number: int) -> Markup:
    head = ("Format", "Examined", "Inert", "Not examined", "Bytes")
    rows = [
        element(
            "tr",
            element("th", one.format, scope="row"),
            *(
                element("td", f"{count:,}" if count else "-", class_=kind)
                for count, kind in (
                    (one.examined, "number"),
                    (one.inert, "number"),
                    (one.not_examined, "number not-examined" if one.not_examined else "number"),
                )
            ),
            element("td", to_size(one.size_bytes) if one.size_bytes else "-", class_="number"),
        )
        for one in count_formats(report.coverage)
    ]
    table = element(
        "table",
        element("caption", "What is in it, by format", class_="unseen"),
        element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
        element("tbody", *rows),
        class_="formats",
    )
    formats = element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label="By format"
    )
    told = "members of containers count, too; bytes are those of files"
    return element(
        "div",
        show_coverage(report, name=f"coverage-{number}"),
        section("Formats", formats, name=f"formats-{number}", note=told) if rows else markup(""),
        class_="part",
    )
