"""The rules ``review`` and ``evaluation``: what people and tests say of the artifact itself."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import Decision, ProblemKind, TestResult, printable
from weighbridge.policy._results import (
    count,
    fail,
    get_lineage,
    more,
    name_node,
    pass_,
    unknown,
    unknown_lineage,
)

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core import Evidence, LineageReport, Review, RuleResult
    from weighbridge.policy._policy import EvaluationRule, ReviewRule

__all__ = ["judge_evaluation", "judge_review", "to_bounds"]

_REVIEW = "review"
_NUMBER = re.compile(r"[+-]?[0-9]{1,100}(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,3})?")


def judge_review(rule: ReviewRule, evidence: Evidence, *, at: datetime) -> RuleResult:
    """Judge whether enough people have approved, and nobody's reject stands.

    A person is whom the signer's proof names: two names in the policy for one key are one person.
    A reject stands until the same person approves, later, in a review that counts. Any reviewer's
    reject fails the rule, and so does one of anything that the artifact was made from.
    """
    report = get_lineage(evidence)
    if report is None:
        return unknown_lineage(_REVIEW)
    if rejected := _find_rejected(report):
        return rejected
    people = _sort_by_person(report.root.reviews)
    states = {person: _judge_person(rule, own, at=at) for person, own in people.items()}
    if standing := sorted(state.reject for state in states.values() if state.reject):
        return fail(
            _REVIEW,
            f"{standing[0]}{more(len(standing) - 1)}",
            names=(report.root.id,),
            remedy="Settle what the review says; the same reviewer has to approve then.",
        )
    approved = sorted({state.approved_by for state in states.values() if state.approved_by})
    number = sum(bool(state.approved_by) for state in states.values())
    if number < rule.at_least:
        return fail(
            _REVIEW,
            f"{count(number, 'approval')} that {'counts' if number == 1 else 'count'},"
            f" and the policy asks for {rule.at_least} by {' or '.join(rule.by)}"
            f"{_describe_wanted(rule)}",
            names=(report.root.id,),
            remedy="Have it reviewed (weighbridge review) by those whom the policy names.",
        )
    return pass_(_REVIEW, f"Approved by {', '.join(approved)}{_describe_wanted(rule)}")


def _find_rejected(report: LineageReport) -> RuleResult | None:
    nodes = [
        (node, problem.message)
        for node in report.nodes
        for problem in node.problems
        if problem.kind is ProblemKind.REJECTED
    ]
    if not nodes:
        return None
    node, message = min(nodes, key=lambda item: (item[0].depth, item[0].id, item[1]))
    return fail(
        _REVIEW,
        f"{name_node(node)}: {printable(message, limit=200).removesuffix('.')}"
        f"{more(len(nodes) - 1)}",
        names=tuple(sorted({node.id for node, _ in nodes})),
        remedy="Settle what the review says; the same reviewer has to approve then.",
    )


class _Opinion(NamedTuple):
    """One person's review, by one of the names that the policy has for that person."""

    signer: str
    review: Review


class _State(NamedTuple):
    """What somebody's reviews come to; texts are empty for no."""

    approved_by: str = ""
    reject: str = ""


def _sort_by_person(reviews: tuple[Review, ...]) -> dict[str, list[_Opinion]]:
    people = defaultdict(list)
    for review in reviews:
        for signer, identity in zip(review.signers, review.identities, strict=True):
            people[identity].append(_Opinion(signer, review))
    return people


def _judge_person(rule: ReviewRule, opinions: list[_Opinion], *, at: datetime) -> _State:
    rejects = [entry for entry in opinions if entry.review.decision is Decision.REJECT]
    counted = [entry for entry in opinions if _counts(rule, entry.review, at=at)]
    latest = max((entry.review.review.reviewed_at for entry in counted), default=None)
    standing = [
        entry for entry in rejects if latest is None or entry.review.review.reviewed_at >= latest
    ]
    if standing:
        return _State(reject=_describe_reject(standing))
    since = max((entry.review.review.reviewed_at for entry in rejects), default=None)
    names = sorted(
        entry.signer
        for entry in counted
        if entry.signer in rule.by
        and (not rule.scope or entry.review.review.scope == rule.scope)
        and (since is None or entry.review.review.reviewed_at > since)
    )
    return _State(approved_by=names[0] if names else "")


