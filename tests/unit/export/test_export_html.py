"""The page: complete, readable, and inert whatever was examined."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.export import samples
from unit.export.pages import Page, check_inert, contrast
from unit.policy.checklist_cases import trained_evidence
from weighbridge.core import Answer, Coverage, CoverageStatus, Location, RuleResult
from weighbridge.export import CheckReport, to_html
from weighbridge.policy import judge_checklist

REPORTS = {
    **{name: make() for name, make in samples.ALL.items()},
    **{name[:12]: samples.hostile(name) for name in samples.HOSTILE_NAMES},
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_inert_and_well_formed(name: str) -> None:
    check_inert(to_html(REPORTS[name]))


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters() | st.sampled_from("<>&\"'/=`-!"), min_size=1, max_size=60))
def test_no_word_of_a_stranger_becomes_markup(name: str) -> None:
    plain, page = Page(to_html(samples.hostile("x"))), Page(to_html(samples.hostile(name)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]


def test_the_page_forbids_everything_that_it_does_not_need() -> None:
    policies = [
        attributes["content"]
        for tag, attributes in Page(to_html(samples.passing())).tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert (policies[0] or "").startswith("default-src 'none'; style-src 'unsafe-inline';")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pass", "This artifact may enter. All 5 rules hold."),
        (
            "fail",
            "3 of 5 rules failed: integrity, signature and scan. 1 could not be answered: lic",
        ),
        (
            "unknown",
            "whether this artifact may enter. 2 of 3 rules could not be answered: scan and card.",
        ),
    ],
)
def test_the_banner_says_the_answer_and_why(name: str, words: str) -> None:
    assert words in Page(to_html(samples.EVERY[name]())).text


@pytest.mark.parametrize("name", samples.EVERY)
def test_everything_that_was_judged_is_on_the_page(name: str) -> None:
    report = samples.EVERY[name]()
    text = Page(to_html(report)).text
    evidence, verdict = report.evidence, report.verdict
    wanted = [evidence.artifact.path, verdict.policy, verdict.policy_digest, evidence.scan.engine]
    wanted += [str(evidence.artifact.digest or "none: not every file could be weighed")]
    for rule in verdict.rules:
        wanted += [rule.rule, rule.reason, rule.remedy, *rule.names]
    for finding in evidence.scan.findings:
        wanted += [finding.rule_id, str(finding.location), finding.message, finding.detail]
    for row in evidence.scan.coverage:
        wanted += [str(row.location), row.reason]
    for item in verdict.not_checked:
        wanted += [item.what, item.why]
    wanted += [failure.reason for failure in evidence.artifact.failures]
    wanted += [evidence.signature.path, evidence.license.expression, evidence.license.problem]
    assert [words for words in wanted if words not in text] == []


@pytest.mark.parametrize("name", REPORTS)
def test_headings_landmarks_and_tables_are_named(name: str) -> None:
    tags = Page(to_html(REPORTS[name])).tags
    names = [tag for tag, _ in tags]
    assert [names.count(tag) for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for tag, attributes in tags:
        if tag == "section":
            assert attributes["aria-labelledby"] in ids
        if tag == "th":
            assert attributes["scope"] in {"row", "col"}
    assert names.count("caption") == names.count("table")


def test_the_signature_section_tells_what_differs() -> None:
    text = Page(to_html(samples.failing())).text
    assert "differ from those that it lists: 1 changed, 1 missing, 1 extra, 1 renamed" in text
    assert "missing: vocab.bin" in text
    assert "renamed: a.txt -> b.txt" in text
    assert "There is no signature file" in Page(to_html(samples.unknown())).text


def _with_rows(count: int) -> CheckReport:
    report = samples.passing()
    rows = tuple(
        Coverage(Location(f"f{index}"), CoverageStatus.NOT_EXAMINED, "unknown", "no engine")
        for index in range(count)
    )
    scan = replace(report.evidence.scan, coverage=rows)
    return replace(report, evidence=replace(report.evidence, scan=scan))


def test_ten_thousand_files_stay_usable_and_the_rest_is_counted() -> None:
    html = to_html(_with_rows(10_000))
    page = Page(html)
    assert len(html) < 1_000_000
    assert page.text.count("9,000 more are not shown here") == 2
    assert sum(tag == "tr" for tag, _ in page.tags) == 2 * (1_000 + 1)


def test_many_findings_are_cut_and_counted() -> None:
    report = samples.failing()
    scan = replace(report.evidence.scan, findings=samples.BAD_FINDINGS * 200)
    text = Page(to_html(replace(report, evidence=replace(report.evidence, scan=scan)))).text
    assert "300 more are not shown here" in text


def test_a_long_detail_is_cut_and_says_so() -> None:
    report = samples.failing()
    finding = replace(samples.BAD_FINDINGS[0], detail="line\n" * 1_000)
    scan = replace(report.evidence.scan, findings=(finding,))
    text = Page(to_html(replace(report, evidence=replace(report.evidence, scan=scan)))).text
    assert "961 more lines" in text


def test_colours_have_enoughcontrast() -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 for text, in the light and in the dark."""
    html = to_html(samples.passing())
    themes = re.findall(r":root \{([^}]*--unknown-tint[^}]*)\}", html)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", theme))
        pairs = [(ink, back) for ink in ("ink", "soft") for back in ("paper", "card", "code")]
        pairs += [(name, "card") for name in ("pass", "fail", "unknown")]
        pairs += [(name, f"{name}-tint") for name in ("pass", "fail", "unknown")]
        pairs += [("ink", f"{name}-tint") for name in ("pass", "fail", "unknown")]
        for ink, back in pairs:
            assert contrast(colours[ink], colours[back]) >= 4.5, (ink, back)


