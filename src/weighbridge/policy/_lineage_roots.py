"""The roots of a lineage: what came from outside, and whether each is good enough."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import Answer, Completeness, EdgeKind, Origin, StepRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from weighbridge.core import Dependency, LineageNode, LineageReport, PolicyRoot

__all__ = ["Look", "Roots", "find_fetched", "find_policy_roots", "judge_roots"]

_FETCH = "fetch"


class Look(NamedTuple):
    """What is known of one node as a root: good, bad, or nothing; and why not, in words."""

    answer: Answer
    words: str = ""


class Roots(NamedTuple):
    """What came from outside, of all that the artifact was made from.

    Attributes:
        good: What the artifact rests on; empty if it does not rest on good roots alone.
        bad: Of what it would have to rest on, what is known to be bad, nearest first.
        unclear: Likewise, of what nothing is known.
    """

    good: tuple[LineageNode, ...]
    bad: tuple[tuple[LineageNode, str], ...]
    unclear: tuple[tuple[LineageNode, str], ...]


class _Graph(NamedTuple):
    """The lineage as it is judged here; all of it by id.

    Attributes:
        nodes: The nodes.
        looks: What is known of each as a root.
        made: What each was made from.
        wholes: What each is part of.
        fetched: What a step brought here: where it is from, that step says.
    """

    nodes: Mapping[str, LineageNode]
    looks: Mapping[str, Look]
    made: Mapping[str, set[str]]
    wholes: Mapping[str, set[str]]
    fetched: frozenset[str]

    def list_below(self, id_: str) -> list[str]:
        """Return what a node rests on unless it is good by itself, sorted."""
        return sorted(self.made.get(id_) or self.wholes.get(id_) or ())


def judge_roots(report: LineageReport, look: Callable[[LineageNode], Look]) -> Roots:
    """Find out whether the artifact rests on roots that are good, and on nothing else.

    A node is good if it is good as a root; or if all that it was made from is good; or if something
    that it is part of is. So more that is said of a node never makes it worse, and nodes in
    a circle are good for nothing. Nothing recurses.

    Args:
        report: The lineage.
        look: What is known of a node as a root.
    """
    graph = _build_graph(report, look)
    good = _find_good(graph)
    if report.root.id in good:
        return Roots(_list_good(graph, report.root.id, good), (), ())
    return _list_lacking(graph, report.root.id, good)


def find_fetched(report: LineageReport) -> dict[str, tuple[tuple[Dependency, ...], ...]]:
    """Return what trusted steps of the kind ``fetch`` brought here: the inputs of each, by id."""
    found: dict[str, list[StepRecord]] = defaultdict(list)
    for claim in report.claims:
        if isinstance(claim.content, StepRecord) and claim.content.kind == _FETCH:
            for subject in claim.subjects:
                found[f"sha256:{subject.digest.get('sha256', '')}"].append(claim.content)
    for node in report.nodes:
        if node.step is not None and node.step.kind == _FETCH and node.origin is Origin.BUILT:
            found[node.id].append(node.step)
    return {id_: tuple(map(_list_inputs, records)) for id_, records in found.items()}


def _list_inputs(record: StepRecord) -> tuple[Dependency, ...]:
    return tuple(entry for entry in record.inputs if not entry.is_lock_file)


def find_policy_roots(roots: tuple[PolicyRoot, ...], *, at: datetime) -> dict[str, PolicyRoot]:
    """Return the roots that the policy lists and that have not expired, by the id of the node."""
    return {str(root.digest): root for root in roots if root.expires is None or at < root.expires}


def _build_graph(report: LineageReport, look: Callable[[LineageNode], Look]) -> _Graph:
    made: dict[str, set[str]] = defaultdict(set)
    wholes: dict[str, set[str]] = defaultdict(set)
    for edge in report.edges:
        if edge.source != edge.target:
            kind = made if edge.kind is EdgeKind.MADE_FROM else wholes
            kind[edge.source].add(edge.target)
    nodes = {node.id: node for node in report.nodes}
    looks = {id_: look(node) for id_, node in nodes.items()}
    return _Graph(nodes, looks, made, wholes, frozenset(find_fetched(report)))


def _find_good(graph: _Graph) -> set[str]:
    """Return what is good: first what is by itself, then what follows from it."""
    above: dict[str, list[str]] = defaultdict(list)
    lacking: dict[str, int] = {}
    ready = []
    for id_, node in graph.nodes.items():
        below = graph.list_below(id_)
        # Of what it was made from all have to be good, of what it is part of one.
        lacking[id_] = len(below) if graph.made.get(id_) else min(len(below), 1)
        if graph.looks[id_].answer is Answer.PASS or (not below and _is_from_nothing(node, graph)):
            ready.append(id_)
        for target in below:
            above[target].append(id_)
    good: set[str] = set()
    while ready:
        id_ = ready.pop()
        if id_ in good:
            continue
        good.add(id_)
        for source in above[id_]:
            lacking[source] -= 1
            if lacking[source] == 0:
                ready.append(source)
    return good


def _is_from_nothing(node: LineageNode, graph: _Graph) -> bool:
    """Return whether a step made a node of nothing, and was watched while it did."""
    is_watched = node.completeness.rank >= Completeness.OBSERVED.rank
    return node.origin is Origin.BUILT and is_watched and node.id not in graph.fetched


def _list_good(graph: _Graph, start: str, good: set[str]) -> tuple[LineageNode, ...]:
    found, seen, pending = [], {start}, [start]
    while pending:
        id_ = pending.pop()
        if graph.looks[id_].answer is Answer.PASS:
            found.append(id_)
            continue
        below = {target for target in graph.list_below(id_) if target in good} - seen
        seen |= below
        pending.extend(below)
    return tuple(graph.nodes[id_] for id_ in sorted(found))


def _list_lacking(graph: _Graph, start: str, good: set[str]) -> Roots:
    bad: list[LineageNode] = []
    unclear: list[LineageNode] = []
    seen, pending = {start}, [start]
    while pending:
        id_ = pending.pop()
        # A node that the report does not have cannot be shown, and is good for nothing.
        below = [t for t in graph.list_below(id_) if t not in good and t in graph.nodes]
        if id_ in graph.fetched:
            below = []  # where it is from is what is asked, and not what that was made from
        if graph.looks[id_].answer is Answer.FAIL:
            bad.append(graph.nodes[id_])
        elif not below:
            unclear.append(graph.nodes[id_])
        pending.extend(target for target in below if target not in seen)
        seen.update(below)
    if not bad and not unclear:  # a circle
        unclear.append(graph.nodes[start])
    return Roots((), _with_words(graph, bad), _with_words(graph, unclear))


def _with_words(graph: _Graph, nodes: list[LineageNode]) -> tuple[tuple[LineageNode, str], ...]:
    ordered = sorted(nodes, key=lambda node: (node.depth, node.id))
    return tuple((node, graph.looks[node.id].words) for node in ordered)
