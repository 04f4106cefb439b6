"""The roots of a lineage: what came from outside, and where; the rule ``source``."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import Origin, printable
from weighbridge.policy._results import (
    count,
    fail,
    get_lineage,
    more,
    name_node,
    pass_,
    to_names,
    unknown,
    unknown_lineage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core import Evidence, LineageNode, LineageReport, PolicyRoot, RuleResult
    from weighbridge.policy._policy import SourceRule

__all__ = ["find_policy_roots", "find_roots", "judge_source"]

_RULE = "source"
_FETCH = "fetch"
# What ends in the name of one commit, or of the bytes themselves.
_PINNED = re.compile(r".*@(?:sha256:)?(?:[0-9a-f]{40}|[0-9a-f]{64})")
# What a server or a client may read as another place than it looks like.
_ODD = re.compile(r"[\s\\%?#]|/\.{1,2}(?:/|$)")


def find_roots(report: LineageReport) -> tuple[LineageNode, ...]:
    """Return what came from outside, of all on which the artifact depends; by id.

    These are the required nodes below which nothing counts any more: those that are accepted,
    listed, stood for by a summary, or unknown; and what a step of the kind ``fetch`` brought here.
    What a step made from nothing is no root.
    """
    required = {node.id: node for node in (report.root, *report.required)}
    targets = defaultdict(set)
    for edge in report.edges:
        if edge.source != edge.target:
            targets[edge.source].add(edge.target)
    roots: dict[str, LineageNode] = {}
    seen = {report.root.id}
    pending = [report.root]
    while pending:
        node = pending.pop()
        if _is_fetched(node):
            roots[node.id] = node
            continue
        below = targets[node.id] & required.keys()
        is_made = node.origin is Origin.BUILT and not targets[node.id]
        if len(below) < len(targets[node.id]) or not (below or is_made):
            roots[node.id] = node
        pending.extend(required[id_] for id_ in below - seen)
        seen |= below
    return tuple(roots[id_] for id_ in sorted(roots))


def find_policy_roots(roots: tuple[PolicyRoot, ...], *, at: datetime) -> dict[str, PolicyRoot]:
    """Return the roots that the policy lists and that have not expired, by the id of the node."""
    return {str(root.digest): root for root in roots if root.expires is None or at < root.expires}


def judge_source(
    rule: SourceRule, evidence: Evidence, *, listed: Mapping[str, PolicyRoot]
) -> RuleResult:
    """Judge where each root is from: as whoever accepted it says, or the step that fetched it.

    Args:
        rule: Which places may be.
        evidence: What is known.
        listed: The roots of the policy, whose digest says more than any place.
    """
    report = get_lineage(evidence)
    if report is None:
        return unknown_lineage(_RULE)
    roots = find_roots(report)
    if not roots:
        return unknown(
            _RULE,
            "No step says what it was made from, so that nobody knows where it is from",
            names=(report.root.id,),
            remedy="Record the step again with its inputs (weighbridge run --input).",
        )
    seen = [(root, _find_place(root, listed)) for root in roots]
    wrong = [(root, problem) for root, place in seen for problem in _find_problems(rule, place)]
    if wrong:
        root, problem = wrong[0]
        return fail(
            _RULE,
            f"{name_node(root)} {problem}{more(len(wrong) - 1)}",
            names=to_names(root.id for root, _ in wrong),
            remedy="Take it from a place that require.source.from names, at a fixed revision.",
        )
    if nowhere := [root for root, place in seen if not (place.uris or place.is_listed)]:
        return unknown(
            _RULE,
            f"Nobody who is trusted says where {name_node(nowhere[0])} is from"
            f"{more(len(nowhere) - 1)}",
            names=tuple(root.id for root in nowhere),
            remedy="Have it accepted with --fetched-from, or fetched by a recorded step.",
        )
    return pass_(_RULE, f"{count(len(roots), 'root')}: each is from a place that is allowed")


class _Place(NamedTuple):
    """Where a root is from: each URI, and whether a commit is recorded beside it."""

    uris: tuple[tuple[str, bool], ...] = ()
    is_listed: bool = False


def _find_place(root: LineageNode, listed: Mapping[str, PolicyRoot]) -> _Place:
    uris: list[tuple[str, bool]] = []
    if root.acceptance is not None:
        uris.append((root.acceptance.fetched_from, False))
    elif root.step is not None and _is_fetched(root):
        uris += [(entry.uri, "gitCommit" in entry.digest) for entry in root.step.inputs]
    is_listed = root.origin is Origin.LISTED or root.id in listed
    return _Place(tuple(uris), is_listed=is_listed)


def _is_fetched(node: LineageNode) -> bool:
    return node.origin is Origin.BUILT and node.kind == _FETCH


def _find_problems(rule: SourceRule, place: _Place) -> list[str]:
    """Return what is wrong with each URI; nothing where there is none."""
    if place.is_listed:
        return []
    problems = []
    for uri, has_commit in place.uris:
        shown = printable(uri, limit=120) or "nowhere"
        if not any(_matches(uri, pattern) for pattern in rule.sources):
            problems.append(f"is from {shown}, which the policy does not name")
        elif rule.pinned and not (has_commit or _PINNED.fullmatch(uri)):
            problems.append(f"is from {shown}, which is no fixed revision")
    return problems


def _matches(uri: str, pattern: str) -> bool:
    """Return whether a URI is one of those that a pattern stands for.

    ``*`` stands for any letters but ``/``; ``**`` at the end for everything below. Where the
    pattern has no ``@``, the revision behind the last one of the URI does not matter.
    """
    if _ODD.search(uri) or not uri.isascii():
        return False
    if "@" not in pattern:
        head, slash, name = uri.rpartition("/")
        uri = head + slash + name.partition("@")[0]
    parts, wanted = uri.split("/"), pattern.split("/")
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        if len(parts) <= len(wanted) or not parts[len(wanted)]:
            return False
        parts = parts[: len(wanted)]
    return len(parts) == len(wanted) and all(map(_matches_part, parts, wanted))


def _matches_part(text: str, pattern: str) -> bool:
    """Match ``*`` against any letters, in linear time: each piece as early as it fits."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return text == pattern
    *middle, last = pieces
    if not text.startswith(first) or len(text) == 0:
        return False
    position = len(first)
    for piece in middle:
        found = text.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return text.endswith(last) and len(text) - len(last) >= position