def test_a_warning_and_a_waiver_never_look_like_a_pass() -> None:
    html = to_html(samples.traced())
    rules = html[
        html.index('id="rules-title"') : html.index("</section>", html.index("rules-title"))
    ]
    icons = re.findall(r'class="icon ([a-z-]+)"', rules)
    assert icons == ["pass"] * 6 + ["warns", "warns-not", "waived"]
    text = Page(html).text
    assert "All 6 rules hold. 1 waived: evaluation. 1 only warned: review." in text
    assert "Waived: allowed until 2026-12-31: measured on the old split." in text


def test_the_lineage_and_the_document_have_their_sections() -> None:
    page = Page(to_html(samples.traced()))
    assert sum(attributes.get("class") == "node" for _, attributes in page.tags) == 8
    assert "package ← model-q4.gguf ← model ← clean.parquet" in page.text
    assert "1 entry is not so, 1 cannot be told, 1 holds" in page.text
    assert page.text.index("The lineage has another one.") < page.text.index("It is the digest")
    broken = Page(to_html(samples.broken())).text
    assert "two provenances disagree" in broken
    assert "line 3 is not YAML" in broken
    assert "Lineage" not in Page(to_html(samples.passing())).text


def test_checklists_stand_apart_with_names_that_people_read() -> None:
    """Before, they were rules with long names, broken anywhere."""
    report = samples.passing()
    items = judge_checklist(trained_evidence())
    rules = (*report.verdict.rules, *items)
    text = Page(to_html(replace(report, verdict=replace(report.verdict, rules=rules)))).text
    assert "Dependencies8 pass, 0 fail, 0 unknownframework versions pinned" in text
    assert "Security3 pass, 0 fail, 2 unknown" in text
    assert "Reproducibility6 pass, 0 fail, 0 unknown" in text
    assert text.count("resource limits for inference") == 1


def test_the_banner_names_the_first_of_many_rules() -> None:
    report = samples.passing()
    rules = tuple(RuleResult(f"r{n}", Answer.UNKNOWN, "x") for n in range(9))
    text = Page(to_html(replace(report, verdict=replace(report.verdict, rules=rules)))).text
    assert "9 of 9 rules could not be answered: r0, r1, r2, r3, r4 and 4 more." in text
