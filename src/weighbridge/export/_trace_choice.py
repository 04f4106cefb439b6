"""Which part of a lineage is drawn: all of a small one; of a large one what a person must see."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.export._trace import edge_words, list_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import LineageEdge, LineageNode, LineageReport
    from weighbridge.export._trace import Below

__all__ = ["Drawing", "Item", "Link", "choose"]

_MAX_ALIKE = 5  # of more siblings that look alike, the first few are drawn and the rest counted
_ALIKE_SHOWN = 2
_MAX_RUN = 12  # of a longer chain, the ends are drawn
_RUN_ENDS = 4


@dataclass(frozen=True, slots=True)
class Item:
    """A box: a node, or words that stand for several.

    Attributes:
        key: Names it in this drawing.
        node: The node; None for words.
        words: Of what is not drawn; empty for a node.
        count: How many nodes the words stand for.
    """

    key: str
    node: LineageNode | None
    words: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A line from a box to one of what it was made from."""

    upper: str
    lower: str
    edge: LineageEdge | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn.

    Attributes:
        items: The artifact first.
        links: Between them, no two alike.
        left_out: How many nodes no box shows or counts.
    """

    items: tuple[Item, ...]
    links: tuple[Link, ...]
    left_out: int


def choose(report: LineageReport, *, limit: int) -> Drawing:
    """Choose at most ``limit`` nodes: the weakest path, then the nearest to the artifact.

    Siblings that look alike are drawn as the first few and a box that counts the others; a long
    chain without branches has its middle counted. Neither hides what is wrong.
    """
    below = list_below(report)
    nodes = report.by_id()
    telling = _find_telling(report, below)
    hidden, boxes, links = _group(report, below, telling)
    runs = _find_runs(report, below, hidden)
    wanted = _walk(report, below, hidden, runs, limit=limit)
    items = [Item(name, nodes[name]) for name in wanted]
    drawn = set(wanted)
    kept = [
        Link(name, item.node.id, item.edge)
        for name in wanted
        for item in below.get(name, ())
        if item.node.id in drawn and item.node.id != name
    ]
    for box, link in zip(boxes, links, strict=True):
        if link.upper in drawn:
            items.append(box)
            kept.append(link)
    for upper, lower, count in _find_gaps(report, runs, drawn):
        key = f"gap {upper}"
        items.append(Item(key, None, f"{count:,} more steps between", count))
        kept += [Link(upper, key), Link(key, lower)]
    counted = sum(item.count for item in items)
    return Drawing(tuple(items), tuple(kept), len(report.nodes) - len(drawn) - counted)


def _find_telling(report: LineageReport, below: Mapping[str, tuple[Below, ...]]) -> set[str]:
    """Return the nodes that something wrong is, or lies below, and the weakest path."""
    above: dict[str, list[str]] = {}
    for source, items in below.items():
        for item in items:
            above.setdefault(item.node.id, []).append(source)
    waiting = [node.id for node in report.nodes if node.problems] + list(report.weakest_path)
    telling = set(waiting)
    while waiting:
        for name in above.get(waiting.pop(), ()):
            if name not in telling:
                telling.add(name)
                waiting.append(name)
    return telling


def _group(
    report: LineageReport, below: Mapping[str, tuple[Below, ...]], telling: set[str]
) -> tuple[set[str], list[Item], list[Link]]:
    """Find siblings that look alike; return those that are hidden, and the boxes for them."""
    parents = Counter(item.node.id for items in below.values() for item in items)
    hidden: set[str] = set()
    boxes, links = [], []
    for source, items in below.items():
        alike: dict[tuple[object, ...], list[str]] = {}
        for item in items:
            node = item.node
            if node.id not in telling and parents[node.id] == 1 and node.id != report.artifact:
                look = (edge_words(item.edge), node.origin, node.level, node.is_required)
                alike.setdefault((*look, node.chain_completeness), []).append(node.id)
        for number, names in enumerate(alike.values()):
            if len(names) > _MAX_ALIKE:
                rest = names[_ALIKE_SHOWN:]
                hidden.update(rest)
                key = f"more {number} {source}"
                boxes.append(Item(key, None, f"{len(rest):,} more like these", len(rest)))
                links.append(Link(source, key))
    return hidden, boxes, links


@dataclass(frozen=True, slots=True)
class _Run:
    """The middle of a long chain, which is not drawn."""

    before: str
    after: str
    middle: tuple[str, ...]


def _find_runs(
    report: LineageReport, below: Mapping[str, tuple[Below, ...]], hidden: set[str]
) -> list[_Run]:
    parents = Counter(item.node.id for items in below.values() for item in items)
    plain = {
        node.id
        for node in report.nodes
        if not node.problems
        and node.id != report.artifact
        and parents[node.id] == 1
        and len(below.get(node.id, ())) == 1
        and node.id not in hidden
    }
    runs, seen = [], set[str]()
    for start in report.nodes:
        upper = start.id
        if upper in plain:
            continue
        for item in below.get(upper, ()):
            chain, name = [], item.node.id
            while name in plain and name not in seen:
                seen.add(name)
                chain.append(name)
                name = below[name][0].node.id
            if len(chain) > _MAX_RUN:
                middle = tuple(chain[_RUN_ENDS:-_RUN_ENDS])
                runs.append(_Run(chain[_RUN_ENDS - 1], chain[-_RUN_ENDS], middle))
    return runs


def _walk(
    report: LineageReport,
    below: Mapping[str, tuple[Below, ...]],
    hidden: set[str],
    runs: Iterable[_Run],
    *,
    limit: int,
) -> list[str]:
    """Return the ids to draw: the artifact, the weakest path, then by distance."""
    skipped = hidden.union(*(run.middle for run in runs)) if runs else hidden
    jumps = {run.before: run.after for run in runs}
    path = [name for name in report.weakest_path if name not in skipped]
    if len(path) > limit // 2:
        path = [*path[: limit // 4], *path[-(limit // 4) :]]
    wanted = dict.fromkeys([report.artifact, *path])
    waiting, seen = deque([report.artifact]), {report.artifact}
    later: list[str] = []  # what nothing depends on gives way to what something does
    while waiting and len(wanted) < limit:
        name = waiting.popleft()
        wanted.setdefault(name)
        found = [(item.node.id, item.node.is_required) for item in below.get(name, ())]
        if name in jumps:
            found.append((jumps[name], True))
        for target, is_required in found:
            if target not in seen and target not in skipped:
                seen.add(target)
                (waiting if is_required else later).append(target)
        if not waiting and later:
            waiting, later = deque(later), []
    return list(wanted)


def _find_gaps(
    report: LineageReport, runs: Iterable[_Run], drawn: set[str]
) -> list[tuple[str, str, int]]:
    """Return where a chain has its middle left out, and how much that is."""
    gaps = [
        (run.before, run.after, len(run.middle))
        for run in runs
        if run.before in drawn and run.after in drawn
    ]
    told = {upper for upper, _, _ in gaps}
    upper, missing = "", 0
    for name in report.weakest_path:
        if name not in drawn:
            missing += 1
            continue
        if missing and upper and upper not in told:
            gaps.append((upper, name, missing))
        upper, missing = name, 0
    return gaps
