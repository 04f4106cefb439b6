"""Pieces of the page that more than one section is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer
from weighbridge.export._markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_ROWS", "code", "icon", "more", "section", "term_list"]

MAX_ROWS = 1_000

_ICON_PATHS = {
    Answer.PASS: '<path d="M7 12.5l3.4 3.4L17.2 9"/>',
    Answer.FAIL: '<path d="M8 8l8 8M16 8l-8 8"/>',
    Answer.UNKNOWN: '<path d="M9.2 9.4a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.1-1.5 2.2M12 17.3v.1"/>',
}


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
