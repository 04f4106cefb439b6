"""The rule ``provenance``: how well it is known how the artifact was made, and from what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from weighbridge.core import EdgeKind, Origin, ProblemKind, printable
from weighbridge.policy._results import (
    count,
    fail,
    get_lineage,
    more,
    name_node,
    pass_,
    to_names,
    to_path_words,
    unknown,
    unknown_lineage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core import (
        Completeness,
        Evidence,
        LineageNode,
        LineageProblem,
        LineageReport,
        RuleResult,
    )
    from weighbridge.policy._policy import ProvenanceRule

__all__ = ["judge_provenance"]

_RULE = "provenance"
_PROBLEMS = frozenset(
    {
        ProblemKind.CYCLE,
        ProblemKind.CONFLICT,
        ProblemKind.MISSING_RANK,
        ProblemKind.ALIAS,
        ProblemKind.TOO_LARGE,
    }
)


def judge_provenance(rule: ProvenanceRule, evidence: Evidence, *, at: datetime) -> RuleResult:
    """Judge level, completeness and soundness of the chain, as deep as the rule asks.

    Source:
        SLSA v1.0, Build track; the levels are those that the policy's builders have.
    """
    report = get_lineage(evidence)
    if report is None:
        return unknown_lineage(_RULE)
    nodes = _list_within(report, rule.depth)
    if lacking := _judge_artifact(report) or _judge_problems(rule, nodes):
        return lacking
    counted = _count_as(rule, report, nodes)
    level, least = _find_least(rule, report, counted)
    if level < rule.level:
        return _fail_level(rule, report, nodes, counted, level)
    if least.rank < rule.completeness.rank:
        return _fail_completeness(rule, report, nodes, counted, least)
    return _judge_age(rule, report.root, at=at) or _praise(rule, report, nodes, level, least)


def _list_within(report: LineageReport, depth: int | None) -> tuple[LineageNode, ...]:
    """Return the artifact and what it depends on, nearest first, as deep as the rule asks."""
    within = [node for node in report.required if depth is None or node.depth <= depth]
    others = [node for node in within if node.id != report.root.id]
    return (report.root, *sorted(others, key=lambda node: (node.depth, node.id)))


def _judge_artifact(report: LineageReport) -> RuleResult | None:
    """Fail if nothing at all is known of the artifact itself, whatever the level."""
    if report.root.origin is not Origin.UNKNOWN:
        return None
    return fail(
        _RULE,
        f"Nobody who is trusted says how this was made{_mention_set_aside(report)}",
        names=(report.root.id,),
        remedy="Get the claims of the step that made it, have it accepted as a root"
        " (weighbridge accept), or add it to [[roots]].",
    )


def _mention_set_aside(report: LineageReport) -> str:
    aside = [entry for entry in report.set_aside if not entry.is_unrelated]
    if not aside:
        return ""
    first = printable(aside[0].reason, limit=120)
    number = count(len(aside), "statement")
    return f"; {number} set aside, the first because: {first}"


def _judge_problems(rule: ProvenanceRule, nodes: Sequence[LineageNode]) -> RuleResult | None:
    found: list[tuple[LineageNode, LineageProblem]] = [
        (node, problem)
        for node in nodes
        for problem in sorted(node.problems, key=lambda p: (p.kind, p.message))
        if _counts(rule, node, problem.kind)
    ]
    if not found:
        return None
    node, problem = found[0]
    message = printable(problem.message, limit=200).removesuffix(".")
    return fail(
        _RULE,
        f"{name_node(node)}: {message}{more(len(found) - 1)}",
        names=to_names(node.id for node, _ in found),
        remedy=_REMEDIES.get(problem.kind, "Look at it with weighbridge trace."),
    )


def _counts(rule: ProvenanceRule, node: LineageNode, kind: ProblemKind) -> bool:
    """Return whether a problem fails the rule by itself.

    A dead end is where a node would be if nobody had said anything, and so is one whose acceptance
    expired, unless a step made it: that is level 0, which may be enough.
    """
    if kind is ProblemKind.DEAD_END:
        return rule.level > 0
    if kind is ProblemKind.EXPIRED:
        return rule.level > 0 and node.origin is not Origin.BUILT
    return kind in _PROBLEMS


_REMEDIES = {
    ProblemKind.DEAD_END: "Get the claims of the step that made it, have it accepted as a root"
    " (weighbridge accept), or add it to [[roots]].",
    ProblemKind.EXPIRED: "Have it accepted again, or verified again.",
    ProblemKind.CONFLICT: "Find out which of its provenances is true, and do not trust who signed"
    " the other.",
    ProblemKind.MISSING_RANK: "Get the claims of all ranks of the step.",
    ProblemKind.CYCLE: "Ask who signed these statements which of them is wrong.",
    ProblemKind.ALIAS: "Ask who signed these statements which digest is meant.",
}


def _fail_level(
    rule: ProvenanceRule,
    report: LineageReport,
    nodes: Sequence[LineageNode],
    counted: Mapping[str, tuple[int, Completeness]],
    level: int,
) -> RuleResult:
    weak = [node for node in nodes if counted[node.id][0] < rule.level] or [report.root]
    first = min(weak, key=lambda node: counted[node.id][0])
    return fail(
        _RULE,
        f"Build level {level}, and the policy asks for {rule.level};"
        f" lowest at {name_node(first)}{more(len(weak) - 1)};"
        f" weakest path: {to_path_words(report)}",
        names=to_names(node.id for node in (first, *weak)),
        remedy="Have it made by a builder that the policy trusts for this level"
        " ([trust.builders]), or accepted as a root.",
    )


def _fail_completeness(
    rule: ProvenanceRule,
    report: LineageReport,
    nodes: Sequence[LineageNode],
    counted: Mapping[str, tuple[int, Completeness]],
    least: Completeness,
) -> RuleResult:
    weak = [node for node in nodes if counted[node.id][1].rank < rule.completeness.rank]
    first = min(weak or [report.root], key=lambda node: counted[node.id][1].rank)
    return fail(
        _RULE,
        f"That no input is missing is {least}, and the policy asks for {rule.completeness};"
        f" least at {name_node(first)}{more(len(weak) - 1)}",
        names=to_names(node.id for node in (first, *weak)),
        remedy="Record the step again with weighbridge run --observe strace, or --enforce.",
    )


def _count_as(
    rule: ProvenanceRule, report: LineageReport, nodes: Sequence[LineageNode]
) -> dict[str, tuple[int, Completeness]]:
    """Return the level and the completeness that each node counts with.

    Those are its own, since all nodes within the depth are looked at. Where what it was made from
    is not among them, because it is a root or a summary, those of its whole chain count instead.
    """
    required = {node.id for node in report.required}
    cut = {
        edge.source
        for edge in report.edges
        if edge.kind is EdgeKind.MADE_FROM
        and edge.target != edge.source
        and edge.target not in required
    }
    counted = {}
    for node in nodes:
        is_last = rule.depth is not None and node.depth >= rule.depth
        if node.id in cut and not is_last:
            counted[node.id] = (node.level, node.chain_completeness)
        else:
            ways = (node.completeness, node.chain_completeness)
            counted[node.id] = (
                max(node.own_level, node.level),
                max(ways, key=lambda way: way.rank),
            )
    return counted


def _find_least(
    rule: ProvenanceRule,
    report: LineageReport,
    counted: Mapping[str, tuple[int, Completeness]],
) -> tuple[int, Completeness]:
    """Return the least level and the least completeness, each by itself."""
    levels = {level for level, _ in counted.values()}
    ways = {completeness for _, completeness in counted.values()}
    if rule.depth is None:
        levels.add(report.level)
        ways.add(report.completeness)
    return min(levels), min(ways, key=lambda way: way.rank)


def _judge_age(rule: ProvenanceRule, root: LineageNode, *, at: datetime) -> RuleResult | None:
    if rule.max_age_days is None:
        return None
    if root.made_at is None:
        return unknown(
            _RULE,
            "Nobody says when this was made",
            names=(root.id,),
            remedy="Get the provenance of the step that made it, or remove max-age-days.",
        )
    if root.made_at > at:
        reason = f"It says to have been made on {root.made_at:%Y-%m-%d}, which is yet to come"
    elif at - root.made_at > timedelta(days=rule.max_age_days):
        limit = count(rule.max_age_days, "day")
        reason = f"It was made on {root.made_at:%Y-%m-%d}; the policy takes at most {limit}"
    else:
        return None
    return fail(_RULE, reason, names=(root.id,), remedy="Make it again, or change max-age-days.")


def _praise(
    rule: ProvenanceRule,
    report: LineageReport,
    nodes: Sequence[LineageNode],
    level: int,
    least: Completeness,
) -> RuleResult:
    over = "in the chain" if rule.depth is None else f"within {count(rule.depth, 'step')}"
    # Of a cut no inputs are to be known, so nothing is said of them.
    inputs = f", inputs {least}" if any(node.origin is Origin.BUILT for node in nodes) else ""
    return pass_(
        _RULE,
        f"Build level {level}{inputs}, over {count(len(nodes), 'artifact')} {over};"
        f" weakest path: {to_path_words(report)}",
    )
