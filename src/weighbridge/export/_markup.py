"""HTML in which every word is escaped, because there is no other way to put one in."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from weighbridge.core import printable

__all__ = ["Markup", "element", "lines", "markup"]

_MAX_WORDS = 800
_MAX_LINE = 2_000


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is ready; made by :func:`element`, or literally with :func:`markup`."""

    html: str


def markup(literal: str) -> Markup:
    """Mark a literal of this package as HTML; never call it with words from elsewhere."""
    return Markup(literal)


def element(tag: str, *children: Markup | str, **attributes: str) -> Markup:
    """Return ``<tag ...>children</tag>``.

    Children that are ``str`` are words: made printable, cut at 800 characters and escaped.
    Attributes are escaped likewise; ``class_`` is written ``class``, ``aria_label`` is written
    ``aria-label``.
    """
    inside = "".join(
        child.html if isinstance(child, Markup) else _escape(child) for child in children
    )
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escape(value)}"'
        for name, value in attributes.items()
    )
    return Markup(f"<{tag}{named}>{inside}</{tag}>")


def lines(text: str, *, limit: int) -> Markup:
    """Return the first ``limit`` lines of ``text``, escaped, with their line breaks kept.

    Lines are cut at 2,000 characters.
    """
    parts = text.split("\n")
    kept = [_escape(part, limit=_MAX_LINE) for part in parts[:limit]]
    if len(parts) > limit:
        kept.append(f"… {len(parts) - limit:,} more lines")
    return Markup("\n".join(kept))


def _escape(text: str, *, limit: int = _MAX_WORDS) -> str:
    return escape(printable(text, limit=limit))