def _counts(rule: ReviewRule, review: Review, *, at: datetime) -> bool:
    """Return whether this is an approval of today: not of tomorrow, expired or too old."""
    said = review.review
    if review.decision is not Decision.APPROVE or said.reviewed_at > at:
        return False
    if said.expires_at is not None and said.expires_at <= at:
        return False
    return rule.max_age_days is None or at - said.reviewed_at <= timedelta(days=rule.max_age_days)


def _describe_reject(opinions: list[_Opinion]) -> str:
    signer, review = max(
        opinions, key=lambda entry: (entry.review.review.reviewed_at, entry.review.claim.hex)
    )
    said = review.review
    scope = printable(said.scope, limit=80)
    note = f": {printable(said.note, limit=160)}" if said.note else ""
    return f"{signer} rejected it on {said.reviewed_at:%Y-%m-%d} ({scope}){note}"


def _describe_wanted(rule: ReviewRule) -> str:
    words = f", for {printable(rule.scope, limit=80)}" if rule.scope else ""
    if rule.max_age_days is not None:
        words += f", at most {count(rule.max_age_days, 'day')} ago"
    return words


def judge_evaluation(rule: EvaluationRule, evidence: Evidence) -> RuleResult:
    """Judge one metric: measured, within its bounds in every result, and no result failed.

    Every result counts that names the metric, since none of them says when it was.
    """
    name = f"evaluation.{rule.name}"
    report = get_lineage(evidence)
    if report is None:
        return unknown_lineage(name)
    shown = printable(rule.name, limit=80)
    results = _list_results(rule, report)
    values = [result.metrics[rule.name] for result in results if rule.name in result.metrics]
    remedy = f"Evaluate it again, or look for a better one; the policy asks for {to_bounds(rule)}."
    if any(not result.passed for result in results):
        return fail(name, f"An evaluation of {shown} did not pass", remedy=remedy)
    if not values:
        by = f" by {' or '.join(rule.by)}" if rule.by else " by anybody who is trusted for it"
        return unknown(
            name,
            f"There is no evaluation of {shown}{by}",
            names=(report.root.id,),
            remedy="Record an evaluation (weighbridge run --kind evaluate), and check with it.",
        )
    bad = sorted({value for value in values if not _is_within(value, rule)})
    if bad:
        value = printable(bad[0], limit=40)
        return fail(
            name,
            f"{shown} is {value}; the policy asks for {to_bounds(rule)}{more(len(bad) - 1)}",
            remedy=remedy,
        )
    measured = ", ".join(printable(value, limit=40) for value in sorted(set(values))[:3])
    return pass_(name, f"{shown} is {measured}; the policy asks for {to_bounds(rule)}")


def _list_results(rule: EvaluationRule, report: LineageReport) -> list[TestResult]:
    """Return the results about the metric, by those whose word counts."""
    results = [
        result
        for result in report.root.results
        if rule.name in result.metrics or rule.name in result.failed
    ]
    if not rule.by:
        return results
    # By identity: somebody else may have signed the same numbers, and they of another artifact.
    theirs = {
        id(claim.content)
        for claim in report.claims
        if isinstance(claim.content, TestResult) and set(claim.signers) & set(rule.by)
    }
    return [result for result in results if id(result) in theirs]


def _is_within(text: str, rule: EvaluationRule) -> bool:
    if not _NUMBER.fullmatch(text):
        return False
    value = Decimal(text)
    return (rule.at_least is None or value >= rule.at_least) and (
        rule.at_most is None or value <= rule.at_most
    )


def to_bounds(rule: EvaluationRule) -> str:
    """Return the bounds of a metric in words: ``at least 0.92``."""
    bounds = []
    if rule.at_least is not None:
        bounds.append(f"at least {rule.at_least}")
    if rule.at_most is not None:
        bounds.append(f"at most {rule.at_most}")
    return " and ".join(bounds)
