"""A lineage on a terminal: what it comes to in words, then the tree of what was made from what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Origin, printable, short_id, to_count
from weighbridge.export._style import BOLD, COLOURS, DIM, GREEN, MIN_WIDTH, RED, YELLOW, Style
from weighbridge.export._trace import (
    ROOTS,
    count_set_aside,
    describe_node,
    edge_words,
    judge_trace,
    level_words,
    list_below,
    list_problems,
    name_node,
    summarise,
    weakest_words,
)
from weighbridge.export._wrap import count_cells, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core import LineageEdge, LineageNode, LineageReport
    from weighbridge.export._trace import Below

__all__ = ["to_trace_text", "trace_block"]

_MAX_NODES = 150
_MAX_SHORT_NODES = 12
_MAX_RUN = 12  # a longer chain has its middle left out
_RUN_ENDS = 4
_MAX_CHILDREN = 24
_MAX_PROBLEMS = 10
_MAX_SET_ASIDE = 10
_MIN_LABEL = 8
_MAX_LINES = 3

_WORDS = {Answer.PASS: "SOUND", Answer.FAIL: "BROKEN", Answer.UNKNOWN: "UNKNOWN"}


@dataclass(frozen=True, slots=True)
class _Signs:
    """What the tree is drawn with."""

    built: str
    root: str
    unknown: str
    problem: str
    weakest: str
    above: str
    more: str
    line: str
    branch: str
    last: str


_UNICODE = _Signs("●", "◆", "○", "✖", "◂", "↑", "⋮", "│", "├─ ", "└─ ")
_ASCII = _Signs("*", "#", "o", "x", "<", "^", ":", "|", "|- ", "`- ")


def to_trace_text(
    report: LineageReport,
    *,
    width: int,
    colour: bool,
    unicode: bool = True,
    at: datetime | None = None,
) -> str:
    """Return the tree; see :func:`weighbridge.export.to_trace_text`."""
    style = Style(max(width, MIN_WIDTH), colour=colour, unicode=unicode)
    blocks = (
        _head(style, report) + _in_words(style, report),
        _problems(style, report),
        _tree(style, report, at=at, max_nodes=_MAX_NODES) if report.is_judged else [],
        _set_aside(style, report),
        _legend(style) if report.is_judged else [],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block)


def trace_block(style: Style, report: LineageReport, *, at: datetime) -> list[str]:
    """Return the section that a verdict's report has: words, what is wrong, and a small tree."""
    judged = judge_trace(report)
    lines = style.title("Lineage", summarise(report), COLOURS[judged])
    if not report.is_judged:
        return lines
    inner = replace(style, width=style.width - 2)
    tree = _tree(inner, report, at=at, max_nodes=_MAX_SHORT_NODES)
    lines += _weakest(style, report) + ["  " + line for line in tree]
    told, _ = count_set_aside(report.set_aside)
    if told:
        words = f"{to_count(len(told), 'statement')} set aside; weighbridge trace says why"
        lines += style.hang("  ", words, DIM)
    problems = _problems(style, report)
    return lines + (["", *problems] if problems else [])


def _head(style: Style, report: LineageReport) -> list[str]:
    answer, root = judge_trace(report), report.root
    word = f"{style.symbol(answer)} {_WORDS[answer]}"
    digest = short_id(report.artifact)
    room = style.width - count_cells(word) - len(digest) - 4
    label = style.shorten(style.clean(root.label or "the artifact"), max(room, _MIN_LABEL))
    line = f"{style.mark(answer, word)}  {style.paint(label, BOLD)}  {style.clean(digest)}"
    return [line]


def _in_words(style: Style, report: LineageReport) -> list[str]:
    return style.hang("  ", summarise(report)) + _weakest(style, report)


def _weakest(style: Style, report: LineageReport) -> list[str]:
    weakest = weakest_words(report, arrow="←" if style.unicode else "<-")
    return style.hang("  Weakest path: ", weakest) if weakest else []


