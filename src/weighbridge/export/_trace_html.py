"""A lineage as one self-contained page: the picture, what is wrong, and each artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, short_id, to_count
from weighbridge.export._html_parts import (
    MAX_ROWS,
    TRACE_STYLE,
    bar,
    build_page,
    code,
    icon,
    more,
    section,
    term_list,
)
from weighbridge.export._markup import Markup, element, markup
from weighbridge.export._trace import (
    COMPLETENESS_WORDS,
    ORIGIN_WORDS,
    ROOTS,
    count_set_aside,
    edge_words,
    judge_trace,
    level_words,
    list_below,
    list_problems,
    name_node,
    summarise,
    weakest_words,
)
from weighbridge.export._trace_svg import draw_lineage, sign, sign_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core import LineageNode, LineageReport, SetAside
    from weighbridge.export._trace import Below

__all__ = ["show_lineage", "to_trace_html"]

_WORDS = {Answer.PASS: "Sound", Answer.FAIL: "Broken", Answer.UNKNOWN: "Unknown"}
_MEANINGS = {
    Answer.PASS: "Every artifact that this one depends on is accounted for.",
    Answer.FAIL: "Something that this artifact depends on is not as it must be.",
    Answer.UNKNOWN: "Nobody can tell yet where this artifact is from.",
}
_MAX_INPUTS = 50
_MAX_DRAWN_SHORT = 40
_MAX_PROBLEMS = 100


def to_trace_html(report: LineageReport, *, version: str = "", at: datetime | None = None) -> str:
    """Return the page; see :func:`weighbridge.export.to_trace_html`."""
    answer, root = judge_trace(report), report.root
    banner = element(
        "div",
        icon(answer),
        element(
            "div",
            element(
                "h1",
                element("span", _WORDS[answer], class_="answer"),
                element("span", markup(": "), class_="unseen"),
                element("code", name_node(root), class_="path"),
            ),
            element("p", element("strong", _MEANINGS[answer]), markup(" "), summarise(report)),
        ),
        class_=f"banner {answer.value}",
    )
    places = {node.id: f"a{i}" for i, node in enumerate(report.nodes[:MAX_ROWS])}
    main = element(
        "main",
        banner,
        *([_picture(report, links=places)] if report.is_judged else []),
        *([_problems(report, places)] if report.is_judged else []),
        _artifacts(report, places, at=at),
        _set_aside(report),
    )
    words = f"Weighbridge {version}." if version else "Weighbridge."
    footer = element(
        "footer",
        element("p", words),
        element("p", "This page holds no script and fetches nothing."),
    )
    title = f"Lineage of {name_node(root)}: {_WORDS[answer]}"
    return build_page(title, bar(at), main, footer, styles=(TRACE_STYLE,))


def show_lineage(report: LineageReport) -> Markup:
    """Return the section of a verdict's page: a smaller picture, and what is wrong."""
    answer = judge_trace(report)
    words = element("p", icon(answer), element("span", summarise(report)), class_="lead")
    if not report.is_judged:
        return section("Lineage", words, name="lineage")
    problems = _list_problems(report, {})
    return section(
        "Lineage",
        words,
        draw_lineage(report, limit=_MAX_DRAWN_SHORT),
        *_weakest(report),
        *problems,
        name="lineage",
        note="weighbridge trace tells all of it",
    )


def _weakest(report: LineageReport) -> list[Markup]:
    words = weakest_words(report)
    if not words:
        return []
    return [element("p", element("strong", "Weakest path:"), markup(" "), words, class_="path")]


def _picture(report: LineageReport, *, links: Mapping[str, str]) -> Markup:
    return section(
        "Where it is from",
        draw_lineage(report, links=links),
        *_weakest(report),
        name="picture",
        note=f"level {report.level}, {COMPLETENESS_WORDS[report.completeness]}",
    )


def _problems(report: LineageReport, places: Mapping[str, str]) -> Markup:
    listed = _list_problems(report, places)
    return section("Problems", *listed, name="problems") if listed else markup("")


def _list_problems(report: LineageReport, places: Mapping[str, str]) -> list[Markup]:
    problems = list(list_problems(report))
    items = []
    for node, problem in problems[:_MAX_PROBLEMS]:
        weight = "fail" if node.is_required else "pass"
        parts = [
            element("span", problem.kind.value, class_=f"chip {weight}"),
            _link(node, places),
            element("span", problem.message),
        ]
        if not node.is_required:
            parts.append(element("span", "nothing depends on it", class_="note"))
        items.append(element("li", *parts, class_="line"))
    if not items:
        return []
    return [element("ul", *items, class_="problem-list"), *more(len(problems), _MAX_PROBLEMS)]


def _link(node: LineageNode, places: Mapping[str, str]) -> Markup:
    name = element("code", name_node(node), class_="where")
    return element("a", name, href=f"#{places[node.id]}") if node.id in places else name


def _artifacts(report: LineageReport, places: Mapping[str, str], *, at: datetime | None) -> Markup:
    below = list_below(report)
    rows = [
        _artifact(node, below.get(node.id, ()), places, at=at) for node in report.nodes[:MAX_ROWS]
    ]
    return section(
        "Artifacts",
        element("ol", *rows, class_="artifacts"),
        *more(len(report.nodes), MAX_ROWS),
        name="artifacts",
        note=f"{to_count(len(report.nodes), 'artifact')}, the nearest first",
    )


