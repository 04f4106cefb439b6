"""The rule ``source``: where everything from outside is from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Origin, printable
from weighbridge.policy._lineage_roots import Look, find_fetched, judge_roots
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
    from collections.abc import Mapping, Sequence

    from weighbridge.core import Dependency, Evidence, LineageNode, PolicyRoot, RuleResult
    from weighbridge.policy._policy import SourceRule

__all__ = ["judge_source"]

_RULE = "source"
# What ends in the name of one commit, or of the bytes themselves.
_PINNED = re.compile(r".*@(?:sha256:)?(?:[0-9a-f]{40}|[0-9a-f]{64})")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What a server or a client may read as another place than it looks like.
_ODD = re.compile(r"[\s\\%?#]|/\.{1,2}(?:/|$)")


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
    fetched = find_fetched(report)
    roots = judge_roots(
        report, lambda node: _look(rule, node, listed=listed, fetches=fetched.get(node.id, ()))
    )
    if roots.bad:
        root, words = roots.bad[0]
        return fail(
            _RULE,
            f"{name_node(root)} {words}{more(len(roots.bad) - 1)}",
            names=to_names(root.id for root, _ in roots.bad),
            remedy="Take it from a place that require.source.from names, at a fixed revision.",
        )
    if roots.unclear:
        root, _ = roots.unclear[0]
        return unknown(
            _RULE,
            f"Nobody who is trusted says where {name_node(root)} is from"
            f"{more(len(roots.unclear) - 1)}",
            names=to_names(root.id for root, _ in roots.unclear),
            remedy="Have it accepted with --fetched-from, or fetched by a recorded step.",
        )
    if not roots.good:
        return unknown(
            _RULE,
            "No step says what it was made from, so that nobody knows where it is from",
            names=(report.root.id,),
            remedy="Record the step again with its inputs (weighbridge run --input).",
        )
    number = count(len(roots.good), "root")
    return pass_(_RULE, f"{number}: each is from a place that is allowed")


def _look(
    rule: SourceRule,
    node: LineageNode,
    *,
    listed: Mapping[str, PolicyRoot],
    fetches: Sequence[Sequence[Dependency]],
) -> Look:
    """Return what is known of where a node is from; of several ways to have it one is enough."""
    if node.origin is Origin.LISTED or node.id in listed:
        return Look(Answer.PASS)
    ways = [[(entry.uri, _has_commit(entry)) for entry in inputs] for inputs in fetches]
    if node.acceptance is not None:
        ways.append([(node.acceptance.fetched_from, False)])
    problems = sorted(_find_problem(rule, way) for way in ways if way)
    if "" in problems:
        return Look(Answer.PASS)
    return Look(Answer.FAIL, problems[0]) if problems else Look(Answer.UNKNOWN)


def _has_commit(entry: Dependency) -> bool:
    return _COMMIT.fullmatch(entry.digest.get("gitCommit", "")) is not None


def _find_problem(rule: SourceRule, uris: Sequence[tuple[str, bool]]) -> str:
    """Return what is wrong with the first URI that is; empty if all are good."""
    for uri, has_commit in uris:
        shown = printable(uri, limit=120) or "nowhere"
        if not any(_matches(uri, pattern) for pattern in rule.sources):
            return f"is from {shown}, which the policy does not name"
        if rule.pinned and not (has_commit or _PINNED.fullmatch(uri)):
            return f"is from {shown}, which is no fixed revision"
    return ""


def _matches(uri: str, pattern: str) -> bool:
    """Return whether a URI is one of those that a pattern stands for.

    ``*`` stands for any letters but ``/``; ``**`` at the end for everything below. Where the
    pattern has no ``@``, the revision behind the last one of the URI does not matter.
    """
    if _ODD.search(uri) or not uri.isascii():
        return False
    if "@" not in pattern:
        head, slash, name = uri.rpartition("/")
        if head.endswith("/"):  # what stands before an @ here is a user, and no place
            return "@" not in name and uri == pattern
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
