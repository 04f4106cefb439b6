"""Pages, read as a browser would, and what all of them must be."""

from __future__ import annotations

import re
from html.parser import HTMLParser

ELEMENTS = frozenset(
    {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer"),
        *("div", "span", "p", "h1", "h2", "h3", "ul", "ol", "li", "dl", "dt", "dd", "code", "pre"),
        *("strong", "time", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("details", "summary", "svg", "path", "circle"),
        *("a", "g", "rect", "text"),
        *("fieldset", "legend", "input", "label"),
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
        *("type", "for", "checked", "autocomplete"),
        *("href", "width", "height", "x", "y", "rx"),
        *("viewbox", "d", "fill", "stroke", "stroke-width", "stroke-linecap", "cx", "cy", "r"),
    }
)
VOID = {"meta", "input"}


class Page(HTMLParser):
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
        """Of what stands in an SVG; HTML would take it for a start."""
        assert "svg" in self.open
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def check_inert(html: str) -> Page:
    """Hold a page against what may be in one; return it."""
    html.encode()
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= ELEMENTS
    assert {key for _, attributes in page.tags for key in attributes} <= ATTRIBUTES
    for _, attributes in page.tags:
        style = attributes.get("style") or "flex-grow:0"
        assert re.fullmatch(r"flex-grow:\d+|min-width:\d+px|left:\d+\.\d\d%", style)
        assert re.fullmatch(r"#a\d+|#rule-WB-[A-Z]{3}-\d{3}", attributes.get("href") or "#a0")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "\u202e" not in html
    assert "\x1b" not in html
    return page


def contrast(first: str, second: str) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
