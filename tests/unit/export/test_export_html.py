"""The page: complete, readable, and inert whatever was examined."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.export import samples
from weighbridge.core import Coverage, CoverageStatus, Location
from weighbridge.export import CheckReport, to_html

ELEMENTS = frozenset(
    {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer"),
        *("div", "span", "p", "h1", "h2", "h3", "ul", "ol", "li", "dl", "dt", "dd", "code", "pre"),
        *("strong", "time", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("details", "summary", "svg", "path", "circle"),
    }
)
ATTRIBUTES = frozenset(
    {
        *(
            "open",
            "lang",
            "charset",
            "http-equiv",
            "content",
            "name",
            "class",
            "id",
            "datetime",
            "style",
        ),
        *("aria-labelledby", "aria-hidden", "aria-label", "focusable", "scope", "role", "tabindex"),
        *("viewbox", "d", "fill", "stroke", "stroke-width", "stroke-linecap", "cx", "cy", "r"),
    }
)
VOID = {"meta", "path", "circle"}


class _Page(HTMLParser):
    """Reads a page as a browser would, and keeps what is in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


REPORTS = {
    **{name: make() for name, make in samples.EVERY.items()},
    **{name[:12]: samples.hostile(name) for name in samples.HOSTILE_NAMES},
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_inert_and_well_formed(name: str) -> None:
    html = to_html(REPORTS[name])
    html.encode()
    page = _Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= ELEMENTS
    assert {key for _, attributes in page.tags for key in attributes} <= ATTRIBUTES
    for _, attributes in page.tags:
        assert re.fullmatch(r"flex-grow:\d+", attributes.get("style") or "flex-grow:0")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "\u202e" not in html
    assert "\x1b" not in html


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters() | st.sampled_from("<>&\"'/=`-!"), min_size=1, max_size=60))
def test_no_word_of_a_stranger_becomes_markup(name: str) -> None:
    plain, page = _Page(to_html(samples.hostile("x"))), _Page(to_html(samples.hostile(name)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]


def test_the_page_forbids_everything_that_it_does_not_need() -> None:
    policies = [
        attributes["content"]
        for tag, attributes in _Page(to_html(samples.passing())).tags
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
    assert words in _Page(to_html(samples.EVERY[name]())).text


@pytest.mark.parametrize("name", samples.EVERY)
def test_everything_that_was_judged_is_on_the_page(name: str) -> None:
    report = samples.EVERY[name]()
    text = _Page(to_html(report)).text
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
    tags = _Page(to_html(REPORTS[name])).tags
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
    text = _Page(to_html(samples.failing())).text
    assert "differ from those that it lists: 1 changed, 1 missing, 1 extra, 1 renamed" in text
    assert "missing: vocab.bin" in text
    assert "renamed: a.txt -> b.txt" in text
    assert "There is no signature file" in _Page(to_html(samples.unknown())).text


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
    page = _Page(html)
    assert len(html) < 1_000_000
    assert page.text.count("9,000 more are not shown here") == 2
    assert sum(tag == "tr" for tag, _ in page.tags) == 2 * (1_000 + 1)


def test_many_findings_are_cut_and_counted() -> None:
    report = samples.failing()
    scan = replace(report.evidence.scan, findings=samples.BAD_FINDINGS * 200)
    text = _Page(to_html(replace(report, evidence=replace(report.evidence, scan=scan)))).text
    assert "300 more are not shown here" in text


def test_a_long_detail_is_cut_and_says_so() -> None:
    report = samples.failing()
    finding = replace(samples.BAD_FINDINGS[0], detail="line\n" * 1_000)
    scan = replace(report.evidence.scan, findings=(finding,))
    text = _Page(to_html(replace(report, evidence=replace(report.evidence, scan=scan)))).text
    assert "961 more lines" in text


def test_colours_have_enough_contrast() -> None:
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
            assert _contrast(colours[ink], colours[back]) >= 4.5, (ink, back)


def _contrast(first: str, second: str) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
