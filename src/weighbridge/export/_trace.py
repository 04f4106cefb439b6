"""What every writer of a lineage says alike: its answer, its weakest path, its nodes in words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Completeness, EdgeKind, Origin, ProblemKind, short_id, to_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from weighbridge.core import LineageEdge, LineageNode, LineageProblem, LineageReport, SetAside

__all__ = [
    "COMPLETENESS_WORDS",
    "ORIGIN_WORDS",
    "ROOTS",
    "Below",
    "count_set_aside",
    "describe_node",
    "edge_words",
    "judge_trace",
    "level_words",
    "list_below",
    "list_problems",
    "name_node",
    "summarise",
    "weakest_edges",
    "weakest_words",
]

ROOTS = frozenset({Origin.ACCEPTED, Origin.LISTED, Origin.SUMMARY})

_MAX_NAMED = 6
_MAX_NAME = 80
_MAX_WHY = 300

ORIGIN_WORDS = {
    Origin.BUILT: "built",
    Origin.SUMMARY: "verified by others",
    Origin.ACCEPTED: "accepted root",
    Origin.LISTED: "root of the policy",
    Origin.PART: "part of something known",
    Origin.UNKNOWN: "nothing known",
}
COMPLETENESS_WORDS = {
    Completeness.UNKNOWN: "inputs unknown",
    Completeness.DECLARED: "inputs declared",
    Completeness.OBSERVED: "inputs observed",
    Completeness.ENFORCED: "inputs enforced",
}


def judge_trace(report: LineageReport) -> Answer:
    """Say whether all that the artifact's level depends on is sound.

    FAIL if a required node has a problem; UNKNOWN if there was no trust map, if nothing is known of
    the artifact itself, or of something that it needs; else PASS. What level that gives is another
    question, which a policy answers.
    """
    if not report.is_judged:
        return Answer.UNKNOWN
    root = report.root
    kinds = {problem.kind for problem in root.problems}
    if root.origin is Origin.UNKNOWN and kinds <= {ProblemKind.DEAD_END}:
        return Answer.UNKNOWN
    required = (root, *report.required)
    if any(node.problems for node in required):
        return Answer.FAIL
    if any(node.origin is Origin.UNKNOWN for node in required):
        return Answer.UNKNOWN
    return Answer.PASS


def name_node(node: LineageNode) -> str:
    """Return what a person calls a node: its label, or the beginning of its id."""
    return node.label or short_id(node.id)


def level_words(node: LineageNode) -> str:
    """Return ``level 2, inputs observed``, of the chain that ends in the node.

    Of a root no inputs are to be known, so nothing is said of them.
    """
    if node.origin in ROOTS:
        return f"level {node.level}"
    return f"level {node.level}, {COMPLETENESS_WORDS[node.chain_completeness]}"


@dataclass(frozen=True, slots=True)
class Below:
    """What a node was made from, or is part of."""

    edge: LineageEdge
    node: LineageNode


def list_below(report: LineageReport) -> Mapping[str, tuple[Below, ...]]:
    """Return what is directly below each node, by role and name; each target once."""
    nodes = report.by_id()
    below: dict[str, dict[str, Below]] = {}
    for edge in sorted(report.edges, key=lambda e: (e.kind.value, e.role, e.name, e.target)):
        if edge.target in nodes and edge.source in nodes:
            below.setdefault(edge.source, {}).setdefault(
                edge.target, Below(edge, nodes[edge.target])
            )
    return {source: tuple(targets.values()) for source, targets in below.items()}


def edge_words(edge: LineageEdge) -> str:
    """Return what the lower end is to the upper: ``base-model``, ``part of``."""
    return "part of" if edge.kind is EdgeKind.PART_OF else edge.role


def weakest_edges(report: LineageReport) -> set[tuple[str, str]]:
    """Return the edges of the weakest path as pairs of ids."""
    return set(pairwise(report.weakest_path))


def list_problems(report: LineageReport) -> Iterator[tuple[LineageNode, LineageProblem]]:
    """Yield what is wrong, with required nodes first and then as the nodes are sorted."""
    for required in (True, False):
        for node in report.nodes:
            if node.is_required is required:
                yield from ((node, problem) for problem in node.problems)


def summarise(report: LineageReport) -> str:
    """Say in one or two sentences what the whole chain comes to."""
    if not report.is_judged:
        return "There is no policy that says whom to trust, so nothing can be believed."
    if _is_unheard_of(report):
        return "Nothing that anybody trusted signed says how this was made."
    level = f"level {report.level}"
    if report.root.origin not in ROOTS:
        level += f", {COMPLETENESS_WORDS[report.completeness]}"
    return f"The whole chain has SLSA Build {level}. {_count_nodes(report.nodes)}."


def _count_nodes(nodes: Sequence[LineageNode]) -> str:
    counts = {
        "built": sum(bool(node.kind) for node in nodes),
        "root": sum(node.origin in {Origin.ACCEPTED, Origin.LISTED} for node in nodes),
        "verified by others": sum(node.origin is Origin.SUMMARY for node in nodes),
        "unknown": sum(node.origin is Origin.UNKNOWN for node in nodes),
    }
    told = [
        to_count(count, words) if words == "root" else f"{count:,} {words}"
        for words, count in counts.items()
        if count
    ]
    whole = to_count(len(nodes), "artifact")
    return f"{whole}: {', '.join(told)}" if told else whole


def _is_unheard_of(report: LineageReport) -> bool:
    return report.root.origin is Origin.UNKNOWN and len(report.nodes) == 1


def weakest_words(report: LineageReport, *, arrow: str = "←") -> str:
    """Name the weakest path, and say why its end is no better; empty if nothing was judged."""
    nodes = report.by_id()
    path = [nodes[name] for name in report.weakest_path if name in nodes]
    if not path or not report.is_judged or _is_unheard_of(report):
        return ""
    names = [_cut(name_node(node), _MAX_NAME) for node in path]
    if len(names) > _MAX_NAMED:
        left_out = len(names) - _MAX_NAMED + 1
        names = [*names[:3], f"{left_out:,} more", *names[-(_MAX_NAMED - 4) :]]
    end = path[-1]
    way = f" {arrow} ".join(names) if len(path) > 1 else f"{names[0]} itself"
    return f"{way} ({level_words(end)}): {_why(end)}."


def _why(node: LineageNode) -> str:
    """Say why a node counts as it does, without a full stop."""
    if node.problems:
        first = _cut(node.problems[0].message.rstrip("."), _MAX_WHY)
        more = len(node.problems) - 1
        return f"{first} ({more:,} more)" if more else first
    if node.origin is Origin.UNKNOWN:
        return "nothing that anybody trusted signed says how it was made"
    return _cut(describe_node(node, at=None), _MAX_WHY)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def describe_node(node: LineageNode, *, at: datetime | None) -> str:
    """Say how a node came to be and who says so, in a few words.

    Args:
        node: The node.
        at: Now, to tell its age; None: its date is told.
    """
    parts = [_origin(node)]
    if node.signers:
        parts.append(f"signed by {', '.join(node.signers)}")
    if node.made_at is not None:
        parts.append(_age(node.made_at, at))
    if node.license:
        parts.append(node.license)
    if node.acceptance is not None:
        parts.append(f"until {node.acceptance.expires_at:%Y-%m-%d}")
    if node.reason:
        parts.append(f'"{node.reason}"')
    if node.reviews:
        parts.append(to_count(len(node.reviews), "review"))
    return ", ".join(parts)


def _origin(node: LineageNode) -> str:
    if not node.kind:
        return ORIGIN_WORDS[node.origin]
    # Provenance is known and something else counts for more.
    more = "" if node.origin in {Origin.BUILT, Origin.UNKNOWN} else f"{ORIGIN_WORDS[node.origin]}; "
    return f"{more}{node.kind} by {node.builder or 'nobody that it names'}"


def _age(made_at: datetime, at: datetime | None) -> str:
    if at is None or at < made_at:
        return f"{made_at:%Y-%m-%d}"
    days = (at - made_at).days
    return f"{to_count(days, 'day')} old" if days else "less than a day old"


def count_set_aside(items: tuple[SetAside, ...]) -> tuple[tuple[SetAside, ...], int]:
    """Return what was set aside for a reason worth reading, and how much only was unrelated."""
    told = tuple(item for item in items if not item.is_unrelated)
    return told, len(items) - len(told)
