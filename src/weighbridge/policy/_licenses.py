"""The rule ``licenses``: the artifact's own licence, and those of what it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, ArtifactKind, RuleResult, printable
from weighbridge.errors import ParseError
from weighbridge.formats import parse_license
from weighbridge.policy._lineage_roots import Look, judge_roots
from weighbridge.policy._results import (
    count,
    fail,
    get_lineage,
    more,
    name_node,
    pass_,
    to_sentence,
    unknown,
    unknown_lineage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.core import Evidence, LineageNode, LineageReport, PolicyRoot
    from weighbridge.policy._policy import LicensesRule

__all__ = ["judge_licenses"]

_RULE = "licenses"


def judge_licenses(
    rule: LicensesRule, evidence: Evidence, *, listed: Mapping[str, PolicyRoot]
) -> RuleResult:
    """Judge the licence that the card declares and, if the rule says so, those of all roots.

    Args:
        rule: Which licences may be.
        evidence: What is known.
        listed: The roots of the policy, by the id of the node.
    """
    own = _judge_own(rule, evidence)
    if not rule.through_lineage or own.answer is Answer.FAIL:
        return own
    report = get_lineage(evidence)
    if report is None:
        return unknown_lineage(_RULE)
    roots = _judge_roots(rule.allow or (), report, listed)
    if roots.answer is Answer.FAIL or own.answer is Answer.PASS:
        return roots if roots.answer is not Answer.PASS else _join(own, roots)
    return own


def _join(own: RuleResult, roots: RuleResult) -> RuleResult:
    return pass_(_RULE, f"{own.reason}; {roots.reason}")


def _judge_roots(
    allow: Sequence[str], report: LineageReport, listed: Mapping[str, PolicyRoot]
) -> RuleResult:
    roots = judge_roots(report, lambda node: _look(allow, node, listed.get(node.id)))
    if problems := roots.bad or roots.unclear:
        node, words = problems[0]
        words = words or "is under no licence that anybody who is trusted names"
        answer = fail if roots.bad else unknown
        return answer(
            _RULE,
            f"It was made from {name_node(node)}, which {words}{more(len(problems) - 1)}",
            names=tuple(node.id for node, _ in problems),
            remedy=_REMEDY_BAD if roots.bad else _REMEDY_UNCLEAR,
        )
    if not roots.good:
        return unknown(
            _RULE,
            "No step says what it was made from, so that nobody knows under which licences",
            names=(report.root.id,),
            remedy="Record the step again with its inputs (weighbridge run --input).",
        )
    return pass_(_RULE, f"so are those of {count(len(roots.good), 'root')} that it was made from")


_REMEDY_BAD = (
    "Make it from something else, or have the licence reviewed and add it to"
    " require.licenses.allow."
)
_REMEDY_UNCLEAR = (
    "Have the root accepted with its licence (weighbridge accept --license), or listed in [[roots]]"
    " with one."
)


def _look(allow: Sequence[str], node: LineageNode, root: PolicyRoot | None) -> Look:
    """Return what is known of a node's licence as a root; what the policy says comes first."""
    text = (root.license if root is not None else "") or node.license
    if not text:
        return Look(Answer.UNKNOWN)
    shown = printable(text, limit=120)
    try:
        parsed = parse_license(text)
    except ParseError as error:
        return Look(Answer.UNKNOWN, f"is under {shown}, which cannot be read: {error}")
    if parsed.is_satisfied_by(allow):
        return Look(Answer.PASS)
    return Look(Answer.FAIL, f"is under {shown}, which the policy does not allow")


def _judge_own(rule: LicensesRule, evidence: Evidence) -> RuleResult:
    """Judge the licence that the card declares."""
    license_ = evidence.license
    if not license_.expression:
        return _judge_no_license(evidence)
    expression = printable(license_.expression)
    try:
        parsed = parse_license(license_.expression)
    except ParseError as error:
        return unknown(
            "licenses",
            f"The licence {expression} cannot be read: {error}",
            remedy="Have the card declare a licence of SPDX or Hugging Face.",
        )
    if rule.allow is None:
        return pass_("licenses", f"{expression} is declared; any licence is accepted")
    if parsed.is_satisfied_by(rule.allow):
        return pass_("licenses", f"{expression} is declared, and allowed")
    allowed = printable(", ".join(rule.allow), limit=200)
    return fail(
        "licenses",
        f"{expression} is declared; the policy allows {allowed}",
        remedy="Use another model, or have the licence reviewed and add it to"
        " require.licenses.allow.",
    )


def _judge_no_license(evidence: Evidence) -> RuleResult:
    if evidence.card.card is None and evidence.artifact.kind is ArtifactKind.FILE:
        return unknown(
            "licenses",
            "A single file has no place for a model card that would declare a licence",
            remedy="Check the whole folder that it comes from.",
        )
    return unknown(
        "licenses",
        to_sentence(printable(evidence.license.problem) or "no licence is declared"),
        remedy="Ask the publisher which licence applies, and have it declared in the card.",
    )
