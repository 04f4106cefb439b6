"""A lineage as a picture: SVG inside a page, every word escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import EdgeKind, Origin, printable, short_id, to_count
from weighbridge.export._markup import Markup, element, markup
from weighbridge.export._trace import (
    COMPLETENESS_WORDS,
    ORIGIN_WORDS,
    ROOTS,
    describe_node,
    edge_words,
    level_words,
    weakest_edges,
)
from weighbridge.export._trace_choice import choose
from weighbridge.export._trace_layout import BOX_WIDTH, lay_out
from weighbridge.export._wrap import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import LineageNode, LineageReport
    from weighbridge.export._trace_layout import Placed, Route

__all__ = ["draw_lineage", "sign", "sign_of"]

_MAX_DRAWN = 300
_LEVELS = 4
_LABEL_CELLS = 21
_SMALL_CELLS = 24
_BACK = 56.0  # how far a line that closes a circle keeps from the one that it turns back on
_SMALLEST = 0.85  # of the natural size, before a picture scrolls instead

_SIGNS = {
    "built": '<circle cx="8" cy="8" r="6"/>',
    "root": '<path d="M8 1l7 7-7 7-7-7z"/>',
    "unknown": '<circle cx="8" cy="8" r="5.5" class="hollow"/>',
    "problem": '<path d="M3 3l10 10M13 3L3 13" class="cross"/>',
}


def draw_lineage(
    report: LineageReport, *, limit: int = _MAX_DRAWN, links: Mapping[str, str] | None = None
) -> Markup:
    """Return the picture, with what it means below it and what it leaves out.

    Args:
        report: The lineage.
        limit: How many nodes are drawn at most.
        links: Id of a node to the place on the page that tells more of it.
    """
    drawing = choose(report, limit=limit)
    layout = lay_out(drawing)
    weakest, on_path = weakest_edges(report), set(report.weakest_path)
    routes = sorted(layout.routes, key=lambda route: _is_weakest(route, weakest, on_path))
    drawn = [_route(route, weakest=_is_weakest(route, weakest, on_path)) for route in routes]
    end = report.weakest_path[-1] if len(report.weakest_path) > 1 else ""
    for box in layout.boxes:
        shown = _box(box, is_weakest=box.item.key in on_path, is_end=box.item.key == end)
        target = (links or {}).get(box.item.key)
        drawn.append(shown if target is None else element("a", shown, href=f"#{target}"))
    drawn += [words for route in layout.routes for words in _route_words(route)]
    picture = element(
        "svg",
        *drawn,
        viewBox=f"0 0 {layout.width:.0f} {layout.height:.0f}",
        width=f"{layout.width:.0f}",
        height=f"{layout.height:.0f}",
        role="group",
        aria_label="What was made from what",
        class_="graph",
    )
    left = layout.boxes[0].x + BOX_WIDTH / 2
    start = element("span", class_="start", style=f"left:{left / layout.width:.2%}")
    smallest = f"min-width:{layout.width * _SMALLEST:.0f}px"
    frame = element("div", start, picture, class_="frame", style=smallest)
    region = element(
        "div", frame, class_="scroll picture", tabindex="0", role="region", aria_label="Picture"
    )
    parts = [region, _legend()]
    if drawing.left_out > 0:
        words = f"{to_count(drawing.left_out, 'more artifact')} are not drawn: those farther away."
        parts.append(element("p", words, class_="note"))
    return element("div", *parts)


def _legend() -> Markup:
    signs = (("built", "built"), ("root", "root, or verified by others"))
    rest = (("unknown", "nothing known"), ("problem", "problem"))
    items = [element("li", sign(kind), words) for kind, words in (*signs, *rest)]
    items += [
        element("li", element("span", f"level {n}", class_=f"level l{n}")) for n in range(_LEVELS)
    ]
    items.append(element("li", element("span", class_="stroke"), "weakest path"))
    items.append(element("li", "Each was made from what is below it."))
    return element("ul", *items, class_="legend signs")


def sign(kind: str) -> Markup:
    """Draw what a node is; words must stand beside it."""
    return Markup(
        f'<svg class="sign {kind}" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" '
        f'focusable="false">{_SIGNS[kind]}</svg>'
    )


def sign_of(node: LineageNode) -> str:
    """Return which sign a node has."""
    if node.problems:
        return "problem"
    if node.origin is Origin.UNKNOWN:
        return "unknown"
    return "root" if node.origin in ROOTS else "built"


def _is_weakest(route: Route, weakest: set[tuple[str, str]], on_path: set[str]) -> bool:
    link = route.link
    if link.edge is None:  # to words that stand for a part of a chain
        ends = [key.removeprefix("gap ") for key in (link.upper, link.lower)]
        return (link.upper != ends[0] or link.lower != ends[1]) and set(ends) <= on_path
    return (link.upper, link.lower) in weakest


def _route(route: Route, *, weakest: bool) -> Markup:
    aside = _BACK if route.is_back else 0.0
    (x, y), *rest = ((x + aside, y) for x, y in route.points)
    words = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        words.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    kinds = ["edge"]
    if route.link.edge is None or route.link.edge.kind is EdgeKind.PART_OF:
        kinds.append("dashed")
    kinds += ["back"] if route.is_back else []
    kinds += ["weakest"] if weakest else []
    return element("path", d=" ".join(words), class_=" ".join(kinds))


def _route_words(route: Route) -> Iterable[Markup]:
    """Write what the lower end was to the upper one, right above the lower one."""
    words = edge_words(route.link.edge) if route.link.edge else ""
    if route.is_back:
        words = "made from itself"
    if not words:
        return
    x, y = route.points[-1]
    if route.is_back:  # another line may have its words there
        x, y = x + _BACK / 2, y - 14
    text = _cut(words, _SMALL_CELLS)
    yield element("text", text, x=f"{x:.1f}", y=f"{y - 10:.1f}", class_="role")


def _cut(text: str, cells: int) -> str:
    return shorten(printable(text), cells, mark="…")


def _box(box: Placed, *, is_weakest: bool, is_end: bool) -> Markup:
    node = box.item.node
    width, height = f"{BOX_WIDTH:.0f}", f"{box.height:.0f}"
    if node is None:
        parts = [
            _rect("words", box.height),
            element("text", box.item.words, x=f"{BOX_WIDTH / 2:.0f}", y="23", class_="count"),
        ]
    else:
        parts = _node(node, box.height, is_weakest=is_weakest)
    inside = element(
        "svg", *parts, x=f"{box.x:.1f}", y=f"{box.y:.1f}", width=width, height=height, class_="node"
    )
    if not is_end:
        return inside
    right = box.x + BOX_WIDTH - 70
    return element(
        "g",
        inside,
        element(
            "rect",
            x=f"{right:.1f}",
            y=f"{box.y - 9:.1f}",
            width="60",
            height="18",
            rx="9",
            class_="flag",
        ),
        element("text", "weakest", x=f"{right + 30:.1f}", y=f"{box.y + 4:.1f}", class_="flagged"),
    )


def _rect(kinds: str, height: float) -> Markup:
    return element(
        "rect",
        x="1.5",
        y="1.5",
        width=f"{BOX_WIDTH - 3:.0f}",
        height=f"{height - 3:.0f}",
        rx="10",
        class_=f"box {kinds}",
    )


def _node(node: LineageNode, height: float, *, is_weakest: bool) -> list[Markup]:
    level = min(max(node.level, 0), _LEVELS - 1)
    kinds = [f"l{level}"]
    kinds += ["problem"] if node.problems else []
    kinds += ["weakest"] if is_weakest else []
    kinds += [] if node.is_required else ["optional"]
    if node.problems:
        facts = ", ".join(dict.fromkeys(problem.kind.value for problem in node.problems))
    elif node.origin in ROOTS:
        facts = ORIGIN_WORDS[node.origin]
    else:
        facts = COMPLETENESS_WORDS[node.chain_completeness]
    words = f"{node.label or 'unnamed'}: {level_words(node)}; {describe_node(node, at=None)}"
    return [
        element("title", words),
        _rect(" ".join(kinds), height),
        element(
            "svg", markup(_SIGNS[sign_of(node)]), **_SIGN_PLACE, class_=f"sign {sign_of(node)}"
        ),
        element(
            "text", _cut(node.label or "unnamed", _LABEL_CELLS), x="36", y="27", class_="label"
        ),
        element("text", _cut(short_id(node.id), _SMALL_CELLS), x="14", y="47", class_="digest"),
        *(
            [element("text", _cut(node.kind, 9), x="200", y="47", class_="kind")]
            if node.kind
            else []
        ),
        element("rect", x="13", y="55", width="50", height="18", rx="9", class_=f"level l{level}"),
        element("text", f"level {node.level}", x="38", y="68", class_=f"badge l{level}"),
        element("text", _cut(facts, 20), x="70", y="68", class_="facts"),
    ]


_SIGN_PLACE = {"x": "14", "y": "15", "width": "14", "height": "14", "viewBox": "0 0 16 16"}