def _artifact(
    node: LineageNode,
    below: tuple[Below, ...],
    places: Mapping[str, str],
    *,
    at: datetime | None,
) -> Markup:
    level = min(max(node.level, 0), 3)
    summary = element(
        "summary",
        sign(sign_of(node)),
        element("code", name_node(node), class_="name"),
        element("span", f"level {node.level}", class_=f"level l{level}"),
        element("span", _kind(node), class_="note"),
    )
    inside = element("div", term_list(_facts(node, below, places, at=at)), id=places[node.id])
    return element("li", element("details", summary, inside))


def _kind(node: LineageNode) -> str:
    words = node.kind or ORIGIN_WORDS[node.origin]
    return words if node.is_required else f"{words}, nothing depends on it"


def _facts(
    node: LineageNode,
    below: tuple[Below, ...],
    places: Mapping[str, str],
    *,
    at: datetime | None,
) -> list[tuple[str, Markup | str]]:
    step, accepted = node.step, node.acceptance
    age = ""
    if node.made_at is not None:
        age = f"{node.made_at:%Y-%m-%d %H:%M} UTC"
        if at is not None and at >= node.made_at:
            age += f", {to_count((at - node.made_at).days, 'day')} ago"
    pairs: list[tuple[str, Markup | str]] = [
        ("Problems", _stack([f"{p.kind.value}: {p.message}" for p in node.problems])),
        ("Digest", element("code", node.id, class_="digest")),
        ("Known as", ORIGIN_WORDS[node.origin]),
        ("Level", _level(node)),
        ("Builder", code(node.builder) if node.builder else ""),
        ("Signed by", ", ".join(node.signers)),
        ("Made", age),
        ("Licence", node.license),
        ("Because", node.reason),
    ]
    if step is not None:
        pairs += [
            ("Command", code(" ".join(step.entry_point)) if step.entry_point else ""),
            ("Source", code(step.source) if step.source else ""),
        ]
    if accepted is not None:
        pairs += [
            ("Fetched from", code(accepted.fetched_from)),
            ("Accepted", f"{accepted.accepted_at:%Y-%m-%d}, until {accepted.expires_at:%Y-%m-%d}"),
        ]
    pairs += [
        ("Reviews", _stack([_review(node, i) for i in range(len(node.reviews))])),
        ("Evaluations", _stack([_result(node, i) for i in range(len(node.results))])),
        ("Made from", _inputs(below, places)),
        ("Statement", element("code", str(node.claim), class_="digest") if node.claim else ""),
    ]
    return pairs


def _level(node: LineageNode) -> str:
    words = level_words(node)
    if node.origin in ROOTS:
        return words
    own = f"level {node.own_level}, {COMPLETENESS_WORDS[node.completeness]}"
    return words if own == words else f"{words}; of its own {own}"


def _stack(lines: list[str]) -> Markup | str:
    if not lines:
        return ""
    shown = [element("span", line) for line in lines[:_MAX_INPUTS]]
    return element("span", *shown, *more(len(lines), _MAX_INPUTS), class_="stack")


def _review(node: LineageNode, index: int) -> str:
    review = node.reviews[index]
    said = review.review
    words = f"{said.decision.value} by {', '.join(review.signers)}, {said.reviewed_at:%Y-%m-%d}"
    words += f", {said.scope}" if said.scope else ""
    return f"{words}: {said.note}" if said.note else words


def _result(node: LineageNode, index: int) -> str:
    result = node.results[index]
    words = "passed" if result.passed else "did not pass"
    metrics = [f"{name} {value}" for name, value in sorted(result.metrics.items())]
    failed = [f"failed: {name}" for name in result.failed]
    return ", ".join([words, *metrics, *failed])


def _inputs(below: tuple[Below, ...], places: Mapping[str, str]) -> Markup | str:
    if not below:
        return ""
    rows = []
    for item in below[:_MAX_INPUTS]:
        role = edge_words(item.edge)
        words = [element("span", f"{role}: ", class_="note")] if role else []
        digest = element("span", short_id(item.node.id), class_="note")
        rows.append(element("span", *words, _link(item.node, places), markup(" "), digest))
    return element("span", *rows, *more(len(below), _MAX_INPUTS), class_="stack")


def _set_aside(report: LineageReport) -> Markup:
    told, unrelated = count_set_aside(report.set_aside)
    if not told and not unrelated:
        return markup("")
    rows = [_set_aside_row(item) for item in told[:MAX_ROWS]]
    rest = [
        element("p", f"And {to_count(unrelated, 'statement')} about something else.", class_="note")
    ]
    return section(
        "Set aside",
        *([element("ul", *rows, class_="cards")] if rows else []),
        *more(len(told), MAX_ROWS),
        *(rest if unrelated else []),
        name="aside",
        note="statements that were not used",
    )


def _set_aside_row(item: SetAside) -> Markup:
    where = element("p", code(item.where), markup(" "), element("span", item.reason))
    kind = element("p", item.predicate_type or "unreadable", class_="note")
    return element("li", where, kind)