def _problems(style: Style, report: LineageReport) -> list[str]:
    problems = list(list_problems(report))
    if not problems or not report.is_judged:
        return []
    needed = sum(node.is_required for node, _ in problems)
    told = to_count(needed, "problem")
    if rest := len(problems) - needed:
        told += f", {rest:,} more where nothing depends on it"
    lines = style.title("Problems", told, *([RED] if needed else []))
    for node, problem in problems[:_MAX_PROBLEMS]:
        symbol = style.symbol(Answer.FAIL) if node.is_required else "-"
        name = style.shorten(style.clean(name_node(node)), style.width // 3)
        start = f"  {symbol} {problem.kind.value:<15}  "
        first, *more = style.hang(start, f"{name}: {printable(problem.message)}")
        mark = style.mark(Answer.FAIL, symbol) if node.is_required else symbol
        lines += [f"  {mark}" + first[2 + len(symbol) :], *more]
    return lines + _and_more(len(problems) - _MAX_PROBLEMS)


def _set_aside(style: Style, report: LineageReport) -> list[str]:
    told, unrelated = count_set_aside(report.set_aside)
    if not told and not unrelated:
        return []
    if not report.is_judged:
        words = to_count(len(report.set_aside), "statement")
        return style.title("Set aside", f"{words}; --policy FILE says whom to trust")
    parts = [f"{to_count(len(told), 'statement')} that could not be used"] if told else []
    if unrelated:
        count = f"{unrelated:,} more" if told else to_count(unrelated, "statement")
        parts.append(f"{count} about something else")
    lines = style.title("Set aside", "; ".join(parts))
    for item in told[:_MAX_SET_ASIDE]:
        about = item.predicate_type.removeprefix("https://") or "unreadable"
        lines += style.hang("  - ", printable(f"{item.where}: {item.reason}"))
        lines += style.hang("    ", about, DIM)
    return lines + _and_more(len(told) - _MAX_SET_ASIDE)


def _and_more(count: int) -> list[str]:
    return [f"  {count:,} more; --json lists them all"] if count > 0 else []


def _legend(style: Style) -> list[str]:
    signs = _UNICODE if style.unicode else _ASCII
    return style.hang(
        "",
        f"{signs.built} built, {signs.root} root or summary, {signs.unknown} nothing known, "
        f"{signs.problem} problem, {signs.weakest} weakest path; below: what it was made from",
        DIM,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands in the tree.

    Attributes:
        node: The node.
        edge: How it belongs to the one above; None for the first.
        first: What is before its first line.
        rest: What is before all lines below it.
    """

    node: LineageNode
    edge: LineageEdge | None
    first: str
    rest: str


@dataclass(slots=True)
class _Tree:
    """The tree while it is written."""

    style: Style
    signs: _Signs
    below: Mapping[str, tuple[Below, ...]]
    weakest: frozenset[str]
    end: str
    at: datetime | None
    lines: list[str] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    elided: set[str] = field(default_factory=set)


def _tree(style: Style, report: LineageReport, *, at: datetime | None, max_nodes: int) -> list[str]:
    """Write the tree from the artifact down, with a stack instead of recursion."""
    tree = _Tree(
        style,
        _UNICODE if style.unicode else _ASCII,
        list_below(report),
        frozenset(report.weakest_path),
        report.weakest_path[-1] if report.weakest_path else "",
        at,
    )
    waiting = [_Place(report.root, None, "", "")]
    while waiting and len(tree.shown) < max_nodes:
        place = waiting.pop()
        if place.node.id in tree.shown or place.node.id in tree.elided:
            _refer(tree, place)
        elif count_cells(place.rest) > style.width // 2:
            line = f"{place.first}{tree.signs.more} deeper than this terminal is wide"
            tree.lines.append(style.shorten(line, style.width))
        else:
            waiting += reversed(_children(tree, _write_run(tree, _follow(tree, place))))
    missing = len(report.nodes) - len(tree.shown) - len(tree.elided)
    if missing > 0:
        words = to_count(missing, "more artifact")
        line = f"{tree.signs.more} {words}; --json lists them all"
        tree.lines.append(style.shorten(line, style.width))
    return tree.lines


def _follow(tree: _Tree, place: _Place) -> list[_Place]:
    """Return the chain that begins here: each made from one thing alone, in one column."""
    run, names = [place], {place.node.id}
    while len(below := tree.below.get(run[-1].node.id, ())) == 1:
        (child,) = below
        name = child.node.id
        if name in names or name in tree.shown or name in tree.elided:
            break
        names.add(name)
        run.append(_Place(child.node, child.edge, place.rest, place.rest))
    return run


def _write_run(tree: _Tree, run: Sequence[_Place]) -> _Place:
    """Write a chain, without the middle of a long one; return its end."""
    kept = set(range(len(run)))
    if len(run) > _MAX_RUN:
        kept = {*range(_RUN_ENDS), *range(len(run) - _RUN_ENDS, len(run))}
        telling = [i for i, place in enumerate(run) if place.node.problems]
        kept |= {*telling[:_RUN_ENDS], *(i for i, p in enumerate(run) if p.node.id == tree.end)}
    gap: list[LineageNode] = []
    for index, place in enumerate(run):
        if index not in kept:
            gap.append(place.node)
            tree.elided.add(place.node.id)
            continue
        _write_gap(tree, gap, place.rest)
        gap = []
        _write_node(tree, place)
    return run[-1]


def _write_gap(tree: _Tree, gap: Sequence[LineageNode], rest: str) -> None:
    if gap:
        least = min(node.own_level for node in gap)
        words = f"{to_count(len(gap), 'step')} left out here, the least of them at level {least}"
        line = tree.style.shorten(words, tree.style.width - count_cells(rest) - 2)
        tree.lines.append(f"{rest}{tree.signs.more} {tree.style.paint(line, DIM)}")


def _write_node(tree: _Tree, place: _Place) -> None:
    style, node = tree.style, place.node
    tree.shown.add(node.id)
    sign, colour = _sign(tree.signs, node)
    digest = style.clean(short_id(node.id))
    facts = level_words(node)
    if node.id in tree.weakest:
        facts += f"  {tree.signs.weakest}" + (" weakest" if node.id == tree.end else "")
    role = style.clean(edge_words(place.edge)) if place.edge else ""
    role = style.shorten(role, 16) + ": " if role else ""
    start = f"{place.first}{sign} {role}"
    rest = place.rest + (f"{tree.signs.line} " if tree.below.get(node.id) else "  ")
    room = style.width - count_cells(f"{start}  {digest}  {facts}")
    name = style.clean(node.label or "unnamed")
    is_narrow = room < min(_MIN_LABEL, count_cells(name))
    if is_narrow:  # digest and facts get lines of their own
        role = role if style.width - count_cells(start) >= _MIN_LABEL else ""
        room = style.width - count_cells(f"{place.first}{sign} {role}")
    head = f"{place.first}{style.paint(sign, BOLD, colour)} {style.paint(role, DIM)}"
    head += style.paint(style.shorten(name, max(room, 1)), BOLD)
    if is_narrow:
        tree.lines.append(head)
        _write_below(tree, rest, f"{digest}  {facts}", "")
    else:
        tree.lines.append(f"{head}  {digest}  {style.paint(facts, *_level_colours(node))}")
    words = describe_node(node, at=tree.at)
    _write_below(tree, rest, words if node.is_required else f"{words}; not required", DIM)
    if node.problems:
        kinds = ", ".join(dict.fromkeys(problem.kind.value for problem in node.problems))
        _write_below(tree, rest, f"{tree.signs.problem} {kinds}", RED)


def _write_below(tree: _Tree, rest: str, words: str, code: str) -> None:
    lines = wrap(tree.style.clean(words), tree.style.width - count_cells(rest))
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], tree.signs.more]
    codes = [code] if code else []
    tree.lines += [rest + (tree.style.paint(line, *codes) if codes else line) for line in lines]


def _sign(signs: _Signs, node: LineageNode) -> tuple[str, str]:
    if node.problems:
        return signs.problem, RED if node.is_required else YELLOW
    if node.origin is Origin.UNKNOWN:
        return signs.unknown, YELLOW
    return signs.root if node.origin in ROOTS else signs.built, GREEN


def _level_colours(node: LineageNode) -> list[str]:
    return [] if node.level else [YELLOW]


def _refer(tree: _Tree, place: _Place) -> None:
    """Name a node that was shown before."""
    style, node = tree.style, place.node
    where = "above" if node.id in tree.shown else "left out above"
    role = style.clean(edge_words(place.edge)) if place.edge else ""
    start = f"{place.first}{tree.signs.above} " + (style.shorten(role, 16) + ": " if role else "")
    end = f"  {style.clean(short_id(node.id))}  {where}"
    room = max(style.width - count_cells(start + end), _MIN_LABEL)
    line = start + style.shorten(style.clean(node.label or "unnamed"), room) + end
    tree.lines.append(style.shorten(line, style.width))


def _children(tree: _Tree, place: _Place) -> list[_Place]:
    """Return the places of what a node was made from, the telling ones first if there are many."""
    below = tree.below.get(place.node.id, ())
    if len(below) == 1:
        return [_Place(below[0].node, below[0].edge, place.rest, place.rest)]
    if len(below) > _MAX_CHILDREN:
        telling = sorted(below, key=lambda item: not _is_telling(tree, item.node))
        words = f"{len(below):,} inputs, of which {_MAX_CHILDREN} are shown"
        _write_below(tree, f"{place.rest}{tree.signs.line} ", words, "")
        below = tuple(telling[:_MAX_CHILDREN])
    bar = f"{tree.signs.line}  "
    places = [
        _Place(item.node, item.edge, place.rest + tree.signs.branch, place.rest + bar)
        for item in below
    ]
    if places:
        end = below[-1]
        places[-1] = _Place(end.node, end.edge, place.rest + tree.signs.last, place.rest + "   ")
    return places


def _is_telling(tree: _Tree, node: LineageNode) -> bool:
    return bool(node.problems) or node.id in tree.weakest
