"""The page about scans: inert whatever was scanned, and it filters without a script."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources

import pytest

from unit.export import samples
from unit.export.pages import Page, check_inert
from weighbridge.core import Answer, Finding, Location, Rule, ScanTerms, Severity
from weighbridge.export import ScannedPath, scans_to_html, scans_to_sarif, to_html

RULE = Rule(
    "WB-PKL-001",
    Answer.FAIL,
    Severity.CRITICAL,
    "Dangerous <call>",
    "What it is.",
    "`os.system`",
    "Do not load it.",
    (502,),
    ("AML.T0011.000",),
)


def _scanned(name: str) -> ScannedPath:
    make = samples.ALL.get(name)
    report = make() if make else samples.hostile(name)
    scan = replace(report.evidence.scan, rules=(RULE,))
    terms = ScanTerms(policy=name, allowed=frozenset({(name, name)}), warn_only=True)
    return ScannedPath(name, scan, Answer.FAIL, terms, samples.DIGEST, name)


@pytest.mark.parametrize("name", [*samples.ALL, *samples.HOSTILE_NAMES])
def test_the_page_is_inert_whatever_was_scanned(name: str) -> None:
    check_inert(scans_to_html([_scanned(name)], version="0.1.0", at=samples.AT))
    check_inert(scans_to_html([_scanned(name), _scanned("fail")]))


def test_a_page_about_nothing_is_a_page() -> None:
    check_inert(scans_to_html([]))
    assert scans_to_sarif([])


def test_everything_that_was_found_is_on_the_page() -> None:
    scan = _scanned("fail")
    text = Page(scans_to_html([scan])).text
    for finding in scan.report.findings:
        for part in (finding.rule_id, str(finding.location), finding.message):
            assert part in text
    for row in scan.report.not_examined:
        assert row.reason in text
    for part in (
        RULE.title,
        RULE.what,
        RULE.example.strip("`"),
        RULE.fix,
        "CWE-502",
        "Malicious",
        "only warns",
    ):
        assert part in text


def test_the_same_finding_is_one_card_and_names_to_allow_are_told_once() -> None:
    findings = tuple(
        Finding(
            "WB-PKL-004",
            Answer.UNKNOWN,
            Severity.MEDIUM,
            Location(f"f{number}"),
            "Nobody vouches for m.C.",
            'allow = [["m", "C"]]',
        )
        for number in range(300)
    )
    scan = _scanned("fail")
    scan = replace(scan, report=replace(scan.report, findings=findings))
    page = Page(scans_to_html([scan]))
    assert page.text.count("Nobody vouches for m.C.") == 1
    assert "The same in 299 other places" in page.text
    assert page.text.count('["m", "C"]') == 1
    assert page.text.count("--allow m C") == 1


def test_every_switch_has_a_rule_in_the_style_sheet() -> None:
    page = Page(scans_to_html([_scanned("fail")]))
    style = resources.files("weighbridge.export").joinpath("scan.css").read_text(encoding="utf-8")
    for tag, attributes in page.tags:
        if tag == "input":
            _, kind = (attributes["class"] or "").split()
            assert kind == "all" or re.search(rf"\.{kind}:(not\()?(:)?checked", style), kind


def test_the_report_of_a_check_explains_the_rules_too() -> None:
    report = samples.failing()
    scan = replace(report.evidence.scan, rules=(RULE,))
    html = to_html(replace(report, evidence=replace(report.evidence, scan=scan)))
    check_inert(html)
    assert "Do not load it." in Page(html).text
