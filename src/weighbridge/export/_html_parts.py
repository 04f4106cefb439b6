"""Pieces of the page that more than one section is made of."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from weighbridge.core import Answer
from weighbridge.export._markup import Markup, element, markup
from weighbridge.export._report import to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from weighbridge.core import RuleResult

__all__ = [
    "MAX_ROWS",
    "TRACE_STYLE",
    "bar",
    "build_page",
    "code",
    "icon",
    "more",
    "rule_icon",
    "section",
    "term_list",
]

MAX_ROWS = 1_000
TRACE_STYLE = "trace.css"  # of any page that draws a lineage

# Nothing may be fetched, run or sent, even if a word of a stranger should ever become markup.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
_MARK = (
    '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">'
    '<path d="M5 19a11 11 0 0 1 22 0" fill="none" stroke="currentColor" stroke-width="2.4" '
    'stroke-linecap="round"/><path d="M16 19l5.5-7" stroke="currentColor" stroke-width="2.4" '
    'stroke-linecap="round"/><circle cx="16" cy="19" r="2.2" fill="currentColor"/>'
    '<path d="M3 26h26" stroke="currentColor" stroke-width="3" stroke-linecap="round"/></svg>'
)
_ICON_PATHS = {
    Answer.PASS: '<path d="M7 12.5l3.4 3.4L17.2 9"/>',
    Answer.FAIL: '<path d="M8 8l8 8M16 8l-8 8"/>',
    Answer.UNKNOWN: '<path d="M9.2 9.4a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.1-1.5 2.2M12 17.3v.1"/>',
}


def build_page(title: str, *children: Markup, styles: tuple[str, ...] = ()) -> str:
    """Return a whole page: one file that fetches nothing and runs nothing.

    Args:
        title: Of the window.
        children: What the body holds.
        styles: Style sheets of this package besides ``page.css``.
    """
    files = resources.files("weighbridge.export")
    sheets = [files.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", *styles)]
    head = element(
        "head",
        markup('<meta charset="utf-8">'),
        markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        markup('<meta name="color-scheme" content="light dark">'),
        markup('<meta name="referrer" content="no-referrer">'),
        element("title", f"{title} - Weighbridge"),
        element("style", markup("\n".join(sheets))),
    )
    page = element("html", head, element("body", *children), lang="en")
    return f"<!DOCTYPE html>\n{page.html}\n"


def bar(at: datetime | None) -> Markup:
    """Return the top of a page: whose it is, and when it was written, if that is known."""
    brand = element("p", markup(_MARK), element("span", "Weighbridge"), class_="brand")
    if at is None:
        return element("header", brand)
    when = element("time", f"{at:%d %B %Y, %H:%M} UTC", datetime=to_rfc3339(at))
    return element("header", brand, element("p", when, class_="when"))


def section(title: str, *children: Markup, name: str, note: str = "") -> Markup:
    """Return a card with a heading that names it, and a few soft words beside."""
    heading = element("h2", title, id=f"{name}-title")
    told = [element("p", note, class_="note")] if note else []
    top = element("div", heading, *told, class_="top")
    return element("section", top, *children, aria_labelledby=f"{name}-title", class_=name)


def icon(answer: Answer) -> Markup:
    """Draw the answer; its shape tells as much as its colour. Words must stand beside it."""
    return Markup(
        f'<svg class="icon {answer.value}" viewBox="0 0 24 24" aria-hidden="true" '
        f'focusable="false"><circle cx="12" cy="12" r="11"/>{_ICON_PATHS[answer]}</svg>'
    )


def rule_icon(rule: RuleResult) -> Markup:
    """Draw what a rule says; only one that counts can have the tick."""
    if rule.waiver:
        return _draw("waived", "M7 13c2-3 3.5-3 5-1.5s3 1.5 5-1.5")
    if rule.is_warning and rule.answer is Answer.PASS:
        return _draw("warns-not", "M8 12h8")
    if rule.is_warning:
        return _draw("warns", "M12 6.5v7M12 17.3v.1")
    return icon(rule.answer)


def _draw(name: str, path: str) -> Markup:
    return Markup(
        f'<svg class="icon {name}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">'
        f'<circle cx="12" cy="12" r="11"/><path d="{path}"/></svg>'
    )


def code(text: str) -> Markup:
    """Return a name from the artifact, apart from our own words."""
    return element("code", text)


def term_list(pairs: Iterable[tuple[str, Markup | str]]) -> Markup:
    """Return a list of terms and what is known of them; empty values are left out."""
    rows = [
        element("div", element("dt", term), element("dd", value)) for term, value in pairs if value
    ]
    return element("dl", *rows)


def more(count: int, limit: int) -> list[Markup]:
    """Say how many are not shown, if any."""
    if count <= limit:
        return []
    sentence = f"{count - limit:,} more are not shown here; the JSON report lists them all."
    return [element("p", sentence, class_="note")]
