"""A lineage as a Graphviz graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import EdgeKind, Origin, printable, short_id
from weighbridge.export._trace import ROOTS, edge_words, level_words, weakest_edges

if TYPE_CHECKING:
    from weighbridge.core import LineageNode, LineageReport

__all__ = ["to_trace_dot"]

_MAX_WORDS = 80
_COLOURS = ("#f6d5d5", "#fbf1dc", "#dcebf7", "#d9efe0")  # by level; the label says it too
_SHAPES = {Origin.UNKNOWN: "octagon", **dict.fromkeys(ROOTS, "house")}


def to_trace_dot(report: LineageReport) -> str:
    """Return the graph; see :func:`weighbridge.export.to_trace_dot`."""
    names = {node.id: f"n{index}" for index, node in enumerate(report.nodes)}
    weakest, on_path = weakest_edges(report), frozenset(report.weakest_path)
    lines = [
        "digraph lineage {",
        "  rankdir=TB;",
        '  node [shape=box, style=filled, fontname="sans-serif", fontsize=11];',
        '  edge [dir=back, fontname="sans-serif", fontsize=9];',
        *(f"  {names[node.id]} [{_node(node, on_path)}];" for node in report.nodes),
    ]
    for edge in report.edges:
        if edge.source in names and edge.target in names:
            words = [f"label={_quote(edge_words(edge))}"]
            if edge.kind is EdgeKind.PART_OF:
                words.append("style=dashed")
            if (edge.source, edge.target) in weakest:
                words.append("penwidth=3")
            lines.append(f"  {names[edge.source]} -> {names[edge.target]} [{', '.join(words)}];")
    return "\n".join((*lines, "}", ""))


def _node(node: LineageNode, on_path: frozenset[str]) -> str:
    told = [_words(node.label or "unnamed"), _words(short_id(node.id)), _words(level_words(node))]
    if node.kind:
        told.append(_words(f"{node.kind} by {node.builder}"))
    if node.problems:
        told.append(_words("problem: " + ", ".join(p.kind.value for p in node.problems)))
    # The only backslashes that Graphviz acts on are those of these line breaks.
    label = "\\n".join(told)
    styles = ["filled"] if node.is_required else ["filled", "dashed"]
    colour = _COLOURS[min(max(node.level, 0), len(_COLOURS) - 1)]
    parts = [
        f'label="{label}"',
        f'fillcolor="{colour}"',
        f"shape={_SHAPES.get(node.origin, 'box')}",
        f'style="{",".join(styles)}"',
    ]
    if node.problems:
        parts.append('color="#b3202c", penwidth=2')
    elif node.id in on_path:
        parts.append("penwidth=3")
    return ", ".join(parts)


def _words(text: str) -> str:
    r"""Return words for inside a quoted string, of which Graphviz acts on none.

    Source:
        Graphviz, "The DOT Language" and "escString": ``\N``, ``\G`` and the like are replaced, and
        HTML entities too.
    """
    safe = printable(text, limit=_MAX_WORDS)
    for char, written in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;")):
        safe = safe.replace(char, written)
    return safe


def _quote(text: str) -> str:
    return f'"{_words(text)}"'
